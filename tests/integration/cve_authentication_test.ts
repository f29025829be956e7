/**
 * What has let the wrong people into other poolers: each test bears its CVE or report. Clients log
 * in to the gateway itself here, from a users file or by a query to the database.
 *
 * @module
 */

import assert from "node:assert/strict";
import { connect as connectFrom } from "node:net";
import { concat, textOf, utf8 } from "../../src/base/bytes.ts";
import { configFor, type Gateway, type Sections, startGateway } from "../support/gateway.ts";
import { AUTH_OK, int32, message, SSL_REQUEST, startup } from "../support/messages.ts";
import { modesToTest, pooledSettings } from "../support/pooled_gateway.ts";
import { inTemporaryFolder, TEST_PASSWORD } from "../support/postgres.ts";
import { LogInRefused, ProtocolClient, rowsOf } from "../support/protocol_client.ts";
import { psql } from "../support/psql.ts";
import { type ServerScene, type Stories, targetAt, testOnServers } from "../support/stories.ts";
import { Certificates } from "../support/certificates.ts";
import { PATIENCE_MS, within } from "../support/wait.ts";

const AUTH_QUERY =
  "select rolname, case when rolvaliduntil < now() then null else rolpassword end " +
  "from pg_catalog.pg_authid where rolname = $1 and rolcanlogin";

/** AuthenticationOk, a character for each byte. */
const LOGGED_IN = textOf(AUTH_OK);

async function start(
  { server }: ServerScene,
  auth: Sections,
  more: Sections = {},
): Promise<Gateway> {
  const settings = pooledSettings({
    mode: "transaction",
    size: 2,
    // Refusals are what is tested: nobody is to be banned for them.
    server: { auth: { failuresMax: 0, ...auth }, ...more },
  });
  return await startGateway({ config: configFor(`${server.host}:${server.port}`, settings) });
}

function byQuery(authQuery = AUTH_QUERY): Sections {
  return {
    method: "scram-sha-256",
    authQuery,
    authUser: "postgres",
    authPassword: TEST_PASSWORD,
    authDatabase: "postgres",
  };
}

/** The SQLSTATE a login ends with; "" if it succeeds. */
async function logInCode(
  gateway: Gateway,
  who: { readonly user?: string; readonly password?: string; readonly database?: string },
  parameters: Readonly<Record<string, string>> = {},
): Promise<string> {
  try {
    using client = await ProtocolClient.logIn({ ...targetAt(gateway.target), ...who }, {
      parameters,
    });
    assert.deepEqual(rowsOf(await client.query("select 1")), [["1"]]);
    return "";
  } catch (error) {
    if (error instanceof LogInRefused) return error.code;
    throw error;
  }
}

/** What comes to a client that says `sent` after it was asked for a SASLInitialResponse. */
async function answerTo(gateway: Gateway, sent: Uint8Array): Promise<string> {
  using client = await ProtocolClient.open(gateway.target);
  client.send(startup({ user: "postgres", database: "postgres" }));
  await client.next();
  client.send(sent);
  await client.endWriting();
  return await within(PATIENCE_MS, "the gateway closes", client.rest());
}

const USERS: Stories<ServerScene> = {
  "CVE-2015-6817: an unknown user is not let in as the one who asks for passwords": async (
    scene,
  ) => {
    await using gateway = await start(scene, byQuery());
    assert.equal(await logInCode(gateway, {}), "");
    for (const user of ["nobody", "", " postgres", "POSTGRES", "postgres\u0001", "postgres'--"]) {
      const code = await logInCode(gateway, { user, database: "postgres" });
      assert.match(code, /^28(P01|000)$/, JSON.stringify(user));
    }
  },

  "CVE-2025-2291: a role whose password has expired is refused": async (scene) => {
    const made = await psql(
      scene.direct,
      `create role expired login password 'p' valid until '2001-01-01';
       create role fresh login password 'p' valid until '2999-01-01';
       create role locked nologin password 'p';`,
    );
    assert.equal(made.stderr, "");
    await using gateway = await start(scene, byQuery());
    assert.equal(await logInCode(gateway, { user: "expired", password: "p" }), "28P01");
    assert.equal(await logInCode(gateway, { user: "locked", password: "p" }), "28P01");
    assert.equal(await logInCode(gateway, { user: "fresh", password: "wrong" }), "28P01");
    assert.equal(await logInCode(gateway, { user: "fresh", password: "p" }), "");
  },

  "CVE-2025-12819: a client's parameters never reach the query for its password": async (
    scene,
  ) => {
    const made = await psql(
      scene.direct,
      `create role victim login password 'a good one';
       create schema evil;
       create view evil.pg_authid as select 'victim'::name as rolname, true as rolcanlogin,
         null::timestamptz as rolvaliduntil, 'known'::text as rolpassword;
       grant usage on schema evil to public; grant select on evil.pg_authid to public;`,
    );
    assert.equal(made.stderr, "");
    const unqualified = AUTH_QUERY.replace("pg_catalog.", "");
    await using gateway = await start(scene, byQuery(unqualified));
    const path = "evil, pg_catalog";
    const ways = [
      { "search_path": path },
      { "options": "-c search_path=evil,pg_catalog" },
      { "options": "--search_path=evil,pg_catalog" },
      { "SEARCH_PATH": path },
    ];
    for (const parameters of ways) {
      const code = await logInCode(gateway, { user: "victim", password: "known" }, parameters);
      assert.equal(code, "28P01", JSON.stringify(parameters));
    }
    assert.equal(await logInCode(gateway, { user: "victim", password: "a good one" }), "");
  },

  "CVE-2026-6664: SASL messages with lengths that are none": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const usersFile = `${folder}/users.txt`;
      await Deno.writeTextFile(usersFile, `"postgres" "${TEST_PASSWORD}"\n`, { mode: 0o600 });
      await using gateway = await start(scene, { method: "scram-sha-256", usersFile });
      const first = utf8("n,,n=,r=abcdefghijklmnop");
      const sent = [
        ...[-1, 0x7fffffff, -2, -2147483648, 0, 1, first.length - 1, first.length + 1]
          .map((size) => message("p", "SCRAM-SHA-256\0", int32(size), first)),
        message("p"),
        message("p", "SCRAM-SHA-256"),
        message("p", "SCRAM-SHA-256\0"),
        message("p", "SCRAM-SHA-256\0\0\0"),
        message("p", "NO-SUCH\0", int32(first.length), first),
        message("p", "SCRAM-SHA-256\0", int32(3), "n,,"),
        message("p", "SCRAM-SHA-256\0", int32(0)),
        concat(utf8("p"), int32(-1), first),
        concat(utf8("p"), int32(3), first),
        concat(utf8("p"), int32(0x7fffffff), first),
        message("p", "SCRAM-SHA-256\0", int32(1 << 20), "n,,n=,r=" + "a".repeat((1 << 20) - 8)),
      ];
      for (const [index, bytes] of sent.entries()) {
        const answer = await answerTo(gateway, bytes);
        assert.match(answer, /C(08P01|28P01|28000)\0/, `message ${index}`);
        assert.ok(!answer.includes(LOGGED_IN), `message ${index}`);
      }
      assert.equal(await logInCode(gateway, {}), "");
    });
  },

  "pgagroal: the salt of MD5 is another one for each connection": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const usersFile = `${folder}/users.txt`;
      await Deno.writeTextFile(usersFile, `"postgres" "${TEST_PASSWORD}"\n`, { mode: 0o600 });
      await using gateway = await start(scene, { method: "md5", usersFile });
      const salts = new Set<string>();
      for (let i = 0; i < 50; i++) {
        using client = await ProtocolClient.open(gateway.target);
        client.send(startup({ user: "postgres", database: "postgres" }));
        const asked = await client.next();
        assert.equal(asked?.bytes[8], 5, "MD5 is asked for");
        salts.add(asked!.bytes.subarray(9).join());
      }
      assert.equal(salts.size, 50);
      assert.equal(await logInCode(gateway, {}), "");
      assert.equal(await logInCode(gateway, { password: "wrong" }), "28P01");
    });
  },

  "pgagroal: rules go by the address that a client really has": async (scene) => {
    const rules = ["host all all 127.0.0.2/32 reject", "host all all 127.0.0.0/8 trust"];
    await using gateway = await start(scene, { method: "rules", rules });
    assert.equal(await logInCode(gateway, {}), "");
    assert.match(await answerFrom(gateway, "127.0.0.2"), /^E.*C28000\0/s);
    assert.ok((await answerFrom(gateway, "127.0.0.3")).startsWith(LOGGED_IN));
  },

  "CVE-2021-3935, CVE-2021-43766: what stands behind an SSLRequest in plain text is not let in":
    async (scene) => {
      using certificates = new Certificates();
      const files = certificates.make({ subject: "/CN=gateway", altNames: "IP:127.0.0.1" });
      for (const mode of ["prefer", "require"]) {
        const tls = { mode, ...files };
        await using gateway = await start(scene, { method: "trust" }, { tls });
        using client = await ProtocolClient.open(gateway.target);
        client.send(concat(SSL_REQUEST, startup({ user: "postgres", database: "postgres" })));
        const answer = await within(PATIENCE_MS, "the gateway closes", client.rest());
        assert.ok(!answer.includes(LOGGED_IN));
      }
    },
};

/** The first thing that a client hears that has logged in from `localAddress`. */
async function answerFrom(gateway: Gateway, localAddress: string): Promise<string> {
  const { host, port } = gateway.target;
  const socket = connectFrom({ host, port, localAddress });
  try {
    const answered = new Promise<string>((resolve, reject) => {
      socket.once("data", (bytes) => resolve(bytes.toString("latin1")));
      socket.once("error", reject);
    });
    socket.write(startup({ user: "postgres", database: "postgres" }));
    return await within(PATIENCE_MS, "the gateway answers", answered);
  } finally {
    socket.destroy();
  }
}

await testOnServers(
  "who is let in",
  { newestOnly: true },
  modesToTest().includes("transaction") ? USERS : {},
);
