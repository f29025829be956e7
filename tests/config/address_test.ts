import { addressText } from "../../src/base/address.ts";
import { deepEqual, equal, ok } from "node:assert/strict";
import { parseAddress } from "../../src/config/address.ts";

const LISTENER = { portMin: 0, allowsUnix: true } as const;

Deno.test("parseAddress reads what addressText writes: hosts, IPv6 addresses, Unix sockets", () => {
  const texts = [
    "127.0.0.1:5432",
    "localhost:0",
    "db-1.example.com:65535",
    "[::1]:5432",
    "[::]:1",
    "/run/sluice.sock",
    `/${"a".repeat(106)}`,
  ];
  for (const text of texts) {
    const parsed = parseAddress(text, LISTENER);
    ok(parsed.ok, text);
    equal(addressText(parsed.address), text);
  }
  deepEqual(parseAddress("[::1]:5432", LISTENER), {
    ok: true,
    address: { kind: "tcp", host: "::1", port: 5_432 },
  });
});

Deno.test("parseAddress says what is wrong", () => {
  const cases: readonly (readonly [text: string, reason: string])[] = [
    ["5432", "where the host is missing: 127.0.0.1:5432"],
    ["localhost", "where the port is missing"],
    [":5432", "where the host is missing: 0.0.0.0 is every IPv4 address, [::] every IPv6 one"],
    ["::1", "where brackets and a port are missing: [::1]:5432"],
    ["::1:x", "where an IPv6 address needs brackets"],
    ["[::1]", "where an IPv6 address needs brackets"],
    ["[localhost]:1", "where the brackets hold no IPv6 address"],
    ["postgres://db:5432", "where a URL has no place: write its host:port only"],
    ["300.1.1.1:1", "where the host is no IPv4 address"],
    ["a b:1", "where the host is neither a name nor an IP address"],
    ["-a:1", "where the host is neither a name nor an IP address"],
    [`${"a".repeat(254)}:1`, "where the host is neither a name nor an IP address"],
    ["a:65536", "where the port is not a number from 0 to 65535"],
    ["a:-1", "where the port is not a number from 0 to 65535"],
    ["a:1e3", "where the port is not a number from 0 to 65535"],
    ["a:", "where the port is not a number from 0 to 65535"],
    ["/run/", "which is a directory and not the path of a socket"],
    ["/run/\0", "where the path has a NUL character"],
    [`/${"é".repeat(54)}`, "where the path is longer than 107 bytes"],
  ];
  for (const [text, reason] of cases) {
    deepEqual(parseAddress(text, LISTENER), { ok: false, reason }, text);
  }
});

Deno.test("parseAddress refuses port 0 and Unix sockets where they make no sense", () => {
  ok(!parseAddress("a:0", { portMin: 1, allowsUnix: true }).ok);
  ok(!parseAddress("/run/a.sock", { portMin: 1, allowsUnix: false }).ok);
});
