/**
 * What the port `src/net/socket.ts` promises, checked on each driver. What holds on the memory
 * driver only by accident would make every dialogue worthless, hence one set of tests for all.
 *
 * @module
 */

import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { concat, utf8 } from "../../src/base/bytes.ts";
import {
  type Listener,
  READ_BUFFER_SIZE_MIN,
  type Socket,
  type SocketHandler,
  WRITE_QUEUE_SIZE_MAX,
} from "../../src/net/socket.ts";
import {
  denoHarness,
  type Harness,
  LISTEN,
  listenForOne,
  memoryHarness,
  type Peer,
} from "../support/net_harness.ts";
import { Random } from "../support/random.ts";

const HARNESSES: readonly (() => Harness | Promise<Harness>)[] = [
  memoryHarness,
  () => denoHarness("tcp"),
  () => denoHarness("unix"),
];

function onEachDriver(name: string, body: (harness: Harness) => Promise<void>): void {
  for (const make of HARNESSES) {
    const kind = make === memoryHarness ? "memory" : `Deno's, ${HARNESSES.indexOf(make)}`;
    Deno.test(`${name} (driver: ${kind})`, async () => {
      await using harness = await make();
      await body(harness);
    });
  }
}

/** A connection with a handler that notes what it is told, and does what the test wants. */
class Noted implements SocketHandler {
  readonly socket: Socket;
  readonly seen: Uint8Array[] = [];
  ends = 0;
  readonly closes: (Error | undefined)[] = [];
  /** How many bytes to take of a view; all, unless a test says otherwise. */
  take: (view: Uint8Array) => number = (view) => view.length;
  #isCalled = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.start(this);
  }

  onData(view: Uint8Array): number {
    return this.#alone(() => {
      ok(view.length > 0, "a view has bytes");
      ok(this.closes.length === 0, "nothing is called after onClose");
      this.seen.push(view.slice());
      return this.take(view);
    });
  }

  onEnd(): void {
    this.#alone(() => this.ends += 1);
  }

  onClose(error: Error | undefined): void {
    this.#alone(() => this.closes.push(error));
  }

  #alone<Result>(act: () => Result): Result {
    ok(!this.#isCalled, "calls never nest");
    this.#isCalled = true;
    const result = act();
    this.#isCalled = false;
    return result;
  }
}

async function connected(harness: Harness): Promise<{ noted: Noted; peer: Peer }> {
  const { listener, accepted } = await listenForOne(harness);
  const peer = await harness.connect(listener.address);
  const noted = new Noted(await accepted);
  listener.close();
  return { noted, peer };
}

async function over(harness: Harness, { noted, peer }: { noted: Noted; peer: Peer }) {
  noted.socket.destroy();
  peer.close();
  await harness.until(() => noted.closes.length > 0, "onClose is called");
  await harness.pass(10);
  equal(noted.closes.length, 1, "exactly once");
}

onEachDriver("Socket gives back all bytes in order, whatever the sizes", async (harness) => {
  const both = await connected(harness);
  const { noted, peer } = both;
  noted.take = (view) => {
    const middle = view.length >> 1; // in two writes, of which the second adjoins the first
    noted.socket.write(view.subarray(0, middle));
    noted.socket.write(view.subarray(middle));
    return view.length;
  };
  const random = new Random(7);
  const sent = random.bytes(300_000);
  for (const piece of random.pieces(sent, 9_000)) peer.write(piece);
  let echoed = new Uint8Array();
  await harness.until(() => {
    echoed = concat(echoed, peer.take());
    return echoed.length === sent.length;
  }, "all of it comes back");
  deepEqual(echoed, sent);
  deepEqual(concat(...noted.seen), sent);
  await over(harness, both);
});

onEachDriver(
  "Socket writes in order what comes from inside and outside of onData",
  async (harness) => {
    const both = await connected(harness);
    const { noted, peer } = both;
    const own = utf8("<own>");
    noted.socket.write(utf8("first "));
    noted.take = (view) => {
      noted.socket.write(own);
      noted.socket.write(view.subarray(0, 1));
      noted.socket.write(view.subarray(2, 3));
      return view.length;
    };
    peer.write(utf8("abc"));
    let heard = "";
    await harness.until(() => {
      heard += new TextDecoder().decode(peer.take());
      return heard.length >= 13;
    }, "the answer comes");
    equal(heard, "first <own>ac");
    await over(harness, both);
  },
);

onEachDriver(
  "Socket shows again what was not taken, with newer bytes behind it",
  async (harness) => {
    const both = await connected(harness);
    const { noted, peer } = both;
    noted.take = (view) => view.length >= 5 ? 4 : 0;
    for (const piece of ["ab", "c", "de", "fg", "hi"]) {
      const before = noted.seen.length;
      peer.write(utf8(piece));
      await harness.until(() => noted.seen.length > before, "it is shown");
    }
    const texts = noted.seen.map((view) => new TextDecoder().decode(view));
    deepEqual(texts, ["ab", "abc", "abcde", "efg", "efghi"]);
    await over(harness, both);
  },
);

onEachDriver("Socket keeps showing more below READ_BUFFER_SIZE_MIN", async (harness) => {
  const both = await connected(harness);
  const { noted, peer } = both;
  noted.take = (view) => view.length < READ_BUFFER_SIZE_MIN ? 0 : view.length;
  peer.write(new Uint8Array(READ_BUFFER_SIZE_MIN - 1));
  const most = () => Math.max(0, ...noted.seen.map((view) => view.length));
  await harness.until(() => most() === READ_BUFFER_SIZE_MIN - 1, "nearly all of it is shown");
  peer.write(new Uint8Array(1));
  await harness.until(() => most() === READ_BUFFER_SIZE_MIN, "all of it is shown");
  await over(harness, both);
});

onEachDriver("Socket stops reading when nothing is taken, and reoffer goes on", async (harness) => {
  const both = await connected(harness);
  const { noted, peer } = both;
  const sent = new Random(3).bytes(200_000);
  noted.take = () => 0;
  peer.write(sent);
  await harness.until(() => noted.seen.length > 0, "something is shown");
  await harness.pass(50);
  const held = noted.seen.at(-1)!;
  ok(held.length < sent.length, "not all of it is kept");
  deepEqual(held, sent.slice(0, held.length));
  noted.seen.length = 0;
  noted.take = (view) => view.length;
  noted.socket.reoffer();
  equal(noted.seen.length, 0, "not from here");
  const size = () => noted.seen.reduce((sum, view) => sum + view.length, 0);
  await harness.until(() => size() === sent.length, "the rest comes");
  deepEqual(concat(...noted.seen), sent);
  await over(harness, both);
});

onEachDriver("Socket does not offer again what there is none of", async (harness) => {
  const both = await connected(harness);
  both.peer.write(utf8("a"));
  await harness.until(() => both.noted.seen.length === 1, "it is shown");
  both.noted.socket.reoffer();
  await harness.pass(10);
  equal(both.noted.seen.length, 1);
  await over(harness, both);
});

onEachDriver("Socket that is offered its bytes again may forward them", async (harness) => {
  const both = await connected(harness);
  const { noted, peer } = both;
  noted.take = () => 0;
  peer.write(utf8("early"));
  await harness.until(() => noted.seen.length > 0, "it is shown");
  noted.take = (view) => {
    noted.socket.write(view);
    return view.length;
  };
  noted.socket.reoffer();
  let heard = "";
  await harness.until(() => (heard += new TextDecoder().decode(peer.take())) === "early", "echo");
  await over(harness, both);
});

onEachDriver("Socket stops a fast writer behind a peer that does not read", async (harness) => {
  const source = await connected(harness);
  const sink = await connected(harness);
  source.noted.take = (view) => {
    sink.noted.socket.write(view);
    return view.length;
  };
  sink.peer.isReading = false;
  const block = new Random(5).bytes(1024 * 1024);
  const blocks = 48; // far more than the system's buffers hold on the way
  for (let i = 0; i < blocks; i++) source.peer.write(block);
  const seen = () => source.noted.seen.reduce((sum, view) => sum + view.length, 0);
  let last = -1;
  while (seen() !== last) {
    last = seen();
    await harness.pass(100);
  }
  ok(last < blocks * block.length, "it is stopped before all of it is read");
  equal(sink.noted.closes.length, 0, "a slow reader is no error");
  sink.peer.isReading = true;
  let size = 0;
  await harness.until(() => {
    size += sink.peer.take().length;
    return size === blocks * block.length;
  }, "all of it arrives in the end");
  await over(harness, source);
  await over(harness, sink);
});

onEachDriver(
  "Socket gives up on a peer that never reads what is written at it",
  async (harness) => {
    const { noted, peer } = await connected(harness);
    peer.isReading = false;
    const block = new Uint8Array(64 * 1024);
    for (let size = 0; noted.closes.length === 0; size += block.length) {
      ok(size < 64 * WRITE_QUEUE_SIZE_MAX, "the queue has a limit");
      noted.socket.write(block);
      await harness.pass(0);
    }
    ok(/may wait to be sent/.test(noted.closes[0]!.message));
    peer.close();
  },
);

onEachDriver(
  "Socket tells of the peer's end once, and can still be written to",
  async (harness) => {
    const both = await connected(harness);
    const { noted, peer } = both;
    peer.write(utf8("last"));
    peer.end();
    await harness.until(() => noted.ends === 1, "onEnd is called");
    deepEqual(noted.seen, [utf8("last")]);
    noted.socket.write(utf8("answer"));
    noted.socket.end();
    await harness.until(() => peer.hasSeenEnd, "the peer sees the end");
    deepEqual(peer.take(), utf8("answer"));
    await harness.until(() => noted.closes.length === 1, "onClose is called");
    equal(noted.closes[0], undefined);
    equal(noted.ends, 1);
    await over(harness, both);
  },
);

onEachDriver(
  "Socket ends without destroying its last message, whatever is unread",
  async (harness) => {
    const both = await connected(harness);
    const { noted, peer } = both;
    noted.take = () => 0;
    peer.write(new Uint8Array(500_000));
    await harness.until(() => noted.seen.length > 0, "something is shown");
    noted.socket.write(utf8("why"));
    noted.socket.end();
    noted.socket.write(utf8("too late"));
    await harness.until(() => peer.hasSeenEnd, "the peer sees the end");
    deepEqual(peer.take(), utf8("why"));
    peer.close();
    await harness.until(() => noted.closes.length === 1, "onClose is called");
    equal(noted.closes[0], undefined);
  },
);

onEachDriver("Socket ends in the end, even if its peer never does", async (harness) => {
  const { noted, peer } = await connected(harness);
  noted.socket.end();
  await harness.until(() => peer.hasSeenEnd, "the peer sees the end");
  equal(noted.closes.length, 0, "it waits for the peer");
  if (harness.name === "memory") await harness.pass(2_000);
  await harness.until(() => noted.closes.length === 1, "not for ever");
  equal(noted.ends, 0);
});

onEachDriver(
  "Socket that is destroyed is closed once, later, and never called again",
  async (harness) => {
    const { noted, peer } = await connected(harness);
    noted.take = (view) => {
      noted.socket.destroy();
      noted.socket.destroy();
      noted.socket.end();
      noted.socket.write(utf8("nothing"));
      noted.socket.reoffer();
      return view.length - 1;
    };
    peer.write(utf8("abc"));
    await harness.until(() => noted.closes.length > 0, "onClose is called");
    await harness.until(() => peer.hasSeenEnd, "the peer notices");
    await harness.pass(10);
    deepEqual(noted.closes, [undefined]);
    equal(noted.seen.length, 1);
    equal(peer.take().length, 0);
    peer.close();
  },
);

onEachDriver("Socket whose handler throws costs that connection only", async (harness) => {
  const broken = await connected(harness);
  const sound = await connected(harness);
  broken.noted.take = () => {
    throw new Error("a defect");
  };
  // The note that it is being called is never taken back, so onClose would seem to nest.
  broken.noted.onClose = (error) => void broken.noted.closes.push(error);
  broken.peer.write(utf8("a"));
  await harness.until(() => broken.noted.closes.length === 1, "it is closed");
  equal(broken.noted.closes[0]?.message, "a defect");
  sound.peer.write(utf8("b"));
  await harness.until(() => sound.noted.seen.length === 1, "the other one lives");
  await over(harness, sound);
  broken.peer.close();
});

onEachDriver("Driver connects, and refuses what nobody listens on", async (harness) => {
  const { listener, accepted } = await listenForOne(harness);
  const options = { timeoutMs: 5_000, keepAlive: true, noDelay: true };
  const near = new Noted(await harness.driver.connect({ ...options, address: listener.address }));
  const far = new Noted(await accepted);
  near.socket.write(utf8("hello"));
  await harness.until(() => far.seen.length === 1, "it arrives");
  near.socket.end();
  await harness.until(() => far.ends === 1, "so does the end");
  far.socket.end();
  await harness.until(() => near.closes.length + far.closes.length === 2, "both close");
  listener.close();
  const address = harness.nobody;
  await rejects(harness.driver.connect({ ...options, address }), /^Error: Cannot connect to /);
});

onEachDriver("Driver refuses an address that somebody listens on", async (harness) => {
  const handler = { onConnection: (socket: Socket) => socket.destroy(), onAcceptError: () => {} };
  const listener = await harness.driver.listen({ ...LISTEN, address: harness.address }, handler);
  const again = { ...LISTEN, address: listener.address };
  await rejects(harness.driver.listen(again, handler), /^Error: Cannot listen on /);
  listener.close();
  listener.close();
  // The system frees the address a moment after the listener is closed.
  let second: Listener | undefined;
  for (let tries = 0; second === undefined; tries++) {
    ok(tries < 1_000, "the address is free again");
    second = await harness.driver.listen(again, handler).catch(() => undefined);
    if (second === undefined) await harness.pass(1);
  }
  second.close();
});
