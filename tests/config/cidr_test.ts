import { deepEqual, equal, ok } from "node:assert/strict";
import { isLoopbackRange, parseRange } from "../../src/config/cidr.ts";

Deno.test("parseRange brings every way to write a range into one form", () => {
  const cases: readonly (readonly [address: string, mask: string | undefined, range: string])[] = [
    ["10.0.0.0/8", undefined, "10.0.0.0/8"],
    ["10.1.2.3/8", undefined, "10.0.0.0/8"],
    ["0.0.0.0/0", undefined, "0.0.0.0/0"],
    ["255.255.255.255/0", undefined, "0.0.0.0/0"],
    ["192.168.7.9/31", undefined, "192.168.7.8/31"],
    ["192.168.7.9/32", undefined, "192.168.7.9/32"],
    ["172.16.5.4", "255.240.0.0", "172.16.0.0/12"],
    ["10.0.0.1", "255.255.255.255", "10.0.0.1/32"],
    ["10.0.0.1", "0.0.0.0", "0.0.0.0/0"],
    ["::/0", undefined, "::/0"],
    ["::1/128", undefined, "::1/128"],
    ["0:0:0:0:0:0:0:1/128", undefined, "::1/128"],
    ["2001:DB8::/32", undefined, "2001:db8::/32"],
    ["2001:db8:0:0:1:0:0:1/128", undefined, "2001:db8::1:0:0:1/128"],
    ["2001:0:0:1:0:0:0:1/128", undefined, "2001:0:0:1::1/128"],
    ["1:0:2:3:4:5:6:7/128", undefined, "1:0:2:3:4:5:6:7/128"],
    ["1:2:3:4:5:6:7::/128", undefined, "1:2:3:4:5:6:7:0/128"],
    ["fe80::ffff/10", undefined, "fe80::/10"],
    ["2001:db8:ffff::/33", undefined, "2001:db8:8000::/33"],
    ["fe80::1", "ffff:ffff:ffff:ffff::", "fe80::/64"],
    ["::ffff:10.1.2.3/104", undefined, "10.0.0.0/8"],
    ["::ffff:10.1.2.3/128", undefined, "10.1.2.3/32"],
    ["::ffff:0:0/95", undefined, "::fffe:0:0/95"],
  ];
  for (const [address, mask, range] of cases) {
    deepEqual(parseRange(address, mask), { ok: true, range }, `${address} ${mask}`);
  }
});

Deno.test("parseRange refuses what is no range, and says why", () => {
  const cases: readonly (readonly [address: string, mask: string | undefined, why: string])[] = [
    ["10.0.0.1", undefined, "the mask is missing; for one address: 10.0.0.1/32"],
    ["::1", undefined, "the mask is missing; for one address: ::1/128"],
    ["10.0.0.0/33", undefined, "from 0 to 32"],
    ["10.0.0.0/08", undefined, "from 0 to 32"],
    ["10.0.0.0/", undefined, "from 0 to 32"],
    ["10.0.0.0/-1", undefined, "from 0 to 32"],
    ["10.0.0.0/8/8", undefined, "from 0 to 32"],
    ["::/129", undefined, "from 0 to 128"],
    ["10.0.0", undefined, "no IP address"],
    ["010.0.0.1/8", undefined, "no IP address"],
    ["db.example.com", undefined, "no IP address"],
    ["samehost", undefined, "no IP address"],
    ["fe80::1%eth0/64", undefined, "no IP address"],
    ["", undefined, "no IP address"],
    ["10.0.0.0", "::ffff:255.0.0.0", "no mask of the same kind"],
    ["fe80::", "255.0.0.0", "no mask of the same kind"],
    ["fe80::", "ffff::ffff", "ones followed by zeros"],
    ["10.0.0.0", "255.0.255.0", "ones followed by zeros"],
    ["10.0.0.0", "ffff::", "no mask of the same kind"],
    ["10.0.0.0", "8", "no mask of the same kind"],
  ];
  for (const [address, mask, why] of cases) {
    const parsed = parseRange(address, mask);
    ok(!parsed.ok && parsed.reason.includes(why), `${address} ${JSON.stringify(parsed)}`);
  }
});

Deno.test("isLoopbackRange is true when no address of a range is another machine's", () => {
  for (const range of ["127.0.0.0/8", "127.0.0.1/32", "127.128.0.0/9", "::1/128"]) {
    equal(isLoopbackRange(range), true, range);
  }
  for (const range of ["126.0.0.0/7", "10.0.0.0/8", "0.0.0.0/0", "::/0", "::/127", "12.7.0.0/16"]) {
    equal(isLoopbackRange(range), false, range);
  }
});
