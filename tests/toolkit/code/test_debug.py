"""``debug_everything``: everything is told, nothing changes, and all of it can be undone."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import otel_kit
from otel_kit import semconv
from otel_kit.context.debugging import debugging
from otel_kit.errors import ArgumentError
from otel_kit.testing import capture
from otel_kit.testing.capture import Captured
from otel_kit.toolkit.code import block, debug, debug_everything, resources

QUIET = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
SHOP = """
import asyncio
import functools

class Shop:
    kind = "small"

    def __init__(self, name, password=None):
        self.name = name
        self.password = password

    def __repr__(self):
        raise RuntimeError("nobody may ask")

    def __getattr__(self, name):
        return f"no {name}"

    def total(self, prices, *more, tax=0):
        return sum(map(lambda price: price + tax, [*prices, *more]))

    @property
    def broken(self):
        raise ValueError("broken")

    @staticmethod
    def open():
        return True

    @classmethod
    def of(cls, name):
        return cls(name)

def items(n):
    try:
        for i in range(n):
            try:
                got = yield i
            except KeyError:
                got = yield "key"
    finally:
        marks.append("closed")
    return "done"

def outer(n):
    return (yield from items(n))

def abandoned():
    yield from range(10)

async def pay(n):
    await asyncio.sleep(0)
    return 1 + await pay(n - 1) if n else 0

async def lines(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i

async def wait():
    await asyncio.sleep(60)

def down(n):
    return n and 1 + down(n - 1)

def handled():
    try:
        return Shop("x").broken
    except ValueError:
        return "handled"

marks = []
double = functools.partial(lambda x: 2 * x)
length = len
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], ModuleType]]:
    """Imports a package of the program, anew."""
    folder = tmp_path / "debugged_shop"
    folder.mkdir()
    (folder / "__init__.py").write_text(SHOP, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lambda: importlib.import_module("debugged_shop")
    sys.modules.pop("debugged_shop", None)


def is_clean() -> bool:
    if sys.version_info >= (3, 12):
        monitoring = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        if any(monitoring.get_tool(place) == "otel_kit" for place in (3, 4)):
            return False
    traces = repr((sys.gettrace(), threading.gettrace()))
    return "_Tracer" not in traces and not debugging.sql and not debugging.body_bytes


def names(seen: Captured) -> list[str]:
    return [span.name for span in seen.spans]


def test_every_call_of_a_package_is_a_span(shop: Any) -> None:
    """A function of the package is not told of, one of another package is, or arguments, result or parents are wrong."""
    limit = sys.getrecursionlimit()
    with capture() as seen:
        with debug_everything("debugged_shop", parts="functions") as debugged:
            package = shop()
            one = package.Shop("tea", password="hunter2")
            assert one.total([1, 2], 3, tax=1) == 9
            assert (one.open(), one.of("x").name, one.missing) == (True, "x", "no missing")
            assert package.handled() == "handled"
            assert package.double(2) == 4
            assert package.length([1]) == 1
        assert package.Shop.open()
        assert is_clean()
        assert sys.getrecursionlimit() == limit
        told = names(seen)
        assert told == [
            "Shop.__init__",
            *["Shop.total.<locals>.<lambda>"] * 3,
            "Shop.total",
            "Shop.open",
            "Shop.__init__",
            "Shop.of",
            "Shop.__getattr__",
            "Shop.__init__",
            "Shop.broken",
            "handled",
            "<lambda>",
        ]
        assert debugged.calls == len(told)
        total = seen.span("Shop.total")
        attributes = dict(total.attributes or {})
        assert attributes["otel_kit.code.argument.prices"] == "[1, 2]"
        assert attributes["otel_kit.code.argument.tax"] == 1
        assert attributes[semconv.CODE_RESULT] == 9
        assert attributes["code.function.name"] == "debugged_shop.Shop.total"
        first = dict(seen.spans[0].attributes or {})
        assert "hunter2" not in repr(first)
        inner = [span for span in seen.spans if span.name.endswith("total.<locals>.<lambda>")]
        assert {span.parent.span_id for span in inner if span.parent} == {total.context.span_id}  # type: ignore[union-attr]


def test_an_exception_fails_the_span_and_is_no_error_of_the_program(shop: Any) -> None:
    """A handled exception becomes a log record, or the span of the function that it left does not say so."""
    with capture() as seen, debug_everything("debugged_shop", parts="functions"):
        assert shop().handled() == "handled"
        broken, handled = seen.span("Shop.broken"), seen.span("handled")
        assert (broken.attributes or {})["error.type"] == "ValueError"
        assert broken.status.description == "ValueError: broken"
        assert handled.status.status_code.name == "UNSET"
        assert seen.logs == []


def use_generators(package: Any) -> list[Any]:
    package.marks.clear()
    talk = package.items(3)
    said = [next(talk), talk.send("x"), talk.throw(KeyError("k"))]
    with pytest.raises(OSError, match="thrown"):
        talk.throw(OSError("thrown"))
    said += [list(package.outer(2)), [*package.items(1)]]
    left = package.items(2)
    next(left)
    left.close()
    for _ in range(20):
        next(package.abandoned())
    gc.collect()
    return [said, list(package.marks)]


def test_generators_and_coroutines_do_what_they_did(shop: Any) -> None:
    """What a generator yields, gets, raises or returns changes, or its span is lost or has another outcome."""

    async def main(package: Any) -> list[Any]:
        task = asyncio.create_task(package.wait())
        await asyncio.sleep(0)
        task.cancel()
        results = await asyncio.gather(package.pay(2), package.pay(3), task, return_exceptions=True)
        return [*map(repr, results), [line async for line in package.lines(3)]]

    package = shop()
    expected = [use_generators(package), asyncio.run(main(package))]
    with capture() as seen:
        with debug_everything("debugged_shop", parts="functions"):
            assert [use_generators(package), asyncio.run(main(package))] == expected
        told = names(seen)
        assert [told.count(name) for name in ("items", "outer", "abandoned", "pay", "lines", "wait")] == [
            4,
            1,
            20,
            7,
            1,
            1,
        ]
        errors = [(span.attributes or {}).get("error.type") for span in seen.spans if span.name == "items"]
        assert errors == ["OSError", None, None, None]
        with otel_kit.span("after"):
            pass
        assert seen.span("after").parent is None
    assert is_clean()


def test_recursion_goes_as_deep_as_before(shop: Any) -> None:
    """A recursion of 900 calls fails because it is watched, or calls of it are lost."""
    results: list[int] = []
    package = shop()
    with capture() as seen, debug_everything("debugged_shop", parts="functions"):
        thread = threading.Thread(target=lambda: results.append(package.down(900)))
        thread.start()
        thread.join()
        assert results == [900]
        assert names(seen).count("down") == 901


def test_abandoned_generators_leave_nothing_in_memory(shop: Any) -> None:
    """Generators that nobody finishes are kept, with all that they hold."""
    package = shop()

    class Heavy:
        alive = 0

        def __init__(self) -> None:
            Heavy.alive += 1

        def __del__(self) -> None:
            Heavy.alive -= 1

    with capture(), debug_everything("debugged_shop", parts="functions"):
        for _ in range(200):
            next(package.items(Heavy() and 3))
        gc.collect()
        assert Heavy.alive == 0


def test_writes_of_attributes_are_told_at_level_debug(shop: Any) -> None:
    """Attributes of the package's classes are not told of, of classes that are imported later, or the classes stay changed."""
    with capture(log_level="debug") as seen:
        with debug_everything("debugged_shop", parts="attributes"):
            package = shop()
            one = package.Shop("tea")
            one.name = "cup"
        one.name = "pot"
        assert "__setattr__" not in vars(package.Shop)
        bodies = [record.body for record in seen.logs]
        assert bodies == [
            "Shop.name: (unset) → 'tea'",
            "Shop.password: (unset) → None",
            "Shop.name: 'tea' → 'cup'",
        ]
        assert seen.spans == []
    assert is_clean()


def test_records_of_calls_come_at_level_debug(shop: Any) -> None:
    """With the level at debug the way of the calls is not shown, or at info it is."""
    package = shop()
    for level, expected in (("info", 0), ("debug", 2)):
        with capture(log_level=level) as seen, debug_everything("debugged_shop", parts="functions"):
            package.Shop.open()
            assert len(seen.logs) == expected


def test_threads_that_begin_later_are_told_of_too(shop: Any) -> None:
    """A thread's calls are lost, or its trace function stays after the end."""
    package = shop()
    with capture() as seen:
        with debug_everything("debugged_shop", parts="functions"):
            threads = [threading.Thread(target=package.down, args=(9,)) for _ in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert names(seen).count("down") == 50
    assert is_clean()


def test_it_ends_while_functions_run(shop: Any, tmp_path: Path) -> None:
    """``stop`` inside of a function that is told of raises, loses its span, or never ends the watch."""
    package = shop()
    (tmp_path / "debugged_shop" / "late.py").write_text(
        "def run(stop):\n    stop()\n    return 'on'\n\ndef step(stop):\n    yield 1\n    stop()\n    yield 2\n",
        encoding="utf-8",
    )
    late = importlib.import_module("debugged_shop.late")
    with capture() as seen:
        for function, result in ((late.run, "on"), (lambda stop: list(late.step(stop)), [1, 2])):
            debugged = debug_everything("debugged_shop", parts="functions")
            assert function(debugged.stop) == result
            assert package.Shop.open()
            assert is_clean()
        assert sorted(names(seen)) == ["run", "step"]
        with otel_kit.span("after"):
            pass
        assert seen.span("after").parent is None


def test_another_call_takes_the_place_of_the_first(shop: Any) -> None:
    """Two calls tell everything twice, or the first one cannot be stopped any more."""
    package = shop()
    with capture() as seen:
        first = debug_everything("debugged_shop", parts="functions")
        second = debug_everything("debugged_shop", parts="functions")
        package.Shop.open()
        first.stop()
        package.Shop.open()
        second.stop()
        second.stop()
        assert names(seen) == ["Shop.open"] * 2
    assert is_clean()


def test_a_watched_block_works_inside_of_it(shop: Any) -> None:
    """A block's variables are not told of any more, or calls are not, where both are at work."""
    package = shop()
    with capture() as seen, debug_everything("debugged_shop", parts="functions"):
        with block("work", watch="x"):
            x = package.Shop.open()
            x = package.down(2)
        assert x == 2
        changed = [r.body for r in seen.logs if r.event_name == semconv.EVENT_VARIABLE_CHANGED]
        assert changed == ["x: (unset) → True", "x: True → 2"]
        assert sorted(names(seen)) == ["Shop.open", "down", "down", "down", "work"]


def test_another_tracer_goes_on(shop: Any) -> None:
    """A trace function that the program has set misses calls of the package, or is not there any more at the end."""
    package = shop()

    def traced() -> list[tuple[str, str]]:
        events: list[tuple[str, str]] = []

        def tracer(frame: Any, event: str, arg: Any) -> Any:
            if frame.f_globals is vars(package):
                events.append((frame.f_code.co_name, event))
                return tracer
            return None

        outer = sys.gettrace()
        sys.settrace(tracer)
        try:
            with debug_everything("debugged_shop", parts="functions"):
                package.handled()
            assert sys.gettrace() is tracer
            mine, events[:] = list(events), []
            package.handled()
            assert mine == events
        finally:
            sys.settrace(outer)
        return mine

    with capture() as seen:
        assert traced()
        assert "handled" in names(seen)


def test_resources_are_told_at_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no record of what the process uses, or it goes on after the end."""
    monkeypatch.setattr(debug, "EVERY_SECONDS", 0.02)
    with capture() as seen:
        with debug_everything("json", parts="resources"):
            deadline = time.monotonic() + 10
            while not seen.logs and time.monotonic() < deadline:
                time.sleep(0.01)
        (record, *_) = seen.logs
        assert record.body.startswith("resources: CPU ")
        assert record.attributes["process.memory.usage"] > 1_000_000
        assert record.attributes[semconv.DEBUG_CALLS] == 0
    assert not [t for t in threading.enumerate() if t.name == "otel-kit-resources" and t.is_alive()]
    assert resources.EVERY_SECONDS == 10


def test_sql_and_bodies_are_told() -> None:
    """Statements lack their parameters, requests their bodies, or they have them after the end, too."""
    import flask
    import sqlalchemy as sa

    engine = sa.create_engine("sqlite://")
    app = flask.Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "body of the answer")

    def work() -> None:
        with engine.begin() as connection:
            connection.execute(sa.text("select :number"), {"number": 7})
        app.test_client().get("/").get_data()

    with capture(instrument=("sqlalchemy", "flask")) as seen:
        with debug_everything("json", parts=("sql", "requests")):
            work()
        told = repr([dict(span.attributes or {}) for span in seen.spans])
        assert "body of the answer" in told
        assert "db.query.parameter" in told
        seen.clear()
        work()
        told = repr([dict(span.attributes or {}) for span in seen.spans])
        assert "body of the answer" not in told
        assert "db.query.parameter" not in told
    engine.dispose()


def test_it_says_what_it_costs(shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is told what debugging costs."""
    with capture(), debug_everything("debugged_shop", parts="functions"):
        shop().Shop.open()
    first, last = capsys.readouterr().err.splitlines()
    assert "debug_everything tells what debugged_shop does (functions)" in first
    assert "µs longer" in first
    assert "telling 1 calls took" in last


def test_production_refuses_unless_forced() -> None:
    """Everything is debugged in production because of a slip, or cannot be where somebody insists."""
    with capture(environment="Production"):
        with pytest.raises(ArgumentError, match="another environment than production"):
            debug_everything("json")
        debug_everything("json", parts="functions", force=True).stop()
    assert is_clean()


def test_shutdown_ends_it(shop: Any) -> None:
    """Debugging goes on after telemetry is shut down."""
    with capture():
        debug_everything("debugged_shop", parts=("functions", "sql"))
        otel_kit.init_telemetry(
            "x", traces_exporter="none", metrics_exporter="none", logs_exporter="none"
        ).shutdown()
        assert is_clean()


def test_wrong_names_are_named() -> None:
    """A package or a part that does not exist is taken silently."""
    with capture():
        with pytest.raises(ArgumentError, match="no_such_package"):
            debug_everything("no_such_package")
        with pytest.raises(ArgumentError, match="did you mean 'functions'"):
            debug_everything("json", parts=("function",))
        with pytest.raises(ArgumentError, match="names of packages"):
            debug_everything()


PROGRAM = """
import otel_kit

def work(n):
    return n and work(n - 1)

if __name__ == "__main__":
    telemetry = otel_kit.init_telemetry("x", console="json", log_level="debug")
    work(1)
    telemetry.shutdown()
    work(1)
"""


def test_the_variable_begins_it(run_program: Any) -> None:
    """``OTEL_KIT_DEBUG`` debugs nothing, does so in production, or a package that is not there ends the program."""
    done = run_program(PROGRAM, env={**QUIET, "OTEL_KIT_DEBUG": "__main__"})
    assert done.returncode == 0, done.stderr
    bodies = [json.loads(line)["body"] for line in done.stderr.splitlines() if line.startswith("{")]
    assert [body.partition("(")[0].strip() for body in bodies][:2] == ["→ work", "→ work"]
    assert len(bodies) == 4
    for settings in (
        {"OTEL_KIT_DEBUG": "no_such_package"},
        {"OTEL_KIT_DEBUG": "__main__", "OTEL_KIT_ENVIRONMENT": "prod"},
    ):
        environment = {**QUIET, **settings}
        if "OTEL_KIT_ENVIRONMENT" in environment:
            environment["OTEL_RESOURCE_ATTRIBUTES"] = "deployment.environment.name=prod"
            del environment["OTEL_KIT_ENVIRONMENT"]
        done = run_program(PROGRAM, env=environment)
        assert done.returncode == 0, done.stderr
        assert "otel_kit: nothing is debugged: " in done.stderr
        assert "→ work" not in done.stderr
