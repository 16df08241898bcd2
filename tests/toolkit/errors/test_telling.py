"""Exceptions as they are told after ``init_telemetry``: described, counted, and looked at for news."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

import otel_kit
from otel_kit import _guard, semconv
from otel_kit.context.files import files
from otel_kit.testing import capture
from otel_kit.testing.capture import Captured, Log
from otel_kit.toolkit.errors.history import MOST, MOST_VERSIONS, History
from otel_kit.toolkit.errors.news import _News
from otel_kit.toolkit.errors.rates import QUIET, WINDOW, Jump, Rates

NEWS = {
    semconv.EVENT_ERROR_FIRST_SEEN,
    semconv.EVENT_ERROR_NEW_VERSION,
    semconv.EVENT_ERROR_RATE_JUMPED,
}


@pytest.fixture(autouse=True)
def nothing_seen() -> Iterator[None]:
    """No test knows errors of another one."""
    _News.place = None
    yield
    _News.place = None


def fail(number: int = 7) -> None:
    with contextlib.suppress(LookupError), otel_kit.span("order"):
        raise LookupError(f"no order {number}")


def news_of(captured: Captured) -> list[Log]:
    return [log for log in captured.logs if log.event_name in NEWS]


def counts_of(captured: Captured) -> dict[tuple[Any, Any], Any]:
    metric = captured.metrics.get(semconv.METRIC_ERRORS)
    points: Any = metric.data.data_points if metric else ()
    return {
        (point.attributes[semconv.ERROR_TYPE], point.attributes[semconv.ERROR_CATEGORY]): point.value
        for point in points
    }


def test_span_and_record_say_what_kind_of_error_it_is() -> None:
    """The span or the log record of an exception lacks category, severity, fingerprint or suggestions, or they differ."""
    with capture() as captured:
        fail()
        (span,), (record,) = captured.spans, captured.logs
    expected = otel_kit.analyze(_failure()).attributes
    for attributes in (dict(span.attributes or {}), record.attributes):
        found = {name: attributes[name] for name in expected}
        assert found == {**expected, semconv.ERROR_FINGERPRINT: found[semconv.ERROR_FINGERPRINT]}
        assert found[semconv.ERROR_CATEGORY] == "programming"
    assert span.attributes[semconv.ERROR_FINGERPRINT] == record.attributes[semconv.ERROR_FINGERPRINT]  # type: ignore[index]


def _failure() -> BaseException:
    return LookupError("no order")


def test_a_program_that_calls_init_telemetry_only_has_it(run_program: Any) -> None:
    """Exceptions are described in tests only, not in a program with one line of otel_kit."""
    done = run_program(
        """
        import otel_kit
        otel_kit.init_telemetry("shop", console="json", traces_exporter="none", metrics_exporter="none", logs_exporter="none")
        try:
            with otel_kit.span("order"):
                {}["a"]
        except KeyError:
            pass
        """
    )
    assert done.returncode == 0, done.stderr
    assert '"otel_kit.error.category": "programming"' in done.stderr
    assert "first seen: KeyError in __main__" in done.stderr


def test_loading_the_toolkit_loads_none_of_it(run_program: Any) -> None:
    """init_telemetry alone imports a room of the toolkit."""
    done = run_program(
        """
        import sys, otel_kit
        otel_kit.init_telemetry("shop", traces_exporter="none", metrics_exporter="none", logs_exporter="none")
        print([name for name in sys.modules if name.startswith("otel_kit.toolkit.")])
        """
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_each_exception_is_counted_once() -> None:
    """An exception that several spans and loggers tell of is counted more than once, or under another category."""
    log = otel_kit.get_logger("shop")
    with capture() as captured:
        before = counts_of(captured).get(("TimeoutError", "timeout"), 0)
        for _ in range(3):
            with contextlib.suppress(TimeoutError), otel_kit.span("outer"), otel_kit.span("inner"):
                try:
                    raise TimeoutError
                except TimeoutError:
                    log.exception("late")
                    raise
        assert counts_of(captured)["TimeoutError", "timeout"] == before + 3


def test_with_its_part_off_nothing_is_said() -> None:
    """The part errors is off, and exceptions are described or counted all the same."""
    with capture(disabled_toolkit=["errors"], error_news=True) as captured:
        before = counts_of(captured)
        fail()
        (span,), (record,) = captured.spans, captured.logs
        assert counts_of(captured) == before
    found = [*(span.attributes or {}), *record.attributes]
    assert not [name for name in found if name.startswith("otel_kit.error.")]


def test_a_cancelled_task_is_no_error() -> None:
    """The cancellation of a task is described or counted as an error."""

    async def program() -> None:
        with otel_kit.span("wait"):
            raise asyncio.CancelledError

    with capture(error_news=True) as captured:
        before = counts_of(captured)
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(program())
        assert counts_of(captured) == before
        assert not captured.logs
        (span,) = captured.spans
        assert semconv.ERROR_CATEGORY not in (span.attributes or {})


def test_a_described_exception_is_pickled_as_before() -> None:
    """An exception that was told cannot be pickled, or comes back as another one."""
    error = LookupError("no order")
    with capture(), contextlib.suppress(LookupError), otel_kit.span("order"):
        raise error
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args) == (LookupError, ("no order",))


def test_the_fingerprint_is_no_secret() -> None:
    """Redaction takes the fingerprint or a suggestion for a secret."""
    with capture(redact="secrets+personal") as captured:
        for number in range(50):
            with contextlib.suppress(Exception), otel_kit.span("order"):
                raise type(f"Error{number}", (PermissionError,), {})
        for span in captured.spans:
            assert len((span.attributes or {})[semconv.ERROR_FINGERPRINT]) == 16  # type: ignore[arg-type]
            assert "redacted" not in str(span.attributes)


# news


def test_an_error_is_new_once() -> None:
    """An error that was not seen before is not told, told twice, or told in another trace than its own."""
    with capture(error_news=True) as captured:
        fail(1)
        fail(2)
        (new,) = news_of(captured)
        first, _ = captured.spans
    assert new.event_name == semconv.EVENT_ERROR_FIRST_SEEN
    assert new.body == f"first seen: LookupError in {__name__}.fail"
    assert (new.severity_text, new.trace_id) == ("WARN", first.context.trace_id)
    assert new.attributes[semconv.ERROR_FINGERPRINT] == (first.attributes or {})[semconv.ERROR_FINGERPRINT]


def test_without_the_setting_there_is_no_news() -> None:
    """``error_news=False`` still makes records of new errors."""
    with capture(error_news=False) as captured:
        fail()
        assert len(captured.logs) == 1


def test_with_a_state_directory_a_restart_changes_nothing(tmp_path: Path) -> None:
    """An error that was seen before a restart is new again, or one that comes back in another version is not told."""
    events = []
    for version in ("1.0", "1.0", "2.0", "2.0", "1.0"):
        _News.place = None  # as a new process
        with capture(
            "shop", error_news=True, service_version=version, state_directory=tmp_path / "state"
        ) as captured:
            fail()
            events += [(version, log.event_name, log.body) for log in news_of(captured)]
    day = events[1][2][-10:]
    assert events == [
        ("1.0", semconv.EVENT_ERROR_FIRST_SEEN, f"first seen: LookupError in {__name__}.fail"),
        (
            "2.0",
            semconv.EVENT_ERROR_NEW_VERSION,
            f"seen again in version 2.0: LookupError in {__name__}.fail, first seen in 1.0 on {day}",
        ),
    ]
    assert files.state is None or files.state.endswith("state")


def test_a_burst_is_a_jump() -> None:
    """An error that happens twenty times at once is not told as a jump, or told for each time."""
    with capture(error_news=True) as captured:
        for number in range(20):
            fail(number)
        events = [(log.event_name, log.body) for log in news_of(captured)]
    assert events == [
        (semconv.EVENT_ERROR_FIRST_SEEN, f"first seen: LookupError in {__name__}.fail"),
        (
            semconv.EVENT_ERROR_RATE_JUMPED,
            f"rate jumped: LookupError in {__name__}.fail, 10 times within a minute, usually 0.0",
        ),
    ]


def test_a_state_directory_that_cannot_be_written_costs_the_memory_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A directory that vanished or is full reaches the program, errors are no longer told, or nothing says what is lost."""
    place = tmp_path / "state"
    with capture("shop", error_news=True, state_directory=place) as captured:
        place.write_text("a file stands where the directory should be")
        _guard.reset()
        fail()
        assert len(news_of(captured)) == 1
    assert capsys.readouterr().err.count(f"the state directory {place} cannot be written: ") == 1
    assert _guard.contained_counts()["errors.history"] > 0


def test_a_wrong_state_directory_is_named(tmp_path: Path) -> None:
    """A file as state directory is taken in silence."""
    (tmp_path / "file").touch()
    with pytest.raises(otel_kit.OtelKitError, match=r"state_directory.*a directory that can be written"):
        otel_kit.init_telemetry("shop", state_directory=tmp_path / "file")


def test_memory_is_bounded(tmp_path: Path) -> None:
    """A million different errors, or versions of one, fill the memory or the disk."""
    path = tmp_path / "errors.tsv"
    history, rates = History(str(path)), Rates()
    for number in range(3 * MOST):
        history.see(f"{number:016x}", "1", number)
        rates.happen(f"{number:016x}", number)
    for number in range(3 * MOST_VERSIONS):
        history.see("0" * 16, str(number), 1e6)
    assert len(history._known) <= MOST
    assert len(rates._rates) <= MOST
    assert max(len(known.versions) for known in history._known.values()) <= MOST_VERSIONS
    for _ in range(3):  # each restart reads, and the file is written anew when it has grown
        again = History(str(path))
        for number in range(MOST):
            again.see(f"{_}{number:015x}", "2", 2e6)
    assert path.stat().st_size < 100 * 3 * MOST
    assert not list(tmp_path.glob("errors.tsv.*"))


def test_processes_share_what_they_saw(tmp_path: Path) -> None:
    """An error that another process has seen counts as new, or half a line of the file stops the reading."""
    path = str(tmp_path / "errors.tsv")
    one, two = History(path), History(path)
    assert one.see("a", "1", 100.0) == (100.0, "1")
    with open(path, "a") as file:
        file.write("nonsense\nb\tnot a number\t1\nc\t300.000\t1")
    assert two.see("a", "1", 200.0) is None
    assert two.see("a", "2", 200.0) == (100.0, "1")
    assert one.see("a", "2", 300.0) is None


def test_threads_find_an_error_new_once() -> None:
    """An error that several threads meet at the same time is new more than once."""
    with capture(error_news=True) as captured:
        barrier = threading.Barrier(8)

        def work() -> None:
            barrier.wait()
            fail()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [log.event_name for log in news_of(captured)] == [semconv.EVENT_ERROR_FIRST_SEEN]


def test_a_jump_is_told_once_and_again_when_it_is_over() -> None:
    """A steady rate is a jump, a jump is told for each error, or a later jump is not told."""
    rates = Rates()
    steady = [rates.happen("a", minute * WINDOW) for minute in range(60) for _ in range(9)]
    assert not any(steady)
    now = 60 * WINDOW
    jumps = [rates.happen("a", now + second) for second in range(59)]
    (jump,) = [jump for jump in jumps if jump]
    assert jump == Jump(45, jump.usual)
    assert 8.9 < jump.usual < 9.1
    later = now + QUIET + 10 * WINDOW
    assert any(rates.happen("a", later) for _ in range(100))


def test_the_span_of_a_call_that_fails_has_a_category() -> None:
    """A failed HTTP call or statement has no category, or counts although the program deals with it."""
    with capture(instrument=["requests", "sqlalchemy"]) as captured:
        before = counts_of(captured)
        with contextlib.suppress(requests.ConnectionError):
            requests.get("http://127.0.0.1:9/", timeout=1)
        engine = create_engine("sqlite://")
        with contextlib.suppress(DBAPIError), engine.connect() as connection:
            connection.execute(text("SELECT * FROM nowhere"))
        engine.dispose()
        assert counts_of(captured) == before
        assert not captured.logs
        found = [(span.attributes or {}).get(semconv.ERROR_CATEGORY) for span in captured.spans]
    assert found == ["network", "programming"]
