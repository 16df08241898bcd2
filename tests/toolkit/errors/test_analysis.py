"""What kind of error an exception is: by rule, code, type and word, through causes and groups."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import httpx
import pydantic
import pytest
import redis
import requests
import urllib3
from sqlalchemy import create_engine, exc, text
from sqlalchemy.orm import Session

import otel_kit
from otel_kit import OtelKitError, analyze, semconv
from otel_kit.toolkit.errors.categories import CATEGORIES, SEVERITIES
from otel_kit.toolkit.errors.known import KNOWN
from tests.toolkit.errors.raising import raised, with_cause


def made(module: str, name: str, *bases: type[BaseException], **attributes: Any) -> BaseException:
    """An exception of a library that is not installed."""
    kind = type(name, bases or (Exception,), {"__module__": module})
    error = kind("something happened")
    vars(error).update(attributes)
    assert isinstance(error, BaseException)
    return error


def answer(status: int) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    return response


def sql(*statements: str) -> BaseException:
    def run() -> None:
        engine = create_engine("sqlite://")
        with engine.connect() as connection:
            for statement in ("create table t(a integer primary key, b text not null)", *statements):
                connection.execute(text(statement))

    return raised(run)


class Model(pydantic.BaseModel):
    amount: int


class OrderNotFound(ValueError):
    """A program's own."""


class CardDeclined(Exception):
    """A program's own, whose name says nothing."""


class Refused(grpc.RpcError):
    def code(self) -> Any:
        return grpc.StatusCode.RESOURCE_EXHAUSTED


CASES: dict[str, tuple[str, Callable[[], BaseException]]] = {
    "builtin": ("programming", lambda: raised(lambda: 1 / 0)),
    "key": ("programming", lambda: raised(lambda: {}["a"])),
    "missing file": ("not_found", lambda: raised(Path("/nonexistent/file").read_text)),
    "missing module": ("configuration", lambda: raised(lambda: __import__("nonexistent"))),
    "refused": ("network", lambda: raised(lambda: socket.create_connection(("127.0.0.1", 9), 1))),
    "timeout": ("timeout", lambda: TimeoutError()),
    "disk full": ("resources", lambda: OSError(errno.ENOSPC, "No space left on device")),
    "memory": ("resources", MemoryError),
    "cancelled": ("cancelled", asyncio.CancelledError),
    "json": ("validation", lambda: raised(lambda: json.loads("{"))),
    "process": ("timeout", lambda: subprocess.TimeoutExpired("ls", 1)),
    "requests 404": ("not_found", lambda: raised(answer(404).raise_for_status)),
    "requests 429": ("rate_limit", lambda: raised(answer(429).raise_for_status)),
    "requests 503": ("dependency", lambda: raised(answer(503).raise_for_status)),
    "requests refused": ("network", lambda: raised(lambda: requests.get("http://127.0.0.1:9", timeout=1))),
    "requests read": ("timeout", lambda: requests.ReadTimeout()),
    "requests url": ("programming", lambda: raised(lambda: requests.get("no url", timeout=1))),
    "httpx refused": ("network", lambda: raised(lambda: httpx.get("http://127.0.0.1:9"))),
    "httpx read": ("timeout", lambda: httpx.ReadTimeout("slow")),
    "httpx pool": ("resources", lambda: httpx.PoolTimeout("none left")),
    "urllib3 retries": (
        "timeout",
        lambda: urllib3.exceptions.MaxRetryError(None, "/", urllib3.exceptions.ConnectTimeoutError()),  # type: ignore[arg-type]
    ),
    "unique": ("conflict", lambda: sql("insert into t values (1, 'a')", "insert into t values (1, 'a')")),
    "not null": ("validation", lambda: sql("insert into t values (1, null)")),
    "syntax": ("programming", lambda: sql("selekt 1")),
    "no row": ("not_found", lambda: raised(lambda: _one_of_none())),
    "pool": ("resources", lambda: exc.TimeoutError()),
    "driver": ("conflict", lambda: sqlite3.IntegrityError("x")),
    "postgresql": ("conflict", lambda: made("psycopg.errors", "DeadlockDetected", sqlstate="40P01")),
    "psycopg2": ("authentication", lambda: made("psycopg2", "OperationalError", pgcode="28P01")),
    "mysql": ("conflict", lambda: _mysql(1062)),
    "redis": ("network", lambda: raised(lambda: redis.Redis(port=9, retry=None).ping())),
    "redis key": ("authorization", lambda: redis.exceptions.NoPermissionError("x")),
    "openai": ("rate_limit", lambda: made("openai", "RateLimitError", status_code=429)),
    "anthropic": ("timeout", lambda: made("anthropic", "APITimeoutError")),
    "pydantic": ("validation", lambda: raised(lambda: Model.model_validate({"amount": "x"}))),
    "grpc": ("rate_limit", Refused),
    "jwt": ("authentication", lambda: made("jwt.exceptions", "InvalidTokenError")),
    "aws": (
        "authorization",
        lambda: made("botocore.exceptions", "ClientError", response={"Error": {"Code": "AccessDenied"}}),
    ),
    "own name": ("not_found", lambda: OrderNotFound("7")),
    "own class in a known base": ("validation", lambda: type("Odd", (ValueError,), {})("x")),
    "cause": ("timeout", lambda: with_cause(CardDeclined("x"), requests.ConnectTimeout())),
    "message": ("rate_limit", lambda: RuntimeError("rate limit reached for requests")),
    "message before context": ("not_found", lambda: _in_context(CardDeclined("no such card"), ZeroDivisionError())),
    "context last": ("timeout", lambda: _in_context(CardDeclined("oh"), TimeoutError())),
    "unknown": ("unknown", lambda: CardDeclined("no")),
    "group": ("timeout", lambda: ExceptionGroup("several", [KeyboardInterruptLike(), TimeoutError()])),
    "group in a group": ("resources", lambda: ExceptionGroup("g", [ExceptionGroup("h", [ValueError(), MemoryError()])])),
}  # fmt: skip


class KeyboardInterruptLike(ValueError):
    """A validation error, which is less than a timeout."""


def _one_of_none() -> None:
    with Session(create_engine("sqlite://")) as session:
        session.execute(text("select 1 where 1 = 0")).one()


def _mysql(number: int) -> BaseException:
    kind = type("IntegrityError", (Exception,), {"__module__": "pymysql.err"})
    error = kind(number, "Duplicate entry")
    assert isinstance(error, BaseException)
    return error


def _in_context(error: BaseException, context: BaseException) -> BaseException:
    error.__context__ = context
    return error


@pytest.mark.parametrize("case", CASES)
def test_each_error_has_its_category(case: str) -> None:
    """An error of a well-known library, or one that a program made, is put into the wrong category."""
    category, make = CASES[case]
    found = analyze(make())
    assert (found.category, found.by) == (category, found.by)
    assert found.severity == CATEGORIES[category].severity
    assert found.suggestions == CATEGORIES[category].suggestions


def test_what_decided_is_said() -> None:
    """An analysis does not say by what its category was decided."""
    assert analyze(raised(answer(504).raise_for_status)).by == "HTTP 504"
    assert analyze(sql("insert into t values (1, null)")).by == "SQLITE_CONSTRAINT_NOTNULL"
    assert analyze(TimeoutError()).by == "type TimeoutError"
    assert analyze(with_cause(CardDeclined("x"), TimeoutError())).by == "its cause: type TimeoutError"
    assert analyze(RuntimeError("timed out")).by == "its message"


def test_causes_are_named_from_the_nearest_on() -> None:
    """A cause is missing, in the wrong place, or a circle of causes never ends."""
    inner, middle, outer = KeyError("a"), ValueError("b"), CardDeclined("c")
    outer.__cause__, middle.__cause__, inner.__cause__ = middle, inner, outer
    assert analyze(outer).causes == ("ValueError", "KeyError")
    assert analyze(ExceptionGroup("g", [inner, middle])).causes == ("KeyError", "ValueError")


def test_a_rule_is_asked_first() -> None:
    """A rule by class, by name or by function is passed over, or holds after it was taken away."""
    undo = [
        otel_kit.add_error_rule(
            CardDeclined, "payment", severity="info", suggestions=["ask for another card"]
        ),
        otel_kit.add_error_rule(f"{__name__}.OrderNotFound", "conflict"),
        otel_kit.add_error_rule(lambda error: str(error) == "special", "dependency"),
    ]
    try:
        found = analyze(CardDeclined("x"))
        assert (found.category, found.severity, found.suggestions) == (
            "payment",
            "info",
            ("ask for another card",),
        )
        assert analyze(OrderNotFound("x")).category == "conflict"
        assert analyze(with_cause(RuntimeError("x"), CardDeclined("y"))).category == "payment"
        assert analyze(KeyError("special")).category == "programming"
        assert analyze(ValueError("special")).category == "dependency"
    finally:
        for take_away in undo:
            take_away()
    assert analyze(CardDeclined("x")).category == "unknown"


@pytest.mark.parametrize(
    ("arguments", "valid"),
    [
        ({"match": 7, "category": "timeout"}, "an exception class"),
        ({"match": int, "category": "timeout"}, "an exception class"),
        ({"match": KeyError, "category": "Time Out"}, "timeout, rate_limit"),
        ({"match": KeyError, "category": "timeout", "severity": "eror"}, "did you mean 'error'"),
        ({"match": KeyError, "category": "timeout", "suggestions": ["x"] * 6}, "at most 5"),
        ({"match": KeyError, "category": "timeout", "suggestions": 7}, "at most 5"),
    ],
)
def test_a_wrong_rule_is_refused(arguments: dict[str, Any], valid: str) -> None:
    """A rule that cannot hold is taken in silence, or the message does not say what is valid."""
    with pytest.raises(OtelKitError, match=valid):
        otel_kit.add_error_rule(**arguments)


def test_only_exceptions_are_analyzed() -> None:
    """Something that is no exception is analyzed."""
    with pytest.raises(OtelKitError, match="an exception"):
        analyze("timeout")  # type: ignore[arg-type]


class Lying(Exception):
    """Says yes to everything, and raises when it is asked for its text."""

    def __getattr__(self, name: str) -> Any:
        return Lying

    def __str__(self) -> str:
        raise RuntimeError("no")


class Raising(Exception):
    @property
    def status_code(self) -> int:
        raise RuntimeError("no")

    response = sqlstate = code = status_code


@pytest.mark.parametrize(
    "error", [Lying("x"), Raising("x"), ExceptionGroup("g", [Lying("x")]), KeyboardInterrupt()]
)
def test_odd_exceptions_are_analyzed(error: BaseException) -> None:
    """An exception with odd attributes makes the analysis raise."""
    found = analyze(error)
    assert found.severity in SEVERITIES
    assert len(found.fingerprint) == 16


def test_what_status_codes_are_is_not_guessed_at() -> None:
    """A number that is no HTTP status, such as an exit code, is taken for one."""
    for value in (1, 200, 404.0, "404", True):
        error = CardDeclined("x")
        vars(error)["status_code"] = value
        assert analyze(error).category == "unknown"
    error = CardDeclined("x")
    vars(error)["response"] = SimpleNamespace(status_code=404)
    assert analyze(error).by == "HTTP 404"


def test_known_types_are_spelt_as_their_libraries_do() -> None:
    """The table has a class of an installed library under a name that the library does not have."""
    installed = {
        "requests": requests.exceptions,
        "httpx": httpx,
        "redis": redis.exceptions,
        "urllib3": urllib3.exceptions,
    }
    unknown = [
        f"{package}.{name}"
        for (package, name) in KNOWN
        if package in installed and not hasattr(installed[package], name)
    ]
    allowed = {"redis.NoPermissionError", "redis.MaxConnectionsError", "redis.OutOfMemoryError"}
    assert set(unknown) <= allowed
    builtins = vars(sys.modules["builtins"])
    assert not [name for (package, name) in KNOWN if package == "builtins" and name not in builtins]


@pytest.fixture
def module(tmp_path: Path) -> Callable[..., BaseException]:
    """Runs ``work()`` of a module with that source, and gives what it raises."""

    def run(source: str, name: str = "shop_of_a_test", folder: str = "a") -> BaseException:
        path = tmp_path / folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
        namespace: dict[str, Any] = {"__name__": name}
        exec(compile(source, str(path), "exec"), namespace)
        return raised(namespace["work"])

    return run


ORDER = "def work(number={}):\n    {}\n    raise LookupError(f'no order {{number}} of user-{{number}}')\n"


def test_a_fingerprint_survives_moved_lines_ids_and_releases(module: Callable[..., BaseException]) -> None:
    """The same error has another fingerprint after lines moved, with other ids, or in another directory."""
    first = analyze(module(ORDER.format(7, "x = 1"), folder="v1")).fingerprint
    moved = "import os\n\n# a comment\n\n" + ORDER.format(4711, "y = 2\n    z = 3")
    assert analyze(module(moved, folder="v2")).fingerprint == first


def test_different_errors_have_different_fingerprints(module: Callable[..., BaseException]) -> None:
    """Two different errors of one function, one error of two functions, or another cause share a fingerprint."""
    sources = [
        "def work():\n    raise ValueError('no card')\n",
        "def work():\n    raise ValueError('no money')\n",
        "def work():\n    raise KeyError('no card')\n",
        "def pay():\n    raise ValueError('no card')\nwork = pay\n",
        "def work():\n    raise ValueError('no card') from KeyError()\n",
        "def work():\n    raise ExceptionGroup('no card', [ValueError()])\n",
        "def work():\n    raise ExceptionGroup('no card', [KeyError()])\n",
    ]
    prints = [analyze(module(source, folder=str(i))).fingerprint for i, source in enumerate(sources)]
    assert len(set(prints)) == len(prints)


def test_without_source_ids_in_the_message_change_nothing() -> None:
    """Where no source is there, another id, number, address or path in the message changes the fingerprint."""
    texts = [
        "user 7 at ann@example.org has no file '/a/b' in https://a.example/7?x=1 (3f2a9c1e-aaaa-bbbb-cccc-1234567890ab)",
        "user 12 at bo@example.com has no file '/c/d/e' in http://b.example (00000000-1111-2222-3333-444444444444)",
    ]
    prints = {analyze(ValueError(text)).fingerprint for text in texts}
    assert len(prints) == 1
    assert analyze(ValueError("user 7 has no card")).fingerprint not in prints


def test_where_it_is_caught_changes_nothing() -> None:
    """The same error has another fingerprint when it is told further up."""

    def inner() -> None:
        raise LookupError("x")

    def outer() -> None:
        inner()

    assert analyze(raised(inner)).fingerprint == analyze(raised(outer)).fingerprint


def test_a_recursion_has_one_fingerprint() -> None:
    """Which of two functions that call each other hits the limit changes the fingerprint."""

    def ping() -> None:
        pong()

    def pong() -> None:
        ping()

    assert analyze(raised(ping)).fingerprint == analyze(raised(pong)).fingerprint


def test_an_error_of_no_category_has_no_suggestions() -> None:
    """Who reads of an unknown error is told to do what says nothing."""
    found = otel_kit.analyze(type("Odd", (Exception,), {})("odd"))
    assert (found.category, found.suggestions) == ("unknown", ())
    assert semconv.ERROR_SUGGESTIONS not in found.attributes
