import assert from "node:assert/strict";
import { findSubjects, SUBJECT_NAMES } from "../../bench/peers/peers.ts";

const POSTGRES = { port: 1, version: "15.18" };
const SLUICE = { binary: undefined };

Deno.test("findSubjects has each driver of Sluice's, or says why it cannot take part", async () => {
  const { subjects, missing } = await findSubjects(POSTGRES, SLUICE, undefined);
  const names = subjects.map(({ name }) => name);
  const known: readonly string[] = SUBJECT_NAMES;
  assert.deepEqual(names.filter((name) => !known.includes(name)), []);
  assert.ok(names.includes("direct"));
  for (const name of ["sluice-deno", "sluice-epoll", "sluice-io_uring"]) {
    const reason = missing.find((line) => line.startsWith(`${name}: `));
    assert.equal(names.includes(name), reason === undefined, name);
    if (reason !== undefined) assert.match(reason, / does not work here: ./);
  }
  assert.ok(names.includes("sluice-deno"), "it works everywhere");
});

Deno.test("findSubjects leaves out who is not chosen", async () => {
  const { subjects } = await findSubjects(POSTGRES, SLUICE, ["sluice-deno", "direct"]);
  assert.deepEqual(subjects.map(({ name }) => name), ["direct", "sluice-deno"]);
});
