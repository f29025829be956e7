import { deepEqual, equal } from "node:assert/strict";
import { type Files, load, notesOf, problemsOf } from "./defaults.ts";

const FILES: Files = { "users.txt": '"app" "secret"\n' };
const AUTH = "{ method: scram-sha-256, usersFile: users.txt }";

/** A gateway with a proxy `main` and another one, which nobody but a mirror may use. */
function withMirror(
  mirror: string,
  { auth = AUTH, next = "{}" }: { readonly auth?: string; readonly next?: string } = {},
): string {
  return `servers:
  main: { address: 127.0.0.1:15432, auth: ${auth} }
clients:
  main: { address: 127.0.0.1:5432 }
  next: { address: 127.0.0.1:5433 }
pools:
  main: { mode: session }
  next: { mode: session }
proxies:
  main: { mirror: ${mirror} }
  next: ${next}
`;
}

Deno.test("loadConfig reads a mirror, and says nothing of its proxy being unused", () => {
  const text = withMirror("{ proxy: next, share: 0.25, compare: true, bufferMax: 2MiB }");
  const { proxies } = load(text, FILES);
  deepEqual(proxies.get("main")!.mirror, {
    proxy: "next",
    share: 0.25,
    compare: true,
    bufferMax: 2 * 1024 ** 2,
  });
  deepEqual(proxies.get("next")!.mirror, undefined);
  equal(notesOf(text, FILES), "");
});

Deno.test("loadConfig takes a share of 0 for no mirror", () => {
  const { proxies } = load(withMirror("{ proxy: next, share: 0 }"), FILES);
  deepEqual(proxies.get("main")!.mirror, undefined);
});

const OTHER_SERVERS = "a mirror needs other servers, or they would do everything twice";
const OWN_POOL =
  "a mirror needs a pool of its own, or it would take connections from the real traffic";

const PROBLEMS: readonly (readonly [what: string, text: string, problems: readonly string[]])[] = [
  [
    "that is itself",
    withMirror("{ proxy: main }"),
    ["s.yaml:10:28: proxies.main.mirror.proxy: a proxy cannot be its own mirror; name another one"],
  ],
  [
    "that does not exist",
    withMirror("{ proxy: nest }"),
    [
      's.yaml:10:28: proxies.main.mirror.proxy: no proxy is named "nest"; did you mean "next"?',
    ],
  ],
  [
    "with the same servers and the same pool",
    withMirror("{ proxy: next }", { next: "{ client: main, pool: main }" }),
    [
      `s.yaml:10:28: proxies.main.mirror.proxy: ${OTHER_SERVERS}, but "next" has client "main", ` +
      "too; give it another client",
      `s.yaml:10:28: proxies.main.mirror.proxy: ${OWN_POOL}, but "next" has pool "main", ` +
      "too; give it another pool",
    ],
  ],
  [
    "of sessions that the server authenticates",
    withMirror("{ proxy: next }", { auth: "{ method: relay }" }),
    [
      "s.yaml:10:28: proxies.main.mirror.proxy: a mirror needs a server that authenticates " +
      "clients itself, but servers.main has auth.method: relay; choose another method there",
    ],
  ],
];

for (const [what, text, problems] of PROBLEMS) {
  Deno.test(`loadConfig refuses a mirror ${what}`, () => {
    equal(problemsOf(text, FILES), problems.map((line) => `${line}\n`).join(""));
  });
}
