/**
 * What the port `src/net/socket.ts` promises to layers that are put onto a socket that is in use,
 * checked on each driver.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { textOf, utf8 } from "../../src/base/bytes.ts";
import type { SocketHandler } from "../../src/net/socket.ts";
import { connected, Noted, onEachDriver, over } from "../support/net_contract.ts";
import { listenForOne } from "../support/net_harness.ts";

/** A handler that notes what it is shown, and takes all of it. */
function noting(shown: string[]): SocketHandler {
  return {
    onData(view) {
      shown.push(textOf(view));
      return view.length;
    },
    onEnd: () => void shown.push("end"),
    onClose: () => void shown.push("close"),
  };
}

onEachDriver("Socket shows its next handler what the last one left", async (harness) => {
  const { noted, peer } = await connected(harness);
  const shown: string[] = [];
  noted.take = () => {
    noted.socket.setHandler(noting(shown));
    equal(shown.length, 0, "not from here");
    return 2;
  };
  peer.write(utf8("abcdef"));
  await harness.until(() => shown.length > 0, "it is shown");
  deepEqual(shown, ["cdef"]);
  equal(noted.seen.length, 1);
  peer.write(utf8("more"));
  await harness.until(() => shown.length === 2, "so is what comes later");
  peer.end();
  await harness.until(() => shown.length === 3, "and the end");
  noted.socket.destroy();
  await harness.until(() => shown.length === 4, "and the close");
  deepEqual(shown, ["cdef", "more", "end", "close"]);
  deepEqual([noted.ends, noted.closes.length], [0, 0], "the first one hears nothing of it");
  peer.close();
});

onEachDriver("Socket is started by its first handler, however it is set", async (harness) => {
  const { listener, accepted } = await listenForOne(harness);
  const peer = await harness.connect(listener.address);
  const socket = await accepted;
  const shown: string[] = [];
  socket.setHandler(noting(shown));
  peer.write(utf8("a"));
  await harness.until(() => shown.length === 1, "it is shown");
  socket.destroy();
  await harness.until(() => shown.length === 2, "it is closed");
  listener.close();
  peer.close();
});

onEachDriver("Socket prepares what is sent once the handler has returned", async (harness) => {
  const source = await connected(harness);
  const sink = await connected(harness);
  let isInside = false;
  source.noted.take = (view) => {
    isInside = true;
    sink.noted.socket.beforeSending(() => {
      ok(!isInside, "the handler has returned");
      sink.noted.socket.write(view);
    });
    sink.noted.socket.write(utf8("<"));
    source.noted.socket.write(utf8("taken"));
    isInside = false;
    return view.length;
  };
  source.peer.write(utf8("view"));
  let heard = "";
  await harness.until(() => (heard += textOf(sink.peer.take())) === "<view", "the view is good");
  let isPrepared = false;
  sink.noted.socket.beforeSending(() => isPrepared = true);
  ok(isPrepared, "at once outside of onData");
  await over(harness, source);
  await over(harness, sink);
});

onEachDriver("Socket knows who is at the other end", async (harness) => {
  const { listener, accepted } = await listenForOne(harness);
  const peer = await harness.connect(listener.address);
  const { peerAddress, peer: text } = await accepted;
  if (harness.address.kind === "unix") deepEqual([peerAddress, text], [{ kind: "unix" }, "unix"]);
  else {
    ok(peerAddress.kind === "tcp");
    deepEqual([peerAddress.host, text], ["127.0.0.1", `127.0.0.1:${peerAddress.port}`]);
  }
  const noted = new Noted(await accepted);
  listener.close();
  await over(harness, { noted, peer });
});
