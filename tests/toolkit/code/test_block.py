"""``block`` and what it watches: the changes are told, everything else in the interpreter stays as it is."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.trace import Span

import otel_kit
from otel_kit import semconv
from otel_kit.errors import ArgumentError
from otel_kit.testing import capture
from otel_kit.testing.capture import Captured
from otel_kit.toolkit.code import block

MONITORING = sys.version_info >= (3, 12)


def changes(seen: Captured) -> list[str]:
    return [record.body for record in seen.logs if record.event_name == semconv.EVENT_VARIABLE_CHANGED]


def nothing_is_left() -> bool:
    if MONITORING:
        monitoring = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        return all(monitoring.get_tool(place) is None for place in (3, 4))
    return "otel_kit" not in repr(sys.gettrace()) and "_Tracer" not in repr(sys.gettrace())


def test_a_block_is_a_span() -> None:
    """A block has no span, loses its attributes or its error, or does not give the span."""
    with capture() as seen, pytest.raises(ValueError, match="too small"), block("resize", width=640) as span:  # noqa: PT012
        assert isinstance(span, Span)
        span.set_attribute("height", 480)
        raise ValueError("too small")
    (found,) = seen.spans
    assert (found.name, found.status.status_code.name) == ("resize", "ERROR")
    assert {**(found.attributes or {})}["width"] == 640
    assert {**(found.attributes or {})}["height"] == 480


def test_each_change_of_a_watched_variable_is_told_with_its_line() -> None:
    """A change is missing, comes twice, or has another line than the one that made it."""

    def resize(width: int) -> int:
        with block("resize", watch=("width", "scale")):
            scale = 0.5
            width = int(width * scale)
            for i in range(3):
                width += i
            del scale
        width = 0
        return width  # noqa: RET504

    first = resize.__code__.co_firstlineno
    with capture() as seen:
        resize(640)
    records = [record for record in seen.logs if record.event_name == semconv.EVENT_VARIABLE_CHANGED]
    assert [(r.body, r.attributes["code.line.number"] - first) for r in records] == [
        ("scale: (unset) → 0.5", 2),
        ("width: 640 → 320", 3),
        ("width: 320 → 321", 5),
        ("width: 321 → 323", 5),
        ("scale: 0.5 → (unset)", 6),
    ]
    one = records[1]
    assert one.attributes[semconv.CODE_CHANGED] == "width"
    assert (one.attributes[semconv.CODE_OLD], one.attributes[semconv.CODE_NEW]) == ("640", "320")
    assert one.attributes["code.file.path"] == __file__
    assert one.span_id == seen.spans[0].context.span_id  # type: ignore[union-attr]
    assert nothing_is_left()


def test_a_secret_in_a_watched_variable_stays_home() -> None:
    """The value of a variable named password is told, or its change is not."""

    def login() -> None:
        with block("login", watch="password"):
            password = "hunter" + "1"
            password = "hunter" + "2"
            assert password

    with capture() as seen:
        login()
    assert len(changes(seen)) == 2
    assert "hunter" not in repr([(r.body, r.attributes) for r in seen.logs])


def test_only_the_frame_of_the_block_is_watched() -> None:
    """Another call of the same function, deeper, in another thread or task, is told of as if it were this one."""

    def down(n: int, watched: bool) -> int:
        with block("down", watch=("x",) if watched else ()):
            x = n
            if n:
                down(n - 1, False)
            x = -1
        return x  # noqa: RET504

    async def wait(n: int, watched: bool) -> None:
        with block("wait", watch=("x",) if watched else ()):
            x = n
            await asyncio.sleep(0)
            x = n + 1
        assert x

    async def main() -> None:
        await asyncio.gather(wait(10, True), wait(20, False), wait(30, True))

    with capture() as seen:
        thread = threading.Thread(target=down, args=(5, False))
        with block("both"):
            thread.start()
            down(2, True)
            thread.join()
        assert changes(seen) == ["x: (unset) → 2", "x: 2 → -1"]
        seen.clear()
        asyncio.run(main())
        assert sorted(changes(seen)) == ["x: (unset) → 10", "x: (unset) → 30", "x: 10 → 11", "x: 30 → 31"]
    assert nothing_is_left()


def test_blocks_inside_one_another_watch_for_themselves() -> None:
    """The inner block ends the watch of the outer one, or tells of its variables."""

    def both() -> None:
        with block("outer", watch="a"):
            a = 1
            with block("inner", watch="b"):
                a = 2
                b = 1
            a = 3
        assert a + b

    with capture() as seen:
        both()
    assert changes(seen) == ["a: (unset) → 1", "a: 1 → 2", "b: (unset) → 1", "a: 2 → 3"]


def test_everything_is_restored_whatever_happens() -> None:
    """After an exception, a return, a generator that is left, or a block in another thread, somebody still watches."""
    before = sys.gettrace()

    def raises() -> None:
        with block("raises", watch="x"):
            x = 1
            raise ValueError(x)

    def returns() -> int:
        with block("returns", watch="x"):
            x = 1
            return x  # noqa: RET504

    def yields() -> Iterator[int]:
        with block("yields", watch="x"):
            x = 1
            yield x

    with capture() as seen:
        with contextlib.suppress(ValueError):
            raises()
        returns()
        left = yields()
        next(left)
        del left
        assert changes(seen) == ["x: (unset) → 1"] * 3
    assert sys.gettrace() is before
    assert nothing_is_left()


def test_a_generator_that_another_thread_finishes_leaves_nothing() -> None:
    """A block that begins in one thread and ends in another one leaves a trace function behind."""
    results: list[Any] = []
    begun, go_on = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        with block("items", watch="x"):
            x = 1
            yield x
            x = 2
            yield x

    def begin(left: Iterator[int]) -> None:
        results.append(next(left))
        begun.set()
        go_on.wait(10)
        (lambda: None)()  # the first call after the end of the block
        results.append(sys.gettrace())

    with capture():
        left = items()
        before = sys.gettrace()
        thread = threading.Thread(target=begin, args=(left,))
        thread.start()
        assert begun.wait(10)
        assert list(left) == [2]
        assert sys.gettrace() is before
        go_on.set()
        thread.join()
    assert "_Tracer" not in repr(results[1])
    assert nothing_is_left()


def test_another_tracer_sees_what_it_saw_before() -> None:
    """A program's own tracer misses lines or calls because of a block, or does not get its place back."""

    def helper() -> int:
        value = 1
        return value  # noqa: RET504

    def work() -> int:
        x = helper()
        with block("work", watch="x"):
            x = helper()
            x += helper()
        return x

    def run(seen: list[Any]) -> None:
        def tracer(frame: Any, event: str, arg: Any) -> Any:
            if frame.f_code in (work.__code__, helper.__code__):
                seen.append((frame.f_code.co_name, event, frame.f_lineno))
                return tracer
            return None

        outer = sys.gettrace()
        sys.settrace(tracer)
        try:
            work()
            assert sys.gettrace() is tracer
        finally:
            sys.settrace(outer)

    off: list[Any] = []
    on: list[Any] = []
    run(off)
    with capture() as seen:
        run(on)
    assert on == off
    assert changes(seen) == ["x: 1 → 2"]  # the first call gives the value that is there already


def test_a_debugger_that_starts_inside_of_a_block_goes_on() -> None:
    """A trace function that is set inside of a block is taken away at its end."""

    def tracer(frame: Any, event: str, arg: Any) -> None: ...

    outer = sys.gettrace()
    with capture():
        try:
            with block("work", watch="outer"):
                sys.settrace(tracer)
            assert sys.gettrace() is tracer
        finally:
            sys.settrace(outer)


PROGRAM = """
import otel_kit, sys
from otel_kit.toolkit.code import block

def helper(n):
    if n > 1:
        return n
    return 0

def work():
    with block("work", watch="x"):
        x = helper(1)
        x = helper(2)
    return x

telemetry = otel_kit.init_telemetry("x", console="json")
print(work(), helper(3))
if len(sys.argv) > 1:
    never = 1
telemetry.shutdown()
"""


@pytest.mark.parametrize("core", ["ctrace", "pytrace"])
def test_coverage_measures_what_it_measured_before(run_program: Any, core: str, tmp_path: Any) -> None:
    """coverage.py misses lines, or warns, because a variable is watched; or it takes the watch away."""
    quiet = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    (tmp_path / "measured.py").write_text(PROGRAM, encoding="utf-8")
    done = run_program(
        """
        import coverage, runpy, sys
        cover = coverage.Coverage(data_file=None, include=["*measured.py"])
        cover.start()
        sys.argv = sys.argv[:1]
        runpy.run_path("measured.py", run_name="__main__")
        cover.stop()
        print(cover.analysis2("measured.py")[3])
        """,
        env={**quiet, "COVERAGE_CORE": core},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["2 3", "[19]"]
    assert "Warning" not in done.stderr
    assert [line.split('"body": "')[1].split('"')[0] for line in done.stderr.splitlines()] == [
        "x: (unset) → 0",
        "x: 0 → 2",
    ]


def test_a_wrong_name_is_named() -> None:
    """A variable that cannot exist is watched silently, or the message does not say which there are."""

    def typing_error() -> None:
        width = 1
        with block("resize", watch="widht"):
            assert width

    with capture(), pytest.raises(ArgumentError, match="'widht'.*did you mean 'width'"):  # noqa: RUF043
        typing_error()
    with pytest.raises(ArgumentError, match=r"block\(name\)"):
        block(3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"block\(watch\)"):
        block("x", watch=(1,))  # type: ignore[arg-type]


def test_a_block_works_by_an_exit_stack_too() -> None:
    """A block that an ExitStack enters watches the frames of contextlib."""
    with capture() as seen:
        with contextlib.ExitStack() as stack:
            stack.enter_context(block("stacked", watch="seen_here"))
            seen_here = 1
        assert seen_here
        assert changes(seen) == ["seen_here: (unset) → 1"]


def test_a_block_steps_aside_while_the_part_is_off() -> None:
    """A block emits something, watches or checks names though the part is off."""
    with capture(disabled_toolkit=("code",)) as seen:
        with block("off", watch="nothing") as span, otel_kit.span("on"):
            span.set_attribute("a", 1)
            assert nothing_is_left()
        assert [span.name for span in seen.spans] == ["on"]
