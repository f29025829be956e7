import { deepEqual, equal } from "node:assert/strict";
import { matchesCidr, parseCidr, parseIpAddress } from "../../src/base/ip_range.ts";

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
    ".1.2.3",
    "1..2.3",
    "1.2.3.",
    "1.2.3.4.",
    "1.2.3.1000",
    "1.2.3.4294967297",
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
