/**
 * Addresses as the kernel lays them out.
 *
 * @module
 */

import { deepEqual, equal, throws } from "node:assert/strict";
import { addressText, type TcpAddress } from "../../../src/base/address.ts";
import {
  decodeSocketAddress,
  encodeSocketAddress,
  familyOf,
} from "../../../src/net/native/socket_address.ts";

Deno.test("encodeSocketAddress lays addresses out as ip(7), ipv6(7) and unix(7) say", () => {
  deepEqual(
    encodeSocketAddress({ kind: "tcp", host: "127.0.0.1", port: 5432 }),
    Uint8Array.of(2, 0, 0x15, 0x38, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
  );
  const v6 = encodeSocketAddress({ kind: "tcp", host: "2001:db8::1", port: 1 })!;
  equal(familyOf(v6), 10);
  deepEqual([...v6.subarray(2, 4), ...v6.subarray(8, 12)], [0, 1, 0x20, 0x01, 0x0d, 0xb8]);
  equal(v6[23], 1);
  const unix = encodeSocketAddress({ kind: "unix", path: "/s" })!;
  deepEqual(unix, Uint8Array.of(1, 0, 0x2f, 0x73, 0));
});

Deno.test("decodeSocketAddress reads what encodeSocketAddress writes, in one way of writing", () => {
  const hosts = ["127.0.0.1", "::1", "2001:db8::1", "::", "::ffff:10.0.0.1", "0.0.0.0"];
  for (const host of hosts) {
    const address: TcpAddress = { kind: "tcp", host, port: 65_535 };
    deepEqual(decodeSocketAddress(encodeSocketAddress(address)!), address, addressText(address));
  }
  equal(decodeSocketAddress(encodeSocketAddress({ kind: "unix", path: "/s" })!), undefined);
});

Deno.test("decodeSocketAddress tells addresses apart, however many there were before", () => {
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 2_000; i++) {
      const host = `${i & 0xff}.0.${i >>> 8}.${i * 7 & 0xff}`;
      const address = { kind: "tcp", host, port: 1 } as const;
      deepEqual(decodeSocketAddress(encodeSocketAddress(address)!), address);
    }
  }
});

Deno.test("encodeSocketAddress knows names from addresses, and the longest path", () => {
  equal(encodeSocketAddress({ kind: "tcp", host: "localhost", port: 1 }), undefined);
  const path = `/${"x".repeat(106)}`;
  equal(encodeSocketAddress({ kind: "unix", path })?.length, 110);
  throws(
    () => encodeSocketAddress({ kind: "unix", path: `${path}y` }),
    /the path has 108 bytes, and sockets' at most 107/,
  );
});
