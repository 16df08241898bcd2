"""A program with a secret in every place that telemetry takes text from; it writes down what it planted, and where.

``python planted_program.py report.json``. The values are made when it runs, one for each place.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import logging
import os
import secrets
import sqlite3
import string
import sys
import threading
import warnings
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

PLANTED: dict[str, str] = {}


def secret(place: str) -> str:
    """A new secret for a place."""
    value = "q7" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(18)) + "9Z"
    PLANTED[place] = value
    return value


os.environ["OTEL_RESOURCE_ATTRIBUTES"] = (
    f"deployment.environment.name=canary,db.password={secret('resource')},api%5Fkey={secret('resource encoded key')}"
)

import attrs  # noqa: E402
import pydantic  # noqa: E402
from opentelemetry import metrics, trace  # noqa: E402
from opentelemetry.metrics import CallbackOptions, Observation  # noqa: E402
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags, TraceState  # noqa: E402

import otel_kit  # noqa: E402


@dataclasses.dataclass
class Login:
    """A dataclass with a secret."""

    user: str
    password: str


@attrs.define
class Client:
    """An attrs class with a secret."""

    host: str
    api_key: str


class Account(pydantic.BaseModel):
    """A pydantic model with a secret."""

    name: str
    access_token: str


class Plain:
    """An object whose repr shows its secret."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"<Plain client_secret={self.value!r} n=3>"


class Pair(NamedTuple):
    """A named tuple with a secret."""

    user: str
    password: str


def values(kind: str) -> dict[str, object]:
    """Values of every type, by a key that tells nothing."""

    def one(place: str) -> str:
        return secret(f"{kind} {place}")

    return {
        "v.dict": {"deep": [{"db": {"password": one("dict")}}]},
        "v.dict_key": {f"token={one('dict key')}": 1},
        "v.set": {f"password={one('set')}"},
        "v.frozenset": frozenset({f"api_key={one('frozenset')}"}),
        "v.tuple": ("password", one("tuple")),
        "v.dataclass": Login("ann", one("dataclass")),
        "v.attrs": Client("h", one("attrs")),
        "v.pydantic": Account(name="ann", access_token=one("pydantic")),
        "v.object": Plain(one("object")),
        "v.namedtuple": Pair("ann", one("namedtuple")),
        "v.namespace": SimpleNamespace(user="ann", password=one("namespace")),
        "v.ordered": OrderedDict(user="ann", secret=one("ordered dict")),
        "v.bytes": f"password={one('bytes')}".encode(),
        "v.bytearray": bytearray(f"token={one('bytearray')}".encode()),
        "v.memoryview": memoryview(f"password={one('memoryview')}".encode()),
        "v.enum": enum.Enum("Key", {"API": f"api_key={one('enum')}"})["API"],
        "v.path": Path("/srv") / f"token={one('path')}",
        "v.exception": ValueError(f"bad password={one('exception value')}"),
        "v.json": json.dumps({"client": {"secret": one("json")}}),
        "v.url": f"https://ann:{one('url')}@h.test/x?access_token={one('url query')}&page=2",
        "v.list": [f"--password={one('list')}", "--host", "h"],
        "v.argv": ["mysql", "-u", "root", f"-p{one('argv')}", "shop"],
        "password": one("key"),
        "v.sql": f"ALTER ROLE ann WITH PASSWORD '{one('sql')}'",
        "v.callable": lambda: None,
        f"v password={one('attribute key')}": 1,
    }


def of_strings(kind: str) -> dict[str, Any]:
    """The part of the values that an OpenTelemetry attribute may be."""
    return {key: value for key, value in values(kind).items() if isinstance(value, str | list | int)}


def fails(place: str) -> None:
    """An exception with a note, a cause and a context, all with secrets, inside a group."""
    password = secret(f"{place} local")
    try:
        try:
            raise KeyError(f"token={secret(f'{place} context')}")
        except KeyError as error:
            raise ConnectionError(f"postgresql://app:{secret(f'{place} cause')}@db/x") from error
    except ConnectionError as error:
        final = RuntimeError(f"login failed for password={password}")
        final.add_note(f"tried api_key={secret(f'{place} note')}")
        final.__cause__ = error
        raise ExceptionGroup(f"group secret={secret(f'{place} group')}", [final]) from None


def spans() -> None:
    """Secrets in every field of a span."""
    tracer = trace.get_tracer(
        f"lib password={secret('span scope')}",
        f"1.0 token={secret('span scope version')}",
        schema_url=f"https://ann:{secret('span schema url')}@schema.test/1.2.3",
        attributes={"api_key": secret("span scope attribute")},
    )
    state = TraceState([("api_key", secret("trace state"))])
    context = SpanContext(1, 2, True, TraceFlags(1), state)
    linked = TraceState([("password", secret("link trace state"))])
    links = [Link(SpanContext(3, 4, True, TraceFlags(1), linked), {"auth_token": secret("link attribute")})]
    parent = trace.set_span_in_context(trace.NonRecordingSpan(context))
    with tracer.start_as_current_span(
        f"GET /x?token={secret('span name')}",
        context=parent,
        links=links,
        record_exception=False,
        attributes=of_strings("span attribute"),
    ) as span:
        span.add_event(f"event password={secret('event name')}", of_strings("event attribute"))
        span.set_status(Status(StatusCode.ERROR, f"api_key={secret('status')}"))
        try:
            fails("span exception")
        except ExceptionGroup as error:
            span.record_exception(error)
        span.update_name(f"later password={secret('updated name')}")


def logs() -> None:
    """Secrets in every field of log records, of our logger and of the standard library's."""
    log = otel_kit.get_logger(f"app.password={secret('logger name')}")
    log.info(f"canary connecting with password={secret('log event')}", **values("log field"))
    log.info("positional %s", f"token={secret('log positional')}")
    otel_kit.bind_context(
        session_token=secret("bound context"), request_id=f"password={secret('bound value')}"
    )
    log.warning("canary bound")
    for place, logger in (("log exception", log), ("stdlib exception", logging.getLogger("std"))):
        try:
            fails(place)
        except ExceptionGroup:
            logger.exception("failed")
    std = logging.getLogger(f"std.token={secret('stdlib logger name')}")
    std.warning("canary stdlib password=%s", secret("stdlib argument"))
    std.warning("mapping %(password)s", {"password": f"password={secret('stdlib mapping')}"})
    std.error(
        "extra", extra={"api_key": secret("stdlib extra"), "data": {"pwd": secret("stdlib nested extra")}}
    )
    std.error("stack", stack_info=True, extra={"x": Plain(secret("stdlib extra object"))})
    warnings.warn(f"deprecated password={secret('warning')}", DeprecationWarning, stacklevel=1)
    thread = threading.Thread(
        target=lambda: std.warning("in thread"), name=f"worker token={secret('thread name')}"
    )
    thread.start()
    thread.join()


def measured() -> None:
    """Secrets in every field of metrics; the span around gives the points exemplars."""
    meter = metrics.get_meter(
        f"meter password={secret('meter scope')}",
        schema_url=f"https://ann:{secret('meter schema url')}@schema.test/1",
        attributes={"api_key": secret("meter scope attribute")},
    )
    name = f"canary.{secret('metric name')[:4].lower()}"
    counter = meter.create_counter(
        "canary.counter",
        unit=f"token={secret('metric unit')}"[:63],
        description=f"uses password={secret('description')}",
    )
    histogram = meter.create_histogram("canary.histogram", unit="s")
    with trace.get_tracer("t").start_as_current_span("measuring"):
        counter.add(1, {"password": secret("metric attribute"), "url": f"https://a:{secret('metric url')}@h"})
        histogram.record(0.3, {"route": f"/x?token={secret('histogram attribute')}"})

    def observe(_: CallbackOptions) -> list[Observation]:
        return [Observation(1, {"query": f"password={PLANTED['observed']}"})]

    secret("observed")
    meter.create_observable_gauge(f"{name}.observed", [observe])


def queries() -> None:
    """A statement with a secret in it, through the database's driver."""
    database = sqlite3.connect(":memory:")
    database.execute("create table users (name text, password text)")
    database.execute(f"insert into users values ('ann', '{secret('sql literal')}')")
    database.execute("insert into users values (?, ?)", ("ann", secret("sql parameter")))


def main() -> None:
    """Emit it all, deliver it, and write the report."""
    headers = f"x-api-key={secret('otlp header')},authorization=Bearer%20{secret('otlp authorization')}"
    os.environ["OTEL_EXPORTER_OTLP_HEADERS"] = headers
    logging.captureWarnings(True)
    telemetry = otel_kit.init_telemetry("planted")
    warnings.simplefilter("always")
    print(telemetry)
    spans()
    logs()
    measured()
    queries()
    telemetry.force_flush(20)
    print(telemetry.stats())
    telemetry.shutdown(10)
    del PLANTED["metric name"]  # a name must not hold signs, so that only four letters of it were used
    Path(sys.argv[1]).write_text(json.dumps(PLANTED))


if __name__ == "__main__":
    main()
