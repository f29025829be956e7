/**
 * How a PostgreSQL server is asked what it is, and what it answers. The query works from version 10
 * on, and without any privilege; who may read pg_stat_wal_receiver (pg_read_all_stats) hears at
 * once which timeline a replica follows, others when it has written that to its control file.
 *
 * @module
 */

import { textOf, utf8 } from "../../base/bytes.ts";
import type { ServerState } from "../../upstream/health/check.ts";
import { ProtocolError } from "../wire/errors.ts";
import { query } from "../wire/extended_messages.ts";

/**
 * Asked once, the answer holds for the whole row: a replica that is promoted meanwhile can still
 * tell what it has replayed. The other way round there is no way but a restart.
 *
 * The insert position of a primary is used, not what is written or flushed: a commit with
 * synchronous_commit = off is not even written yet when its client hears of it.
 *
 * greatest() passes over NULL. The first eight hexadecimal digits of a WAL file's name are its
 * timeline (XLogFileName in xlog_internal.h); on a primary, the control file still has the old one
 * until the first checkpoint after a promotion.
 */
const SQL = `select r,
 case when r then greatest(
   (select received_tli from pg_catalog.pg_stat_wal_receiver limit 1),
   (select timeline_id from pg_catalog.pg_control_checkpoint()),
   (select min_recovery_end_timeline from pg_catalog.pg_control_recovery()))
 else ('x' || substr(pg_catalog.pg_walfile_name(p), 1, 8))::bit(32)::int end,
 p - '0/0'::pg_lsn,
 case when not r then (pg_catalog.pg_walfile_name_offset(p)).file_offset end,
 case when r then pg_catalog.pg_last_wal_receive_lsn() - '0/0'::pg_lsn end,
 case when r then extract(epoch from pg_catalog.clock_timestamp()
   - pg_catalog.pg_last_xact_replay_timestamp()) * 1000 end
from (select r, case when r then pg_catalog.pg_last_wal_replay_lsn()
   else pg_catalog.pg_current_wal_insert_lsn() end as p
 from (select pg_catalog.pg_is_in_recovery() as r offset 0) as s offset 0) as q`;

/** The Query message. */
export const STATE_QUERY: Uint8Array = query(utf8(SQL));

/** Columns of its one row. */
const COLUMNS = 6;

/**
 * Bytes of a page of WAL, and of the headers of a page and of a file's first page (XLOG_BLCKSZ,
 * SizeOfXLogShortPHD and SizeOfXLogLongPHD in PostgreSQL).
 */
const PAGE_SIZE = 8192;
const HEADER_SIZE = 24;
const FIRST_HEADER_SIZE = 40;

/**
 * Reads its row.
 *
 * @throws {ProtocolError} If it is no answer to this query.
 */
export function serverStateOf(row: readonly (Uint8Array | undefined)[]): ServerState {
  if (row.length !== COLUMNS) throw new ProtocolError(`a row of ${row.length} columns`);
  const [recovery, timeline, position, offset, received, age] = row.map((value) =>
    value === undefined ? undefined : textOf(value)
  );
  if (recovery !== "t" && recovery !== "f") throw new ProtocolError("no answer to a question");
  const ageMs = numberOf(age);
  return {
    isInRecovery: recovery === "t",
    timeline: (numberOf(timeline) ?? 0) >>> 0,
    position: recordEnd(numberOf(position), numberOf(offset)),
    received: numberOf(received),
    // The server's clock may be behind the one of whom it replicates.
    replayAgeMs: ageMs === undefined ? undefined : Math.max(0, ageMs),
  };
}

/**
 * Where the last record ends. A primary that has filled a page, or has begun a file, names the
 * place behind the header that comes next. No replica gets there until more follows, which may take
 * a while.
 *
 * @param offset Of the position in its file; undefined on a replica.
 */
function recordEnd(position: number | undefined, offset: number | undefined): number | undefined {
  if (position === undefined || offset === undefined) return position;
  if (offset === FIRST_HEADER_SIZE) return position - FIRST_HEADER_SIZE;
  return offset % PAGE_SIZE === HEADER_SIZE ? position - HEADER_SIZE : position;
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value)) throw new ProtocolError("no number where there must be one");
  return value;
}
