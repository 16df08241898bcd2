"""Agents, their steps, tools and calls of models: spans, metrics, contents."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import pickle
import sys
import threading
import types
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit.errors import ArgumentError
from otel_kit.testing import capture
from otel_kit.testing.capture import Captured

agent = otel_kit.agent
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
MODEL = {"provider": "acme", "model": "acme-1"}
TOKEN_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
SECOND_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)


def points(seen: Captured, name: str) -> list[Any]:
    metrics = seen.metrics
    return list(metrics[name].data.data_points) if name in metrics else []


def parents(seen: Captured) -> dict[str, str | None]:
    spans = seen.spans
    names = {span.context.span_id: span.name for span in spans}
    return {span.name: names.get(span.parent.span_id) if span.parent else None for span in spans}


@agent.tool("search")
def search(query: str) -> list[str]:
    """Look it up."""
    return [query]


@agent.tool("search later")
async def search_later(query: str) -> list[str]:
    await asyncio.sleep(0)
    return [query]


@agent.llm(**MODEL)
def answer(question: str) -> dict[str, Any]:
    usage = {"prompt_tokens": 30, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 10}}
    return {"id": "r-1", "model": "acme-1-b", "usage": usage, "choices": [{"finish_reason": "stop"}]}


@agent.llm(**MODEL)
def streamed() -> Iterator[dict[str, Any]]:
    yield {"model": "acme-1-b", "choices": [{"finish_reason": None}]}
    heard = yield {"model": "acme-1-b", "choices": [{"finish_reason": "stop"}]}
    yield {"usage": {"input_tokens": 5, "output_tokens": 2}, "heard": heard}


@agent.llm(**MODEL)
async def streamed_later() -> AsyncIterator[str]:
    yield "he"
    await asyncio.sleep(0)
    yield "llo"


def test_the_spans_are_those_of_the_conventions() -> None:
    """A span's name, kind, parent or attributes are not what the GenAI conventions say."""
    with capture() as seen:
        with agent("planner", conversation_id="c-1", version="2") as a:
            with a.step("look around", room="left"), a.tool("search", call_id="t-1", type="function"):
                pass
            with a.llm(**MODEL, temperature=0.5, max_tokens=100) as call:
                call.set(input_tokens=12, output_tokens=3, reasoning_tokens=2, finish_reason="stop")
        assert parents(seen) == {
            "look around": "invoke_agent planner",
            "execute_tool search": "look around",
            "chat acme-1": "invoke_agent planner",
            "invoke_agent planner": None,
        }
        kinds = {span.name: span.kind for span in seen.spans}
        chat = dict(seen.span("chat acme-1").attributes or {})
        tool = dict(seen.span("execute_tool search").attributes or {})
        whole = dict(seen.span("invoke_agent planner").attributes or {})
    assert kinds["chat acme-1"] is SpanKind.CLIENT
    assert {kinds[name] for name in kinds if name != "chat acme-1"} == {SpanKind.INTERNAL}
    assert chat == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "acme-1",
        "gen_ai.agent.name": "planner",
        "gen_ai.conversation.id": "c-1",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 100,
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "gen_ai.response.finish_reasons": ("stop",),
    }
    assert tool["gen_ai.operation.name"] == "execute_tool"
    assert (tool["gen_ai.tool.name"], tool["gen_ai.tool.call.id"]) == ("search", "t-1")
    assert (whole["gen_ai.operation.name"], whole["gen_ai.agent.version"]) == ("invoke_agent", "2")
    assert (whole["gen_ai.usage.input_tokens"], whole["gen_ai.usage.output_tokens"]) == (12, 3)


def test_the_metrics_are_those_of_the_conventions() -> None:
    """A metric is missing, counts wrongly, or has other buckets or attributes than the conventions say."""
    with capture() as seen:
        with agent("planner"), pytest.raises(KeyError), agent.tool("search"):
            raise KeyError("x")
        answer("why?")
        used = {p.attributes["gen_ai.token.type"]: p for p in points(seen, "gen_ai.client.token.usage")}
        (call,) = points(seen, "gen_ai.client.operation.duration")
        (tool,) = points(seen, "gen_ai.execute_tool.duration")
        (whole,) = points(seen, "gen_ai.invoke_agent.duration")
        units = {name: metric.unit for name, metric in seen.metrics.items() if name.startswith("gen_ai.")}
    assert {kind: (p.count, p.sum) for kind, p in used.items()} == {"input": (1, 30), "output": (1, 7)}
    assert tuple(used["input"].explicit_bounds) == TOKEN_BUCKETS
    assert tuple(call.explicit_bounds) == SECOND_BUCKETS
    assert dict(call.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "acme-1",
        "gen_ai.response.model": "acme-1-b",
    }
    assert tool.attributes["error.type"] == "KeyError"
    assert tool.attributes["gen_ai.agent.name"] == "planner"
    assert dict(whole.attributes) == {"gen_ai.agent.name": "planner"}
    assert units["gen_ai.client.token.usage"] == "{token}"
    assert set(units.values()) == {"{token}", "s"}


def test_functions_of_all_kinds_are_told() -> None:
    """A decorated function, coroutine, generator or async generator has no span, or gives something else than it did."""

    async def later() -> tuple[list[str], list[str]]:
        async with asyncio.timeout(5):
            return await search_later("b"), [piece async for piece in streamed_later()]

    with capture() as seen:
        with agent("planner"):
            assert search("a") == ["a"]
            assert asyncio.run(later()) == (["b"], ["he", "llo"])
            stream = streamed()
            assert (next(stream)["model"], stream.send(None)["model"]) == ("acme-1-b", "acme-1-b")
            assert stream.send("heard")["heard"] == "heard"
            assert list(stream) == []
        names = [span.name for span in seen.spans]
        chat = seen.spans[3].attributes or {}
        first = points(seen, "gen_ai.client.operation.time_to_first_chunk")
    assert names == [
        "execute_tool search",
        "execute_tool search later",
        "chat acme-1",
        "chat acme-1",
        "invoke_agent planner",
    ]
    assert chat["gen_ai.request.stream"] is True
    assert chat["gen_ai.response.finish_reasons"] == ("stop",)
    assert (chat["gen_ai.usage.input_tokens"], chat["gen_ai.response.model"]) == (5, "acme-1-b")
    assert float(chat["gen_ai.response.time_to_first_chunk"]) >= 0  # type: ignore[arg-type]
    assert sum(point.count for point in first) == 2


def test_a_decorated_function_is_what_it_was() -> None:
    """Name, signature, kind, docstring or pickle of a decorated function are not what they were."""
    assert str(inspect.signature(search)) == "(query: 'str') -> 'list[str]'"
    assert (search.__name__, search.__doc__) == ("search", "Look it up.")
    assert inspect.iscoroutinefunction(search_later)
    assert inspect.isgeneratorfunction(streamed)
    assert inspect.isasyncgenfunction(streamed_later)
    assert pickle.dumps(search)


def test_methods_of_all_kinds_are_told() -> None:
    """A decorated method, class method or static method cannot be called any more, or its arguments are wrong."""

    class Shelf:
        @agent.tool("take")
        def take(self, n: int) -> tuple[str, int]:
            return type(self).__name__, n

        @agent.tool("count")
        @classmethod
        def count(cls, n: int) -> tuple[str, int]:
            return cls.__name__, n

        @staticmethod
        @agent.tool("add")
        def add(n: int) -> int:
            return n

    with capture() as seen:
        assert (Shelf().take(1), Shelf.count(2), Shelf.add(3)) == (("Shelf", 1), ("Shelf", 2), 3)
        assert [span.name for span in seen.spans] == [
            "execute_tool take",
            "execute_tool count",
            "execute_tool add",
        ]


def test_one_line_tells_of_what_is_over() -> None:
    """A piece that is one line is not told, told twice, or lasts as long as it should not."""
    with capture() as seen:
        with agent("planner") as a:
            a.step("think")
            a.tool("search", seconds=2.0)
            a.llm(**MODEL, input_tokens=10, output_tokens=5, seconds=1.5)
            a.llm(**MODEL, input_tokens=1, output_tokens=1)
        spans = {span.name: span for span in seen.spans}
        lasted = [(s.name, (s.end_time or 0) - (s.start_time or 0)) for s in seen.spans]
        seconds = points(seen, "gen_ai.client.operation.duration")
        tokens = points(seen, "gen_ai.client.token.usage")
        whole = spans["invoke_agent planner"].attributes or {}
    assert [name for name, _ in lasted] == [
        "think",
        "execute_tool search",
        "chat acme-1",
        "chat acme-1",
        "invoke_agent planner",
    ]
    assert abs(lasted[1][1] - 2e9) < 1000
    assert abs(lasted[2][1] - 1.5e9) < 1000
    assert lasted[3][1] == 0
    assert [(p.count, p.sum) for p in seconds] == [(1, 1.5)]
    assert sorted(p.sum for p in tokens) == [6, 11]
    assert whole["gen_ai.usage.input_tokens"] == 11


def test_one_line_in_several_threads_is_told_once_each() -> None:
    """A thread's next piece ends, or tells twice, what another thread has only just made."""
    with capture() as seen:
        with agent("planner") as a:

            def work() -> None:
                for _ in range(50):
                    with a.tool("search"):
                        pass
                    a.step("note")

            threads = [threading.Thread(target=otel_kit.carry(work)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        names = [span.name for span in seen.spans]
    assert (names.count("execute_tool search"), names.count("note")) == (200, 200)


def test_contents_are_recorded_on_request_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was said to a model or a tool is recorded though nobody asked, or is not where somebody did."""

    def work() -> None:
        with agent("planner") as a, a.llm(**MODEL, input="why?", system="be brief") as call:
            call.set(output=[{"role": "assistant", "content": "because"}])
        search("a query")

    def contents() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        with capture() as seen:
            work()
            found = {k: v for span in seen.spans for k, v in (span.attributes or {}).items()}
            records = [dict(log.attributes) for log in seen.logs if log.event_name.startswith("gen_ai.")]
        wanted = ("messages", "instructions", "arguments", "result")
        return {k: v for k, v in found.items() if k.endswith(wanted)}, records

    assert contents() == ({}, [])
    monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
    spans, records = contents()
    assert json.loads(json.dumps(spans)) == {
        "gen_ai.system_instructions": [{"type": "text", "content": "be brief"}],
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "why?"}]}],
        "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "because"}]}],
        "gen_ai.tool.call.arguments": {"query": "a query"},
        "gen_ai.tool.call.result": ["a query"],
    }
    assert records == []
    monkeypatch.setenv(CAPTURE, "event_only")
    spans, (record,) = contents()
    assert spans == {}
    assert "because" in str(record["gen_ai.output.messages"])


def test_an_exception_is_told_once_and_comes_through() -> None:
    """An exception of a tool is changed, swallowed, or told by each of the spans that it leaves."""
    error = ValueError("no such shelf")

    @agent.tool("fetch")
    def fetch() -> None:
        raise error

    with capture() as seen:
        with pytest.raises(ValueError, match="no such shelf") as caught, agent("planner"):
            fetch()
        spans = seen.spans
        logs = [log for log in seen.logs if log.event_name == "exception"]
    assert caught.value is error
    assert [span.status.status_code.name for span in spans] == ["ERROR", "ERROR"]
    assert [len(span.events) for span in spans] == [1, 0]
    assert len(logs) == 1


def test_a_cancelled_task_is_no_failure() -> None:
    """A cancelled tool counts as an error."""

    async def program() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    @agent.tool("wait")
    async def wait() -> None:
        await asyncio.sleep(60)

    with capture() as seen:
        asyncio.run(program())
        (point,) = points(seen, "gen_ai.execute_tool.duration")
        assert "error.type" not in point.attributes
        assert seen.span("execute_tool wait").status.status_code.name == "UNSET"


def test_a_generator_is_not_current_for_its_caller() -> None:
    """What the caller does between two pieces of a stream belongs to the call, or what the stream does to the caller."""

    @agent.llm(**MODEL)
    def stream() -> Iterator[str]:
        with otel_kit.span("inside"):
            yield "a"
        yield "b"

    with capture() as seen:
        with otel_kit.span("outside"):
            for _ in stream():
                with otel_kit.span("between"):
                    assert agent.current is None
        found = {span.name: span for span in seen.spans}
        chat, outside = found["chat acme-1"], found["outside"]
    assert found["inside"].parent.span_id == chat.context.span_id
    assert chat.parent.span_id == outside.context.span_id


def test_an_unfinished_stream_ends() -> None:
    """A stream that its reader leaves early has no span, or an error."""
    with capture() as seen:
        stream = streamed()
        next(stream)
        stream.close()
        chat = seen.span("chat acme-1")
    assert chat.status.status_code.name == "UNSET"
    assert "error.type" not in (chat.attributes or {})


def test_an_agent_within_an_agent_shares_the_conversation() -> None:
    """The inner agent's conversation is another one, or its tools are the outer one's."""
    with capture() as seen:
        with agent("outer", conversation_id="c-9"):
            with agent("inner") as inner:
                assert agent.current is inner
                search("a")
            search("b")
        owners = [(s.attributes or {}).get("gen_ai.agent.name") for s in seen.spans if "search" in s.name]
        talks = {(s.attributes or {}).get("gen_ai.conversation.id") for s in seen.spans}
    assert (owners, talks) == (["inner", "outer"], {"c-9"})


def test_concurrent_agents_are_kept_apart() -> None:
    """One of many concurrent agents has another one's tool or tokens."""

    async def one(number: int) -> None:
        with agent("worker", conversation_id=f"c-{number}") as a:
            for _ in range(number % 3):
                await asyncio.sleep(0)
                with a.llm(**MODEL) as call:
                    await asyncio.sleep(0)
                    call.set(input_tokens=number, output_tokens=1)

    async def all_of_them() -> None:
        await asyncio.gather(*(one(number) for number in range(60)))

    with capture() as seen:
        asyncio.run(all_of_them())
        used = {
            s.attributes["gen_ai.conversation.id"]: s.attributes.get("gen_ai.usage.input_tokens")
            for s in seen.spans
            if s.name == "invoke_agent worker" and s.attributes is not None
        }
    assert used == {f"c-{n}": (n % 3) * n if n % 3 else None for n in range(60)}


def test_misspelt_facts_are_refused() -> None:
    """A misspelt fact of a call is lost without a word."""
    with pytest.raises(ArgumentError, match="did you mean 'input_tokens'"):
        agent.llm(**MODEL, input_token=3)
    with pytest.raises(ArgumentError, match="embeddings"):
        agent.llm(**MODEL, operation="embedding")


def test_nothing_is_told_while_the_part_is_off() -> None:
    """With the part off a helper emits something, or changes what a function gives."""
    with capture(disabled_toolkit=["agents"]) as seen:
        with agent("planner") as a:
            a.step("think")
            with a.tool("search") as tool, a.llm(**MODEL) as call:
                tool.set(result=1)
                assert call.answered("x") == "x"
        assert search("a") == ["a"]
        assert [piece["model"] for piece in streamed() if "model" in piece] == ["acme-1-b"] * 2
        assert asyncio.run(search_later("b")) == ["b"]
        assert seen.spans == []
        assert not [name for name in seen.metrics if name.startswith("gen_ai.")]


def test_hostile_values_stay_where_they_are() -> None:
    """A value that raises when it is looked at reaches the program as an exception."""

    class Hostile:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

        def __repr__(self) -> str:
            raise RuntimeError("repr")

    hostile = Hostile()
    with capture() as seen:
        with agent("planner") as a:
            with a.llm(**MODEL) as call:
                assert call.answered(hostile) is hostile
                call.set(input_tokens=hostile, response_model=hostile)
            with a.tool("search", arguments={"q": hostile}) as tool:
                tool.set(result=hostile)
        assert len(seen.spans) == 3


def test_pieces_of_an_agent_before_it_begins() -> None:
    """A piece of an agent that is made or called outside of the agent's block raises, or has no span."""
    planner = agent("planner")

    @planner.step("plan")
    def plan() -> int:
        return planner.llm(**MODEL, input_tokens=1) is not None

    with capture() as seen:
        plan()
        with planner:
            plan()
    assert [span.name for span in seen.spans][:1] == ["plan"]
    assert parents(seen)["plan"] == "invoke_agent planner"


DECORATORS = [agent.step("s"), agent.tool("t"), agent.llm(**MODEL), agent("a")]


@pytest.mark.parametrize("decorate", DECORATORS, ids=lambda each: type(each).__name__)
def test_what_a_decorated_function_is(decorate: Any) -> None:
    """A decorator makes a coroutine function one that cannot be awaited, takes a cache's methods away, or refuses a
    callable that answers to every name.
    """

    @types.coroutine
    def pausing() -> Iterator[None]:
        yield
        return 7  # type: ignore[return-value]

    class Anything:
        __slots__ = ()

        def __getattr__(self, name: str) -> Any:
            return self

        def __call__(self, number: int = 7) -> int:
            return number

    async def main() -> int:
        result: int = await decorate(pausing)()
        return result

    cached = decorate(functools.lru_cache(maxsize=4)(lambda number: number))
    with capture() as seen:
        assert asyncio.run(main()) == 7
        assert (cached(7), cached(7), cached.cache_info().hits, decorate(Anything())()) == (7, 7, 1, 7)
        assert decorate(functools.partial(Anything(), 8))() == 8
    cached.cache_clear()
    assert (len(seen.spans), cached.cache_info().currsize) == (5, 0)


@pytest.mark.parametrize("decorate", DECORATORS, ids=lambda each: type(each).__name__)
def test_deep_recursion(decorate: Any) -> None:
    """A decorated function cannot recurse as deep as the plain one, or the interpreter's limit stays raised."""

    @decorate
    def down(left: int) -> int:
        return 0 if left == 0 else 1 + down(left - 1)

    @decorate
    async def down_later(left: int) -> int:
        return 0 if left == 0 else 1 + await down_later(left - 1)

    limit = sys.getrecursionlimit()
    with capture() as seen:
        assert down(890) == 890
        assert asyncio.run(down_later(890)) == 890
    # A model's call that is inside of one is the same call.
    assert len(seen.spans) == (2 if decorate.kind is SpanKind.CLIENT else 2 * 891)
    assert sys.getrecursionlimit() == limit
