import { deepEqual, equal, match, ok } from "node:assert/strict";
import { concat, textOf, utf8 } from "../../../src/base/bytes.ts";
import {
  READ_BUFFER_SIZE_MAX,
  type Socket,
  WRITE_QUEUE_SIZE_MAX,
} from "../../../src/net/socket.ts";
import { TlsServerContext } from "../../../src/net/tls/server_context.ts";
import { type OpenSsl, openSsl } from "../../../src/net/tls/openssl.ts";
import { Certificates, pem } from "../../support/certificates.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { MemoryNetwork } from "../../support/memory_driver.ts";
import type { MemoryPeer } from "../../support/memory_pipe.ts";
import { LISTEN } from "../../support/net_harness.ts";
import { Random } from "../../support/random.ts";
import { TlsPeer } from "../../support/tls_harness.ts";
import { type PairOptions, TlsEnd, type TlsPair, tlsPair } from "../../support/tls_pair.ts";

const SETTINGS = settings();

function settings(): PairOptions {
  using certificates = new Certificates();
  const { ca, server, client } = certificates.standard();
  return {
    server: {
      certificate: pem(server.certFile),
      key: pem(server.keyFile),
      ca: pem(ca.certFile),
      clientCertificates: "request",
      minVersion: "TLSv1.2",
      alpn: ["postgresql"],
    },
    client: {
      mode: "verify-full",
      ca: pem(ca.certFile),
      certificate: pem(client.certFile),
      key: pem(client.keyFile),
      minVersion: "TLSv1.2",
    },
  };
}

interface Served {
  readonly network: MemoryNetwork;
  readonly clock: FakeClock;
  readonly context: TlsServerContext;
  readonly end: TlsEnd;
  readonly peer: MemoryPeer;
}

/** A server of TLS whose peer in memory does what a test wants. */
async function served(
  onConnection: (socket: Socket, context: TlsServerContext, end: TlsEnd) => void = serve,
): Promise<Served> {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock);
  const end = new TlsEnd();
  const context = TlsServerContext.load(SETTINGS.server);
  const address = { kind: "tcp", host: "127.0.0.1", port: 5432 } as const;
  const listener = await network.driver().listen({ ...LISTEN, address }, {
    onConnection: (socket) => onConnection(socket, context, end),
    onAcceptError: (error) => network.thrown.push(error),
  });
  const peer = network.connectPeer(listener.address);
  await network.settle();
  return { network, clock, end, peer, context };
}

function serve(socket: Socket, context: TlsServerContext, end: TlsEnd): void {
  end.socket = context.accept(socket, (info) => end.info = info);
  end.socket.start(end);
}

async function settle(network: MemoryNetwork, peer: TlsPeer): Promise<void> {
  do await network.settle(); while (peer.pump());
}

async function over({ network, server, client }: TlsPair): Promise<void> {
  server.socket.destroy();
  client.socket.destroy();
  await network.settle();
  deepEqual([server.closes.length, client.closes.length], [1, 1], "onClose is called once");
  deepEqual(network.thrown, []);
}

Deno.test("TlsSocket works when every byte comes alone", async () => {
  for (const readSizeMax of [1, 2, 7, 1_000]) {
    const pair = await tlsPair({ ...SETTINGS, readSizeMax });
    pair.client.socket.write(utf8("question"));
    await pair.network.settle();
    pair.server.socket.write(utf8("answer"));
    pair.server.socket.end();
    await pair.network.settle();
    deepEqual([pair.server.text, pair.client.text], ["question", "answer"]);
    equal(pair.client.ends, 1);
    await over(pair);
  }
});

Deno.test("TlsSocket sends what is written during the handshake, in order, after it", async () => {
  const { network, peer } = await served((socket, context, end) => {
    serve(socket, context, end);
    end.socket.write(utf8("early, "));
    end.socket.beforeSending(() => end.socket.write(utf8("earlier ")));
    end.onData = (view) => {
      end.socket.write(utf8("late"));
      return view.length;
    };
  });
  const client = new TlsPeer(peer, () => network.settle());
  client.write(utf8("x"));
  await settle(network, client);
  equal(textOf(client.take()), "early, earlier late");
  client.free();
});

Deno.test("TlsSocket joins what one onData writes, of whichever socket", async () => {
  const pair = await tlsPair(SETTINGS);
  const other = await tlsPair(SETTINGS);
  const { sslWrite } = openSsl();
  const library = openSsl() as { sslWrite: typeof sslWrite };
  const records: number[] = [];
  library.sslWrite = (ssl, bytes, size) => {
    records.push(size);
    return sslWrite(ssl, bytes, size);
  };
  try {
    pair.server.take = (view) => {
      for (let i = 0; i < 1_000; i++) pair.server.socket.write(view.subarray(i, i + 1));
      pair.server.socket.write(new Uint8Array(40_000));
      pair.server.socket.write(utf8("last"));
      return view.length;
    };
    const sent = new Random(1).bytes(1_000);
    pair.client.socket.write(sent);
    await pair.network.settle();
    deepEqual(records, [1_000, 1_000, 16_384, 16_384, 7_232, 4]);
    const received = concat(...pair.client.views);
    deepEqual(received.slice(0, 1_000), sent);
    equal(textOf(received.slice(-4)), "last");
  } finally {
    library.sslWrite = sslWrite;
  }
  await over(pair);
  await over(other);
});

Deno.test("TlsSocket shows at most READ_BUFFER_SIZE_MAX, and holds little more", async () => {
  const pair = await tlsPair(SETTINGS);
  const sent = new Random(2).bytes(1_000_000);
  pair.server.take = () => 0;
  pair.client.socket.write(sent);
  await pair.network.settle();
  const longest = Math.max(...pair.server.views.map((view) => view.length));
  equal(longest, READ_BUFFER_SIZE_MAX);
  const below = pair.network.sockets.find(({ peer }) => peer !== "127.0.0.1:5432")!;
  ok(below.heldBytes <= READ_BUFFER_SIZE_MAX, "the rest waits with the network and the sender");
  await over(pair);
});

Deno.test("TlsSocket gives every byte once, whatever the handler takes and when", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const pair = await tlsPair({ ...SETTINGS, readSizeMax: 1 + random.below(40_000) });
    const received: Uint8Array[] = [];
    pair.server.take = (view) => {
      const size = random.below(3) === 0 ? 0 : random.below(view.length + 1);
      received.push(view.slice(0, size));
      return size;
    };
    const sent = random.bytes(400_000);
    for (const piece of random.pieces(sent, 50_000)) pair.client.socket.write(piece);
    pair.client.socket.end();
    const size = () => received.reduce((sum, piece) => sum + piece.length, 0);
    for (let tries = 0; size() < sent.length; tries++) {
      ok(tries < 5_000, `seed ${seed}: the rest never comes`);
      pair.server.socket.reoffer();
      await pair.network.settle();
    }
    deepEqual(concat(...received), sent, `seed ${seed}`);
    equal(pair.server.ends, 1, `seed ${seed}: the end is told once, when all was shown`);
    await over(pair);
  }
});

Deno.test("TlsSocket tells of the end only after what came before it was shown", async () => {
  for (const how of ["sayGoodbye", "cut"] as const) {
    const { network, end, peer } = await served();
    const client = new TlsPeer(peer, () => network.settle());
    client.write(new Uint8Array(200_000));
    let taken = 0;
    end.take = () => 0;
    await settle(network, client);
    client[how]();
    await settle(network, client);
    equal(end.ends, 0, `${how}: the rest is not shown yet`);
    end.take = (view) => (taken += view.length, view.length);
    end.socket.reoffer();
    await settle(network, client);
    deepEqual([taken, end.ends, end.closes.length], [200_000, 1, 0], how);
    end.socket.write(utf8("still"));
    await settle(network, client);
    equal(textOf(client.take()), "still", how);
    end.socket.destroy();
    await network.settle();
    client.free();
  }
});

Deno.test("TlsSocket throws away what follows the peer's goodbye", async () => {
  const { network, end, peer } = await served();
  const client = new TlsPeer(peer, () => network.settle());
  await settle(network, client);
  client.sayGoodbye();
  peer.write(new Uint8Array(100_000));
  await settle(network, client);
  peer.write(new Uint8Array(100_000));
  await settle(network, client);
  deepEqual([end.ends, end.views.length, end.closes.length, peer.unreadBytes], [1, 0, 0, 0]);
  client.free();
});

Deno.test("TlsSocket ends a connection that does not begin with a handshake", async () => {
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [utf8("GET / HTTP/1.1\r\n\r\n"), /http request/],
    [utf8("Q\0\0\0\x0dselect 1\0"), /wrong version number|packet length|unexpected message/],
    [new Uint8Array(100), /wrong version number|packet length|unexpected message|unsupported/],
    [Uint8Array.of(0x16, 3, 1, 0xff, 0xff, 1), /packet length too long|record/],
    [Uint8Array.of(0x16, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff), /excessive message size|length/],
  ];
  for (const [bytes, reason] of cases) {
    const { network, clock, end, peer } = await served();
    peer.write(bytes);
    await network.settle();
    peer.end();
    await clock.pass(10_000, () => network.settle());
    match(end.failure, /^Cannot complete the TLS handshake with 127\.0\.0\.1:\d+: /);
    match(end.failure, reason);
    deepEqual([end.ends, end.views.length], [0, 0]);
  }
});

Deno.test("TlsSocket survives any bytes instead of a handshake", async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const { network, clock, end, peer } = await served();
    const bytes = random.bytes(1 + random.below(400));
    if (random.below(2) === 0) {
      bytes.set([0x16, 3, 1, 0, random.below(255), 1, 0, 0].slice(0, bytes.length));
    }
    peer.write(bytes);
    await network.settle();
    peer.close();
    await clock.pass(10_000, () => network.settle());
    deepEqual([end.closes.length, end.info], [1, undefined], `seed ${seed}`);
    deepEqual(network.thrown, [], `seed ${seed}`);
  }
});

Deno.test("TlsSocket ends a connection whose records were changed on the way", async () => {
  const { network, clock, end, peer } = await served();
  const client = new TlsPeer(peer, () => network.settle());
  client.write(utf8("good"));
  await settle(network, client);
  // A record of application data (23) that nobody who has the key made.
  peer.write(Uint8Array.of(23, 3, 3, 0, 32, ...new Random(4).bytes(32)));
  await network.settle();
  peer.close();
  await clock.pass(10_000, () => network.settle());
  match(end.failure, /^Cannot decrypt what 127\.0\.0\.1:\d+ sends: .*(bad record mac|decryption)/);
  equal(end.text, "good");
  client.free();
});

Deno.test("TlsSocket tells that the peer left during the handshake", async () => {
  for (const sent of [[], [0x16], [0x16, 3, 1, 1, 0, 1, 0, 0, 0xfc]]) {
    const { network, clock, end, peer } = await served();
    peer.write(Uint8Array.from(sent));
    peer.end();
    await clock.pass(10_000, () => network.settle());
    match(end.failure, /handshake with 127\.0\.0\.1:\d+: the peer has closed the connection$/);
  }
});

Deno.test("TlsSocket takes a connection over where another handler left it", async () => {
  const { network, end, peer } = await served((socket, context, end) => {
    socket.start({
      onData(view) {
        if (view[0] === 0x16) serve(socket, context, end);
        return 0;
      },
      onEnd() {},
      onClose: () => network.thrown.push("the first handler is told of the end"),
    });
  });
  const client = new TlsPeer(peer, () => network.settle());
  client.write(utf8("direct"));
  await settle(network, client);
  equal(end.text, "direct");
  end.socket.destroy();
  await network.settle();
  equal(end.closes.length, 1);
  deepEqual(network.thrown, []);
  client.free();
});

Deno.test("TlsSocket whose handler throws out of its turn is closed with that error", async () => {
  const pair = await tlsPair(SETTINGS);
  pair.server.take = () => 0;
  pair.client.socket.write(utf8("x"));
  await pair.network.settle();
  pair.server.take = () => {
    throw new Error("a defect");
  };
  pair.server.socket.reoffer();
  await pair.network.settle();
  equal(pair.server.failure, "a defect");
  await over(pair);
});

Deno.test("TlsSocket limits what is written during the handshake", async () => {
  const { network, end } = await served();
  for (let i = 0; i < 20; i++) end.socket.write(new Uint8Array(64 * 1024));
  await network.settle();
  match(end.failure, /^Cannot send to 127\.0\.0\.1:\d+: at most 1048576 bytes may wait/);
});

Deno.test("TlsSocket gives all memory of OpenSSL's back, however a connection ends", async () => {
  const library = openSsl() as { -readonly [Name in keyof OpenSsl]: OpenSsl[Name] };
  const original = { ...library };
  const held = { connections: 0, certificates: 0 };
  const contexts = new Set<bigint>(); // those of other tests may go now, too
  let made = 0;
  library.sslNew = (context) => (made += 1, held.connections += 1, original.sslNew(context));
  library.sslFree = (ssl) => (held.connections -= 1, original.sslFree(ssl));
  library.contextNew = (method) => {
    const context = original.contextNew(method);
    contexts.add(Deno.UnsafePointer.value(context));
    return context;
  };
  library.contextFree = (context) => {
    contexts.delete(Deno.UnsafePointer.value(context));
    original.contextFree(context);
  };
  const counted = (certificate: Deno.PointerValue) => {
    if (certificate !== null) held.certificates += 1;
    return certificate;
  };
  library.sslPeerCertificate = (ssl) => counted(original.sslPeerCertificate(ssl));
  library.pemReadCertificate = (...args) => counted(original.pemReadCertificate(...args));
  library.x509Free = (certificate) => (held.certificates -= 1, original.x509Free(certificate));
  try {
    await endInEveryWay();
  } finally {
    Object.assign(library, original);
  }
  ok(made > 30, "they are counted");
  deepEqual([held, contexts.size], [{ connections: 0, certificates: 0 }, 0]);
});

async function endInEveryWay(): Promise<void> {
  const ends: readonly ((pair: TlsPair) => void)[] = [
    ({ server }) => server.socket.end(),
    ({ client }) => client.socket.end(),
    ({ server }) => server.socket.destroy(),
    ({ client }) => client.socket.destroy(),
    ({ client, server }) => [client.socket.end(), server.socket.end()],
  ];
  const wrong: Partial<PairOptions>[] = [{}, { host: "elsewhere" }, { alpn: ["http/1.1"] }];
  for (const end of ends) {
    for (const options of wrong) {
      const pair = await tlsPair({ ...SETTINGS, ...options });
      end(pair);
      await pair.network.settle();
      await over(pair);
    }
  }
  for (const bytes of [new Uint8Array(), Uint8Array.of(0x16, 3, 1), utf8("hello")]) {
    const { network, clock, end, peer, context } = await served();
    context.close();
    peer.write(bytes);
    await network.settle();
    peer.close();
    await clock.pass(10_000, () => network.settle());
    equal(end.closes.length, 1);
  }
}

Deno.test("TlsSocket sends a large message that nothing held up, as sockets do", async () => {
  const pair = await tlsPair(SETTINGS);
  const { network, client, server } = pair;
  const large = new Random(1).bytes(3 * WRITE_QUEUE_SIZE_MAX);
  client.socket.write(large);
  await network.settle();
  deepEqual(client.closes, []);
  deepEqual(concat(...server.views), large);
  await over(pair);
});
