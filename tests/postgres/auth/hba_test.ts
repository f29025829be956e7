import { deepEqual, equal, throws } from "node:assert/strict";
import {
  type HbaConnection,
  type HbaRule,
  HbaRules,
  rejectionMessage,
} from "../../../src/postgres/auth/hba.ts";

const TCP: HbaConnection = {
  isUnix: false,
  isTls: false,
  database: "sales",
  user: "ann",
  address: "192.0.2.1",
};

/** A rule that every connection over TCP fits. */
function rule(changes: Partial<HbaRule> = {}): HbaRule {
  return { type: "host", databases: ["all"], users: ["all"], ...changes };
}

function fits(changes: Partial<HbaRule>, connection: Partial<HbaConnection> = {}): boolean {
  return new HbaRules([rule(changes)]).find({ ...TCP, ...connection }) !== undefined;
}

Deno.test("HbaRules finds the first rule that fits", () => {
  const rules = [
    rule({ databases: ["other"] }),
    rule({ users: ["bob"] }),
    rule({ address: "198.51.100.0/24" }),
    rule({ users: ["ann"] }),
    rule(),
  ];
  const compiled = new HbaRules(rules);
  equal(compiled.find(TCP), rules[3]);
  equal(compiled.find({ ...TCP, user: "eve" }), rules[4]);
  equal(compiled.find({ ...TCP, address: "198.51.100.9" }), rules[2]);
  equal(new HbaRules(rules.slice(0, 3)).find(TCP), undefined);
  equal(new HbaRules([]).find(TCP), undefined);
});

Deno.test("HbaRules tells local, host, hostssl and hostnossl apart", () => {
  const fitting = (connection: Partial<HbaConnection>) =>
    (["local", "host", "hostssl", "hostnossl"] as const).filter((type) =>
      fits({ type }, connection)
    );
  deepEqual(fitting({ isUnix: true }), ["local"]);
  deepEqual(fitting({ isTls: false }), ["host", "hostnossl"]);
  deepEqual(fitting({ isTls: true }), ["host", "hostssl"]);
  equal(new HbaRules([rule({ type: "local", address: "10.0.0.0/8" })]).find(TCP), undefined);
});

Deno.test("HbaRules knows all, sameuser, names and expressions of databases and users", () => {
  equal(fits({ databases: ["sales"] }), true);
  equal(fits({ databases: ["Sales"] }), false);
  equal(fits({ databases: ["x", "sales"] }), true);
  equal(fits({ databases: ["/^sa"] }), true);
  equal(fits({ databases: ["/^sa$"] }), false);
  equal(fits({ databases: ["sameuser"] }), false);
  equal(fits({ databases: ["sameuser"] }, { database: "ann" }), true);
  equal(fits({ databases: ["sameuser"] }, { database: "sameuser" }), false);
  equal(fits({ databases: [] }), false);
  equal(fits({ users: ["ann", "bob"] }), true);
  equal(fits({ users: ["/n$"] }), true);
  equal(fits({ users: ["bob"] }), false);
  equal(fits({ users: ["sameuser"] }, { user: "sameuser" }), true, "no keyword among users");
  equal(fits({ users: ["replication"] }, { user: "replication" }), true);
});

Deno.test("HbaRules lets physical replication in by replication only, and nothing else by it", () => {
  const replication = { isPhysicalReplication: true, database: "replication" };
  equal(fits({ databases: ["all"] }, replication), false);
  equal(fits({ databases: ["sameuser"] }, { ...replication, database: "ann" }), false);
  equal(fits({ databases: ["/."] }, replication), false);
  equal(fits({ databases: ["replication"] }, replication), true);
  equal(fits({ databases: ["all", "replication"] }, replication), true);
  equal(fits({ databases: ["replication"] }), false);
  equal(fits({ databases: ["replication"] }, { database: "replication" }), false);
});

Deno.test("HbaRules goes by the peer's address, mapped or with a zone", () => {
  equal(fits({ address: "192.0.2.0/24" }, { address: "::ffff:192.0.2.7" }), true);
  equal(fits({ address: "fe80::/10" }, { address: "fe80::1%eth0" }), true);
  equal(fits({ address: "fe80::/10" }), false);
  equal(fits({ address: "all" }, { address: "::1" }), true);
  for (const address of ["", "unknown", "192.0.2.1%x"]) {
    equal(fits({}, { address }), false, address);
  }
});

Deno.test("HbaRules fits nobody whose name is longer than names are", () => {
  const long = "a".repeat(257);
  for (const names of [{ user: long }, { database: long }]) {
    equal(fits({ users: ["all", long, "/a"], databases: ["all", long] }, names), false);
  }
  equal(fits({}, { user: "a".repeat(256) }), true);
});

Deno.test("HbaRules refuses rules that it could not keep, and says which", () => {
  const cases: readonly (readonly [Partial<HbaRule>, RegExp])[] = [
    [{ users: ["+staff"] }, /^rule 2: user "\+staff" means the members of a role/],
    [{ databases: ["samerole"] }, /^rule 2: database "samerole" asks for the members/],
    [{ address: "samehost" }, /^rule 2: address "samehost" must be "all" or a range/],
    [{ address: "example.com" }, /^rule 2: address "example.com" must be "all" or a range/],
    [{ users: ["/("] }, /^rule 2: regular expression "\/\(": a group is not closed/],
  ];
  for (const [changes, message] of cases) {
    throws(() => new HbaRules([rule(), rule(changes)]), { name: "HbaError", message });
  }
});

Deno.test("rejectionMessage says who was refused, in PostgreSQL's order", () => {
  equal(
    rejectionMessage(TCP, undefined),
    'no rule for host "192.0.2.1", user "ann", database "sales", no encryption',
  );
  equal(
    rejectionMessage({ ...TCP, isTls: true, isPhysicalReplication: true }, rule()),
    'a rule rejects connections from host "192.0.2.1", user "ann", replication, TLS',
  );
  equal(
    rejectionMessage({ ...TCP, isUnix: true }, undefined),
    'no rule for host "[local]", user "ann", database "sales"',
  );
});
