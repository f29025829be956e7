/**
 * What the port `src/net/socket.ts` promises of beginnings and ends, checked on each driver.
 *
 * @module
 */

import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { type Listener, type Socket, WRITE_QUEUE_SIZE_MAX } from "../../src/net/socket.ts";
import { connected, Noted, onEachDriver, over } from "../support/net_contract.ts";
import { LISTEN, listenForOne } from "../support/net_harness.ts";

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

onEachDriver("Socket sends all of a long answer to a peer that has ended", async (harness) => {
  const both = await connected(harness);
  const { noted, peer } = both;
  const answer = new Uint8Array(new Uint32Array(WRITE_QUEUE_SIZE_MAX).map((_, i) => i).buffer);
  noted.take = (view) => {
    noted.socket.write(answer);
    noted.socket.end();
    return view.length;
  };
  peer.isReading = false;
  peer.write(utf8("question"));
  peer.end();
  await harness.until(() => noted.seen.length === 1, "the question comes");
  await harness.pass(20);
  peer.isReading = true;
  const pieces: Uint8Array[] = [];
  await harness.until(() => {
    pieces.push(peer.take());
    return peer.hasSeenEnd;
  }, "the answer ends");
  deepEqual(concat(...pieces, peer.take()), answer);
  await harness.until(() => noted.closes.length === 1, "onClose is called");
  equal(noted.closes[0], undefined);
  await over(harness, both);
});

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
  const closed: string[] = [];
  const pairs = [];
  // Begun in the order opposite to that in which they are done.
  for (const [name, lingerMs] of [["default", undefined], ["50", 50], ["1", 1]] as const) {
    const { noted, peer } = await connected(harness);
    const onClose = noted.onClose.bind(noted);
    noted.onClose = (error) => {
      onClose(error);
      closed.push(name);
    };
    noted.socket.end(lingerMs);
    await harness.until(() => peer.hasSeenEnd, "the peer sees the end");
    pairs.push({ noted, peer });
  }
  const { noted } = pairs[0]!;
  equal(noted.closes.length, 0, "it waits for the peer");
  if (harness.name === "memory") await harness.pass(2_000);
  await harness.until(() => noted.closes.length === 1, "not for ever");
  equal(closed.length, 3, "those that wait for less are not the last");
  equal(closed.at(-1), "default");
  if (harness.name === "memory") deepEqual(closed, ["1", "50", "default"]);
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

onEachDriver("Driver destroys a connection whose handler throws, and goes on", async (harness) => {
  const errors: Error[] = [];
  const sockets: Socket[] = [];
  const handler = {
    onConnection(socket: Socket) {
      sockets.push(socket);
      if (sockets.length === 1) throw new Error("a defect");
      socket.start({ onData: (view) => view.length, onEnd: () => socket.end(), onClose() {} });
    },
    onAcceptError: (error: Error) => void errors.push(error),
  };
  const listener = await harness.driver.listen({ ...LISTEN, address: harness.address }, handler);
  const broken = await harness.connect(listener.address);
  await harness.until(() => broken.hasSeenEnd, "it is closed");
  deepEqual(errors.map(({ message }) => message), ["a defect"]);
  const sound = await harness.connect(listener.address);
  await harness.until(() => sockets.length === 2, "the next one is accepted");
  equal(sound.hasSeenEnd, false);
  sound.end();
  await harness.until(() => sound.hasSeenEnd, "and served");
  broken.close();
  sound.close();
  listener.close();
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
  const connecting = harness.driver.connect({ ...options, address });
  await rejects(connecting, /^NobodyListensError: Cannot connect to /);
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

onEachDriver("Socket that ends its sending is still shown what its peer sends", async (harness) => {
  const both = await connected(harness);
  const { noted, peer } = both;
  noted.take = (view) => {
    noted.socket.write(utf8("all"));
    noted.socket.endSending();
    noted.socket.write(utf8("too late"));
    noted.socket.writeApart(utf8("too late"));
    return view.length;
  };
  peer.write(utf8("a"));
  await harness.until(() => peer.hasSeenEnd, "the peer sees the end");
  deepEqual(peer.take(), utf8("all"));
  noted.take = (view) => view.length;
  peer.write(utf8("b"));
  await harness.until(() => noted.seen.length === 2, "it is still read");
  deepEqual(noted.seen, [utf8("a"), utf8("b")]);
  await harness.pass(20);
  deepEqual(noted.closes, []);
  peer.end();
  await harness.until(() => noted.ends === 1, "onEnd is called");
  deepEqual(noted.closes, [], "whoever owns it says when it is over");
  noted.socket.end();
  await harness.until(() => noted.closes.length === 1, "onClose is called");
  equal(noted.closes[0], undefined);
  await over(harness, both);
});

onEachDriver("Socket ends its sending behind all that was written", async (harness) => {
  const both = await connected(harness);
  const { noted, peer } = both;
  const answer = new Uint8Array(new Uint32Array(WRITE_QUEUE_SIZE_MAX).map((_, i) => i).buffer);
  noted.take = (view) => {
    noted.socket.write(answer);
    noted.socket.endSending();
    return view.length;
  };
  peer.isReading = false;
  peer.write(utf8("question"));
  await harness.until(() => noted.seen.length === 1, "the question comes");
  await harness.pass(20);
  peer.isReading = true;
  const pieces: Uint8Array[] = [];
  await harness.until(() => {
    pieces.push(peer.take());
    return peer.hasSeenEnd;
  }, "the answer ends");
  deepEqual(concat(...pieces, peer.take()), answer);
  deepEqual(noted.closes, []);
  await over(harness, both);
});

onEachDriver("Socket that ends its sending, then all, waits for its peer", async (harness) => {
  const { noted, peer } = await connected(harness);
  noted.socket.endSending();
  noted.socket.endSending();
  noted.socket.end();
  await harness.until(() => peer.hasSeenEnd, "the peer sees the end");
  peer.write(utf8("thrown away"));
  await harness.pass(20);
  equal(noted.closes.length, 0);
  peer.end();
  await harness.until(() => noted.closes.length === 1, "onClose is called");
  equal(noted.closes[0], undefined);
  equal(noted.seen.length + noted.ends, 0);
  peer.close();
});
