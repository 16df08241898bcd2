"""SQLAlchemy on a real PostgreSQL, started here, through psycopg and asyncpg."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, exc, text
from sqlalchemy.ext.asyncio import create_async_engine

import otel_kit
from otel_kit import _guard
from otel_kit.instrument import _sql
from otel_kit.testing import Captured, capture

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
pytestmark = pytest.mark.skipif(
    not BINARIES, reason="PostgreSQL is not installed; Debian: apt-get install postgresql"
)


def needs(driver: str) -> Any:
    missing = importlib.util.find_spec(driver) is None
    return pytest.param(driver, marks=pytest.mark.skipif(missing, reason=f"{driver} is not installed"))


def user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def run(name: str, *arguments: str) -> None:
    command = [str(BINARIES[-1] / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/", **user())
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    # Not pytest's own folder, which nobody else may enter; and short, for the socket's path has a limit.
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    if "user" in user():
        os.chown(home, user()["user"], user()["group"])
    with socket.create_server(("127.0.0.1", 0)) as free:
        chosen = free.getsockname()[1]
    run("initdb", "-D", f"{home}/data", "-U", "shop", "-A", "trust", "--no-sync")
    options = (
        f"-p {chosen} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off -c max_prepared_transactions=4"
    )
    process = subprocess.Popen(
        [BINARIES[-1] / "postgres", "-D", f"{home}/data", *options.split()],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **user(),
    )  # fmt: skip
    try:
        answers(chosen, process)
        yield chosen
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(home, ignore_errors=True)


def answers(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    ready = [str(BINARIES[-1] / "pg_isready"), "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(ready, capture_output=True, check=False).returncode:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


Run = Callable[[Callable[[Any], Any]], None]


@pytest.fixture
def captured() -> Iterator[Captured]:
    _guard.reset(reraise=True)
    with capture(instrument=("sqlalchemy",)) as caught:
        yield caught
    _sql.use(_sql.Sql())
    _guard.reset()


@pytest.fixture(params=[needs("psycopg"), needs("asyncpg")])
def inside(request: pytest.FixtureRequest, port: int) -> Run:
    """Run a function of a connection with one of the drivers; asyncpg's in a coroutine."""
    url = f"postgresql+{request.param}://shop@127.0.0.1:{port}/postgres"

    def with_psycopg(work: Callable[[Any], Any]) -> None:
        engine = create_engine(url)
        with engine.connect() as connection:
            work(connection)
        engine.dispose()

    def with_asyncpg(work: Callable[[Any], Any]) -> None:
        async def main() -> None:
            engine = create_async_engine(url)
            async with engine.connect() as connection:
                await connection.run_sync(work)
            await engine.dispose()

        asyncio.run(main())

    return with_psycopg if request.param == "psycopg" else with_asyncpg


def test_spans_of_postgresql(captured: Captured, inside: Run, port: int) -> None:
    """A span lacks address, database, rows or SQLSTATE; what the driver asks by itself has spans; or values leave."""

    def work(connection: Any) -> None:
        connection.execute(text("CREATE TEMP TABLE orders (id int PRIMARY KEY, note text)"))
        connection.execute(text("INSERT INTO orders VALUES (:i, :n)"), {"i": 1, "n": "hunter2"})
        connection.execute(text("INSERT INTO orders SELECT n, 'hunter2' FROM generate_series(2, 5) n"))
        connection.execute(text("SELECT * FROM orders WHERE note = 'hunter2'")).all()
        connection.execute(text("UPDATE orders SET note = 'x' WHERE id > 3 RETURNING id")).all()
        connection.commit()
        with pytest.raises(exc.IntegrityError):
            connection.execute(text("INSERT INTO orders VALUES (:i, :n)"), {"i": 1, "n": "hunter2"})

    with otel_kit.span("request"):
        inside(work)
    spans = captured.spans
    _, inserted, _, selected, updated, failed, request = spans
    assert selected.attributes | {"server.port": 0} == {
        "db.system.name": "postgresql",
        "db.namespace": "postgres",
        "server.address": "127.0.0.1",
        "server.port": 0,
        "db.operation.name": "SELECT",
        "db.collection.name": "orders",
        "db.query.summary": "SELECT orders",
        "db.query.text": "SELECT * FROM orders WHERE note = ?",
        "db.response.returned_rows": 5,
    }
    assert selected.attributes["server.port"] == port
    assert inserted.attributes["otel_kit.db.affected_rows"] == 1
    assert (
        updated.attributes["otel_kit.db.affected_rows"]
        == updated.attributes["db.response.returned_rows"]
        == 2
    )
    assert failed.attributes["db.response.status_code"] == "23505"
    assert failed.attributes["error.type"] in (
        "psycopg.errors.UniqueViolation",
        "asyncpg.exceptions.UniqueViolationError",
    )
    assert "hunter2" not in str([(s.attributes, s.status.description) for s in spans])
    assert {s.parent.span_id for s in spans if s is not request} == {request.context.span_id}
    assert [e.name.rpartition(".")[2] for e in request.events] == ["begin", "commit", "begin", "rollback"]


def test_slow_batches_comments_and_cancelling_on_postgresql(captured: Captured, inside: Run) -> None:
    """A slow query lacks its line, a batch its size, or the server does not see the comment."""
    _sql.use(_sql.Sql(slow_query=0.2, commenter=True, parameters=True))
    seen: list[str] = []

    def work(connection: Any) -> None:
        connection.execute(text("SELECT pg_sleep(0.25)"))
        connection.execute(text("CREATE TEMP TABLE t (id int)"))
        connection.execute(text("INSERT INTO t VALUES (:i)"), [{"i": i} for i in range(100)])
        seen.append(
            connection.execute(
                text("SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()")
            ).scalar()
        )

    inside(work)
    [record] = [log for log in captured.logs if "pg_sleep" in log.attributes["db.query.text"]]
    assert record.attributes["code.file.path"] == __file__
    assert record.attributes["code.function.name"].endswith("work")
    batch = captured.span("BATCH INSERT t")
    assert batch.attributes["db.operation.batch.size"] == 100
    asked = captured.span("SELECT pg_stat_activity").context
    assert f"traceparent='00-{asked.trace_id:032x}-{asked.span_id:016x}-" in seen[0]


@pytest.mark.parametrize("driver", [needs("asyncpg")])
def test_a_cancelled_query_ends_its_span(captured: Captured, port: int, driver: str) -> None:
    """The span of a query whose task was cancelled never ends, counts as an error, or its connection as used."""

    async def main() -> None:
        engine = create_async_engine(f"postgresql+{driver}://shop@127.0.0.1:{port}/postgres")

        async def query() -> None:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT pg_sleep(30)"))

        task = asyncio.create_task(query())
        while not any(p.value for p in used(captured)):
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await engine.dispose()

    asyncio.run(main())
    span = captured.span("SELECT")
    assert (span.attributes["otel_kit.cancelled"], span.status.status_code.name) == (True, "UNSET")
    assert not any(p.value for p in used(captured)[-2:])


def used(captured: Captured) -> list[Any]:
    metric = captured.metrics.get("db.client.connection.count")
    return (
        [p for p in metric.data.data_points if p.attributes["db.client.connection.state"] == "used"]
        if metric
        else []
    )


@pytest.mark.parametrize("driver", [needs("psycopg"), needs("asyncpg")])
def test_a_connection_that_is_refused(captured: Captured, port: int, driver: str) -> None:
    """A database that is not there, or does not know the user, leaves no span."""
    url = f"postgresql+{driver}://nobody:hunter2@127.0.0.1:{port}/shop"

    async def asynchronous() -> None:
        async with create_async_engine(url).connect():
            pass

    with otel_kit.span("request"), pytest.raises(Exception, match="does not exist"):
        asyncio.run(asynchronous()) if driver == "asyncpg" else create_engine(url).connect()
    refused = captured.span("CONNECT shop")
    assert refused.status.status_code.name == "ERROR"
    assert refused.attributes["error.type"].startswith(driver)
    assert refused.parent.span_id == captured.span("request").context.span_id
    assert "hunter2" not in str((refused.attributes, refused.status.description))


@pytest.mark.parametrize("outcome", ["commit", "rollback"])
def test_transactions_in_two_phases_are_transactions(captured: Captured, port: int, outcome: str) -> None:
    """A transaction in two phases is no transaction, never ends, or its phases are not seen."""
    engine = create_engine(f"postgresql+psycopg://shop@127.0.0.1:{port}/postgres")
    with otel_kit.span("request"), engine.connect() as connection:
        transaction = connection.begin_twophase()
        connection.execute(text("SELECT 1"))
        transaction.prepare()
        getattr(transaction, outcome)()
    engine.dispose()
    *_, last = events = captured.span("request").events
    assert [event.name.rpartition(".")[2] for event in events] == ["begin", "prepare", outcome]
    assert last.attributes["otel_kit.db.transaction.outcome"] == outcome
    assert last.attributes["otel_kit.db.transaction.statements"] == 1
