/**
 * What the port `src/net/socket.ts` promises of reading and writing, checked on each driver. What
 * holds on the memory driver only by accident would make every dialogue worthless, hence one set of
 * tests for all.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { concat, utf8 } from "../../src/base/bytes.ts";
import {
  READ_BUFFER_SIZE_MAX,
  READ_BUFFER_SIZE_MIN,
  WRITE_QUEUE_SIZE_MAX,
} from "../../src/net/socket.ts";
import { connected, onEachDriver, over } from "../support/net_contract.ts";
import { Random } from "../support/random.ts";

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

onEachDriver(
  "Socket shows more up to READ_BUFFER_SIZE_MAX while nothing is taken",
  async (harness) => {
    const both = await connected(harness);
    const { noted, peer } = both;
    noted.take = (view) => view.length < READ_BUFFER_SIZE_MAX ? 0 : view.length;
    const sent = new Random(9).bytes(READ_BUFFER_SIZE_MAX);
    const most = () => Math.max(0, ...noted.seen.map((view) => view.length));
    for (const size of [READ_BUFFER_SIZE_MIN, READ_BUFFER_SIZE_MIN + 1, sent.length]) {
      peer.write(sent.subarray(most(), size));
      await harness.until(() => most() === size, "all of it is shown");
    }
    deepEqual(noted.seen.at(-1), sent);
    peer.write(utf8("more"));
    await harness.until(() => noted.seen.at(-1)!.length === 4, "it goes on");
    await over(harness, both);
  },
);

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
  // With TLS, our side of the handshake may end later than the peer's, and what is written before
  // that waits without holding up anybody.
  sink.peer.write(Uint8Array.of(1));
  await harness.until(() => sink.noted.seen.length > 0, "the connection can be written to");
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
  deepEqual(sink.noted.closes.map(String), []); // a slow reader is no error
  ok(last < blocks * block.length, "it is stopped before all of it is read");
  // What waits to be sent is not what others read meanwhile.
  const other = await connected(harness);
  other.peer.write(new Uint8Array(READ_BUFFER_SIZE_MAX));
  const otherSize = () => other.noted.seen.reduce((sum, view) => sum + view.length, 0);
  await harness.until(() => otherSize() === READ_BUFFER_SIZE_MAX, "others are read");
  sink.peer.isReading = true;
  let size = 0;
  let wrong = 0;
  await harness.until(() => {
    for (const byte of sink.peer.take()) {
      if (byte !== block[size % block.length]) wrong += 1;
      size += 1;
    }
    return size === blocks * block.length;
  }, "all of it arrives in the end");
  equal(wrong, 0, "as it was");
  await over(harness, other);
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
    await harness.pass(10); // for the system to let go of what was being sent
  },
);

onEachDriver(
  "Socket sends what one onData writes, however much",
  async (harness) => {
    const both = await connected(harness);
    const { noted, peer } = both;
    const large = new Uint8Array(3 * WRITE_QUEUE_SIZE_MAX).fill(7);
    noted.take = (view) => {
      noted.socket.write(utf8("<"));
      noted.socket.write(large);
      noted.socket.write(large);
      noted.socket.write(view.slice());
      return view.length;
    };
    const arrives = async (size: number) => {
      let heard = 0;
      await harness.until(() => {
        heard += peer.take().length;
        return heard === size;
      }, "all of it arrives");
    };
    peer.write(utf8(">"));
    await arrives(2 * large.length + 2);
    deepEqual(noted.closes, []);
    await over(harness, both);
  },
);

onEachDriver("Socket says when it has sent what the handler that runs writes", async (harness) => {
  const both = await connected(harness);
  const { noted, peer } = both;
  let told = 0;
  let isInside = false;
  const tell = () => {
    ok(!isInside, "not from here");
    told += 1;
  };
  noted.take = (view) => {
    isInside = true;
    noted.socket.whenSent(tell);
    noted.socket.write(view);
    noted.socket.whenSent(tell);
    isInside = false;
    return view.length;
  };
  peer.write(utf8("a"));
  await harness.until(() => peer.take().length === 1, "the answer comes");
  await harness.until(() => told === 2, "it is told");
  equal(noted.socket.isSending, false);
  await over(harness, both);
});

onEachDriver("Socket says when a peer has taken all that it was slow to take", async (harness) => {
  const both = await connected(harness);
  const { noted, peer } = both;
  const large = new Uint8Array(8 * WRITE_QUEUE_SIZE_MAX);
  let told = 0;
  noted.take = (view) => {
    noted.socket.write(large);
    noted.socket.whenSent(() => told += 1);
    return view.length;
  };
  peer.isReading = false;
  peer.write(utf8(">"));
  await harness.until(() => noted.seen.length === 1, "it is shown");
  await harness.pass(50);
  deepEqual([noted.socket.isSending, told], [true, 0]);
  peer.isReading = true;
  let heard = 0;
  await harness.until(() => (heard += peer.take().length) === large.length, "all of it arrives");
  await harness.until(() => told === 1, "it is told");
  await over(harness, both);
});
