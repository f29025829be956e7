import { deepEqual, equal } from "node:assert/strict";
import {
  CERT,
  type Files,
  KEY,
  load,
  notesOf,
  POOL_DEFAULTS,
  problemsOf,
  SMALLEST,
} from "./defaults.ts";

const FILES: Files = {
  "users.txt": '"app" "secret"\n',
  "limits.conf": "db=x app 10 5 2\nall all all\n",
  "gw.crt": CERT,
  "gw.key": KEY,
  "ca.crt": CERT,
};

/** The smallest file whose server does what `auth` says, and more sections. */
function withAuth(auth: string, ...sections: readonly string[]): string {
  const text = SMALLEST.replace("clients:", `    auth: { ${auth} }\nclients:`);
  return text + sections.map((section) => `${section}\n`).join("");
}

const TRUST = "method: trust";
const NEEDS_OWN = "needs a server that authenticates clients itself, but";
const CHOOSE =
  "choose another method there, as in auth: { method: scram-sha-256, usersFile: users.txt }";

Deno.test("loadConfig reads the smallest file for pooling", () => {
  const config = load(
    `servers:
  default:
    address: 127.0.0.1:15432
    proxies: [default]
    auth: { method: scram-sha-256, usersFile: users.txt }
    tls: { mode: prefer, certFile: gw.crt, keyFile: gw.key, caFile: ca.crt }
clients:
  default: { address: 127.0.0.1:5432, user: app, password: "\${APP_PASSWORD}", ` +
      `tls: { mode: verify-full, caFile: ca.crt } }
pools:
  default: { mode: transaction, size: 10, minSize: 2 }
`,
    FILES,
    { APP_PASSWORD: "hunter2" },
  );
  const { auth, tls } = config.servers.get("default")!;
  deepEqual([auth.method, auth.users], ["scram-sha-256", new Map([["app", "secret"]])]);
  deepEqual([tls.mode, tls.cert, tls.key, tls.ca], ["prefer", CERT, KEY, CERT]);
  const client = config.clients.get("default")!;
  deepEqual([client.user, client.password, client.tls.mode], ["app", "hunter2", "verify-full"]);
  deepEqual(config.pools.get("default"), {
    ...POOL_DEFAULTS,
    mode: "transaction",
    size: 10,
    minSize: 2,
  });
});

Deno.test("loadConfig reads every key of a pool and of a user", () => {
  const config = load(
    withAuth(
      TRUST,
      `pools:
  default: { mode: statement, size: 10, minSize: 1, reserve: 2, reserveTimeout: 1s,
    databaseSizeMax: 30, userSizeMax: 20, limitsFile: limits.conf, acquireTimeout: 2s,
    waitersMax: 3, waitNotice: 0, idleTimeout: 0, maxLifetime: 2h, validation: background,
    validationInterval: 1s, resetQuery: "", pin: false, preparedStatementsMax: 0,
    queryTimeout: 3s, transactionTimeout: 4s, idleTransactionTimeout: 5s }
users:
  app: { mode: session, poolSize: 3, queryTimeout: 1s, transactionTimeout: 2s,
    idleTransactionTimeout: 3s, connectionsMax: 4 }
  "Bob O'Neil": {}
  all:
runtime: { serverConnectionsMax: 100 }`,
    ),
    FILES,
  );
  deepEqual(config.pools.get("default"), {
    mode: "statement",
    size: 10,
    minSize: 1,
    reserve: 2,
    reserveTimeoutMs: 1_000,
    databaseSizeMax: 30,
    userSizeMax: 20,
    limitsFile: "limits.conf",
    limits: [
      {
        database: "db",
        aliases: ["x"],
        user: "app",
        sizeMax: 10,
        initialSize: 5,
        minSize: 2,
        isDisabled: false,
      },
      {
        database: undefined,
        aliases: [],
        user: undefined,
        sizeMax: undefined,
        initialSize: 0,
        minSize: 0,
        isDisabled: false,
      },
    ],
    acquireTimeoutMs: 2_000,
    waitersMax: 3,
    waitNoticeMs: 0,
    idleTimeoutMs: 0,
    maxLifetimeMs: 7_200_000,
    validation: "background",
    validationIntervalMs: 1_000,
    resetQuery: "",
    pin: false,
    preparedStatementsMax: 0,
    queryTimeoutMs: 3_000,
    transactionTimeoutMs: 4_000,
    idleTransactionTimeoutMs: 5_000,
  });
  const user = {
    mode: "pool",
    poolSize: 0,
    queryTimeoutMs: 0,
    transactionTimeoutMs: 0,
    idleTransactionTimeoutMs: 0,
    connectionsMax: 0,
  };
  deepEqual(
    config.users,
    new Map<string, unknown>([
      ["app", {
        mode: "session",
        poolSize: 3,
        queryTimeoutMs: 1_000,
        transactionTimeoutMs: 2_000,
        idleTransactionTimeoutMs: 3_000,
        connectionsMax: 4,
      }],
      ["Bob O'Neil", user],
      ["all", user],
    ]),
  );
  equal(config.runtime.serverConnectionsMax, 100);
});

/** A file, and the problems that it must give. */
const WRONG: readonly (readonly [text: string, problems: readonly string[]])[] = [
  [`${SMALLEST}pools: { default: { mode: transaction } }\n`, [
    `s.yaml:7:27: pools.default.mode: transaction ${NEEDS_OWN} servers.default has ` +
    `auth.method: relay; ${CHOOSE}`,
  ]],
  [
    withAuth(
      "method: rules, rules: [local all all relay]",
      "pools: { default: { mode: statement, minSize: 1 } }",
    ),
    [
      `s.yaml:8:27: pools.default.mode: statement ${NEEDS_OWN} a rule of servers.default has ` +
      `method relay; ${CHOOSE}`,
    ],
  ],
  [`${SMALLEST}users: { app: { mode: transaction }, b: { mode: session } }\n`, [
    `s.yaml:7:23: users.app.mode: transaction ${NEEDS_OWN} servers.default has ` +
    `auth.method: relay; ${CHOOSE}`,
  ]],
  [
    `${SMALLEST}pools: { default: { minSize: 1, reserve: 1, databaseSizeMax: 1, userSizeMax: 1, ` +
    "limitsFile: limits.conf } }\n",
    ["7:30: pools.default.minSize: minSize", "7:42: pools.default.reserve: reserve"].concat([
      "7:62: pools.default.databaseSizeMax: databaseSizeMax",
      "7:78: pools.default.userSizeMax: userSizeMax",
      "7:93: pools.default.limitsFile: limitsFile",
    ]).map((start) =>
      `s.yaml:${start} ${NEEDS_OWN} servers.default has auth.method: relay; ${CHOOSE}`
    ),
  ],
  [withAuth(TRUST, "pools: { default: { size: 3, minSize: 4 } }"), [
    "s.yaml:8:39: pools.default.minSize: minSize 4 is above size 3; lower it",
  ]],
  [withAuth(TRUST, "pools: { default: { minSize: 4, databaseSizeMax: 3 } }"), [
    "s.yaml:8:30: pools.default.minSize: minSize 4 is above databaseSizeMax 3; lower it",
  ]],
  [withAuth(TRUST, "pools: { default: { minSize: 4, userSizeMax: 3 } }"), [
    "s.yaml:8:30: pools.default.minSize: minSize 4 is above userSizeMax 3; lower it",
  ]],
  [
    withAuth(
      TRUST,
      "pools: { default: { minSize: 4 } }",
      "runtime: { serverConnectionsMax: 3 }",
    ),
    [
      "s.yaml:8:30: pools.default.minSize: minSize 4 is above runtime.serverConnectionsMax 3; " +
      "lower it",
    ],
  ],
  [withAuth(TRUST, "pools: { default: { size: 9, limitsFile: limits.conf } }"), [
    "limits.conf:1:1: MAX_SIZE 10 is above size 9 of pools.default; lower it, or raise size",
  ]],
  [
    withAuth(
      TRUST,
      "pools: { default: { limitsFile: limits.conf } }",
      "runtime: { serverConnectionsMax: 4 }",
    ),
    [
      "s.yaml:8:33: pools.default.limitsFile: all INITIAL_SIZE add up to 5, which is above " +
      "runtime.serverConnectionsMax 4; lower them",
    ],
  ],
  [withAuth(TRUST, "pools: { default: { limitsFile: none.conf } }"), [
    's.yaml:8:33: pools.default.limitsFile: cannot read "none.conf": there is no such file',
  ]],
  [withAuth(TRUST, "pools: { default: { preparedStatementsMax: 10001 } }"), [
    "s.yaml:8:44: pools.default.preparedStatementsMax: expected a whole number from 0 to 10000, " +
    'such as 200; got "10001"',
  ]],
  [`${SMALLEST}users: { "a\\tb": {} }\n`, [
    "s.yaml:7:10: users.a\\u{9}b: the name of a user must be 1 to 63 characters without control " +
    'characters; got "a\\u{9}b"; did you mean "a-b"?',
  ]],
  [`${SMALLEST}users: { app: { size: 5 } }\n`, [
    "s.yaml:7:17: users.app.size: unknown key; it belongs to pools.NAME",
  ]],
];

Deno.test("crossCheck says what does not fit together, and what to do", () => {
  for (const [text, problems] of WRONG) {
    equal(problemsOf(text, FILES), problems.map((line) => `${line}\n`).join(""), text);
  }
});

Deno.test("crossCheck reports a pool once, however many servers use it", () => {
  const text = `servers:
  a: { address: "a:1", proxies: [default] }
  b: { address: "b:1", proxies: [default] }
clients: { default: { address: "a:1" } }
pools: { default: { mode: transaction } }
`;
  equal(problemsOf(text).split("\n").length, 2);
});

Deno.test("crossCheck notes sizes that may add up to too much, and a user who is not used", () => {
  equal(
    notesOf(
      withAuth(
        TRUST,
        "pools: { default: { limitsFile: limits.conf } }",
        "runtime: { serverConnectionsMax: 7 }",
      ),
      FILES,
    ),
    "s.yaml:8:33: pools.default.limitsFile: all MAX_SIZE add up to 10, which is above " +
      "runtime.serverConnectionsMax 7\n",
  );
  equal(
    notesOf(`${SMALLEST}    user: app\n`),
    "s.yaml:7:11: clients.default.user: not used by all, because servers.default has " +
      "auth.method: relay\n",
  );
});
