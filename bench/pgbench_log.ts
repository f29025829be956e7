/**
 * What pgbench logs of each transaction, a line each:
 *
 *     client_id transaction_no time script_no time_epoch time_us
 *
 * `time` is how long it took in microseconds, or a word if it did not succeed; the last two are
 * when it ended, in seconds since the epoch and microseconds of that second.
 *
 * Source: https://www.postgresql.org/docs/current/pgbench.html, "Per-Transaction Logging"
 *
 * @module
 */

const MICROSECONDS = 1_000_000;

/** A line. */
export interface LoggedTransaction {
  readonly client: number;
  /** In microseconds. */
  readonly latency: number;
  /** In microseconds since the epoch. */
  readonly end: number;
}

/** The lines of a log. @throws {Error} If a transaction did not succeed. */
export function transactionsIn(log: string): LoggedTransaction[] {
  const transactions: LoggedTransaction[] = [];
  for (const line of log.split("\n")) {
    if (line === "") continue;
    const [client, , latency, , seconds, microseconds] = line.split(" ").map(Number);
    const end = seconds! * MICROSECONDS + microseconds!;
    if (!Number.isInteger(latency) || !Number.isInteger(end)) {
      throw new Error(`Cannot take a latency from pgbench's log: "${line}"`);
    }
    transactions.push({ client: client!, latency: latency!, end });
  }
  return transactions;
}

/** How long each transaction took, in microseconds. */
export function latenciesOf(transactions: readonly LoggedTransaction[]): number[] {
  return transactions.map(({ latency }) => latency);
}

/**
 * From the end of each transaction to the end of the next one of the same client, in microseconds:
 * with whatever a client does between two, such as to connect. There is none for a client's first.
 *
 * @param transactions Those of a client in the order in which they ended.
 */
export function intervalsOf(transactions: readonly LoggedTransaction[]): number[] {
  const intervals: number[] = [];
  const ends = new Map<number, number>();
  for (const { client, end } of transactions) {
    const before = ends.get(client);
    if (before !== undefined) intervals.push(end - before);
    ends.set(client, end);
  }
  return intervals;
}
