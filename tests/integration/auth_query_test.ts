/**
 * Secrets that the gateway looks up in the database, with a user of its own that may do nothing
 * else.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Gate, type GateOptions, md5Secret, startGate, usersFile } from "../support/gate.ts";
import { inTemporaryFolder } from "../support/postgres.ts";
import { LogInRefused, ProtocolClient } from "../support/protocol_client.ts";
import { psql } from "../support/psql.ts";
import { type ServerScene, type Stories, testOnServers } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";

const PASSWORD = "Tr0ub4dor & 3";
const LOOKUP_PASSWORD = "only for looking up";

/** Quotes, a backslash and a dollar: all that an injection could be made of. */
const ODD_USER = `o'dd "u\\ser' or '1'='1`;

/** As PgBouncer's documentation recommends it: the user can call this function and no more. */
const LOOKUP = `
  set password_encryption = "scram-sha-256";
  create role lookup login password '${LOOKUP_PASSWORD}';
  create schema lookup authorization postgres;
  create function lookup.secret(name text) returns table (username text, secret text)
    language sql security definer set search_path = pg_catalog as $$
      select rolname::text, case when rolvaliduntil < now() then null else rolpassword end
      from pg_catalog.pg_authid where rolname = $1 and rolcanlogin and not rolsuper $$;
  revoke all on function lookup.secret(text) from public;
  grant usage on schema lookup to lookup;
  grant execute on function lookup.secret(text) to lookup;
  create role alice login password '${PASSWORD}';
  create role expired login password '${PASSWORD}' valid until '2001-01-01';
  create role fresh login password '${PASSWORD}' valid until '2999-01-01';
  create role without login;
  create role locked nologin password '${PASSWORD}';
  create role "${ODD_USER.replaceAll('"', '""')}" login password '${PASSWORD}';
  create table lookup.custom (name text, secret text);
  insert into lookup.custom values ('alice', '${PASSWORD}'), ('empty', ''), ('null', null),
    ('broken', 'SCRAM-SHA-256$nonsense'), ('twice', '${PASSWORD}'), ('twice', 'another one');
  grant select on lookup.custom to lookup;
  create database other;
  set password_encryption = md5; set client_min_messages = error;
  create role hashed login password '${PASSWORD}';
`;

const QUERY = "select username, secret from lookup.secret($1)";

const BY_QUERY = {
  method: "scram-sha-256",
  authQuery: QUERY,
  authUser: "lookup",
  authPassword: LOOKUP_PASSWORD,
  authDatabase: "postgres",
};

async function withQuery(
  { server }: ServerScene,
  options: Partial<GateOptions>,
  body: (gate: Gate) => Promise<void>,
): Promise<void> {
  await using gate = await startGate(server, {
    ...options,
    auth: { ...BY_QUERY, ...options.auth },
    secrets: [PASSWORD, LOOKUP_PASSWORD],
  });
  await body(gate);
}

const STORIES: Stories<ServerScene> = {
  "roles and a function for looking up are made": async ({ direct }) => {
    const { stderr } = await psql(direct, LOOKUP);
    assert.equal(stderr.replaceAll(/^(psql:.*)?(WARNING|DETAIL|HINT|LOCATION).*\n/gm, ""), "");
  },

  "roles log in with their own passwords, and nobody else": async (scene) => {
    await withQuery(scene, {}, async (gate) => {
      for (const user of ["alice", "fresh", ODD_USER]) {
        assert.equal(await gate.user({ user, password: PASSWORD }), user);
        assert.equal(await gate.code({ user, password: "wrong" }), "28P01");
      }
      for (const user of ["expired", "without", "locked", "nobody", "postgres", "hashed"]) {
        const outcome = await gate.logIn({ user, password: PASSWORD });
        assert.deepEqual(outcome, {
          code: "28P01",
          message: `password authentication failed for user "${user}"`,
        });
      }
    });
  },

  "md5: stored hashes are good for the gate and for a server that asks for them": async (
    scene,
  ) => {
    const auth = { ...BY_QUERY, method: "md5" };
    await withQuery(scene, { auth }, async (gate) => {
      assert.equal(await gate.code({ user: "hashed", password: "wrong" }), "28P01");
      assert.equal(await gate.user({ user: "hashed", password: PASSWORD }), "hashed");
      assert.equal(await gate.user({ user: "alice", password: PASSWORD }), "alice");
    });
  },

  "the users file comes first; who is not in it is looked up": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const file = await usersFile(folder, {
        alice: "in the file",
        hashed: md5Secret("hashed", "in the file"),
      });
      const auth = { ...BY_QUERY, usersFile: file };
      const client = { user: "postgres", password: scene.direct.password };
      await withQuery(scene, { auth, client }, async (gate) => {
        assert.equal(await gate.code({ user: "alice", password: PASSWORD }), "28P01");
        assert.equal(await gate.user({ user: "alice", password: "in the file" }), "postgres");
        assert.equal(await gate.user({ user: "fresh", password: PASSWORD }), "postgres");
      });
    });
  },

  "a table of one's own: plain text, nothing, NULL, nonsense and two rows": async (scene) => {
    const authQuery = "select name, secret from lookup.custom where name = $1";
    const client = { user: "postgres", password: scene.direct.password };
    await withQuery(scene, { auth: { ...BY_QUERY, authQuery }, client }, async (gate) => {
      assert.equal(await gate.user({ user: "alice", password: PASSWORD }), "postgres");
      assert.equal(await gate.code({ user: "alice", password: "wrong" }), "28P01");
      for (const user of ["empty", "null", "nobody"]) {
        assert.equal(await gate.code({ user, password: PASSWORD }), "28P01", user);
      }
      const nonsense = { user: "broken", password: "SCRAM-SHA-256$nonsense" };
      assert.equal(await gate.code(nonsense), "08006");
    });
  },

  "a query that fails: clients hear so without details, the log says why": async (scene) => {
    const authQuery = "select name, secret from lookup.there_is_no_such_table where name = $1";
    await withQuery(scene, { auth: { ...BY_QUERY, authQuery } }, async (gate) => {
      const { code, message } = await gate.logIn({ user: "alice", password: PASSWORD });
      assert.equal(code, "08006");
      assert.doesNotMatch(message!, /there_is_no_such_table/);
      const line = await gate.gateway.untilLogged("authentication failed", { user: "alice" });
      assert.match(JSON.stringify(line), /42P01/);
    });
  },

  "authPassword is wrong: nobody is let in, and the log says why": async (scene) => {
    const auth = { ...BY_QUERY, authPassword: "an old password" };
    await withQuery(scene, { auth }, async (gate) => {
      assert.equal(await gate.code({ user: "alice", password: PASSWORD }), "08006");
      const line = await gate.gateway.untilLogged("authentication failed", { user: "alice" });
      assert.match(JSON.stringify(line), /password authentication failed for user \\?\\?"lookup/);
    });
  },

  "two listeners look up with the password of their own": async (scene) => {
    const second = { ...BY_QUERY, authPassword: "an old password", failuresMax: 0 };
    const more = {
      servers: { second: { address: "127.0.0.1:0", proxies: ["default"], auth: second } },
    };
    await withQuery(scene, { more }, async (gate) => {
      assert.equal(await gate.code({ user: "alice", password: PASSWORD }, "second"), "08006");
      assert.equal(await gate.user({ user: "alice", password: PASSWORD }), "alice");
      assert.equal(await gate.code({ user: "alice", password: PASSWORD }, "second"), "08006");
    });
  },

  "without authDatabase it runs in the client's own, with nothing of the client's": async (
    scene,
  ) => {
    // Whoever owns a database could put a function of the same name into the search_path.
    const evil = await psql(
      { ...scene.direct, database: "other" },
      `create schema lookup; create function lookup.secret(name text)
         returns table (username text, secret text)
         language sql as $$ select $1, current_setting('search_path') || '/' ||
           current_setting('application_name') || '/' || current_setting('client_encoding') $$;
       grant usage on schema lookup to public;`,
    );
    assert.equal(evil.stderr, "");
    const auth = { ...BY_QUERY, authDatabase: "" };
    const client = { user: "postgres", password: scene.direct.password };
    await withQuery(scene, { auth, client }, async (gate) => {
      const logIn = (parameters: Readonly<Record<string, string>>, password: string) =>
        codeOf(gate, { user: "anybody", password, database: "other" }, parameters);
      const clean = '"$user", public//UTF8';
      assert.equal(await logIn({}, clean), "");
      const mine = {
        "search_path": "evil",
        "application_name": "mine",
        "client_encoding": "LATIN1",
      };
      assert.equal(await logIn(mine, clean), "");
      assert.equal(await logIn({ options: "-c search_path=evil" }, clean), "");
      assert.equal(await logIn({ options: "-c search_path=evil" }, "evil//UTF8"), "28P01");
    });
  },

  "an unknown database is no way to find out who is known": async (scene) => {
    const auth = { ...BY_QUERY, authDatabase: "" };
    await withQuery(scene, { auth }, async (gate) => {
      const known = await gate.logIn({ user: "alice", password: PASSWORD, database: "nowhere" });
      const unknown = await gate.logIn({ user: "nobody", password: "x", database: "nowhere" });
      assert.deepEqual(known, unknown);
      assert.equal(known.user, undefined);
    });
  },

  "many clients at the same time share its connections": async (scene) => {
    await withQuery(scene, { pool: { size: 2 } }, async (gate) => {
      const codes = await Promise.all(
        Array.from(
          { length: 30 },
          (_, i) => gate.code({ user: i % 3 === 0 ? "nobody" : "alice", password: PASSWORD }),
        ),
      );
      assert.deepEqual(codes, codes.map((_, i) => i % 3 === 0 ? "28P01" : ""));
      const { stdout } = await psql(
        scene.direct,
        "select count(*) from pg_stat_activity where usename = 'lookup'",
      );
      assert.match(stdout, /^[12]\n$/);
    });
  },

  "its connection is lost in between: the next client is looked up with another": async (
    scene,
  ) => {
    await withQuery(scene, {}, async (gate) => {
      assert.equal(await gate.user({ user: "alice", password: PASSWORD }), "alice");
      await psql(
        scene.direct,
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'lookup'",
      );
      await eventually("it is gone", async () => {
        const counted = await psql(
          scene.direct,
          "select count(*) from pg_stat_activity where usename = 'lookup'",
        );
        return counted.stdout.trim() === "0";
      });
      assert.equal(await gate.user({ user: "alice", password: PASSWORD }), "alice");
    });
  },

  "a query that waits for a lock is given up, and leaves no server process behind": async (
    scene,
  ) => {
    const authQuery = "select name, secret from lookup.custom where name = $1";
    const options = {
      auth: { ...BY_QUERY, authQuery },
      client: { user: "postgres", password: scene.direct.password, dialTimeout: "1s" },
      pool: { size: 1 },
    };
    const target = { ...scene.direct, password: scene.direct.password ?? "" };
    using locker = await ProtocolClient.logIn({ ...target, database: "postgres" });
    await locker.query("begin; lock table lookup.custom");
    await withQuery(scene, options, async (gate) => {
      assert.equal(await gate.code({ user: "alice", password: PASSWORD }), "08006");
      await eventually("nobody waits for the lock", async () => {
        const { stdout } = await psql(
          scene.direct,
          "select count(*) from pg_stat_activity where usename = 'lookup' and state = 'active'",
        );
        return stdout.trim() === "0";
      });
      await locker.query("rollback");
      assert.equal(await gate.user({ user: "alice", password: PASSWORD }), "postgres");
    });
  },

  "a client that goes away while it is looked up leaves nothing behind": async (scene) => {
    const authQuery = "select username, secret from lookup.secret($1), pg_sleep(0.3)";
    await withQuery(
      scene,
      { auth: { ...BY_QUERY, authQuery }, pool: { size: 1 } },
      async (gate) => {
        const target = {
          ...gate.target(),
          user: "alice",
          password: PASSWORD,
          database: "postgres",
        };
        for (let i = 0; i < 3; i++) {
          const leaving = ProtocolClient.logIn(target).then((client) => client.close());
          const client = await ProtocolClient.open(gate.target());
          client.close();
          await leaving;
        }
        assert.equal(await gate.user({ user: "alice", password: PASSWORD }), "alice");
      },
    );
  },
};

async function codeOf(
  gate: Gate,
  who: { readonly user: string; readonly password: string; readonly database: string },
  parameters: Readonly<Record<string, string>>,
): Promise<string> {
  try {
    using _client = await ProtocolClient.logIn({ ...gate.target(), ...who }, { parameters });
    return "";
  } catch (error) {
    if (error instanceof LogInRefused) return gate.tell(error.code);
    throw error;
  }
}

await testOnServers(
  "secrets from the database",
  // It asks everybody in the way that fits the stored secret.
  { postgres: { auth: "md5" } },
  STORIES,
);
