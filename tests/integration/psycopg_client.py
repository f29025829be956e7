"""Stories that psycopg tells through the gateway; psycopg_test.ts runs one of them by its name.

The connection comes from PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE. A story that ends
without an exception is true.
"""

import asyncio
import sys
import threading
import time

import psycopg
from psycopg import pq


def wait_until_sleeping(conn):
    """Waits until the session of `conn` sleeps on the server, asked through another one."""
    with psycopg.connect(autocommit=True) as watcher:
        for _ in range(1500):
            rows = watcher.execute(
                "select 1 from pg_stat_activity where wait_event = 'PgSleep'"
                " and application_name = %s",
                [conn.info.parameter_status("application_name")],
            ).fetchall()
            if rows:
                return
            time.sleep(0.02)
    raise AssertionError("the session does not sleep")


def cancel_once(cancel, **parameters):
    with psycopg.connect(autocommit=True, application_name="sleeper", **parameters) as conn:
        def interrupt():
            wait_until_sleeping(conn)
            cancel(conn)

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            conn.execute("select pg_sleep(300)")
        except psycopg.errors.QueryCanceled:
            pass
        else:
            raise AssertionError("the query was not cancelled")
        finally:
            thread.join()
        assert conn.execute("select 42").fetchone() == (42,)


def parameters_and_rows():
    with psycopg.connect() as conn:
        row = conn.execute("select %s::int + 1, %b::bytea, %s::jsonb", [1, b"\0\xff", '{"a":1}'])
        assert row.fetchone() == (2, b"\0\xff", {"a": 1})
        for i in range(20):  # prepared on the server after the fifth time
            assert conn.execute("select %s::int * 2", [i]).fetchone() == (2 * i,)


def pipeline_mode():
    with psycopg.connect(autocommit=True) as conn:
        with conn.pipeline() as pipeline:
            cursors = [conn.execute("select %s::int", [i]) for i in range(1000)]
            pipeline.sync()
            assert [cursor.fetchone()[0] for cursor in cursors] == list(range(1000))
        try:
            with conn.pipeline():
                conn.execute("select 1")
                conn.execute("select 1/0")
                conn.execute("select 2")
        except psycopg.errors.DivisionByZero:
            pass
        else:
            raise AssertionError("the error of the pipeline was lost")
        assert conn.execute("select 3").fetchone() == (3,)


def deep_pipeline():
    """More in flight than the sockets' buffers hold, both ways."""
    with psycopg.connect(autocommit=True) as conn:
        with conn.pipeline():
            cursors = [conn.execute("select %s::text", ["x" * 20000]) for _ in range(1000)]
        assert all(len(cursor.fetchone()[0]) == 20000 for cursor in cursors)


def copy_in_and_out():
    with psycopg.connect() as conn:
        conn.execute("create temp table t (i int, s text)")
        with conn.cursor().copy("copy t from stdin (format binary)") as copy:
            copy.set_types(["int4", "text"])
            for i in range(20000):
                copy.write_row((i, f"row {i}"))
        with conn.cursor().copy("copy (select * from t order by i) to stdout") as copy:
            rows = [row for row in copy.rows()]
        assert len(rows) == 20000 and rows[-1] == ("19999", "row 19999")


def copy_that_fails():
    with psycopg.connect(autocommit=True) as conn:
        conn.execute("create temp table t (i int)")
        try:
            with conn.cursor().copy("copy t from stdin") as copy:
                for _ in range(100000):  # the server refuses the first line, long before the last
                    copy.write("not a number\n")
        except psycopg.errors.InvalidTextRepresentation:
            pass
        else:
            raise AssertionError("the server's error was lost")
        try:
            with conn.cursor().copy("copy t from stdin") as copy:
                copy.write("1\n")
                raise KeyError("the client gives up")
        except KeyError:
            pass
        assert conn.execute("select count(*) from t").fetchone() == (0,)


def notifications():
    with psycopg.connect(autocommit=True) as listener, psycopg.connect(autocommit=True) as speaker:
        listener.execute("listen news")
        for i in range(10):
            speaker.execute("select pg_notify('news', %s)", [str(i)])
        heard = [n.payload for n in listener.notifies(timeout=60, stop_after=10)]
        assert heard == [str(i) for i in range(10)], heard


def server_side_cursors():
    with psycopg.connect() as conn:
        with conn.cursor(name="named", scrollable=True) as cursor:
            cursor.execute("select * from generate_series(1, 5000) i")
            assert cursor.fetchone() == (1,)
            cursor.scroll(4000, mode="absolute")
            assert cursor.fetchmany(2) == [(4001,), (4002,)]
        with conn.cursor(name="streamed") as cursor:
            cursor.itersize = 100
            cursor.execute("select i, repeat('x', 1000) from generate_series(1, 20000) i")
            assert sum(1 for _ in cursor) == 20000
        stream = conn.cursor().stream("select * from generate_series(1, 5000) i")
        assert sum(row[0] for row in stream) == 5000 * 5001 // 2


def cancel_from_another_thread():
    for _ in range(4):
        cancel_once(lambda conn: conn.cancel_safe(timeout=60))
        cancel_once(lambda conn: conn.cancel())


def protocol_3_2():
    """libpq 18 asks for 3.2, whose cancel keys are longer; an older server answers 3.0."""
    expected = int(sys.argv[2])
    parameters = {"max_protocol_version": "3.2"}
    with psycopg.connect(**parameters) as conn:
        version = conn.pgconn.full_protocol_version
        assert version == (30002 if expected >= 18 else 30000), version
    for _ in range(4):
        cancel_once(lambda conn: conn.cancel_safe(timeout=60), **parameters)
        cancel_once(lambda conn: conn.cancel(), **parameters)


def protocol_3_0():
    with psycopg.connect(max_protocol_version="3.0") as conn:
        assert conn.pgconn.full_protocol_version == 30000
    cancel_once(lambda conn: conn.cancel_safe(timeout=60), max_protocol_version="3.0")


def many_at_the_same_time():
    async def one(number):
        async with await psycopg.AsyncConnection.connect() as conn:
            for i in range(20):
                cursor = await conn.execute("select %s::int, pg_backend_pid()", [number * 100 + i])
                assert (await cursor.fetchone())[0] == number * 100 + i

    async def all_of_them():
        await asyncio.gather(*(one(number) for number in range(30)))

    asyncio.run(all_of_them())


def two_phase_commit():
    with psycopg.connect() as conn:
        conn.execute("create table if not exists two_phase (i int)")
        conn.commit()
        conn.tpc_begin(conn.xid(1, "gateway", "test"))
        conn.execute("insert into two_phase values (1)")
        conn.tpc_prepare()
        conn.tpc_rollback()
        assert conn.execute("select count(*) from two_phase").fetchone() == (0,)


if __name__ == "__main__":
    if sys.argv[1] == "--libpq":
        print(pq.version() // 10000)
    else:
        globals()[sys.argv[1]]()
