/**
 * TLS between clients and the gateway, with libpq as the client: every sslmode against every mode
 * of a listener, client certificates, channel binding, and both ways to begin.
 *
 * @module
 */

import assert from "node:assert/strict";
import pg from "pg";
import postgres from "postgres";
import { Certificates, type StandardCertificates } from "../support/certificates.ts";
import { FORCED, type Gate, startGate, usersFile } from "../support/gate.ts";
import type { Sections } from "../support/gateway.ts";
import { type Conninfo, newLibpqFolder, runPsql } from "../support/libpq.ts";
import { SSL_REQUEST, startup, TERMINATE } from "../support/messages.ts";
import { untilSleeping } from "../support/observe.ts";
import { inTemporaryFolder } from "../support/postgres.ts";
import { LogInRefused, ProtocolClient } from "../support/protocol_client.ts";
import { clientProgram } from "../support/psql.ts";
import { spawnProgram } from "../support/programs.ts";
import { type ServerScene, type Stories, testOnServers } from "../support/stories.ts";
import { PATIENCE_MS, within } from "../support/wait.ts";

const MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;
type Mode = (typeof MODES)[number];

const PASSWORD = "Tr0ub4dor & 3";

const certificates = new Certificates();
const standard = certificates.standard();
const stranger = certificates.make({ subject: "/CN=Another authority", isAuthority: true });
const clientKinds = {
  alice: standard.client,
  bob: certificates.make({ subject: "/CN=bob", issuer: standard.ca }),
  mapped: certificates.make({ subject: "/CN=alice.example.com", issuer: standard.ca }),
  expired: certificates.make({ subject: "/CN=alice", issuer: standard.ca, isExpired: true }),
  foreign: certificates.make({ subject: "/CN=alice", issuer: stranger }),
};
const newLibpq = await newLibpqFolder();

function isStrict(mode: Mode): boolean {
  return mode === "verify-ca" || mode === "verify-full";
}

function tlsOf(mode: Mode, files: Partial<StandardCertificates> = {}): Sections {
  if (mode === "disable") return { mode };
  const { certFile, keyFile } = files.server ?? standard.server;
  return { mode, certFile, keyFile, caFile: standard.ca.certFile };
}

/** A gateway with TLS, where everybody is trusted unless `auth` says otherwise. */
async function withTls(
  { server }: Pick<ServerScene, "server">,
  tls: Sections,
  body: (gate: Gate) => Promise<void>,
  auth: Sections = { method: "trust" },
): Promise<void> {
  const keys = [standard.server.keyFile, standard.client.keyFile].flatMap((file) =>
    Deno.readTextFileSync(file).split("\n").filter((line) => /^[\w+/=]{40,}$/.test(line))
  );
  const options = { auth, server: { tls }, client: FORCED, secrets: [PASSWORD, ...keys] };
  await using gate = await startGate(server, options);
  await body(gate);
}

/** What psql needs to show a certificate. */
function shows(kind: keyof typeof clientKinds): Conninfo {
  const { certFile, keyFile } = clientKinds[kind];
  return { sslcert: certFile, sslkey: keyFile };
}

/** How a connection came about: without TLS, with which version, or what was said instead. */
async function connectBy(
  gate: Gate,
  conninfo: Conninfo,
  libFolder?: string,
): Promise<string> {
  const { code, stdout, stderr } = await runPsql(
    {
      host: "localhost",
      hostaddr: gate.target().host,
      port: String(gate.target().port),
      user: "alice",
      password: PASSWORD,
      dbname: "postgres",
      ...(isStrict(conninfo["sslmode"] as Mode) ? { sslrootcert: standard.ca.certFile } : {}),
      // Without it, libpq looks into the home directory of whoever runs the test.
      ...("sslcert" in conninfo ? {} : { sslcert: "/nonexistent", sslkey: "/nonexistent" }),
      ...conninfo,
    },
    ["-c", "select 'let in'", "-c", "\\conninfo"],
    libFolder === undefined ? {} : { libFolder },
  );
  if (code !== 0) return gate.tell(stderr);
  assert.match(stdout, /^let in\n/);
  return /protocol: (TLSv[\d.]+)/.exec(stdout)?.[1] ?? "plain";
}

/** What each sslmode of a client comes to, by the listener's mode. */
function expected(listener: Mode, client: Mode): RegExp {
  const isAsked = client !== "disable" && client !== "allow";
  const isNeeded = client === "require" || isStrict(client);
  if (listener === "disable") return isNeeded ? /server does not support SSL/ : /^plain$/;
  if (listener === "allow" || listener === "prefer") return isAsked ? /^TLSv1.3$/ : /^plain$/;
  return client === "disable" ? /FATAL: {2}.*must use TLS/ : /^TLSv1.3$/;
}

const MATRIX: Stories<ServerScene> = Object.fromEntries(MODES.map((listener) => [
  `tls.mode ${listener}: every sslmode of libpq`,
  (scene: ServerScene) =>
    withTls(scene, tlsOf(listener), async (gate) => {
      for (const client of MODES) {
        const certificate = isStrict(listener) ? shows("alice") : {};
        const outcome = await connectBy(gate, { sslmode: client, ...certificate });
        assert.match(outcome, expected(listener, client), `sslmode ${client}`);
      }
    }),
]));

const NEGOTIATION: Stories<ServerScene> = {
  "require: a client without TLS is refused with 28000": async (scene) => {
    await withTls(scene, tlsOf("require"), async (gate) => {
      const target = { ...gate.target(), user: "alice", password: "", database: "postgres" };
      const refused = await ProtocolClient.logIn(target).then(() => undefined, (error) => error);
      assert.ok(refused instanceof LogInRefused);
      assert.equal(refused.code, "28000");
    });
  },

  "TLS 1.2 and 1.3, and minVersion TLSv1.3 refuses 1.2": async (scene) => {
    const upTo = (version: string) => ({ sslmode: "require", "ssl_max_protocol_version": version });
    await withTls(scene, tlsOf("require"), async (gate) => {
      assert.equal(await connectBy(gate, upTo("TLSv1.2")), "TLSv1.2");
      assert.equal(await connectBy(gate, upTo("TLSv1.3")), "TLSv1.3");
      await gate.gateway.untilLogged("TLS established", { version: "TLSv1.2" });
    });
    await withTls(scene, { ...tlsOf("require"), minVersion: "TLSv1.3" }, async (gate) => {
      assert.match(await connectBy(gate, upTo("TLSv1.2")), /protocol version/);
      assert.equal(await connectBy(gate, upTo("TLSv1.3")), "TLSv1.3");
      await gate.gateway.untilLogged("cannot establish TLS with client");
    });
  },

  "direct negotiation, in all modes that offer TLS": async (scene, step) => {
    if (newLibpq === undefined) {
      const name = "this machine has no libpq of PostgreSQL 17 or newer";
      return void await step.step({ name, ignore: true, fn: () => {} });
    }
    const direct = { sslmode: "verify-full", sslnegotiation: "direct", ...shows("alice") };
    for (const mode of ["prefer", "require", "verify-full"] as const) {
      await withTls(scene, tlsOf(mode), async (gate) => {
        assert.equal(await connectBy(gate, direct, newLibpq), "TLSv1.3");
        const older = { ...direct, "ssl_max_protocol_version": "TLSv1.2" };
        assert.equal(await connectBy(gate, older, newLibpq), "TLSv1.2");
      });
    }
    await withTls(scene, tlsOf("disable"), async (gate) => {
      assert.match(await connectBy(gate, direct, newLibpq), /error: connection to server/);
    });
  },

  "the gateway's certificate: a wrong name and an unknown authority are noticed": async (scene) => {
    await withTls(scene, tlsOf("prefer"), async (gate) => {
      const named = { sslmode: "verify-full", host: "example.com" };
      assert.match(await connectBy(gate, named), /does not match host name "example.com"/);
      const foreign = { sslmode: "verify-ca", sslrootcert: stranger.certFile };
      assert.match(await connectBy(gate, foreign), /certificate verify failed/);
      // They had TLS, and left: that is no failure of the gateway's.
      assert.equal(await connectBy(gate, { sslmode: "verify-full", sslsni: "0" }), "TLSv1.3");
    });
  },

  "npm:pg and npm:postgres": async (scene) => {
    await withTls(scene, tlsOf("require"), async (gate) => {
      const ca = Deno.readTextFileSync(standard.ca.certFile);
      const { port } = gate.target();
      const who = { host: "localhost", port, password: PASSWORD, database: "postgres" };
      const client = new pg.Client({ ...who, user: "alice", ssl: { ca } });
      await client.connect();
      assert.deepEqual((await client.query("select 1 as one")).rows, [{ one: 1 }]);
      await client.end();
      const sql = postgres({ ...who, username: "alice", ssl: { ca }, max: 1 });
      assert.deepEqual([...await sql`select 1 as one`], [{ one: 1 }]);
      await sql.end();
    });
  },
};

const CERTIFICATES: Stories<ServerScene> = {
  "verify-ca: certificates that are good, expired, foreign and missing": async (scene) => {
    await withTls(scene, tlsOf("verify-ca"), async (gate) => {
      for (const version of ["TLSv1.2", "TLSv1.3"]) {
        const require = { sslmode: "require", "ssl_max_protocol_version": version };
        const logIn = (kind: keyof typeof clientKinds) =>
          connectBy(gate, { ...require, ...shows(kind) });
        assert.equal(await logIn("alice"), version);
        assert.equal(await logIn("bob"), version, "who it is for is no matter of the mode");
        assert.match(await logIn("expired"), /error: connection to server/);
        assert.match(await logIn("foreign"), /error: connection to server/);
        assert.match(await connectBy(gate, require), /error: connection to server/);
      }
      const reasons = gate.gateway.logs.filter(({ msg }) =>
        msg === "cannot establish TLS with client"
      );
      const text = JSON.stringify(reasons);
      assert.match(text, /certificate has expired/);
      assert.match(text, /did not return a certificate/);
    });
  },

  "method cert: the certificate's name is the user, unless the name map says otherwise": async (
    scene,
  ) => {
    const logIn = (gate: Gate, kind: keyof typeof clientKinds, user: string) =>
      connectBy(gate, { sslmode: "require", user, ...shows(kind) });
    const refused = (user: string) =>
      new RegExp(`FATAL: {2}certificate authentication failed for user "${user}"`);
    await withTls(scene, tlsOf("verify-full"), async (gate) => {
      assert.equal(await logIn(gate, "alice", "alice"), "TLSv1.3");
      assert.match(await logIn(gate, "bob", "alice"), refused("alice"));
      assert.match(await logIn(gate, "alice", "ALICE"), refused("ALICE"));
      assert.match(await logIn(gate, "mapped", "alice"), refused("alice"));
    }, { method: "cert" });
    const nameMap = ["/^(.*)\\.example\\.com$ \\1", "bob alice"];
    await withTls(scene, tlsOf("verify-full"), async (gate) => {
      assert.equal(await logIn(gate, "mapped", "alice"), "TLSv1.3");
      assert.equal(await logIn(gate, "bob", "alice"), "TLSv1.3");
      assert.match(await logIn(gate, "bob", "bob"), refused("bob"));
      assert.match(await logIn(gate, "mapped", "bob"), refused("bob"));
    }, { method: "cert", nameMap });
  },

  "rules: cert with a map, and clientcert beside a password": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const auth = {
        method: "rules",
        rules: [
          "hostssl all mapped   all cert map=names",
          "hostssl all alice    all scram-sha-256 clientcert=verify-full",
          "hostssl all bob      all scram-sha-256 clientcert=verify-ca",
          "host    all carol    all scram-sha-256",
        ],
        nameMap: ["names alice.example.com mapped"],
        usersFile: await usersFile(folder, { alice: PASSWORD, bob: PASSWORD, carol: PASSWORD }),
      };
      await withTls(scene, tlsOf("prefer"), async (gate) => {
        const logIn = (user: string, more: Conninfo) =>
          connectBy(gate, { sslmode: "require", user, ...more });
        const refused = /FATAL: {2}certificate authentication failed/;
        assert.equal(await logIn("mapped", shows("mapped")), "TLSv1.3");
        assert.match(await logIn("mapped", shows("alice")), refused);
        assert.match(await logIn("mapped", {}), refused);
        assert.equal(await logIn("alice", shows("alice")), "TLSv1.3");
        const wrong = { ...shows("alice"), password: "wrong" };
        assert.match(await logIn("alice", wrong), /password authentication failed/);
        assert.match(await logIn("alice", shows("bob")), refused);
        assert.match(await logIn("alice", {}), refused);
        assert.equal(await logIn("bob", shows("alice")), "TLSv1.3");
        assert.match(await logIn("bob", {}), refused);
        assert.equal(await logIn("carol", {}), "TLSv1.3");
        // A certificate that is shown is checked, although nobody has asked for one.
        assert.match(await logIn("bob", shows("foreign")), /error: connection to server/);
        const plain = { sslmode: "disable" };
        assert.match(await logIn("alice", plain), /FATAL: {2}no rule for .*no encryption/);
        assert.equal(await logIn("carol", plain), "plain");
      }, auth);
    });
  },
};

const BINDING: Stories<ServerScene> = {
  "SCRAM-SHA-256-PLUS, with every kind of certificate": async (scene) => {
    const altNames = "DNS:localhost";
    const issuer = standard.ca;
    const subject = "/CN=localhost";
    const P384 = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
    const RSA = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    const servers = {
      "P-256, SHA-256": standard.server,
      "P-384, SHA-384": certificates.make({
        subject,
        altNames,
        issuer,
        key: P384,
        digest: "sha384",
      }),
      "RSA, SHA-512": certificates.make({ subject, altNames, key: RSA, digest: "sha512" }),
      // RFC 5929: SHA-1 is replaced by SHA-256.
      "RSA, SHA-1": certificates.make({ subject, altNames, key: RSA, digest: "sha1" }),
    };
    await inTemporaryFolder(async (folder) => {
      const file = await usersFile(folder, { alice: PASSWORD });
      const auth = { method: "scram-sha-256", usersFile: file };
      for (const [name, server] of Object.entries(servers)) {
        await withTls(scene, tlsOf("prefer", { server }), async (gate) => {
          for (const version of ["TLSv1.2", "TLSv1.3"]) {
            const require = {
              sslmode: "require",
              "channel_binding": "require",
              "ssl_max_protocol_version": version,
            };
            assert.equal(await connectBy(gate, require), version, name);
            const wrong = { ...require, password: "wrong" };
            assert.match(await connectBy(gate, wrong), /password authentication failed/, name);
          }
          const without = { sslmode: "require", "channel_binding": "disable" };
          assert.equal(await connectBy(gate, without), "TLSv1.3", name);
          const plain = { sslmode: "disable", "channel_binding": "require" };
          assert.match(await connectBy(gate, plain), /channel binding/, name);
        }, auth);
      }
    });
  },
};

const TRAFFIC: Stories<ServerScene> = {
  "cancel requests, encrypted and not": async (scene) => {
    await withTls(scene, tlsOf("require"), async (gate) => {
      for (const libFolder of [undefined, newLibpq]) {
        const { host, port } = gate.target();
        const conninfo = `host=${host} port=${port} user=alice dbname=postgres sslmode=require`;
        const args = ["-X", "-v", "VERBOSITY=sqlstate", "-d", conninfo];
        const child = spawnProgram(
          await clientProgram("psql"),
          [...args, "-c", "select pg_sleep(300)"],
          libFolder === undefined ? {} : { env: { "LD_LIBRARY_PATH": libFolder } },
        );
        await untilSleeping(scene.direct);
        child.kill("SIGINT");
        const { stderr } = await within(PATIENCE_MS, "psql ends after Ctrl-C", child.output());
        assert.match(new TextDecoder().decode(stderr), /57014/);
      }
    });
  },

  "much data in both directions": async (scene) => {
    await withTls(scene, tlsOf("require"), async (gate) => {
      const { host, port } = gate.target();
      const conninfo = { host, port: String(port), user: "alice", dbname: "postgres" };
      const line = "x".repeat(2000) + "\n";
      const script = "create table much (t text);\n\\copy much from pstdin\n";
      const lines = line.repeat(10_000);
      const sent = await runPsql({ ...conninfo, sslmode: "require" }, ["-f", "-"], {
        stdin: `${script}${lines}\\.\n\\copy much to pstdout\ndrop table much;\n`,
      });
      assert.equal(sent.stderr, "");
      assert.equal(sent.stdout.length, lines.length);
      assert.ok(sent.stdout === lines, "what came back is what was sent");
    });
  },

  "a client that says Terminate hears a goodbye inside of TLS": async (scene) => {
    await withTls(scene, tlsOf("require"), async (gate) => {
      const { host: hostname, port } = gate.target();
      const plain = await Deno.connect({ hostname, port });
      await plain.write(SSL_REQUEST);
      assert.equal(await plain.read(new Uint8Array(1)), 1);
      const caCerts = [Deno.readTextFileSync(standard.ca.certFile)];
      using conn = await Deno.startTls(plain, { hostname: "localhost", caCerts });
      await conn.write(startup({ user: "alice", database: "postgres" }));
      const buffer = new Uint8Array(4096);
      const isReady = async () => buffer[(await conn.read(buffer) ?? 0) - 6] === 0x5a; // Z
      while (!await within(PATIENCE_MS, "a ReadyForQuery", isReady()));
      await conn.write(TERMINATE);
      // Without a goodbye, reading fails: somebody else may have cut the connection.
      const end = async () => {
        while (await conn.read(buffer) !== null);
      };
      await within(PATIENCE_MS, "the end", end());
    });
  },

  "nobody's handshake holds up others, and none is left behind": async (scene) => {
    await withTls(scene, tlsOf("require"), async (gate) => {
      const halves = await Promise.all(
        Array.from({ length: 50 }, () => ProtocolClient.open(gate.target())),
      );
      // The beginning of a ClientHello.
      for (const client of halves) client.send(Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1));
      assert.equal(await connectBy(gate, { sslmode: "require" }), "TLSv1.3");
      for (const client of halves) client.close();
      await gate.gateway.untilLogged("client disconnected");
      assert.equal(await connectBy(gate, { sslmode: "require" }), "TLSv1.3");
    });
  },
};

await testOnServers("TLS of clients", { newestOnly: true }, {
  ...MATRIX,
  ...NEGOTIATION,
  ...CERTIFICATES,
  ...BINDING,
  ...TRAFFIC,
});
