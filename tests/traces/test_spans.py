"""Spans as OpenTelemetry users know them; what differs is said in docs/traces.md."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import logging
import random
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, Tracer

import otel_kit
from otel_kit import _guard
from otel_kit._facts import Facts
from otel_kit.export import spans
from otel_kit.export.spans import TracerProvider
from otel_kit.testing import capture


class Emitted:
    """A provider whose spans are kept in memory."""

    def __init__(self, **settings: Any) -> None:
        self.memory = InMemorySpanExporter()
        self.reported: list[tuple[BaseException, SpanContext, str]] = []
        self.provider = TracerProvider(
            resource=Resource({"service.name": "shop"}),
            processors=[SimpleSpanProcessor(self.memory)],
            on_exception=lambda *told: self.reported.append(told),
            **settings,
        )
        self.tracer: Tracer = self.provider.get_tracer("shop", "1.0")

    @property
    def spans(self) -> list[ReadableSpan]:
        """All that have ended, in that order."""
        return list(self.memory.get_finished_spans())

    @property
    def span(self) -> ReadableSpan:
        """The only one that has ended."""
        (span,) = self.spans
        return span


@pytest.fixture
def emitted() -> Emitted:
    """A fresh provider."""
    return Emitted()


def test_a_block(emitted: Emitted) -> None:
    """A span block does not give what the OpenTelemetry API promises."""
    with emitted.tracer.start_as_current_span("charge", kind=SpanKind.CLIENT, attributes={"a": 1}) as span:
        assert trace.get_current_span() is span
        assert span.is_recording()
        span.set_attribute("b", "two")
        span.set_attributes({"c": 3.5, "d": True, "e": ["x", "y"]})
        span.add_event("tick", {"n": 1})
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert not span.is_recording()
    ended = emitted.span
    assert (ended.name, ended.kind, ended.parent) == ("charge", SpanKind.CLIENT, None)
    assert dict(ended.attributes or {}) == {
        "a": 1,
        "b": "two",
        "c": 3.5,
        "d": True,
        "e": ("x", "y"),
    }
    assert [(event.name, dict(event.attributes or {})) for event in ended.events] == [("tick", {"n": 1})]
    assert ended.status.status_code is StatusCode.UNSET
    assert ended.resource.attributes["service.name"] == "shop"
    assert ended.instrumentation_scope is not None
    assert (ended.instrumentation_scope.name, ended.instrumentation_scope.version) == ("shop", "1.0")
    assert ended.start_time is not None
    assert ended.end_time is not None
    assert ended.start_time <= ended.events[0].timestamp <= ended.end_time
    assert '"name": "charge"' in ended.to_json()


def test_parents_and_children(emitted: Emitted) -> None:
    """A nested span has another trace or parent."""
    with emitted.tracer.start_as_current_span("outer") as outer:
        with emitted.tracer.start_as_current_span("inner"):
            pass
        with emitted.tracer.start_as_current_span("apart", context=otel_context.Context()):
            pass
    inner, apart, _ = emitted.spans
    assert inner.parent == outer.get_span_context()
    assert inner.context is not None
    assert inner.context.trace_id == outer.get_span_context().trace_id
    assert apart.parent is None


def test_a_remote_parent(emitted: Emitted) -> None:
    """A span under a remote parent does not join its trace, or loses its trace state and flags."""
    state = trace.TraceState([("vendor", "x")])
    remote = SpanContext(7, 8, True, TraceFlags(3), state)
    context = trace.set_span_in_context(trace.NonRecordingSpan(remote))
    with emitted.tracer.start_as_current_span("server", context=context):
        inside = emitted.tracer.start_span("inside")
        inside.end()
    assert inside.get_span_context().trace_id == 7
    assert inside.get_span_context().trace_flags == 3
    assert inside.get_span_context().trace_state == state
    assert emitted.spans[1].parent == remote


def test_start_span_and_use_span(emitted: Emitted) -> None:
    """A span that is started by hand and activated by ``use_span`` behaves unlike the API says."""
    span = emitted.tracer.start_span("by hand")
    assert trace.get_current_span() is trace.INVALID_SPAN
    with trace.use_span(span):
        assert trace.get_current_span() is span
    assert emitted.spans == []
    with trace.use_span(span, end_on_exit=True):
        pass
    assert emitted.span.name == "by hand"


def test_a_span_is_a_context_manager(emitted: Emitted) -> None:
    """``with tracer.start_span()`` does not end the span or makes it current."""
    with emitted.tracer.start_span("x") as span:
        assert trace.get_current_span() is not span
    assert emitted.span.name == "x"


def test_end_on_exit_false(emitted: Emitted) -> None:
    """``end_on_exit=False`` is not honoured."""
    with emitted.tracer.start_as_current_span("x", end_on_exit=False) as span:
        pass
    assert emitted.spans == []
    span.end()
    assert emitted.span.name == "x"


def test_links(emitted: Emitted) -> None:
    """Links given at the start or later are lost or have other attributes."""
    one, two = SpanContext(1, 2, True), SpanContext(3, 4, True)
    with emitted.tracer.start_as_current_span("x", links=[Link(one, {"a": 1})]) as span:
        span.add_link(two, {"b": 2})
        span.add_link(trace.INVALID_SPAN_CONTEXT)
    assert [(link.context, dict(link.attributes or {})) for link in emitted.span.links] == [
        (one, {"a": 1}),
        (two, {"b": 2}),
    ]


def test_explicit_times(emitted: Emitted) -> None:
    """Explicit start, event or end times are not honoured."""
    span = emitted.tracer.start_span("x", start_time=1_000)
    span.add_event("e", timestamp=1_500)
    span.end(end_time=2_000)
    ended = emitted.span
    assert (ended.start_time, ended.events[0].timestamp, ended.end_time) == (1_000, 1_500, 2_000)


def test_an_explicit_end_before_the_start(emitted: Emitted) -> None:
    """A span lasts a negative time because its end was given wrong."""
    emitted.tracer.start_span("x", start_time=2_000).end(end_time=1_000)
    assert (emitted.span.start_time, emitted.span.end_time) == (2_000, 2_000)


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_jump_of_the_clock(emitted: Emitted, monkeypatch: pytest.MonkeyPatch, jump: int) -> None:
    """A wall clock that jumps by an hour makes a span an hour longer or shorter, or tears a child from its parent."""
    wall = spans.time_ns
    with emitted.tracer.start_as_current_span("outer"):
        with emitted.tracer.start_as_current_span("before"):
            monkeypatch.setattr(spans, "time_ns", lambda: wall() + jump * 10**9)
        with emitted.tracer.start_as_current_span("after") as after:
            after.add_event("e")
    second = 10**9
    before, later, outer = emitted.spans
    for ended in emitted.spans:
        assert ended.start_time is not None
        assert ended.end_time is not None
        assert 0 <= ended.end_time - ended.start_time < second
    assert outer.start_time <= before.start_time <= before.end_time  # type: ignore[operator]
    assert (
        before.end_time <= later.start_time <= later.events[0].timestamp <= later.end_time <= outer.end_time
    )  # type: ignore[operator]


def test_times_are_the_wall_clocks(emitted: Emitted) -> None:
    """A span's times are not nanoseconds since the epoch."""
    import time

    before = time.time_ns()
    with emitted.tracer.start_as_current_span("x"):
        pass
    after = time.time_ns()
    tolerance = 10**7
    assert (
        before - tolerance
        <= (emitted.span.start_time or 0)
        <= (emitted.span.end_time or 0)
        <= after + tolerance
    )


def raise_inside(tracer: Tracer, error: Exception) -> None:
    """Let an exception leave a span."""
    with tracer.start_as_current_span("inner"):
        raise error


def test_an_exception_is_recorded_once(emitted: Emitted) -> None:
    """An exception that passes two spans is recorded by both, without status, or not handed to the hook once."""
    tracer = emitted.tracer
    with pytest.raises(ValueError, match="no money"), tracer.start_as_current_span("outer"):
        raise_inside(tracer, ValueError("no money"))
    inside, outside = emitted.spans
    for ended in (inside, outside):
        assert ended.status.status_code is StatusCode.ERROR
        assert ended.status.description == "ValueError: no money"
        assert (ended.attributes or {})["error.type"] == "ValueError"
    assert outside.events == ()
    (event,) = inside.events
    attributes = dict(event.attributes or {})
    assert event.name == "exception"
    assert attributes["exception.type"] == "ValueError"
    assert attributes["exception.message"] == "no money"
    assert "Traceback" in attributes["exception.stacktrace"]
    ((error, context, scope),) = emitted.reported
    assert (str(error), context, scope) == ("no money", inside.context, "shop")


def test_an_exception_through_use_span_is_recorded_once(emitted: Emitted) -> None:
    """Spans of a library that calls ``use_span`` record what an inner span has recorded."""
    library = emitted.tracer.start_span("library")
    with pytest.raises(KeyError), trace.use_span(library, end_on_exit=True):
        raise_inside(emitted.tracer, KeyError("x"))
    inside, outside = emitted.spans
    assert len(inside.events) == 1
    assert outside.events == ()
    assert outside.status.status_code is StatusCode.ERROR
    assert (outside.attributes or {})["error.type"] == "KeyError"
    assert len(emitted.reported) == 1


def test_recorded_by_hand(emitted: Emitted) -> None:
    """``record_exception`` with its attributes and time is not honoured, or is repeated when the block is left."""
    error = ValueError("x")
    with contextlib.suppress(ValueError), emitted.tracer.start_as_current_span("s") as span:
        span.record_exception(error, attributes={"more": 1}, timestamp=5)
        raise error
    (event,) = emitted.span.events
    assert event.timestamp == 5
    assert (event.attributes or {})["more"] == 1
    assert len(emitted.reported) == 1


def test_an_exception_object_in_two_traces(emitted: Emitted) -> None:
    """A program that raises one exception object again and again sees it in its first trace only."""
    error = ValueError("shared")
    for _ in range(2):
        with contextlib.suppress(ValueError), emitted.tracer.start_as_current_span("request"):
            raise error
    assert [len(span.events) for span in emitted.spans] == [1, 1]


def test_exceptions_are_left_alone_on_request(emitted: Emitted) -> None:
    """``record_exception=False`` or ``set_status_on_exception=False`` is not honoured."""
    for record, status in ((False, True), (True, False), (False, False)):
        flags = {"record_exception": record, "set_status_on_exception": status}
        with contextlib.suppress(ValueError), emitted.tracer.start_as_current_span("s", **flags):
            raise ValueError
        with contextlib.suppress(ValueError), emitted.tracer.start_span("s", **flags):
            raise ValueError
        block, plain = emitted.spans[-2:]
        for ended in (block, plain):
            assert len(ended.events) == int(record)
            assert (ended.status.status_code is StatusCode.ERROR) == status
            assert ("error.type" in (ended.attributes or {})) == (record or status)


@pytest.mark.parametrize("leaving", [GeneratorExit, SystemExit, KeyboardInterrupt])
def test_leaving_is_no_error(emitted: Emitted, leaving: type[BaseException]) -> None:
    """The end of a program or generator makes a span fail."""
    with pytest.raises(leaving), emitted.tracer.start_as_current_span("s"):
        raise leaving
    with pytest.raises(leaving), emitted.tracer.start_span("s"):
        raise leaving
    for ended in emitted.spans:
        assert ended.status.status_code is StatusCode.UNSET
        assert ended.events == ()


def test_a_cancelled_task_is_visible(emitted: Emitted) -> None:
    """The span of a cancelled task looks like any other, or like a failed one."""

    async def work() -> None:
        with emitted.tracer.start_as_current_span("work"):
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    ended = emitted.span
    assert [event.name for event in ended.events] == ["otel_kit.cancelled"]
    assert (ended.attributes or {})["otel_kit.cancelled"] is True
    assert ended.status.status_code is StatusCode.UNSET
    assert emitted.reported == []


def test_status(emitted: Emitted) -> None:
    """A status is not kept by the specification's rules: OK is final, UNSET is ignored, only errors have a description."""
    tracer = emitted.tracer
    with tracer.start_as_current_span("a") as a, tracer.start_as_current_span("b") as b:
        a.set_status(StatusCode.ERROR, "bad")
        a.set_status(StatusCode.UNSET)
        b.set_status(Status(StatusCode.OK))
        b.set_status(StatusCode.ERROR, "too late")
    b_ended, a_ended = emitted.spans
    assert (a_ended.status.status_code, a_ended.status.description) == (StatusCode.ERROR, "bad")
    assert (b_ended.status.status_code, b_ended.status.description) == (StatusCode.OK, None)


def test_a_decorated_function(emitted: Emitted) -> None:
    """A decorated function has one span for all calls, or loses its name, arguments or result."""

    @emitted.tracer.start_as_current_span("work")
    def work(x: int) -> int:
        return x + 1

    assert [work(1), work(2)] == [2, 3]
    assert work.__name__ == "work"
    first, second = emitted.spans
    assert first.context != second.context


def test_a_decorated_coroutine_function(emitted: Emitted) -> None:
    """The span of a decorated coroutine function ends before the coroutine does."""

    @emitted.tracer.start_as_current_span("work")
    async def work() -> bool:
        await asyncio.sleep(0)
        return trace.get_current_span().is_recording()

    assert inspect.iscoroutinefunction(work)
    assert asyncio.run(work())
    assert emitted.span.name == "work"


def test_after_the_end(emitted: Emitted, caplog: pytest.LogCaptureFixture) -> None:
    """What is called on an ended span changes it, raises, or says nothing."""
    with emitted.tracer.start_as_current_span("s") as span:
        pass
    calls = [
        lambda: span.set_attribute("a", 1),
        lambda: span.set_attributes({"a": 1}),
        lambda: span.add_event("e"),
        lambda: span.add_link(SpanContext(1, 2, True)),
        lambda: span.update_name("other"),
        lambda: span.set_status(StatusCode.ERROR),
        lambda: span.record_exception(ValueError()),
        lambda: span.end(),
    ]
    with caplog.at_level(logging.WARNING):
        for call in calls:
            call()
    assert len(caplog.records) == len(calls)
    ended = emitted.span
    assert (ended.name, dict(ended.attributes or {}), ended.events, ended.links) == ("s", {}, (), ())
    assert ended.status.status_code is StatusCode.UNSET


def test_limits() -> None:
    """A limit of the specification is not kept, or what is dropped is not counted."""
    limits = SpanLimits(
        max_attributes=2,
        max_events=2,
        max_links=2,
        max_span_attributes=2,
        max_event_attributes=1,
        max_link_attributes=1,
        max_attribute_length=3,
        max_span_attribute_length=4,
    )
    emitted = Emitted(span_limits=limits)
    with emitted.tracer.start_as_current_span("s", attributes={"a": "123456", "b": ["123456"]}) as span:
        span.set_attribute("c", 1)
        span.set_attribute("a", "abcdef")
        for number in range(3):
            span.add_event(f"e{number}", {"x": "123456", "y": 2})
            span.add_link(SpanContext(1, 1 + number, True), {"x": 1, "y": 2})
    ended = emitted.span
    assert dict(ended.attributes or {}) == {"a": "abcd", "b": ("1234",)}
    assert ended.dropped_attributes == 1
    assert [event.name for event in ended.events] == ["e1", "e2"]
    assert ended.dropped_events == 1
    assert dict(ended.events[0].attributes or {}) == {"x": "123"}
    assert ended.events[0].dropped_attributes == 1
    assert [link.context.span_id for link in ended.links] == [2, 3]
    assert ended.dropped_links == 1
    assert ended.links[0].dropped_attributes == 1


def test_sampling() -> None:
    """The sampler is not asked, its attributes and decision are ignored, or children do not follow their parent."""
    emitted = Emitted(sampler=sampling.ParentBased(sampling.ALWAYS_OFF))
    with emitted.tracer.start_as_current_span("root") as root:
        assert not root.is_recording()
        assert root.get_span_context().is_valid
        with emitted.tracer.start_as_current_span("child") as child:
            assert child.get_span_context().trace_id == root.get_span_context().trace_id
    sampled = SpanContext(7, 8, True, TraceFlags(1))
    context = trace.set_span_in_context(trace.NonRecordingSpan(sampled))
    with emitted.tracer.start_as_current_span("remote", context=context):
        pass
    assert emitted.span.name == "remote"


def test_a_sampler_of_the_program() -> None:
    """A sampler's own attributes are lost, or one that raises costs the span."""

    class Mine(sampling.Sampler):
        fails = False

        def should_sample(self, *args: Any, **kwargs: Any) -> sampling.SamplingResult:
            if self.fails:
                raise RuntimeError("no")
            return sampling.SamplingResult(sampling.Decision.RECORD_AND_SAMPLE, {"by": "sampler"})

        def get_description(self) -> str:
            return "mine"

    sampler = Mine()
    emitted = Emitted(sampler=sampler)
    emitted.tracer.start_span("a", attributes={"x": 1}).end()
    assert dict(emitted.span.attributes or {}) == {"by": "sampler"}
    sampler.fails = True
    _guard.reset(reraise=False)
    emitted.tracer.start_span("b", attributes={"x": 1}).end()
    assert dict(emitted.spans[1].attributes or {}) == {"x": 1}


def test_half_of_the_traces() -> None:
    """A ratio sampler keeps another part of the traces."""
    emitted = Emitted(sampler=sampling.ParentBased(sampling.TraceIdRatioBased(0.5)))
    for _ in range(1000):
        with emitted.tracer.start_as_current_span("root"):
            emitted.tracer.start_span("child").end()
    assert 800 < len(emitted.spans) < 1200
    assert len(emitted.spans) % 2 == 0


def test_reconfigured_tracers_follow(emitted: Emitted) -> None:
    """A tracer, or a span under way, goes on with what its provider was configured to before."""
    second = InMemorySpanExporter()
    under_way = emitted.tracer.start_span("under way")
    emitted.provider.reconfigure(
        resource=Resource({"service.name": "other"}), processors=[SimpleSpanProcessor(second)]
    )
    under_way.end()
    emitted.tracer.start_span("new").end()
    assert emitted.spans == []
    ended = second.get_finished_spans()
    assert [(span.name, span.resource.attributes["service.name"]) for span in ended] == [
        ("under way", "shop"),
        ("new", "other"),
    ]
    emitted.provider.reconfigure(sampler=sampling.ALWAYS_OFF)
    assert not emitted.tracer.start_span("unsampled").is_recording()


def test_switched_off(emitted: Emitted) -> None:
    """A provider without processors makes spans, raises, or interrupts the propagation of the caller's trace."""
    emitted.provider.reconfigure(processors=[])
    with emitted.tracer.start_as_current_span("s") as span:
        assert not span.is_recording()
        assert not span.get_span_context().is_valid
    remote = trace.NonRecordingSpan(SpanContext(7, 8, True, TraceFlags(1)))
    with emitted.tracer.start_as_current_span("s", context=trace.set_span_in_context(remote)):
        assert trace.get_current_span().get_span_context().trace_id == 7


def test_added_processors(emitted: Emitted) -> None:
    """A processor that the program adds sees nothing, or one that raises keeps the others from seeing."""

    class Broken(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            raise RuntimeError("no")

        def on_end(self, span: ReadableSpan) -> None:
            raise RuntimeError("no")

        def shutdown(self) -> None:
            raise RuntimeError("no")

    _guard.reset(reraise=False)
    second = InMemorySpanExporter()
    emitted.provider.reconfigure(processors=[Broken(), SimpleSpanProcessor(emitted.memory)])
    emitted.provider.add_span_processor(SimpleSpanProcessor(second))
    emitted.tracer.start_span("s").end()
    emitted.provider.shutdown()
    assert len(emitted.spans) == len(second.get_finished_spans()) == 1
    assert sum(_guard.contained_counts().values()) == 3


def test_the_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong variable that setup has warned of already raises in the provider."""
    for name in ("OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_TRACES_SAMPLER_ARG"):
        monkeypatch.setenv(name, "many")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    emitted = Emitted()
    emitted.tracer.start_span("s").end()
    assert emitted.span.name == "s"


def test_a_hundred_thousand_tracer_names(emitted: Emitted) -> None:
    """Each tracer name costs memory for ever."""
    for number in range(20_000):
        emitted.provider.get_tracer(f"module{number}")
    assert len(emitted.provider._tracers) <= 1000
    assert emitted.provider.get_tracer("module19999") is emitted.provider.get_tracer("module19999")


def test_ids_do_not_depend_on_the_programs_seed(emitted: Emitted) -> None:
    """``random.seed`` makes two processes use the same ids, or making spans changes the program's random numbers."""
    random.seed(1)
    expected = [random.random() for _ in range(2)]
    ids = set()
    for _ in range(2):
        random.seed(1)
        first = random.random()
        with emitted.tracer.start_as_current_span("s") as span:
            ids.add(span.get_span_context().trace_id)
        assert [first, random.random()] == expected
    assert len(ids) == 2


def test_ids_differ_after_a_fork(run_program: Any) -> None:
    """A forked child makes the ids that its parent makes."""
    result = run_program(
        """
        import os
        from otel_kit.export.spans import RandomIds
        ids = RandomIds()
        read, write = os.pipe()
        if os.fork() == 0:
            os.write(write, str(ids.generate_trace_id()).encode())
            os._exit(0)
        os.wait()
        print(ids.generate_trace_id() != int(os.read(read, 100)))
        """
    )
    assert result.stdout == "True\n", result.stderr


def test_two_threads_end_one_span(emitted: Emitted, caplog: pytest.LogCaptureFixture) -> None:
    """A span that is ended by several threads at once is emitted more than once."""
    barrier = threading.Barrier(8)
    span = emitted.tracer.start_span("s")

    def end() -> None:
        barrier.wait(10)
        span.end()

    threads = [threading.Thread(target=end) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(emitted.spans) == 1


def test_facts_are_attributes_like_all_others(caplog: pytest.LogCaptureFixture) -> None:
    """What is told as a whole passes by the limits, or reaches a span that has ended, or changes with the span."""
    emitted = Emitted(span_limits=SpanLimits(max_span_attributes=3, max_span_attribute_length=5))
    fits, long, odd = Facts({"a": "x", "b": 1}), Facts({"c": "too long"}), Facts({"d": object(), "": 1})
    with emitted.tracer.start_as_current_span("charge", attributes=fits) as span:
        span.set_attributes(long)
        span.set_attributes(odd)
        span.set_attribute("a", "y")
    span.set_attributes(fits)
    assert emitted.span.attributes == {"a": "y", "b": 1, "c": "too l"}
    assert emitted.span.dropped_attributes == 2
    assert fits == {"a": "x", "b": 1}
    assert "has ended" in caplog.text


def test_an_attribute_set_while_the_span_ends(emitted: Emitted) -> None:
    """A thread that goes on setting attributes changes a span while it is exported."""
    span = emitted.tracer.start_span("s")
    going = True

    def write() -> None:
        number = 0
        while going and span.is_recording():
            span.set_attribute(f"k{number % 100}", number)
            number += 1

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    span.end()
    going = False
    attributes = dict(emitted.span.attributes or {})
    for thread in threads:
        thread.join()
    assert dict(emitted.span.attributes or {}) == attributes


def test_an_abandoned_async_generator(emitted: Emitted, caplog: pytest.LogCaptureFixture) -> None:
    """A span held by an async generator that was left early stays the parent of all that follows, or noise is logged."""

    async def numbers() -> AsyncIterator[int]:
        with emitted.tracer.start_as_current_span("generator"):
            yield 1
            yield 2

    async def main() -> None:
        with emitted.tracer.start_as_current_span("request"):
            async for _ in numbers():
                break
            gc.collect()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            with emitted.tracer.start_as_current_span("after"):
                pass
            assert trace.get_current_span().is_recording()

    asyncio.run(main())
    named = {span.name: span for span in emitted.spans}
    assert named["after"].parent == named["request"].context
    assert named["generator"].status.status_code is StatusCode.UNSET
    assert caplog.records == []


def test_a_generator_closed_inside_another_span(emitted: Emitted) -> None:
    """Closing a generator that holds a span takes away the span in which it is closed, or leaves its own behind."""

    def numbers() -> Iterator[int]:
        with emitted.tracer.start_as_current_span("generator"):
            yield 1

    generator = numbers()
    next(generator)
    with emitted.tracer.start_as_current_span("later") as later:
        generator.close()  # type: ignore[attr-defined]
        assert trace.get_current_span() is later
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_careless_attach_inside_a_block(emitted: Emitted) -> None:
    """Something attached and never detached inside a block stays current after it."""
    with emitted.tracer.start_as_current_span("s"):
        otel_context.attach(otel_context.set_value("left", "behind"))
        otel_context.attach(trace.set_span_in_context(emitted.tracer.start_span("child")))
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert otel_context.get_value("left") is None


class Unanswering:
    """Whatever is asked of it raises."""

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __len__(self) -> int:
        raise RuntimeError("no length")


def test_values_without_a_truth() -> None:
    """A tracer's name, a meter's name or an event's attributes raise because they have no truth value."""
    odd: Any = Unanswering()
    with capture() as seen:
        with otel_kit.get_tracer(odd).start_as_current_span("odd") as current:
            current.add_event("happened", odd)
        otel_kit.get_meter(odd).create_counter("odd").add(1)
    assert [event.name for event in seen.spans[0].events] == ["happened"]
    assert "odd" in seen.metrics
