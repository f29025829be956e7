import { deepEqual, rejects } from "node:assert/strict";
import { patroniPromotion } from "../../src/operator/patroni_promotion.ts";
import { OperatorWorld } from "./world.ts";

const MEMBERS = [
  { name: "pg0", role: "leader", host: "a", port: 5432 },
  { name: "pg1", role: "replica", host: "B", port: 5432 },
  { name: "pg2", role: "sync_standby", host: "c", port: 5432 },
];

/** Plays Patroni, and asks it to make b the primary; returns what it was asked for. */
async function promote(
  cluster: unknown,
  answer: { readonly status: number; readonly text: string } = { status: 200, text: "done" },
  ahead: readonly string[] = [],
): Promise<unknown[]> {
  const asked: unknown[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    if (request.method === "GET" && pathname === "/cluster") return Response.json(cluster);
    asked.push([request.method, pathname, await request.json()]);
    return new Response(answer.text, { status: answer.status });
  });
  const world = new OperatorWorld();
  const change = { from: world.member("a"), to: world.member("b"), timeoutMs: 30_000 };
  try {
    await patroniPromotion([...ahead, `http://127.0.0.1:${server.addr.port}`], fetch)(change);
  } finally {
    await server.shutdown();
  }
  return asked;
}

const SWITCHED = [["POST", "/switchover", { leader: "pg0", candidate: "pg1" }]];

Deno.test("patroniPromotion asks for a switchover by Patroni's names", async () => {
  deepEqual(await promote({ members: MEMBERS }), SWITCHED);
});

Deno.test("patroniPromotion asks the next one when one does not answer", async () => {
  const answer = { status: 200, text: "" };
  deepEqual(await promote({ members: MEMBERS }, answer, ["http://127.0.0.1:1"]), SWITCHED);
});

Deno.test("patroniPromotion knows the only replica, whatever its address", async () => {
  const members = [MEMBERS[0], { ...MEMBERS[1], host: "10.0.0.2" }];
  deepEqual(await promote({ members }), SWITCHED);
  const roles = members.map((member, index) =>
    index === 0 ? { ...member, role: "master" } : member
  );
  deepEqual(await promote({ members: roles }), SWITCHED);
});

for (
  const [name, cluster, answer, why] of [
    [
      "says what Patroni answers",
      { members: MEMBERS },
      { status: 412, text: "no good\ncandidates" },
      /^Error: Patroni at http:\/\/127\.0\.0\.1:\d+ answers 412: no good candidates$/,
    ],
    [
      "asks for nothing where another one is the leader",
      {
        members: MEMBERS.map((one, index) => ({
          ...one,
          role: index === 1 ? "leader" : "replica",
        })),
      },
      undefined,
      /Patroni says that pg1 is the leader, and not main@a:5432/,
    ],
    [
      "does not guess among replicas that it does not know",
      { members: MEMBERS.map((one) => ({ ...one, host: `x${one.host}` })) },
      undefined,
      /does not know main@b:5432 as a replica: it knows pg1 at xB:5432, pg2 at xc:5432/,
    ],
    ["wants a leader", { members: MEMBERS.slice(1) }, undefined, /there is no leader/],
    [
      "says when what answers is not Patroni",
      { no: "members" },
      undefined,
      /Patroni could not be asked: http:\S+: it does not say who the members are$/,
    ],
    ["takes any JSON", null, undefined, /it does not say who the members are$/],
  ] as const
) {
  Deno.test(`patroniPromotion ${name}`, async () => {
    await rejects(promote(cluster, answer), why);
  });
}
