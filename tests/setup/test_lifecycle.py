"""init_telemetry once, twice, from two threads, after shutdown, switched off, beside somebody else's providers."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import Any

import pytest

import otel_kit
from otel_kit.setup.telemetry import _runtime
from tests.conftest import RunProgram
from tests.receiver import Receiver, receiving


def emit(telemetry: otel_kit.Telemetry) -> None:
    with telemetry.tracer.start_as_current_span("step"):
        telemetry.logger.info("done")


def test_the_second_call_doubles_nothing_and_old_handles_go_on(receiver: Receiver) -> None:
    """After a second init something arrives twice, or a tracer, logger or instrument from before is dead."""
    first = otel_kit.init_telemetry("one", endpoint=receiver.http)
    counter = first.meter.create_counter("steps")
    counter.add(1)
    tracer, logger = first.tracer, first.logger
    second = otel_kit.init_telemetry("two", endpoint=receiver.http)
    counter.add(1)
    with tracer.start_as_current_span("step"):
        logger.info("done")
        logging.getLogger("stdlib").warning("seen once")

    assert second.force_flush(5)
    assert [span.name for span in receiver.spans] == ["step"]
    assert [record.body.string_value for record in receiver.logs] == ["done", "seen once"]
    assert receiver.metrics["steps"].sum.data_points[0].as_int == 2
    assert {resource["service.name"] for resource in receiver.resources} == {"two"}


def test_what_waited_for_the_first_endpoint_still_goes_there(receiver: Receiver) -> None:
    """A second init loses or redirects what was emitted before it."""
    with receiving() as other:
        first = otel_kit.init_telemetry("one", endpoint=receiver.http, process_metrics=False)
        emit(first)
        second = otel_kit.init_telemetry("one", endpoint=other.http, process_metrics=False)
        emit(second)
        assert second.force_flush(5)
        assert (len(receiver.spans), len(receiver.logs)) == (1, 1)
        assert (len(other.spans), len(other.logs)) == (1, 1)


def test_a_flush_answers_for_the_queue_before_too(receiver: Receiver) -> None:
    """What the queue with the new headers settles counts for what the one before it still holds."""
    receiver.behave(status=503, headers={"Retry-After": "60"})
    first = otel_kit.init_telemetry(
        "one", endpoint=receiver.http, headers={"who": "a"}, process_metrics=False
    )
    for _ in range(10):
        first.tracer.start_span("before").end()
    assert not first.force_flush(0.5)
    receiver.behave(hang=0.1)
    second = otel_kit.init_telemetry(
        "one", endpoint=receiver.http, headers={"who": "b"}, process_metrics=False
    )
    answers: list[bool] = []
    second.tracer.start_span("after").end()
    flush = threading.Thread(target=lambda: answers.append(second.force_flush(2)))
    flush.start()
    while flush.is_alive():
        second.tracer.start_span("after").end()
        time.sleep(0.01)
    assert answers == [False]
    books = second.stats()["traces"]
    assert books["waiting"] >= 10
    assert books["endpoints"] == {receiver.http: {name: books[name] for name in books if name != "endpoints"}}


def test_the_books_do_not_grow_with_each_call(receiver: Receiver) -> None:
    """Each call with other headers leaves books behind for ever, or what was counted before is forgotten."""
    for number in range(10):
        telemetry = otel_kit.init_telemetry(
            "one", endpoint=receiver.http, headers={"who": str(number)}, process_metrics=False
        )
        telemetry.tracer.start_span("step").end()
        assert telemetry.force_flush(5)
    assert telemetry.stats()["traces"]["delivered"] == 10
    assert len(_runtime._queues._ledgers) <= 3 * 3


def test_after_shutdown_it_can_be_called_again(receiver: Receiver) -> None:
    """Telemetry cannot be started again, or what is emitted in between is not counted."""
    first = otel_kit.init_telemetry("one", endpoint=receiver.http, process_metrics=False)
    emit(first)
    assert first.shutdown(5)
    assert first.shutdown(5)
    first.tracer.start_span("too late").end()
    assert first.stats()["traces"]["dropped"] == {"after_shutdown": 1}

    again = otel_kit.init_telemetry("one", endpoint=receiver.http, process_metrics=False)
    emit(again)
    assert again.shutdown(5)
    assert [span.name for span in receiver.spans] == ["step", "step"]
    books = again.stats()["traces"]
    assert (books["accepted"], books["delivered"]) == (3, 2)


def test_the_handle_is_a_context_manager(receiver: Receiver) -> None:
    """The end of the block does not deliver."""
    with otel_kit.init_telemetry("one", endpoint=receiver.http) as telemetry:
        emit(telemetry)
    assert len(receiver.spans) == len(receiver.logs) == 1


def test_two_threads_may_call_it_at_once(receiver: Receiver) -> None:
    """Two calls at the same time double what is emitted, or raise."""
    started = threading.Barrier(8)
    failures: list[BaseException] = []

    def call() -> None:
        try:
            started.wait()
            otel_kit.init_telemetry("one", endpoint=receiver.http, process_metrics=False)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    telemetry = otel_kit.init_telemetry("one", endpoint=receiver.http, process_metrics=False)
    emit(telemetry)
    assert not failures
    assert telemetry.shutdown(5)
    assert len(receiver.spans) == len(receiver.logs) == 1


def test_no_thread_of_an_earlier_endpoint_stays(receiver: Receiver) -> None:
    """Each init leaves threads behind."""
    for number in range(5):
        telemetry = otel_kit.init_telemetry(
            "one", endpoint=f"{receiver.http}/{number}", process_metrics=False
        )
        telemetry.tracer.start_span("step").end()
    telemetry.shutdown(5)
    deadline = time.monotonic() + 5
    while (ours := [t.name for t in threading.enumerate() if t.name.startswith("otel_kit")]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.01)
    assert not ours


def test_disabled_emits_nothing_and_runs_nothing(run_program: RunProgram, receiver: Receiver) -> None:
    """OTEL_SDK_DISABLED leaves a thread, a provider, a bridge or a request behind, or the handle does not work."""
    done = run_program(
        """
        import logging, threading
        import otel_kit
        from opentelemetry import trace
        telemetry = otel_kit.init_telemetry("job")
        with telemetry.tracer.start_as_current_span("step") as span:
            assert not span.is_recording()
            telemetry.logger.warning("to the standard library")
        telemetry.meter.create_counter("steps").add(1)
        assert threading.active_count() == 1
        assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
        assert telemetry.force_flush(1) and telemetry.shutdown(1)
        assert telemetry.stats()["traces"]["accepted"] == 0
        """,
        env={"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http},
    )
    assert done.returncode == 0, done.stderr
    assert "to the standard library" in done.stderr
    assert not receiver.requests


def test_providers_of_the_program_are_used_and_nothing_is_added(
    run_program: RunProgram, receiver: Receiver
) -> None:
    """A provider that the program has set is replaced or added to, or it is not told that it is used."""
    done = run_program(
        """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        import otel_kit

        mine, memory = TracerProvider(), InMemorySpanExporter()
        mine.add_span_processor(SimpleSpanProcessor(memory))
        trace.set_tracer_provider(mine)
        for _ in range(2):
            telemetry = otel_kit.init_telemetry("job", console="off")
        with telemetry.tracer.start_as_current_span("step"):
            telemetry.logger.info("done")
        assert trace.get_tracer_provider() is mine
        assert [span.name for span in memory.get_finished_spans()] == ["step"]
        assert telemetry.force_flush(5)
        """,
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("its own provider for traces") == 1
    assert (len(receiver.spans), len(receiver.logs)) == (0, 1)


def test_no_thread_starts_before_something_is_emitted(run_program: RunProgram) -> None:
    """init_telemetry starts threads that a program which forks right after would lose."""
    done = run_program(
        """
        import threading
        import otel_kit
        otel_kit.init_telemetry("job", console="off", process_metrics=False, metrics_exporter="none")
        assert threading.active_count() == 1, threading.enumerate()
        """
    )
    assert done.returncode == 0, done.stderr


def test_a_wrong_argument_raises_before_anything_is_set_up() -> None:
    """A wrong argument is taken, or leaves telemetry half set up."""
    with pytest.raises(otel_kit.errors.SettingError, match="protocol"):
        otel_kit.init_telemetry("one", protocol="smoke signals")
    with pytest.raises(otel_kit.errors.UnknownSettingError, match="endpoint"):
        otel_kit.init_telemetry("one", endpont="http://localhost")


def test_w3c_headers_go_out_and_come_in(receiver: Receiver) -> None:
    """The next service does not learn the trace, or its chosen ids."""
    from opentelemetry import propagate

    telemetry = otel_kit.init_telemetry("one", endpoint=receiver.http, baggage_ids=["request_id"])
    headers: dict[str, str] = {}
    with telemetry.tracer.start_as_current_span("call") as span, otel_kit.bind(request_id="r-1"):
        propagate.inject(headers)
        trace_id = span.get_span_context().trace_id
    assert f"{trace_id:032x}" in headers["traceparent"]
    assert "r-1" in headers["baggage"]


@pytest.mark.parametrize("timeout", [math.inf, 1e10, 10**400])
def test_any_number_of_seconds_is_a_timeout(receiver: Receiver, timeout: float) -> None:
    """To wait as long as it takes raises, because a lock does not wait for years."""
    telemetry = otel_kit.init_telemetry("one", endpoint=receiver.http, process_metrics=False)
    emit(telemetry)
    assert telemetry.force_flush(timeout)
    emit(telemetry)
    assert telemetry.shutdown(timeout)


@pytest.mark.parametrize("timeout", ["2", True, math.nan, [1]])
def test_a_timeout_that_is_no_number_is_named_at_once(receiver: Receiver, timeout: Any) -> None:
    """A wrong timeout raises from deep inside, only when something waits, or is taken for a number."""
    telemetry = otel_kit.init_telemetry("one", endpoint=receiver.http)
    for method in (telemetry.force_flush, telemetry.shutdown):
        with pytest.raises(TypeError, match=r"timeout is .*; valid: seconds as a number"):
            method(timeout)


def test_a_shutdown_does_not_wait_for_that_of_another_thread(receiver: Receiver) -> None:
    """A short shutdown takes as long as another thread's, or answers True with nothing delivered."""
    receiver.behave(hang=60)
    telemetry = otel_kit.init_telemetry("one", endpoint=receiver.http, process_metrics=False)
    telemetry.tracer.start_span("step").end()
    answers: list[bool] = []
    other = threading.Thread(target=lambda: answers.append(telemetry.shutdown(3)))
    other.start()
    assert receiver.wait_for_attempts(1)
    began = time.monotonic()
    assert not telemetry.shutdown(0.5)
    assert time.monotonic() - began < 2
    other.join()
    assert answers == [False]
    assert not telemetry.shutdown(1)


def test_a_callback_that_hangs_holds_up_no_other_signal_and_no_fork(
    run_program: RunProgram, receiver: Receiver
) -> None:
    """An observable instrument whose callback hangs keeps the first log records, or a fork, for seconds."""
    done = run_program(
        """
        import os, sys, threading, time
        import otel_kit
        telemetry = otel_kit.init_telemetry(
            "shop", endpoint=sys.argv[1], console="off", instrument=(), metric_interval=0.1
        )
        hanging, over = threading.Event(), threading.Event()

        def observe(_):
            hanging.set()
            over.wait(20)
            return []

        telemetry.meter.create_observable_gauge("hangs", [observe])
        assert hanging.wait(10)
        began = time.monotonic()
        if not os.fork():
            os._exit(0)
        print(time.monotonic() - began < 1.0)
        telemetry.logger.info("hello")
        telemetry.force_flush(3)
        print(telemetry.stats()["logs"]["delivered"])
        over.set()
        """,
        receiver.http,
        env={"PYTHONWARNINGS": "ignore::DeprecationWarning"},
    )
    assert done.stdout == "True\n1\n", done.stderr
