/**
 * TLS between the gateway and its servers: every mode against servers with and without TLS, who the
 * server shows to be, client certificates, and both ways to begin.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Certificates } from "../support/certificates.ts";
import { type Gate, type Outcome, startGate, usersFile } from "../support/gate.ts";
import type { Sections } from "../support/gateway.ts";
import { runPsql } from "../support/libpq.ts";
import { inTemporaryFolder, queryOnce } from "../support/postgres.ts";
import { interruptPsql, psql } from "../support/psql.ts";
import { CANCEL_CODE, startTap } from "../support/tap.ts";
import { eventually } from "../support/wait.ts";
import { type ServerScene, type Stories, targetAt, testOnServers } from "../support/stories.ts";

const PASSWORD = "Tr0ub4dor & 3";

const certificates = new Certificates();
const standard = certificates.standard();
const other = certificates.make({ subject: "/CN=Another authority", isAuthority: true });
const bob = certificates.make({ subject: "/CN=bob", issuer: standard.ca });

/** One line a role: the roles are named after how they may connect. */
const HBA = [
  "hostssl   all tls    all scram-sha-256",
  "hostnossl all plain  all scram-sha-256",
  "hostssl   all clear  all password",
  "hostssl   all alice  all cert",
  "hostssl   all both   all scram-sha-256 clientcert=verify-full",
  "host      all any,postgres all scram-sha-256",
  "local     all all        scram-sha-256",
];

/** Puts files where the server may read them, and restarts it with what `settings` say. */
async function configure(
  { server, direct }: ServerScene,
  settings: Readonly<Record<string, string>>,
  certificate = standard.server,
): Promise<void> {
  const { uid, gid } = await Deno.stat(server.dataDir);
  const files = {
    "server.crt": certificate.certFile,
    "server.key": certificate.keyFile,
    "root.crt": standard.ca.certFile,
  };
  for (const [name, source] of Object.entries(files)) {
    const path = `${server.dataDir}/${name}`;
    await Deno.copyFile(source, path);
    await Deno.chmod(path, 0o600);
    await Deno.chown(path, uid, gid);
  }
  await Deno.writeTextFile(`${server.dataDir}/pg_hba.conf`, `${HBA.join("\n")}\n`);
  for (const [name, value] of Object.entries({ "ssl_ca_file": "root.crt", ...settings })) {
    await queryOnce(direct, `alter system set ${name} = '${value}'`);
  }
  await server.restart();
}

async function withTls(
  { server }: ServerScene,
  client: Sections,
  body: (gate: Gate) => Promise<void>,
  auth: Sections = { method: "trust" },
): Promise<void> {
  await using gate = await startGate(server, {
    auth,
    client: { address: `127.0.0.1:${server.port}`, retries: 0, ...client },
    pool: { acquireTimeout: "20s", ...(auth["method"] === "relay" ? { mode: "session" } : {}) },
    secrets: [PASSWORD],
  });
  await body(gate);
}

const AS = (user: string) => ({ user, password: PASSWORD });

/** What the server says of the connection: its version of TLS, or "plain". */
async function encryption(
  gate: Gate,
  who: { readonly user?: string } = {},
  listener = "default",
): Promise<string> {
  const target = { ...targetAt(gate.target(listener)), ...who };
  const failures = () => gate.gateway.logs.filter(({ msg }) => msg === "cannot log in to server");
  const before = failures().length;
  try {
    const [row] = await queryOnce(
      { ...target, password: PASSWORD },
      "select version from pg_stat_ssl where pid = pg_backend_pid()",
    );
    return String(row!["version"] ?? "plain");
  } catch (error) {
    const { code, message } = gate.tell(error as Outcome & { message: string });
    if (code !== "08004") return `${code}: ${message}`;
    // Clients do not hear why.
    await eventually("the log says why a login failed", () => failures().length > before);
    return `${code}: ${JSON.stringify(failures().at(-1))}`;
  }
}

const CA = standard.ca.certFile;
const MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;

/** What each mode comes to at a server that speaks TLS, and at one that does not. */
const WITH_TLS: Readonly<Record<string, RegExp>> = {
  "disable": /^plain$/,
  "allow": /^plain$/,
  "prefer": /^TLSv1.3$/,
  "require": /^TLSv1.3$/,
  "verify-ca": /^TLSv1.3$/,
  "verify-full": /^TLSv1.3$/,
};

/** A gateway with a listener for each mode, since gateways take longer to start than to connect. */
async function expectModes(
  { server }: ServerScene,
  tls: Sections,
  expected: (mode: (typeof MODES)[number]) => RegExp,
): Promise<void> {
  const client = (mode: string) => ({
    address: `127.0.0.1:${server.port}`,
    retries: 0,
    ...AS("any"),
    tls: { mode, ...(mode.startsWith("verify") ? tls : {}) },
  });
  const each = (make: (mode: string) => Sections) =>
    Object.fromEntries(MODES.map((mode) => [mode, make(mode)]));
  const auth = { method: "trust" };
  await using gate = await startGate(server, {
    auth,
    secrets: [PASSWORD],
    more: {
      servers: each(() => ({ address: "127.0.0.1:0", auth })),
      clients: each(client),
      pools: each(() => ({ mode: "transaction", size: 2 })),
    },
  });
  for (const mode of MODES) {
    assert.match(await encryption(gate, {}, mode), expected(mode), mode);
  }
}

const IDENTITY: Stories<ServerScene> = {
  "roles and certificates are made": async (scene) => {
    const roles = ["tls", "plain", "clear", "alice", "both", "any"];
    const { stderr } = await psql(
      scene.direct,
      roles.map((role) => `create role "${role}" login password '${PASSWORD}';`).join("\n"),
    );
    assert.equal(stderr, "");
    await configure(scene, { ssl: "on" });
  },

  "every mode at a server that speaks TLS": (scene) =>
    expectModes(scene, { caFile: CA }, (mode) => WITH_TLS[mode]!),

  "a server whose authority is another one": (scene) =>
    expectModes(
      scene,
      { caFile: other.certFile },
      (mode) => /^verify/.test(mode) ? /^08004: .*certificate verify failed/ : WITH_TLS[mode]!,
    ),

  "without caFile the system's authorities count, which do not know this one": (scene) =>
    expectModes(
      scene,
      {},
      (mode) => /^verify/.test(mode) ? /^08004: .*certificate verify failed/ : WITH_TLS[mode]!,
    ),

  "a server with somebody else's certificate": async (scene) => {
    const named = certificates.make({
      subject: "/CN=db.example.com",
      altNames: "DNS:db.example.com",
      issuer: standard.ca,
    });
    await configure(scene, {}, named);
    await expectModes(
      scene,
      { caFile: CA },
      (mode) =>
        mode === "verify-full"
          ? /^08004: .*(hostname|host name|IP address) mismatch/i
          : WITH_TLS[mode]!,
    );
    await configure(scene, {});
  },

  "names and addresses are checked as they are written": async (scene) => {
    for (const host of ["localhost", "127.0.0.1", "[::1]"]) {
      const address = `${host}:${scene.server.port}`;
      const client = { ...AS("tls"), address, tls: { mode: "verify-full", caFile: CA } };
      await withTls(scene, client, async (gate) => {
        assert.equal(await encryption(gate), "TLSv1.3", host);
        await gate.gateway.untilLogged("TLS established with server", { version: "TLSv1.3" });
      });
    }
  },
};

const LOGINS: Stories<ServerScene> = {
  "a password in clear text is sent over TLS": async (scene) => {
    await withTls(scene, { ...AS("clear"), tls: { mode: "require" } }, async (gate) => {
      assert.equal(await encryption(gate), "TLSv1.3");
    });
  },

  "SCRAM with channel binding, to servers with all kinds of certificates": async (scene) => {
    const altNames = "IP:127.0.0.1";
    const P384 = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
    const RSA = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    const subject = "/CN=localhost";
    const kinds = [
      { subject, altNames, issuer: standard.ca, key: P384, digest: "sha384" },
      { subject, altNames, key: RSA, digest: "sha512" },
    ];
    for (const kind of kinds) {
      await configure(scene, {}, certificates.make(kind));
      await withTls(scene, { ...AS("tls"), tls: { mode: "require" } }, async (gate) => {
        assert.equal(await encryption(gate), "TLSv1.3");
      });
    }
    await configure(scene, {});
  },

  "a client certificate: the right one, somebody else's, and none": async (scene) => {
    const tls = { mode: "verify-full", caFile: CA };
    const alice = { ...tls, ...standard.client };
    await withTls(scene, { user: "alice", tls: alice }, async (gate) => {
      assert.equal(await encryption(gate), "TLSv1.3");
    });
    for (const wrong of [{ ...tls, ...bob }, tls]) {
      await withTls(scene, { user: "alice", tls: wrong }, async (gate) => {
        assert.match(await encryption(gate), /^28000: the server refused the gateway's login/);
      });
    }
    const both = certificates.make({ subject: "/CN=both", issuer: standard.ca });
    await withTls(scene, { ...AS("both"), tls: { ...tls, ...both } }, async (gate) => {
      assert.equal(await encryption(gate), "TLSv1.3");
    });
  },

  "prefer: plain text where TLS is refused, as with libpq": async (scene) => {
    await withTls(scene, { ...AS("plain"), tls: { mode: "prefer" } }, async (gate) => {
      assert.equal(await encryption(gate), "plain");
    });
    await withTls(scene, { ...AS("plain"), tls: { mode: "require" } }, async (gate) => {
      assert.match(await encryption(gate), /^28000: the server refused the gateway's login/);
    });
  },

  "allow: TLS where plain text is refused, as with libpq": async (scene) => {
    await withTls(scene, { ...AS("tls"), tls: { mode: "allow" } }, async (gate) => {
      assert.equal(await encryption(gate), "TLSv1.3");
    });
    await withTls(scene, { ...AS("tls"), tls: { mode: "disable" } }, async (gate) => {
      assert.match(await encryption(gate), /^28000: the server refused the gateway's login/);
    });
  },

  "each client's own credentials, over TLS": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const file = await usersFile(folder, { tls: PASSWORD, clear: PASSWORD, plain: PASSWORD });
      const auth = { method: "scram-sha-256", usersFile: file };
      await withTls(scene, { tls: { mode: "prefer" } }, async (gate) => {
        assert.equal(await encryption(gate, { user: "tls" }), "TLSv1.3");
        assert.equal(await encryption(gate, { user: "clear" }), "TLSv1.3");
        assert.equal(await encryption(gate, { user: "plain" }), "plain");
      }, auth);
    });
  },

  "relayed logins: the server's offer of channel binding is not for the client": async (scene) => {
    await withTls(scene, { tls: { mode: "require" } }, async (gate) => {
      const { host, port } = gate.target();
      const { stdout, stderr } = await runPsql(
        {
          host,
          port: String(port),
          user: "tls",
          password: PASSWORD,
          dbname: "postgres",
          sslmode: "disable",
        },
        ["-c", "select version from pg_stat_ssl where pid = pg_backend_pid()"],
      );
      assert.equal(gate.tell(stderr), "");
      assert.equal(stdout, "TLSv1.3\n");
    }, { method: "relay" });
  },

  "a Unix socket needs none": async (scene) => {
    const address = `${scene.server.socketDir}/.s.PGSQL.${scene.server.port}`;
    await withTls(scene, { ...AS("any"), address, tls: { mode: "require" } }, async (gate) => {
      assert.equal(await encryption(gate), "plain");
    });
  },
};

const NEGOTIATION: Stories<ServerScene> = {
  "direct negotiation, which servers before 17 do not know": async (scene) => {
    const tls = { mode: "verify-full", caFile: CA, negotiation: "direct" };
    await withTls(scene, { ...AS("tls"), tls }, async (gate) => {
      const outcome = await encryption(gate);
      assert.match(outcome, scene.major >= 17 ? /^TLSv1.3$/ : /^08004: .*TLS handshake/);
    });
  },

  "a server that speaks TLS 1.2 at most": async (scene) => {
    await configure(scene, { "ssl_max_protocol_version": "TLSv1.2" });
    await withTls(scene, { ...AS("tls"), tls: { mode: "require" } }, async (gate) => {
      assert.equal(await encryption(gate), "TLSv1.2");
    });
    const tls = { mode: "require", minVersion: "TLSv1.3" };
    await withTls(scene, { ...AS("tls"), tls }, async (gate) => {
      assert.match(await encryption(gate), /^08004: .*TLS handshake.*protocol version/);
    });
    // With prefer, a handshake that fails is followed by an attempt without TLS.
    const prefer = { mode: "prefer", minVersion: "TLSv1.3" };
    await withTls(scene, { ...AS("plain"), tls: prefer }, async (gate) => {
      for (let i = 0; i < 3; i++) assert.equal(await encryption(gate), "plain");
    });
    await configure(scene, { "ssl_max_protocol_version": "" });
  },

  "queries are cancelled, and much data passes": async (scene) => {
    await withTls(scene, { ...AS("tls"), tls: { mode: "require" } }, async (gate) => {
      const via = targetAt(gate.target());
      const { stderr } = await interruptPsql(via, scene.direct);
      assert.match(stderr, /57014/);
      const text = "select string_agg(md5(i::text), '') from generate_series(1, 500000) i";
      const expected = await queryOnce(scene.direct, `select md5(x.s) from (${text}) as x(s)`);
      const [row] = await queryOnce(via, `select s, md5(s) from (${text}) as x(s)`);
      assert.equal(String(row!["s"]).length, 16_000_000);
      assert.equal(row!["md5"], expected[0]!["md5"]);
    });
  },

  "cancels go inside of TLS where the session does": async (scene) => {
    for (const auth of [{ method: "trust" }, { method: "relay" }]) {
      using tap = startTap(scene.server.port);
      const client = { address: `127.0.0.1:${tap.port}`, tls: { mode: "require" } };
      const own = auth.method === "relay" ? {} : AS("tls");
      await withTls(scene, { ...client, ...own }, async (gate) => {
        const via = { ...targetAt(gate.target()), ...AS("tls") };
        const { stderr } = await interruptPsql(via, scene.direct);
        assert.match(stderr, /57014/);
      }, auth);
      assert.ok(tap.codes.length >= 2, "a session and a cancel");
      assert.equal(tap.codes.includes(CANCEL_CODE), false, auth.method);
    }
  },

  "every mode at a server without TLS": async (scene) => {
    await configure(scene, { ssl: "off" });
    await expectModes(
      scene,
      { caFile: CA },
      (mode) =>
        mode === "require" || /^verify/.test(mode)
          ? /^08004: .*does not offer TLS, and tls\.mode is/
          : /^plain$/,
    );
    // What the server said to the first attempt is what counts.
    const allow = { ...AS("any"), database: "nowhere", tls: { mode: "allow" } };
    await withTls(scene, allow, async (gate) => {
      assert.match(await encryption(gate), /^3D000/);
    });
  },
};

await testOnServers(
  "TLS of servers",
  { postgres: { settings: { "listen_addresses": "127.0.0.1,::1" } } },
  { ...IDENTITY, ...LOGINS, ...NEGOTIATION },
);
