"""A call of a model of which several tell: the program, an instrumentation, the client itself. And what answers say."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind

import otel_kit
from otel_kit.testing import capture
from otel_kit.testing.capture import Captured
from otel_kit.toolkit.agents.prices import LIBRARY
from otel_kit.toolkit.agents.response import facts_of

agent = otel_kit.agent
MODEL: dict[str, Any] = {"provider": "acme", "model": "acme-1"}
NATIVE, INSTRUMENTATION = "com.acme.client", "opentelemetry.instrumentation.acme"


def client(
    *, natively: bool = False, instrumented: bool = False, fails: bool = False, input_tokens: int = 30
) -> None:
    """A client's call, as the client itself and an instrumentation around it tell of it."""
    with _told(INSTRUMENTATION, "chat acme-1", instrumented, input_tokens) as outer:
        with _told(NATIVE, "acme.messages.create", natively, input_tokens) as inner:
            with otel_kit.span("POST"):
                pass
            if inner is not None:
                inner.set_attribute("acme.request.id", "q-1")
                inner.set_status(trace.StatusCode.OK)
        if outer is not None:
            outer.set_attributes({"gen_ai.response.model": "acme-1-b", "gen_ai.usage.output_tokens": 7})
            meter = metrics.get_meter(INSTRUMENTATION)
            meter.create_histogram("gen_ai.client.operation.duration", "s").record(0.1)
    if fails:
        raise ConnectionError("gone")


class _told:
    def __init__(self, scope: str, name: str, wanted: bool, input_tokens: int) -> None:
        self._made = (scope, name, input_tokens) if wanted else None

    def __enter__(self) -> trace.Span | None:
        if self._made is None:
            return None
        scope, name, tokens = self._made
        said = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "acme",
            "gen_ai.usage.input_tokens": tokens,
        }
        self._inside = trace.get_tracer(scope).start_as_current_span(
            name, kind=SpanKind.CLIENT, attributes=said
        )
        return self._inside.__enter__()

    def __exit__(self, *exc: Any) -> None:
        if self._made is not None:
            self._inside.__exit__(*exc)


def counted(seen: Captured, name: str) -> float:
    """How often, whoever counts."""
    found = {(item.scope.name, item.metric.name): item.metric for item in seen._settled("metrics")}
    named = [metric for (_, known), metric in found.items() if known == name]
    return sum(point.count for metric in named for point in metric.data.data_points)


@pytest.mark.parametrize("natively", [True, False])
@pytest.mark.parametrize("instrumented", [True, False])
def test_a_call_is_told_once(natively: bool, instrumented: bool) -> None:
    """A call that the program, an instrumentation and the client tell of makes several spans, or is counted twice."""
    with capture() as seen:
        with agent("planner") as a, a.llm(**MODEL):
            client(natively=natively, instrumented=instrumented)
        names = sorted(span.name for span in seen.spans)
        chat, post = seen.span("chat acme-1"), seen.span("POST")
        durations = counted(seen, "gen_ai.client.operation.duration")
        tokens = counted(seen, "gen_ai.client.token.usage")
    assert names == ["POST", "chat acme-1", "invoke_agent planner"]
    assert chat.instrumentation_scope is not None
    assert chat.instrumentation_scope.name == "otel_kit.toolkit.agents"
    assert post.parent is not None
    assert post.parent.span_id == chat.context.span_id
    assert durations == 1
    assert tokens == (
        1 if natively and not instrumented else 0
    )  # the instrumentation counts for itself, or there are none


def test_what_others_say_is_on_the_programs_span() -> None:
    """What a client or an instrumentation knows of a call is lost, or overrides what the program says."""
    with capture() as seen:
        with agent("planner") as a, a.llm(**MODEL, response_id="mine") as call:
            client(natively=True, instrumented=True)
            call.set(output_tokens=8)
        said = dict(seen.span("chat acme-1").attributes or {})
        whole = dict(seen.span("invoke_agent planner").attributes or {})
        status = seen.span("chat acme-1").status.status_code.name
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]) == (30, 8)
    assert (said["gen_ai.response.model"], said["acme.request.id"]) == ("acme-1-b", "q-1")
    assert (said["gen_ai.response.id"], said["gen_ai.request.model"]) == ("mine", "acme-1")
    assert whole["gen_ai.usage.input_tokens"] == 30
    assert status == "UNSET"


def test_an_instrumented_client_with_telemetry_of_its_own_is_told_once() -> None:
    """Without the program's word there are two spans of one call, because client and instrumentation both make one."""
    with capture() as seen:
        client(natively=True, instrumented=True)
        assert sorted(span.name for span in seen.spans) == ["POST", "chat acme-1"]
        assert (seen.span("chat acme-1").attributes or {})["acme.request.id"] == "q-1"


def test_tokens_of_tries_are_summed() -> None:
    """A second try inside of one call overwrites the tokens of the first."""
    with capture() as seen:
        with agent("planner") as a, a.llm(**MODEL):
            client(natively=True, instrumented=True)
            client(natively=True, instrumented=True, input_tokens=12)
        assert (seen.span("invoke_agent planner").attributes or {})["gen_ai.usage.input_tokens"] == 42


def test_a_call_inside_a_tool_inside_a_call_is_its_own() -> None:
    """A tool's own call of a model disappears in the call that the tool is used in."""
    with capture() as seen:
        with agent("planner") as a, a.llm(**MODEL), a.tool("ask another"):
            client(natively=True)
        names = [span.name for span in seen.spans]
    assert names == [
        "POST",
        "acme.messages.create",
        "execute_tool ask another",
        "chat acme-1",
        "invoke_agent planner",
    ]


def test_the_program_itself_tells_once() -> None:
    """A decorated function inside of a block for the same call makes a second span, or counts the tokens twice."""

    @agent.llm(**MODEL)
    def ask() -> dict[str, Any]:
        return {"usage": {"input_tokens": 5, "output_tokens": 2}}

    with capture() as seen:
        with agent.llm(**MODEL):
            ask()
        assert [span.name for span in seen.spans] == ["chat acme-1"]
        assert counted(seen, "gen_ai.client.token.usage") == 2
        assert counted(seen, "gen_ai.client.operation.duration") == 1


def test_a_call_after_the_block_is_another_one() -> None:
    """A client's call after the program's block is missing."""
    with capture() as seen:
        with agent.llm(**MODEL):
            client(natively=True)
        client(natively=True)
        assert [s.name for s in seen.spans] == ["POST", "chat acme-1", "POST", "acme.messages.create"]


def test_a_call_that_is_not_sampled_is_counted_once() -> None:
    """Where a trace is not sampled, tokens that the client knows are not counted, or durations are counted twice."""
    for natively in (True, False):
        with capture(sampler="always_off") as seen:
            with agent.llm(**MODEL):
                client(natively=natively, instrumented=not natively)
            assert seen.spans == []
            assert counted(seen, "gen_ai.client.token.usage") == natively
            assert counted(seen, "gen_ai.client.operation.duration") == 1


def test_a_failed_call_fails_once() -> None:
    """A failed call is no error, or several log records."""
    with capture() as seen:
        with pytest.raises(ConnectionError), agent.llm(**MODEL):
            client(natively=True, fails=True)
        assert seen.span("chat acme-1").status.status_code.name == "ERROR"
        assert len([log for log in seen.logs if log.event_name == "exception"]) == 1


OPENAI = {
    "id": "c-1",
    "model": "m-b",
    "choices": [{"finish_reason": "stop"}, {"finish_reason": "length"}],
    "usage": {
        "prompt_tokens": 30,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 10},
        "completion_tokens_details": {"reasoning_tokens": 3},
    },
}
ANTHROPIC = {
    "id": "m-1",
    "model": "m-b",
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 15,
        "output_tokens": 7,
        "cache_read_input_tokens": 10,
        "cache_creation_input_tokens": 5,
    },
}
GOOGLE = {
    "response_id": "g-1",
    "model_version": "m-b",
    "candidates": [{"finish_reason": "STOP"}],
    "usage_metadata": {
        "prompt_token_count": 30,
        "candidates_token_count": 7,
        "cached_content_token_count": 10,
    },
}
TOKENS = {"input_tokens": 30, "output_tokens": 7, "cache_read_tokens": 10}


def object_of(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{name: object_of(item) for name, item in value.items()})
    return [object_of(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("form", [dict, object_of], ids=["mapping", "object"])
@pytest.mark.parametrize(
    ("answer", "more"),
    [
        (OPENAI, {"response_id": "c-1", "finish_reason": ["stop", "length"], "reasoning_tokens": 3}),
        (ANTHROPIC, {"response_id": "m-1", "finish_reason": ["end_turn"], "cache_write_tokens": 5}),
        (GOOGLE, {"response_id": "g-1", "finish_reason": ["STOP"]}),
    ],
    ids=["openai", "anthropic", "google"],
)
def test_an_answer_is_read(form: Callable[[Any], Any], answer: Any, more: dict[str, Any]) -> None:
    """Tokens, model, id or finish reasons of an answer are not read, or cached tokens are not among the input's."""
    assert facts_of(form(answer)) == {**TOKENS, "response_model": "m-b", **more}


@pytest.mark.parametrize(
    "answer", [None, "text", 7, [], {}, object(), {"usage": "much"}, {"usage": {"input_tokens": -1}}]
)
def test_what_is_no_answer_says_nothing(answer: object) -> None:
    """Something that is no answer raises, or says something."""
    assert facts_of(answer) == {}


def test_tokens_are_priced_by_the_programs_table() -> None:
    """A call has no cost though the table has its model, or another one than tokens times price."""
    money = otel_kit.cost
    money.prices({"acme-priced": {"input": 2, "output": 10, "cache_read": 0.5}})
    with capture() as seen:
        with agent("planner") as a, a.llm(provider="acme", model="acme-priced") as call:
            call.set(input_tokens=1_000, cache_read_tokens=400, output_tokens=100)
        said = seen.span("chat acme-priced").attributes or {}
        whole = seen.span("invoke_agent planner").attributes or {}
        (point,) = seen.metrics["otel_kit.cost"].data.data_points
    assert said["otel_kit.cost.amount"] == whole["otel_kit.cost.amount"] == point.value == 0.0024
    assert dict(point.attributes) == {
        "otel_kit.cost.operation": "chat",
        "otel_kit.cost.currency": "USD",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "acme-priced",
    }


def test_tokens_are_priced_by_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A price library that is installed is not asked, or what a call cost before it was loaded is lost."""
    (tmp_path / f"{LIBRARY}.py").write_text(
        "import decimal, types, time\n"
        "time.sleep(0.1)\n"
        "class Usage:\n"
        "    def __init__(self, **tokens): self.tokens = tokens\n"
        "def calc_price(usage, model_ref, provider_id=None):\n"
        "    if model_ref != 'listed': raise LookupError(model_ref)\n"
        "    total = decimal.Decimal(usage.tokens['input_tokens']) / 1000\n"
        "    return types.SimpleNamespace(total_price=total)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in [name for name in sys.modules if name.partition(".")[0] == "genai_prices"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(otel_kit.cost, "_prices", type(otel_kit.cost._prices)())
    with capture() as seen:
        for model in ("listed", "unlisted", "listed"):
            with agent.llm(provider="acme", model=model) as call:
                call.set(input_tokens=3, output_tokens=1)
        deadline = time.monotonic() + 10
        while (
            "otel_kit.cost" not in seen.metrics
            or seen.metrics["otel_kit.cost"].data.data_points[0].value < 0.006
        ):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        (point,) = seen.metrics["otel_kit.cost"].data.data_points
    assert point.value == pytest.approx(0.006)
