"""What libraries do is counted for the work that they do it for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fakeredis
import pytest
import requests
from sqlalchemy import create_engine, text
from sqlalchemy.pool import StaticPool

import otel_kit
from otel_kit.context import tally
from otel_kit.testing import capture


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_statements_are_counted_with_their_time() -> None:
    """A statement is missing from the tally of the work that ran it, or takes no time."""
    with capture(instrument=["sqlalchemy"]), tally.Tally() as counted:
        engine = create_engine("sqlite://", poolclass=StaticPool)
        with engine.begin() as connection:
            for _ in range(3):
                connection.execute(text("SELECT 1"))
        engine.dispose()
    assert counted.counts["query"] == 3
    assert counted.seconds["query"] > 0


def test_calls_are_counted_with_their_time(url: str) -> None:
    """A call to another service is missing from the tally, is doubled, or takes no time."""
    with capture(instrument=["requests", "urllib3"]), tally.Tally() as counted:
        for _ in range(2):
            requests.get(url, timeout=5)
    assert counted.counts["http_call"] == 2
    assert counted.seconds["http_call"] > 0


def test_cache_lookups_are_counted() -> None:
    """A hit or a miss in redis is missing from the tally."""
    with capture(instrument=["redis"]), tally.Tally() as counted:
        client = fakeredis.FakeRedis()
        client.set("a", "1")
        client.mget("a", "b", "c")
    assert {kind: counted.counts[kind] for kind in ("cache_hit", "cache_miss")} == {
        "cache_hit": 1,
        "cache_miss": 2,
    }
    assert counted.counts["cache_call"] >= 2


def test_records_are_counted_by_level() -> None:
    """A record of the program is missing from the tally, or counted under another level."""
    log = otel_kit.get_logger("shop")
    with capture(), tally.Tally() as counted:
        log.info("one")
        log.debug("below the level")
        logging.getLogger("shop").warning("two")
        logging.getLogger("shop").error("three")
    assert counted.counts == {"log.info": 1, "log.warning": 1, "log.error": 1}
