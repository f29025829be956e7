/**
 * What has brought down other poolers by a few bytes: from clients that have not logged in, and
 * from servers. Each test bears the name of the CVE or of the report, and is told for relayed
 * sessions and for each pool mode.
 *
 * CVE-2026-6667 (an administrator's command without a check) has no test: the gateway takes no
 * commands over connections of clients.
 *
 * @module
 */

import assert from "node:assert/strict";
import { concat, textOf, utf8 } from "../../src/base/bytes.ts";
import { configFor, type Gateway, type Settings, startGateway } from "../support/gateway.ts";
import { hostileBackend, type Visitor } from "../support/hostile_backend.ts";
import {
  auth,
  AUTH_OK,
  backendKeyData,
  int32,
  message,
  parameterStatus,
  query,
  ready,
  SSL_REQUEST,
  startup,
} from "../support/messages.ts";
import { modesToTest, pooledSettings, type PoolMode } from "../support/pooled_gateway.ts";
import { queryOnce, TEST_PASSWORD } from "../support/postgres.ts";
import {
  type ClientTarget,
  ConnectionEnd,
  LogInRefused,
  ProtocolClient,
  rowsOf,
  sqlStatesOf,
} from "../support/protocol_client.ts";
import { type ServerScene, type Stories, targetAt, testOnServers } from "../support/stories.ts";
import { PATIENCE_MS, within } from "../support/wait.ts";

type Way = PoolMode | "relay";

const WAYS: readonly Way[] = ["relay", ...modesToTest()];

const MEGABYTE = 1024 * 1024;

async function start(
  server: { readonly host: string; readonly port: number },
  way: Way,
  settings: Settings = {},
): Promise<Gateway> {
  const all = way === "relay" ? settings : pooledSettings({ mode: way, size: 2, ...settings });
  return await startGateway({ config: configFor(`${server.host}:${server.port}`, all) });
}

async function stillServes(gateway: Gateway): Promise<void> {
  const rows = await queryOnce(targetAt(gateway.target), "select 1 as n");
  assert.deepEqual(rows, [{ n: 1 }]);
}

/** What a login ends with that is not let in: the error, or nothing but the end. */
async function refusedLogIn(target: ClientTarget): Promise<LogInRefused | ConnectionEnd> {
  try {
    using _client = await ProtocolClient.logIn(target);
  } catch (error) {
    if (error instanceof LogInRefused || error instanceof ConnectionEnd) return error;
    throw error;
  }
  throw new Error("The client was let in");
}

/** A pool that logs in as one user for all lets in every name, where the method is "trust". */
const NO_USER = /^(28...|3D000|08P01|closed|)$/;

/** 63 bytes are all that PostgreSQL keeps of a name: the long ones are the same to it. */
const NO_DATABASE = /^(28...|3D000|08P01|closed)$/;

/** The SQLSTATE that a login ends with, "closed" without one, "" if the client is let in. */
async function logInCode(target: ClientTarget): Promise<string> {
  try {
    using client = await ProtocolClient.logIn(target);
    assert.deepEqual(rowsOf(await client.query("select 1")), [["1"]]);
    return "";
  } catch (error) {
    if (error instanceof LogInRefused) return error.code;
    if (error instanceof ConnectionEnd) return "closed";
    throw error;
  }
}

const CLIENT_ATTACKS: Readonly<
  Record<string, (scene: ServerScene, gateway: Gateway) => Promise<void>>
> = {
  "CVE-2012-4575: names of users and databases of any length": async (_, gateway) => {
    const target = targetAt(gateway.target);
    for (const size of [63, 64, 65, 128, 256, 1_000, 9_000, 10_000, 70_000]) {
      const name = "n".repeat(size);
      for (const who of [{ user: name }, { database: name }, { user: name, database: name }]) {
        const code = await logInCode({ ...target, ...who });
        assert.match(code, who.database === undefined ? NO_USER : NO_DATABASE);
      }
    }
    await stillServes(gateway);
  },

  "CVE-2021-3935: what comes behind an SSLRequest unencrypted is not let in": async (
    _,
    gateway,
  ) => {
    const { user, database } = targetAt(gateway.target);
    for (const said of [startup({ user, database }), query("select 1"), utf8("x")]) {
      using client = await ProtocolClient.open(gateway.target);
      client.send(concat(SSL_REQUEST, said));
      const answer = await within(PATIENCE_MS, "the gateway closes", client.rest());
      assert.doesNotMatch(answer, /R\0\0\0/, "nobody is logged in");
      assert.doesNotMatch(answer, /server_version/);
    }
    await stillServes(gateway);
  },

  "PgCat: a startup packet that claims 2 GB costs nothing": async (_, gateway) => {
    await stillServes(gateway);
    gateway.resetPeak();
    const before = gateway.residentBytes();
    const clients: ProtocolClient[] = [];
    try {
      for (let i = 0; i < 500; i++) {
        const client = await ProtocolClient.open(gateway.target);
        client.send(concat(int32(0x7fffffff), int32(3 << 16), utf8("user\0")));
        clients.push(client);
      }
      await Promise.all(clients.map((client) => client.rest()));
      const growth = gateway.peakResidentBytes() - before;
      assert.ok(growth < 64 * MEGABYTE, `memory grew by ${growth / MEGABYTE} MB`);
    } finally {
      for (const client of clients) client.close();
    }
    await stillServes(gateway);
  },

  "pgagroal: an application_name of 1 MB": async (_, gateway) => {
    const target = targetAt(gateway.target);
    const name = "a".repeat(MEGABYTE);
    const parameters = { "application_name": name };
    await assert.rejects(
      ProtocolClient.logIn(target, { parameters }),
      (error) => error instanceof LogInRefused || error instanceof ConnectionEnd,
    );
    using client = await ProtocolClient.logIn(target);
    assert.deepEqual(sqlStatesOf(await client.query(`set application_name = '${name}'`)), []);
    const [row] = rowsOf(await client.query("show application_name"));
    assert.equal(row![0], "a".repeat(63));
    using other = await ProtocolClient.logIn(target);
    assert.deepEqual(rowsOf(await other.query("show application_name")), [[""]]);
  },

  "a startup packet that comes byte by byte, and one that comes with the first query": async (
    _,
    gateway,
  ) => {
    const { user, database, password } = targetAt(gateway.target);
    using slow = await ProtocolClient.open(gateway.target);
    for (const byte of startup({ user, database, "application_name": "slow" })) {
      slow.send(Uint8Array.of(byte));
      await slow.flushed();
    }
    await slow.untilLoggedIn(user, password);
    assert.deepEqual(rowsOf(await slow.query("show application_name")), [["slow"]]);
    using hasty = await ProtocolClient.open(gateway.target);
    hasty.send(concat(startup({ user, database }), query("select 'at once'")));
    await hasty.untilLoggedIn(user, password);
    assert.deepEqual(rowsOf(await hasty.untilReady()), [["at once"]]);
  },

  "Odyssey: both sides write 50 MB at the same time": async (_, gateway) => {
    using client = await ProtocolClient.logIn(targetAt(gateway.target));
    const text = "d".repeat(MEGABYTE);
    for (let i = 0; i < 50; i++) client.send(query(`select '${i}', '${text}'`));
    for (let i = 0; i < 50; i++) {
      const [row] = rowsOf(await within(PATIENCE_MS, `answer ${i}`, client.untilReady()));
      assert.equal(row![0], String(i));
      assert.equal(row![1]!.length, MEGABYTE);
    }
  },
};

/** Errors that are none: what a server must not be able to do is more than end its own client. */
const STRANGE_ERRORS: Readonly<Record<string, Uint8Array>> = {
  "without a SQLSTATE": message("E", "SFATAL\0VFATAL\0Mno code\0\0"),
  "without any field": message("E", "\0"),
  "with an empty body": message("E"),
  "with unknown fields": message("E", "?what\0!is\0\u0001this\0C28000\0Mx\0\0"),
  "without terminators": message("E", "SFATAL"),
  "with a SQLSTATE of no length": message("E", "SFATAL\0C\0M\0\0"),
  "with a SQLSTATE of 10,000 letters": message("E", `SFATAL\0C${"Z".repeat(10_000)}\0Mx\0\0`),
  "with NUL bytes only": message("E", "\0".repeat(1_000)),
  "that claims to be 2 GB": concat(utf8("E"), int32(0x7fffffff), utf8("SFATAL\0")),
  "of a negative length": concat(utf8("E"), int32(-1), utf8("SFATAL\0")),
};

/** First messages of a SCRAM exchange that no server sends, made from the client's nonce. */
const STRANGE_CHALLENGES: Readonly<Record<string, (nonce: string) => string>> = {
  "a nonce of 1 MB": (nonce) => `r=${nonce}${"N".repeat(MEGABYTE)},s=c2FsdA==,i=4096`,
  "a salt of 1 MB": (nonce) => `r=${nonce}x,s=${"A".repeat(MEGABYTE)},i=4096`,
  "no iterations": (nonce) => `r=${nonce}x,s=c2FsdA==,i=0`,
  "2^31 iterations": (nonce) => `r=${nonce}x,s=c2FsdA==,i=2147483648`,
  "a billion iterations": (nonce) => `r=${nonce}x,s=c2FsdA==,i=1000000000`,
  "negative iterations": (nonce) => `r=${nonce}x,s=c2FsdA==,i=-1`,
  "iterations that are no number": (nonce) => `r=${nonce}x,s=c2FsdA==,i=many`,
  "another nonce": () => "r=other,s=c2FsdA==,i=4096",
  "our nonce with nothing added": (nonce) => `r=${nonce},s=c2FsdA==,i=4096`,
  "no nonce": () => "s=c2FsdA==,i=4096",
  "no salt": (nonce) => `r=${nonce}x,i=4096`,
  "no count": (nonce) => `r=${nonce}x,s=c2FsdA==`,
  "a salt that is no base64": (nonce) => `r=${nonce}x,s=***,i=4096`,
  "nothing": () => "",
  "an error": () => "e=other-error",
};

async function survives(
  way: Way,
  names: readonly string[],
  act: (name: string, visitor: Visitor) => Promise<void>,
): Promise<void> {
  let name = names[0]!;
  await using server = hostileBackend((visitor) => act(name, visitor));
  const options = {
    client: { retries: 0, ...way === "relay" ? {} : { tls: { mode: "disable" } } },
  };
  await using gateway = await start(server, way, options);
  for (name of names) {
    const target = { ...targetAt(gateway.target), password: TEST_PASSWORD };
    const login = way === "relay" ? bareLogIn(target) : refusedLogIn(target).then(() => {});
    await within(PATIENCE_MS, `the client is told: ${name}`, login);
  }
  assert.ok(server.visits() > 0);
}

/** Without answering challenges: in relayed sessions they would be this client's own to refuse. */
async function bareLogIn({ host, port, user, database }: ClientTarget): Promise<void> {
  using client = await ProtocolClient.open({ host, port });
  client.send(startup({ user, database }));
  await client.rest();
}

function backendAttacks(way: Way): Stories<ServerScene> {
  return {
    [`CVE-2026-6666: an ErrorResponse that is none, at login (${way})`]: () =>
      survives(way, Object.keys(STRANGE_ERRORS), async (name, visitor) => {
        await visitor.readStartup();
        await visitor.write(STRANGE_ERRORS[name]!);
      }),

    [`CVE-2026-6666: an ErrorResponse that is none, to a query (${way})`]: async () => {
      let error: Uint8Array = new Uint8Array();
      let answered = Promise.withResolvers<void>();
      await using server = hostileBackend(async (visitor) => {
        await visitor.readStartup();
        await visitor.write(concat(
          AUTH_OK,
          parameterStatus("server_version", "18.0"),
          parameterStatus("client_encoding", "UTF8"),
          backendKeyData(1, Uint8Array.of(1, 2, 3, 4)),
          ready(),
        ));
        for (;;) {
          const asked = await visitor.read();
          if (asked.length === 0) return;
          await visitor.write(concat(error, ready()));
          if (textOf(asked).includes("select 1")) answered.resolve(); // or it is a reset
        }
      });
      await using gateway = await start(server, way, { client: { retries: 0 } });
      const { host, port, user, database } = targetAt(gateway.target);
      for (const [name, bytes] of Object.entries(STRANGE_ERRORS)) {
        error = bytes;
        answered = Promise.withResolvers();
        using client = await ProtocolClient.open({ host, port });
        client.send(startup({ user, database }));
        await client.untilLoggedIn(user, TEST_PASSWORD);
        client.send(query("select 1"));
        await within(PATIENCE_MS, `the server is asked: ${name}`, answered.promise);
        await client.endWriting();
        await within(PATIENCE_MS, `the client is told: ${name}`, client.rest());
      }
    },
  };
}

/** From servers that the gateway logs in to itself. */
function loginAttacks(way: PoolMode): Stories<ServerScene> {
  return {
    [`CVE-2026-6665: SCRAM challenges that are none (${way})`]: () =>
      survives(way, Object.keys(STRANGE_CHALLENGES), async (name, visitor) => {
        await visitor.readStartup();
        await visitor.write(auth(10, "SCRAM-SHA-256\0\0"));
        const nonce = await visitor.readNonce();
        assert.notEqual(nonce, "");
        await visitor.write(auth(11, STRANGE_CHALLENGES[name]!(nonce)));
        // Nobody who noticed answers this; who did not notice is let in without a proof.
        await visitor.read();
        await visitor.write(concat(AUTH_OK, ready()));
        await visitor.read();
      }),

    [`a server that says it is satisfied without any proof of its own (${way})`]: () =>
      survives(
        way,
        ["AuthenticationOk in the middle", "a wrong signature"],
        async (name, visitor) => {
          await visitor.readStartup();
          await visitor.write(auth(10, "SCRAM-SHA-256\0\0"));
          const nonce = await visitor.readNonce();
          await visitor.write(auth(11, `r=${nonce}x,s=c2FsdA==,i=4096`));
          await visitor.read();
          if (name === "a wrong signature") await visitor.write(auth(12, "v=d3Jvbmc="));
          await visitor.write(concat(AUTH_OK, backendKeyData(1, new Uint8Array(4)), ready()));
          await visitor.read();
        },
      ),

    [`a server that asks for the password in the clear without TLS (${way})`]: async () => {
      let said = "";
      await survives(way, ["cleartext"], async (_, visitor) => {
        await visitor.readStartup();
        await visitor.write(auth(3));
        said += new TextDecoder().decode(await visitor.read());
      });
      assert.ok(!said.includes(TEST_PASSWORD), "the password was not sent");
    },

    [`CVE-2024-10977: what a server says before TLS is not told to clients (${way})`]: async () => {
      await using server = hostileBackend(async (visitor) => {
        await visitor.readRequest();
        await visitor.write(message("E", "SFATAL\0C28000\0Mplease visit evil.example\0\0"));
        await visitor.read();
      });
      const client = { retries: 0, tls: { mode: "require" } };
      await using gateway = await start(server, way, { client });
      const error = await refusedLogIn(targetAt(gateway.target));
      assert.ok(!error.message.includes("evil.example"), error.message);
    },

    [`CVE-2021-43767: what a server sends behind its S before TLS is not taken (${way})`]:
      async () => {
        await using server = hostileBackend(async (visitor) => {
          await visitor.readRequest();
          await visitor.write(concat(utf8("S"), AUTH_OK, backendKeyData(1, int32(1)), ready()));
          await visitor.read();
          await visitor.read();
        });
        const client = { retries: 0, tls: { mode: "require" } };
        await using gateway = await start(server, way, { client });
        await refusedLogIn(targetAt(gateway.target));
      },
  };
}

function clientAttacks(way: Way): Stories<ServerScene> {
  return Object.fromEntries(
    Object.entries(CLIENT_ATTACKS).map(([name, attack]) => [
      `${name} (${way})`,
      async (scene) => {
        await using gateway = await start(scene.server, way);
        await attack(scene, gateway);
      },
    ]),
  );
}

await testOnServers(
  "an attack",
  { newestOnly: true, postgres: { auth: "trust" } },
  Object.assign(
    {},
    ...WAYS.flatMap((way) => [clientAttacks(way), backendAttacks(way)]),
    ...modesToTest().map(loginAttacks),
  ),
);
