import { deepEqual, equal, match } from "node:assert/strict";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { SERVERS, World } from "../support/dialogue.ts";
import { hearsEarly } from "../support/looking_on.ts";
import {
  AUTH_OK,
  cut,
  errorFields,
  GSSENC_REQUEST,
  int32,
  packet,
  query,
  ready,
  SSL_REQUEST,
  startup,
} from "../support/messages.ts";

const DECLINED = utf8("N");
const ANN = startup({ user: "ann", database: "shop" });

Deno.test("Startup declines SSLRequest and GSSENCRequest, in either order, and goes on", async () => {
  for (const requests of [[SSL_REQUEST, GSSENC_REQUEST], [GSSENC_REQUEST, SSL_REQUEST]]) {
    const world = await World.start();
    const client = await world.client();
    for (const request of requests) {
      await client.says(request);
      await client.hearsBytes(DECLINED);
    }
    await client.says(ANN);
    await (await world.server()).hearsBytes(ANN);
  }
});

Deno.test("Startup takes messages that come in one piece with the StartupMessage", async () => {
  const world = await World.start();
  const client = await world.client();
  await client.says(ANN, query("select 1"));
  await hearsEarly(await world.server(), ANN, query("select 1"));
});

Deno.test("Startup refuses what comes in one piece with an SSLRequest or GSSENCRequest", async () => {
  for (const request of [SSL_REQUEST, GSSENC_REQUEST]) {
    for (const behind of [ANN, SSL_REQUEST, GSSENC_REQUEST, Uint8Array.of(0)]) {
      const world = await World.start();
      const client = await world.client();
      await client.says(request, behind);
      const heard = client.peer.take();
      deepEqual(heard.slice(0, 1), DECLINED);
      const [message, ...others] = cut(heard.slice(1));
      deepEqual(others, []);
      match(errorFields(message!.bytes).get("M")!, /^received unencrypted data after (SSL|GSSAPI)/);
      equal(client.peer.hasSeenEnd, true);
      await world.noServer();
    }
  }
});

Deno.test("Startup takes packets cut at every byte", async () => {
  for (let at = 1; at < ANN.length; at++) {
    const world = await World.start();
    const client = await world.client();
    for (const request of [SSL_REQUEST, GSSENC_REQUEST]) {
      const cutAt = at % request.length;
      if (cutAt > 0) await client.says(request.subarray(0, cutAt));
      await client.says(request.subarray(cutAt));
      await client.hearsBytes(DECLINED);
    }
    await client.says(ANN.subarray(0, at));
    await world.noServer();
    await client.says(ANN.subarray(at));
    await (await world.server()).hearsBytes(ANN);
  }
});

/** What a client sends first, and what it is told. */
interface Refusal {
  readonly what: string;
  readonly says: readonly Uint8Array[];
  readonly hears?: Uint8Array;
  readonly sqlState: string;
  readonly text: RegExp;
}

const REFUSALS: readonly Refusal[] = [
  {
    what: "SSLRequest twice",
    says: [SSL_REQUEST, SSL_REQUEST],
    hears: DECLINED,
    sqlState: "08P01",
    text: /^SSLRequest was sent twice/,
  },
  {
    what: "GSSENCRequest twice",
    says: [GSSENC_REQUEST, SSL_REQUEST, GSSENC_REQUEST],
    hears: concat(DECLINED, DECLINED),
    sqlState: "08P01",
    text: /^GSSENCRequest was sent twice/,
  },
  {
    what: "a TLS ClientHello",
    says: [Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3)],
    sqlState: "08P01",
    text: /does not speak TLS.*sslmode=disable/,
  },
  {
    what: "the first byte of a TLS ClientHello",
    says: [Uint8Array.of(0x16)],
    sqlState: "08P01",
    text: /does not speak TLS/,
  },
  {
    what: "HTTP",
    says: [utf8("GET / HTTP/1.1\r\nHost: db\r\n\r\n")],
    sqlState: "08P01",
    text: /speaks the PostgreSQL protocol, not HTTP/,
  },
  {
    what: "protocol 2.0",
    says: [packet(2 << 16, new Uint8Array(288))],
    sqlState: "0A000",
    text: /^unsupported frontend protocol 2\.0: 3\.0 to 3\.2 are supported/,
  },
  {
    what: "protocol 4.1",
    says: [packet(4 << 16 | 1, "user\0ann\0\0")],
    sqlState: "0A000",
    text: /^unsupported frontend protocol 4\.1/,
  },
  {
    what: "no user",
    says: [startup({ database: "shop" })],
    sqlState: "28000",
    text: /no PostgreSQL user name specified/,
  },
  {
    what: "an empty user",
    says: [startup({ user: "" })],
    sqlState: "28000",
    text: /no PostgreSQL user name specified/,
  },
  {
    what: "a length of zero",
    says: [int32(0), int32(3 << 16)],
    sqlState: "08P01",
    text: /^invalid length of startup packet: it must be 8 to 10000 bytes, but is 0/,
  },
  { what: "a length of 7", says: [int32(7)], sqlState: "08P01", text: /but is 7$/ },
  { what: "a negative length", says: [int32(-1)], sqlState: "08P01", text: /but is -1$/ },
  { what: "a length above", says: [int32(10_001)], sqlState: "08P01", text: /but is 10001$/ },
  {
    what: "no terminator",
    says: [packet(3 << 16, "user\0ann\0")],
    sqlState: "08P01",
    text: /expected terminator as last byte/,
  },
  {
    what: "a name without a value",
    says: [packet(3 << 16, "user\0ann\0database\0")],
    sqlState: "08P01",
    text: /expected terminator as last byte/,
  },
  {
    what: "bytes behind the terminator",
    says: [packet(3 << 16, "user\0ann\0\0more\0")],
    sqlState: "08P01",
    text: /expected terminator as last byte/,
  },
  { what: "only a header", says: [packet(3 << 16)], sqlState: "08P01", text: /terminator/ },
  {
    what: "a long SSLRequest",
    says: [packet(80877103, "x")],
    sqlState: "08P01",
    text: /^invalid SSLRequest: it must be 8 bytes, but is 9/,
  },
];

for (const { what, says, hears, sqlState, text } of REFUSALS) {
  Deno.test(`Startup refuses ${what}`, async () => {
    const world = await World.start();
    const client = await world.client();
    for (const bytes of says) await client.says(bytes);
    const heard = client.peer.take();
    const declined = hears?.length ?? 0;
    equal(heard.slice(0, declined).join(), (hears ?? new Uint8Array()).join());
    client.peer.putBack(heard.subarray(declined));
    await client.hearsFatal(sqlState, text);
    await client.leaves();
    await world.noServer();
    equal(world.network.accepted(SERVERS[0]!).length, 0);
    await world.isOver();
  });
}

Deno.test("Startup names the key of the limit that a packet is above, and no key below it", async () => {
  for (const [size, hint] of [[10_001, "The limit is servers.main.startupPacketSizeMax."], [7]]) {
    const world = await World.start();
    const client = await world.client();
    await client.says(int32(Number(size)));
    const fields = await client.hearsFatal("08P01", /^invalid length of startup packet/);
    equal(fields.get("H"), hint);
    await client.leaves();
    await world.isOver();
  }
});

Deno.test("Startup accepts a packet of exactly startupPacketSizeMax, larger than a read", async () => {
  const world = await World.start({ listener: { startupPacketSizeMax: 65_535 } });
  const client = await world.client();
  const empty = startup({ user: "ann", options: "" });
  const large = startup({ user: "ann", options: "x".repeat(65_535 - empty.length) });
  equal(large.length, 65_535);
  await client.says(large);
  const server = await world.server();
  await server.hearsBytes(large);
  await server.says(AUTH_OK, ready());
  await client.hears(AUTH_OK, ready());
});

Deno.test("Startup takes a client that goes away between two packets", async () => {
  for (const says of [[], [SSL_REQUEST], [ANN.subarray(0, 9)]]) {
    const world = await World.start();
    const client = await world.client();
    await client.says(...says);
    await client.leaves();
    await world.noServer();
    await world.isOver();
  }
});
