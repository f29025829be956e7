import { equal, notEqual } from "node:assert/strict";
import { RecentStartups } from "../../src/postgres/recent_startups.ts";
import { readStartupPacket, startupPacket } from "../../src/postgres/wire/startup_packet.ts";

function packetOf(user: string, application = "shop"): Uint8Array {
  return startupPacket(0, [["user", user], ["application_name", application]]);
}

function read(packet: Uint8Array, recent: RecentStartups) {
  const found = readStartupPacket(packet, 10_000, recent)!;
  equal(found.size, packet.length);
  return found.packet;
}

Deno.test("RecentStartups gives one message to all who send the same bytes, and to nobody else", () => {
  const recent = new RecentStartups();
  const packet = packetOf("ann");
  const first = read(packet, recent);
  equal(read(packetOf("ann"), recent), first);
  packet.fill(0x7a); // a driver's buffer, which others are read into
  equal(read(packetOf("ann"), recent), first);
  for (const other of [packetOf("bob"), packetOf("anna"), packetOf("ann", "shoq")]) {
    notEqual(read(other, recent), first);
  }
  const newer = startupPacket(2, [["user", "ann"], ["application_name", "shop"]]);
  notEqual(read(newer, recent), first);
});

Deno.test("RecentStartups takes a packet for its own size, whatever comes behind it", () => {
  const recent = new RecentStartups();
  const first = read(packetOf("ann"), recent);
  const view = new Uint8Array([...packetOf("ann"), 0x51, 0]);
  equal(readStartupPacket(view, 10_000, recent)!.packet, first);
  equal(readStartupPacket(view.subarray(0, 20), 10_000, recent), undefined);
});

Deno.test("RecentStartups forgets the oldest of many, and keeps none that is large", () => {
  const recent = new RecentStartups();
  const first = read(packetOf("ann"), recent);
  for (let i = 1; i < 32; i += 1) read(packetOf(`user${i}`), recent);
  equal(read(packetOf("ann"), recent), first);
  read(packetOf("one more"), recent);
  notEqual(read(packetOf("ann"), recent), first);
  const large = packetOf("ann", "x".repeat(600));
  notEqual(read(large, recent), read(large, recent));
});

Deno.test("RecentStartups remembers no request to cancel", () => {
  const recent = new RecentStartups();
  const request = new Uint8Array([0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 9, 9, 9, 9]);
  const first = readStartupPacket(request, 10_000, recent)!.packet;
  equal(first.kind, "cancel");
  notEqual(readStartupPacket(request, 10_000, recent)!.packet, first);
});
