"""Commands of redis-py, against a server on loopback; and with a server that refuses."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import context

import otel_kit
from otel_kit.instrument import redis as redis_file
from otel_kit.testing.capture import Captured, capture
from tests.instrument.service import closed_port

redis = pytest.importorskip("redis")
fakeredis = pytest.importorskip("fakeredis")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = fakeredis.TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def seen() -> Iterator[Captured]:
    with capture() as captured:
        redis_file.instrument()
        redis_file.instrument()
        yield captured
        redis_file.undo()
        redis_file.undo()


@pytest.fixture
def cache(port: int, seen: Captured) -> Iterator[Any]:
    with redis.Redis(port=port, host="127.0.0.1", protocol=2) as client:
        client.ping()
        client.flushdb()
        seen.clear()
        yield client


def lookups(seen: Captured) -> dict[str, int]:
    points = seen.metrics["otel_kit.cache.lookups"].data.data_points
    return {point.attributes["otel_kit.cache.result"]: point.value for point in points}


def test_a_command_is_a_span_without_keys_and_values(cache: Any, seen: Captured, port: int) -> None:
    """A command has no span, or its key or its value is on it."""
    with otel_kit.get_tracer(__name__).start_as_current_span("work"):
        cache.set("session:mary", "her-secret", ex=60)
    span = seen.span("SET")
    assert dict(span.attributes) == {
        "db.system.name": "redis",
        "db.operation.name": "SET",
        "db.namespace": "0",
        "db.query.text": "SET ? ? ? ?",
        "server.address": "127.0.0.1",
        "server.port": port,
    }
    assert span.parent.span_id == seen.span("work").context.span_id
    assert "secret" not in span.to_json()
    assert "mary" not in span.to_json()


def test_each_command_has_a_duration_of_few_attributes(cache: Any, seen: Captured) -> None:
    """Durations are missing, or each port makes a series."""
    cache.get("a")
    points = seen.metrics["db.client.operation.duration"].data.data_points
    found = {point.attributes["db.operation.name"]: dict(point.attributes) for point in points}
    assert found["GET"] == {
        "db.system.name": "redis",
        "db.operation.name": "GET",
        "db.namespace": "0",
        "server.address": "127.0.0.1",
    }


def test_hits_and_misses_are_counted(cache: Any, seen: Captured) -> None:
    """How often the cache helped is unknown, or counted wrongly for several keys at once."""
    cache.mset({"a": "1", "b": "2"})
    cache.get("a"), cache.get("x"), cache.mget("a", "b", "y")
    with cache.pipeline(transaction=False) as pipe:
        pipe.get("a").get("z").set("c", "3").mget("a", "x")
        pipe.execute()
    assert lookups(seen) == {"hit": 1 + 2 + 1 + 1, "miss": 1 + 1 + 1 + 1}


def test_a_pipeline_is_one_span(cache: Any, seen: Captured) -> None:
    """Each command of a pipeline has a span, or how many there were is unknown."""
    with cache.pipeline(transaction=True) as pipe:
        pipe.set("a", "1").strlen("a").get("a")
        assert pipe.execute() == [True, 1, b"1"]
    with cache.pipeline(transaction=False) as pipe:
        pipe.get("a")
        pipe.execute()
    batch, single = seen.spans
    assert (batch.name, single.name) == ("MULTI", "PIPELINE")
    assert batch.attributes["db.operation.batch.size"] == 3
    assert batch.attributes["db.query.text"] == "SET ? ?; STRLEN ?; GET ?"
    assert "db.operation.batch.size" not in single.attributes


def test_a_refusal_is_an_error_and_no_log_record(cache: Any, seen: Captured) -> None:
    """A command that the server refused looks as if it had gone well, or logs what the program dealt with."""
    cache.set("a", "text")
    with pytest.raises(redis.ResponseError):
        cache.lpush("a", "1")
    span = seen.span("LPUSH")
    assert span.status.status_code.name == "ERROR"
    assert span.attributes["error.type"] == "redis.exceptions.ResponseError"
    assert span.attributes["db.response.status_code"] == "WRONGTYPE"
    assert seen.logs == []


def test_what_a_pipeline_blames_has_no_keys_and_values(cache: Any, seen: Captured) -> None:
    """The message of a pipeline's error, which shows the command, brings key and value along, or hides the server's code."""
    cache.set("a", "text")
    with cache.pipeline() as pipe:
        pipe.lpush("a", "card) of 4711")
        with pytest.raises(redis.ResponseError, match="4711"):
            pipe.execute()
    span = seen.span("MULTI")
    assert "Command # 1 (LPUSH) of pipeline caused error: WRONGTYPE" in span.status.description
    assert "4711" not in f"{span.status.description}{span.events[0].attributes}"
    assert span.attributes["db.response.status_code"] == "WRONGTYPE"


def test_what_a_pipeline_asks_at_once_is_a_command(cache: Any, seen: Captured) -> None:
    """Commands of a pipeline that watches, which go to the server one by one, have no spans and no lookups."""
    cache.set("a", "1")
    seen.clear()
    with cache.pipeline() as pipe:
        pipe.watch("a")
        assert pipe.get("a") == b"1"
        pipe.multi()
        pipe.set("a", "2")
        pipe.execute()
    assert [span.name for span in seen.spans] == ["WATCH", "GET", "MULTI"]
    assert lookups(seen)["hit"] == 1


def test_switching_on_its_own_metrics_is_not_told(seen: Captured) -> None:
    """redis-py's lines about its metrics, at its first figures too, become records of a program that logs at INFO."""
    assert not logging.getLogger("redis.observability.metrics").isEnabledFor(logging.INFO)


def test_a_server_that_is_not_there_is_an_error(seen: Captured) -> None:
    """A connection that cannot be made is invisible."""
    with pytest.raises(redis.ConnectionError), redis.Redis(port=closed_port(), retry=None) as client:
        client.get("a")
    (point,) = seen.metrics["db.client.operation.duration"].data.data_points
    assert point.attributes["error.type"] == "redis.exceptions.ConnectionError"


def test_asyncio_s_client_is_the_same(port: int, seen: Captured) -> None:
    """Commands of the asyncio client are not seen."""

    async def work() -> None:
        async with redis.asyncio.Redis(port=port, host="127.0.0.1", protocol=2) as client:
            await client.set("k", "v")
            await client.get("k")
            async with client.pipeline(transaction=False) as pipe:
                pipe.get("k").get("no")
                await pipe.execute()

    asyncio.run(work())
    assert [span.name for span in seen.spans][-3:] == ["SET", "GET", "PIPELINE"]
    assert lookups(seen) == {"hit": 2, "miss": 1}


def test_suppressed_commands_are_not_seen(cache: Any, seen: Captured) -> None:
    """Commands of who asked not to be watched are."""
    token = context.attach(context.set_value("suppress_instrumentation", True))
    cache.get("a")
    context.detach(token)
    assert seen.spans == []


def test_off_is_off(cache: Any, seen: Captured) -> None:
    """Something is emitted after undo."""
    redis_file.undo()
    cache.get("a")
    assert seen.spans == []


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("get", "k"), "GET"),
        ((b"SET", "k", "v"), "SET"),
        (("CONFIG GET", "x"), "CONFIG GET"),
        (("CONFIG", "set", "x", "y"), "CONFIG SET"),
        (("", "x"), "UNKNOWN"),
        (("x" * 1000,), "X" * 64),
    ],
)
def test_names_of_commands(arguments: tuple[Any, ...], name: str) -> None:
    """The name of a span has an argument in it, or as many forms as there are ways to write it."""
    assert redis_file.command_name(arguments) == name
