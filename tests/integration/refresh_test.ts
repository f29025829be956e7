/**
 * Files that change while the gateway runs: certificates, users, rules, limits and passwords are
 * read again and count for those who come from then on; those who are there stay. A broken file
 * changes nothing, and the log says what is wrong with it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { Certificates } from "../support/certificates.ts";
import { change, countOf, READ_AGAIN, REFUSED, replace } from "../support/changed_files.ts";
import { FORCED, md5Secret, scramSecret, startGate, usersFile } from "../support/gate.ts";
import { runPsql } from "../support/libpq.ts";
import { inTemporaryFolder, queryOnce } from "../support/postgres.ts";
import { ProtocolClient, rowsOf } from "../support/protocol_client.ts";
import { psql } from "../support/psql.ts";
import { type ServerScene, type Stories, testOnServers } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";

const OLD = "the 0ld password";
const NEW = "the n3w password";

const USERS: Stories<ServerScene> = {
  "users file: passwords, new users of another kind, and users who are gone": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const file = await usersFile(folder, { alice: scramSecret(OLD), bob: scramSecret(OLD) });
      await using gate = await startGate(scene.server, {
        auth: { method: "scram-sha-256", usersFile: file },
        client: FORCED,
        secrets: [OLD, NEW],
        workers: 2,
      });
      const target = { ...gate.target(), user: "bob", password: OLD, database: "postgres" };
      using stays = await ProtocolClient.logIn(target);
      assert.equal(await gate.code({ user: "carol", password: OLD }), "28P01");
      await change(
        gate,
        READ_AGAIN,
        () =>
          usersFile(folder, { alice: NEW, carol: scramSecret(OLD), dave: md5Secret("dave", OLD) }),
      );
      // Each worker has to know: one login is not enough to find one that does not.
      for (let i = 0; i < 6; i++) {
        assert.equal(await gate.code({ user: "alice", password: OLD }), "28P01");
        assert.equal(await gate.user({ user: "alice", password: NEW }), "postgres");
        assert.equal(await gate.user({ user: "carol", password: OLD }), "postgres");
        assert.equal(await gate.code({ user: "bob", password: OLD }), "28P01");
      }
      assert.deepEqual(rowsOf(await stays.query("select 'still here'")), [["still here"]]);
    });
  },

  "users file: server connections stay, and new ones come with a new password of their user":
    async (
      scene,
    ) => {
      await inTemporaryFolder(async (folder) => {
        const passwordFile = `${folder}/password`;
        await replace(passwordFile, `${scene.direct.password}\n`);
        const file = await usersFile(folder, { alice: OLD });
        await using gate = await startGate(scene.server, {
          auth: { method: "scram-sha-256", usersFile: file },
          client: { user: "postgres", passwordFile },
          pool: { size: 1 },
          secrets: [OLD, NEW],
        });
        const target = { ...gate.target(), user: "alice", password: OLD, database: "postgres" };
        using client = await ProtocolClient.logIn(target);
        const processId = async () => rowsOf(await client.query("select pg_backend_pid()"))[0]![0]!;
        const before = await processId();
        await change(gate, READ_AGAIN, () => usersFile(folder, { alice: NEW }));
        assert.equal(await gate.user({ user: "alice", password: NEW }), "postgres");
        assert.equal(await processId(), before);
        await change(
          gate,
          READ_AGAIN,
          () => replace(passwordFile, `${scene.direct.password}\nof another time\n`),
        );
        assert.equal(await processId(), before, "the password is the same");
        await change(gate, READ_AGAIN, async () => {
          await psql(scene.direct, `alter role postgres password '${NEW}'`);
          await replace(passwordFile, `${NEW}\n`);
        });
        await eventually(
          "it has another server connection",
          async () => await processId() !== before,
        );
        const back = `alter role postgres password '${scene.direct.password}'`;
        assert.equal((await client.query(back)).at(-1)?.tag, "Z");
      });
    },

  "users file: the old one stays while the new one is broken or away": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const file = await usersFile(folder, { alice: OLD });
      await using gate = await startGate(scene.server, {
        auth: { method: "scram-sha-256", usersFile: file },
        client: FORCED,
        secrets: [OLD, NEW],
      });
      await change(gate, REFUSED, () => replace(file, `"alice" "${NEW}\n`));
      assert.equal(await gate.user({ user: "alice", password: OLD }), "postgres");
      await change(gate, REFUSED, () => Deno.remove(file));
      assert.equal(await gate.user({ user: "alice", password: OLD }), "postgres");
      await change(gate, READ_AGAIN, () => usersFile(folder, { alice: NEW }));
      assert.equal(await gate.user({ user: "alice", password: NEW }), "postgres");
      const lines = gate.gateway.logs.filter(({ msg }) => msg === REFUSED);
      assert.match(JSON.stringify(lines), /users\.txt/);
    });
  },

  "users file: each client's own login to the server uses the new password": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      await psql(scene.direct, `create role alice login password '${OLD}'`);
      const file = await usersFile(folder, { alice: OLD });
      await using gate = await startGate(scene.server, {
        auth: { method: "scram-sha-256", usersFile: file },
        secrets: [OLD, NEW],
      });
      assert.equal(await gate.user({ user: "alice", password: OLD }), "alice");
      await psql(scene.direct, `alter role alice password '${NEW}'`);
      await change(gate, READ_AGAIN, () => usersFile(folder, { alice: NEW }));
      assert.equal(await gate.user({ user: "alice", password: NEW }), "alice");
      await queryOnce(
        scene.direct,
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'alice'",
      );
      assert.equal(await gate.user({ user: "alice", password: NEW }), "alice");
    });
  },

  "what is pooled goes on with credentials that a client has shown": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      await psql(
        scene.direct,
        `drop role if exists alice; create role alice login password '${OLD}'`,
      );
      const [row] = await queryOnce(
        scene.direct,
        "select rolpassword from pg_authid where rolname = 'alice'",
      );
      const secret = String(row!["rolpassword"]);
      const file = await usersFile(folder, { alice: secret });
      await using gate = await startGate(scene.server, {
        auth: { method: "scram-sha-256", usersFile: file },
        secrets: [OLD, NEW],
      });
      const target = { ...gate.target(), user: "alice", password: OLD, database: "postgres" };
      using stays = await ProtocolClient.logIn(target);
      await change(gate, READ_AGAIN, () => usersFile(folder, { alice: secret, bob: NEW }));
      assert.deepEqual(rowsOf(await stays.query("select 'still here'")), [["still here"]]);
    });
  },
};

const OTHERS: Stories<ServerScene> = {
  "rules file": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const rulesFile = `${folder}/rules`;
      await replace(rulesFile, "host all alice all reject\nhost all all 127.0.0.1/32 trust\n");
      await using gate = await startGate(scene.server, {
        auth: { method: "rules", rulesFile },
        client: FORCED,
      });
      assert.equal(await gate.code({ user: "alice" }), "28000");
      await change(gate, REFUSED, () => replace(rulesFile, "host all alice all trusted\n"));
      assert.equal(await gate.code({ user: "alice" }), "28000");
      await change(
        gate,
        READ_AGAIN,
        () => replace(rulesFile, "host all bob all reject\nhost all all 127.0.0.1/32 trust\n"),
      );
      assert.equal(await gate.user({ user: "alice" }), "postgres");
      assert.equal(await gate.code({ user: "bob" }), "28000");
    });
  },

  "passwordFile of clients": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      await psql(scene.direct, `create role app login password '${OLD}'`);
      const passwordFile = `${folder}/password`;
      await replace(passwordFile, `${OLD}\n`);
      await using gate = await startGate(scene.server, {
        auth: { method: "trust" },
        client: { user: "app", passwordFile },
        secrets: [OLD, NEW],
      });
      assert.equal(await gate.user(), "app");
      await psql(
        scene.direct,
        `alter role app password '${NEW}';
         select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app';`,
      );
      await change(gate, READ_AGAIN, () => replace(passwordFile, `${NEW}\n`));
      assert.equal(await gate.user(), "app");
    });
  },

  "limits file: a database is disabled, and enabled again": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const limitsFile = `${folder}/limits`;
      await replace(limitsFile, "postgres all 3\n");
      await using gate = await startGate(scene.server, {
        auth: { method: "trust" },
        client: FORCED,
        pool: { limitsFile },
      });
      const target = { ...gate.target(), user: "a", password: "", database: "postgres" };
      using stays = await ProtocolClient.logIn(target);
      await change(gate, READ_AGAIN, () => replace(limitsFile, "postgres all 3 disabled\n"));
      assert.equal(await gate.code(), "57P03");
      assert.deepEqual(rowsOf(await stays.query("select 'still here'")), [["still here"]]);
      await change(gate, READ_AGAIN, () => replace(limitsFile, "postgres=alias all 3\n"));
      assert.equal(await gate.code(), "");
      assert.equal(await gate.user({ database: "alias" }), "postgres");
    });
  },
};

const CERTIFICATES: Stories<ServerScene> = {
  "certificate: new connections get the new one, broken files keep the old one": async (scene) => {
    using certificates = new Certificates();
    const [first, second] = ["/CN=first", "/CN=second"].map((subject) =>
      certificates.make({ subject, altNames: "DNS:localhost" })
    );
    await inTemporaryFolder(async (folder) => {
      const files = { certFile: `${folder}/gateway.crt`, keyFile: `${folder}/gateway.key` };
      const install = async (cert: string, key: string) => {
        await replace(files.keyFile, await Deno.readTextFile(key));
        await replace(files.certFile, await Deno.readTextFile(cert));
      };
      await install(first!.certFile, first!.keyFile);
      await using gate = await startGate(scene.server, {
        auth: { method: "trust" },
        client: FORCED,
        server: { tls: { mode: "require", ...files } },
        workers: 2,
      });
      const outcome = async (trusted: string) => {
        const { port } = gate.target();
        const { code } = await runPsql(
          {
            host: "localhost",
            hostaddr: "127.0.0.1",
            port: String(port),
            user: "a",
            dbname: "postgres",
            sslmode: "verify-full",
            sslrootcert: trusted,
            sslcert: "/nonexistent",
          },
          ["-c", "select 1"],
        );
        return code;
      };
      assert.equal(await outcome(first!.certFile), 0);
      // Halfway of a renewal the key is not the certificate's.
      await change(gate, REFUSED, () => install(first!.certFile, second!.keyFile));
      for (let i = 0; i < 4; i++) assert.equal(await outcome(first!.certFile), 0);
      await change(gate, REFUSED, () => replace(files.certFile, "nothing like a certificate"));
      assert.equal(await outcome(first!.certFile), 0);
      await change(gate, READ_AGAIN, () => install(second!.certFile, second!.keyFile));
      for (let i = 0; i < 4; i++) {
        assert.equal(await outcome(second!.certFile), 0);
        assert.notEqual(await outcome(first!.certFile), 0);
      }
      const ended = certificates.make({ subject: "/CN=third", isExpired: true });
      const endOf = async () => {
        const { validTo } = new X509Certificate(await Deno.readTextFile(files.certFile));
        return Date.parse(validTo) / 1000;
      };
      const series = 'sluice_certificate_not_after_seconds{name="default",side="listener"}';
      assert.equal(await gate.gateway.metric(series), await endOf());
      await change(gate, READ_AGAIN, () => install(ended.certFile, ended.keyFile));
      assert.equal(await gate.gateway.metric(series), await endOf());
      assert.ok(await endOf() < Date.now() / 1000);
    });
  },

  "caFile of clients with mode prefer: a broken one keeps what was there": async (scene) => {
    using certificates = new Certificates();
    const { certFile } = certificates.make({ subject: "/CN=ca" });
    await inTemporaryFolder(async (folder) => {
      const caFile = `${folder}/ca.crt`;
      const whole = await Deno.readTextFile(certFile);
      await replace(caFile, whole);
      await using gate = await startGate(scene.server, {
        auth: { method: "trust" },
        client: { ...FORCED, database: "postgres", tls: { mode: "prefer", caFile } },
        pool: { minSize: 1 },
      });
      assert.equal(await gate.user(), "postgres");
      await change(gate, REFUSED, () => replace(caFile, whole.slice(0, whole.length / 2)));
      assert.equal(await gate.user(), "postgres");
      await change(gate, READ_AGAIN, () => replace(caFile, `${whole}\n`));
      assert.equal(await gate.user(), "postgres");
      assert.equal(countOf(gate, "worker died"), 0);
    });
  },

  "nothing is read again as long as nothing changes": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const file = await usersFile(folder, { alice: OLD });
      await using gate = await startGate(scene.server, {
        auth: { method: "scram-sha-256", usersFile: file },
        client: FORCED,
        secrets: [OLD],
      });
      gate.gateway.signal("SIGHUP");
      assert.equal(await gate.user({ user: "alice", password: OLD }), "postgres");
      assert.equal(countOf(gate, READ_AGAIN), 0);
      assert.equal(countOf(gate, REFUSED), 0);
    });
  },

  "without a signal, files are looked at again and again": async (scene) => {
    await inTemporaryFolder(async (folder) => {
      const file = await usersFile(folder, { alice: OLD });
      await using gate = await startGate(scene.server, {
        auth: { method: "scram-sha-256", usersFile: file },
        client: FORCED,
        secrets: [OLD, NEW],
      });
      await usersFile(folder, { alice: NEW });
      await gate.gateway.untilLogged(READ_AGAIN);
      assert.equal(await gate.user({ user: "alice", password: NEW }), "postgres");
    });
  },
};

await testOnServers("files that change", { newestOnly: true }, {
  ...USERS,
  ...OTHERS,
  ...CERTIFICATES,
});
