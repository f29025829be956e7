import { deepEqual, equal, throws } from "node:assert/strict";
import { matchesCidr, parseCidr, parseIpAddress } from "../../../src/postgres/auth/cidr.ts";
import {
  type HbaConnection,
  type HbaRule,
  HbaRules,
  rejectionMessage,
} from "../../../src/postgres/auth/hba.ts";

Deno.test("parseIpAddress reads addresses in every way they are written", () => {
  const same: readonly (readonly string[])[] = [
    ["127.0.0.1", "::ffff:127.0.0.1", "::FFFF:7f00:1", "0:0:0:0:0:ffff:127.0.0.1"],
    ["::1", "0:0:0:0:0:0:0:1", "0000::0001", "::0.0.0.1", "0:0::1"],
    ["::", "0::0", "0:0:0:0:0:0:0:0", "::0.0.0.0"],
    ["2001:db8::8:800:200c:417a", "2001:DB8:0:0:8:800:200C:417A"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["255.255.255.255"],
    ["0.0.0.0"],
  ];
  const words = same.map((texts) => texts.map(parseIpAddress));
  for (const [i, group] of words.entries()) {
    for (const one of group) deepEqual(one, group[0], same[i]!.join(" "));
    equal(group[0] !== undefined, true);
  }
  equal(new Set(words.map((group) => String(group[0]))).size, same.length);
  deepEqual(parseIpAddress("1.2.3.4"), [0x01020304]);
  deepEqual(parseIpAddress("ffff::8000:1"), [0xffff0000, 0, 0, 0x80000001]);
});

Deno.test("parseIpAddress takes nothing else", () => {
  const wrong = [
    "",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.04",
    "01.2.3.4",
    "1.2.3.-4",
    "1.2.3.4 ",
    "0x1.2.3.4",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "12345::",
    "g::",
    "::1%eth0",
    "[::1]",
    "::1.2.3",
    "1.2.3.4::",
    "1:2:3:4:5:6:7:1.2.3.4",
    "localhost",
    "::1/128",
    `${"0".repeat(45)}:1`,
  ];
  for (const text of wrong) equal(parseIpAddress(text), undefined, text);
});

function isIn(range: string, address: string): boolean {
  return matchesCidr(parseCidr(range)!, parseIpAddress(address)!);
}

Deno.test("matchesCidr compares the bits of the prefix and no others", () => {
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["11.0.0.0", "9.255.255.255"]],
    ["10.1.2.3/8", ["10.9.9.9"], ["11.1.2.3"]],
    ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::1", "2001:db8::1"]],
    ["192.168.1.128/25", ["192.168.1.128", "192.168.1.255"], ["192.168.1.127", "192.168.2.128"]],
    ["1.2.3.4", ["1.2.3.4"], ["1.2.3.5"]],
    ["1.2.3.4/31", ["1.2.3.4", "1.2.3.5"], ["1.2.3.6"]],
    ["128.0.0.0/1", ["128.0.0.1", "255.0.0.0"], ["127.255.255.255"]],
    ["::/0", ["::1", "ffff::"], ["127.0.0.1", "::ffff:127.0.0.1"]],
    ["2001:db8::/32", ["2001:db8:ffff::1"], ["2001:db9::1"]],
    ["2001:db8:8000::/33", ["2001:db8:8000::1"], ["2001:db8:7fff::1"]],
    ["::1/128", ["::1"], ["::2", "::1:0:1"]],
    ["fe80::/10", ["febf::1"], ["fec0::1"]],
  ];
  for (const [range, inside, outside] of cases) {
    for (const address of inside) equal(isIn(range, address), true, `${address} in ${range}`);
    for (const address of outside) equal(isIn(range, address), false, `${address} in ${range}`);
  }
});

Deno.test("matchesCidr sees an IPv4 address through its mapping into IPv6", () => {
  equal(isIn("127.0.0.0/8", "::ffff:127.0.0.1"), true);
  equal(isIn("::ffff:127.0.0.0/104", "127.9.9.9"), true);
  equal(isIn("::ffff:127.0.0.0/104", "::ffff:128.0.0.1"), false);
  equal(isIn("::ffff:0:0/96", "1.2.3.4"), true);
  equal(isIn("::ffff:0:0/95", "1.2.3.4"), false, "it holds IPv6 addresses too, so it is IPv6");
  equal(isIn("::ffff:0:0/95", "::fffe:1:1"), true);
});

Deno.test("parseCidr takes nothing but addresses with a prefix that fits", () => {
  const wrong = ["", "/8", "1.2.3.4/", "1.2.3.4/33", "::/129", "1.2.3.4/-1", "1.2.3.4/8/8", "all"];
  for (const text of [...wrong, "1.2.3.4/1e1", "::1%lo/128", " ::1", "1.2.3.4/255.0.0.0"]) {
    equal(parseCidr(text), undefined, text);
  }
});

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
