import { equal } from "node:assert/strict";
import { MemberHealth } from "../../../src/upstream/health/member_health.ts";
import { HEALTH } from "../../../src/upstream/server_table.ts";

Deno.test("MemberHealth is unknown, then up by one success, with no time that it came back", () => {
  const member = new MemberHealth({ rise: 3, fall: 3 });
  equal(member.health, HEALTH.unknown);
  equal(member.onSuccess(5), true);
  equal(member.health, HEALTH.up);
  equal(member.upSinceMs, 0);
  equal(member.onSuccess(6), false);
});

Deno.test("MemberHealth goes down by failures in a row only, and by one that is certain", () => {
  const member = new MemberHealth({ rise: 2, fall: 3 });
  member.onSuccess(0);
  for (const isDown of [false, false]) equal(member.onFailure(false), isDown);
  member.onSuccess(0); // flapping: it begins again
  for (const isDown of [false, false, true]) equal(member.onFailure(false), isDown);
  equal(member.health, HEALTH.down);
  equal(member.onFailure(false), false, "it is down already");

  const other = new MemberHealth({ rise: 2, fall: 100 });
  equal(other.onFailure(true), true);
  equal(other.health, HEALTH.down);
});

Deno.test("MemberHealth comes back by successes in a row only, and remembers when", () => {
  const member = new MemberHealth({ rise: 3, fall: 1 });
  member.onFailure(false);
  equal(member.onSuccess(1), false);
  equal(member.onSuccess(2), false);
  member.onFailure(false); // flapping
  equal(member.onSuccess(3), false);
  equal(member.onSuccess(4), false);
  equal(member.health, HEALTH.down);
  equal(member.onSuccess(5), true);
  equal(member.health, HEALTH.up);
  equal(member.upSinceMs, 5);
  equal(member.onFailure(false), true);
});
