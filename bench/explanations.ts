/**
 * Why Sluice does not win what it does not win: each reason with the losses that it explains. What
 * is not here is not known, and the page says so.
 *
 * @module
 */

import { type Cell, cellTitle } from "./cells.ts";
import { type Loss, lossesText } from "./verdicts.ts";

/** A reason, and where it holds. */
interface Explanation {
  readonly explains: (loss: Loss) => boolean;
  /** Whole sentences. */
  readonly text: string;
}

const isRing = ({ entry }: Loss) => entry.startsWith("sluice-io_uring");
const isDeno = ({ entry }: Loss) => entry.startsWith("sluice-deno");
const isCpu = ({ metric }: Loss) => metric === "cpuMicroseconds";
const isSpeed = ({ metric }: Loss) => metric === "tps" || metric === "p99Ms";

/** The costs below are of moving messages. Logging in costs other things. */
const isMoving = ({ cell }: Loss) => cell.kind !== "connect" && cell.kind !== "idle";

/** What the driver deno and our own code explain together. */
const isDenosPart = ({ metric, ratio: { median } }: Loss) =>
  metric === "tps" || metric === "megabytesPerSecond" ? median > 0.5 : median < 3.3;

/** What a driver, or our own code, costs explains no more than this. */
const isModerate = ({ metric, ratio: { median } }: Loss) =>
  metric === "tps" ? median > 0.6 : median < 1.8;

/** What a login is known to take explains no more than this. */
const isNear = ({ metric, ratio: { median } }: Loss) =>
  metric === "tps" ? median > 0.5 : median < 3.3;

/** The first that fits counts. */
const EXPLANATIONS: readonly Explanation[] = [
  {
    explains: ({ isWithinSpread }) => isWithinSpread,
    text: "The difference is smaller than what the rounds differ by: on this machine nobody is " +
      "ahead.",
  },
  {
    explains: (loss) =>
      isDeno(loss) && loss.metric !== "bytesPerClient" && isMoving(loss) && isDenosPart(loss),
    text:
      "The driver `deno` reads and writes through Deno's event loop, which costs some 8 µs of " +
      "CPU time for each transaction before Sluice does anything: a program that only copies " +
      "bytes that way needs about 1.35 of PgBouncer's CPU time, measured in a prototype, and " +
      "Sluice's own code comes on top; and with many busy sockets it has to see to it that " +
      "Deno's event loop serves all of them (adr 22). It is the driver that works everywhere; " +
      "`io_uring` and `epoll` are the fast ones on Linux.",
  },
  {
    explains: (loss) => isCpu(loss) && loss.cell.kind === "tls" && loss.ratio.median <= 1,
    text: "With TLS a part of the CPU time is encryption, 5 to 8 µs for each transaction in " +
      "prototypes, which both leave to OpenSSL.",
  },
  {
    explains: (loss) => isRing(loss) && isCpu(loss) && isMoving(loss) && loss.ratio.median <= 1,
    text: "Four fifths of the CPU time are the kernel's, and most of that is sending: the bytes " +
      "go through all of TCP, and whoever waits for them is woken. That has to be done for " +
      "whichever gateway. What io_uring saves is the other calls, some 2 to 6 of PgBouncer's 18 " +
      "to 20 µs, the more the more clients have something to do at a time.",
  },
  {
    explains: (loss) => !isRing(loss) && isCpu(loss) && isMoving(loss) && loss.ratio.median <= 1,
    text: "Nearly all of the CPU time is the kernel's, for two receives, two sends and the " +
      "waiting that each transaction needs and that PgBouncer has to do as well. Less takes " +
      "fewer system calls: `io_uring`.",
  },
  {
    explains: (loss) => !isDeno(loss) && isCpu(loss) && isMoving(loss) && isModerate(loss),
    text: "Beside the kernel's part, Sluice spends 4 to 6 µs of a transaction in its own code, " +
      "and in transaction mode 6 to 9, where PgBouncer spends 2 to 3: it is JavaScript, and " +
      "between two system calls on shared cores the caches are cold. epoll takes as many system " +
      "calls as PgBouncer does, so the difference stays; io_uring saves about as much.",
  },
  {
    explains: (loss) => isSpeed(loss) && /^(pgpool|pgagroal)/.test(loss.peer),
    text: "The peer has a process for each client and so uses every core, while Sluice has one " +
      "worker here. What it gains with more is in the table of workers.",
  },
  {
    explains: (loss) => isSpeed(loss) && loss.peer === "haproxy" && loss.cell.kind === "tls",
    text:
      "HAProxy does not take part in TLS: it passes the bytes on, and the server, which has a " +
      "process for each client, encrypts on all cores.",
  },
  {
    explains: (loss) =>
      loss.cell.kind === "connect" && (isCpu(loss) || isSpeed(loss)) && isNear(loss),
    text: "A connection costs every gateway some 70 to 110 µs in the kernel. PgBouncer spends 15 " +
      "to 20 µs of its own on the login; Sluice spends 80 to 180, with the driver `deno` 160 to " +
      "250: it makes a session of some dozens of objects, and looks at the rules, limits and " +
      "routes that may concern it. Clients and gateway share the cores, so throughput and the " +
      "slowest answers follow.",
  },
  {
    explains: ({ cell }) => cell.kind === "idle",
    text: "A client that waits is a struct in PgBouncer. In Sluice it is a session: some dozens " +
      "of objects on a heap that is collected, for each listener, pool, limit and hook that may " +
      "concern it, and with the driver `deno` a buffer that a read waits with.",
  },
  {
    explains: (loss) => !isDeno(loss) && isSpeed(loss) && isMoving(loss) && isModerate(loss),
    text: "Clients, gateway and server share the machine's cores here, so that a gateway which " +
      "takes more CPU time leaves them less: where CPU time is not won, throughput and the " +
      "slowest answers follow it. HAProxy passes bytes on without a look at them.",
  },
];

/** What is said of a loss that no reason fits. */
const UNEXPLAINED = "Not explained yet.";

/** What an entry of Sluice's that failed in a cell is listed as. */
export interface Failure {
  readonly cell: Cell;
  readonly entry: string;
  readonly why: string;
}

/** Reasons with what they explain, those that are not known last. */
export function explained(losses: readonly Loss[]): ReadonlyMap<string, readonly Loss[]> {
  const reasons = new Map<string, Loss[]>();
  for (const text of [...EXPLANATIONS.map(({ text }) => text), UNEXPLAINED]) {
    const isIts = (loss: Loss) => reasonOf(loss) === text;
    const its = losses.filter(isIts);
    if (its.length > 0) reasons.set(text, its);
  }
  return reasons;
}

/** Why a loss is one, in whole sentences. */
export function reasonOf(loss: Loss): string {
  return EXPLANATIONS.find(({ explains }) => explains(loss))?.text ?? UNEXPLAINED;
}

/** All of it as Markdown: each reason, and below it a line for each cell and entry. */
export function explanationsText(losses: readonly Loss[], failures: readonly Failure[]): string {
  const paragraphs = [...explained(losses)].map(([text, its]) => {
    const places = new Map<string, Loss[]>();
    for (const loss of its) {
      const place = `${cellTitle(loss.cell)}: ${loss.entry}`;
      places.set(place, [...places.get(place) ?? [], loss]);
    }
    const lines = [...places].map(([place, losses]) => `- ${place}: ${lossesText(losses)}`);
    return `**${text}**\n\n${lines.join("\n")}`;
  });
  if (failures.length > 0) {
    const lines = failures.map(({ cell, entry, why }) => `- ${cellTitle(cell)}: ${entry}: ${why}`);
    paragraphs.push(`**Sluice failed.**\n\n${lines.join("\n")}`);
  }
  return paragraphs.join("\n\n");
}
