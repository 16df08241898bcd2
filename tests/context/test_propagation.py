"""Chosen ids travel as baggage; hostile headers are turned away quietly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry import context as otel_context

from otel_kit import bind, clear_context, current_context
from otel_kit.context import Baggage, attributes, propagation

SECRET = "".join(["pass", "phrase", "-of-the-test"])


@pytest.fixture(autouse=True)
def may_speak(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test may say its one line."""
    monkeypatch.setattr(propagation, "_next_line", 0.0)
    clear_context()
    yield
    clear_context()


def header_of(propagator: Baggage, context: otel_context.Context | None = None) -> str:
    """The header that is sent."""
    carrier: dict[str, str] = {}
    propagator.inject(carrier, context)
    return carrier.get("baggage", "")


def received(propagator: Baggage, header: str) -> otel_context.Context:
    """The context of a service that receives the header."""
    return propagator.extract({"baggage": header}, otel_context.Context())


def test_chosen_ids_travel_and_are_bound_at_the_next_service() -> None:
    """An id of the allow-list does not arrive as a bound id, or one that is not on it is sent."""
    propagator = Baggage(["request_id", "tenant"])
    with bind(request_id="a b,ü;=%", tenant="blue", user_id="stays at home"):
        header = header_of(propagator)
    assert "stays" not in header
    token = otel_context.attach(received(propagator, header))
    assert current_context() == {"request_id": "a b,ü;=%", "tenant": "blue"}
    assert attributes()["otel_kit.request.id"] == "a b,ü;=%"
    otel_context.detach(token)
    assert current_context() == {}


def test_what_is_not_allowed_is_baggage_but_no_id() -> None:
    """An entry of a stranger becomes an id, or is lost for the services behind."""
    propagator = Baggage(["request_id"])
    context = received(propagator, "user.id=u,otel_kit.request.id=r,vendor=x%20y")
    assert dict(attributes(context)) == {"otel_kit.request.id": "r"}
    assert baggage.get_all(context) == {"user.id": "u", "otel_kit.request.id": "r", "vendor": "x y"}
    assert sorted(header_of(propagator, context).split(",")) == [
        "otel_kit.request.id=r",
        "user.id=u",
        "vendor=x%20y",
    ]


def test_ids_bound_here_beat_those_that_arrived() -> None:
    """The id of the caller wins over the one bound in this service, here or on the way on."""
    propagator = Baggage(["user_id"])
    context = received(propagator, "user.id=caller")
    with bind(user_id="here"):
        assert attributes(context)["user.id"] == "here"
        assert header_of(propagator, context) == "user.id=here"


def test_what_is_cleared_does_not_travel_on() -> None:
    """A caller's id that was cleared here is sent to the next service."""
    propagator = Baggage(["user_id"])
    token = otel_context.attach(received(propagator, "user.id=caller,other=1"))
    clear_context()
    assert current_context() == {}
    assert header_of(propagator) == "other=1"
    otel_context.detach(token)
    token = otel_context.attach(received(propagator, "user.id=the next caller"))
    otel_context.detach(token)


def test_clearing_does_not_hide_the_next_request() -> None:
    """Ids cleared in one request stay hidden in the next one that the same thread serves."""
    propagator = Baggage(["user_id"])
    for caller in ("first", "second"):
        token = otel_context.attach(received(propagator, f"user.id={caller}"))
        assert current_context() == {"user_id": caller}
        clear_context()
        assert current_context() == {}
        otel_context.detach(token)


def test_nothing_is_sent_without_an_allow_list() -> None:
    """Ids leave the service although nothing was chosen."""
    with bind(request_id="r"):
        assert header_of(Baggage()) == ""


HOSTILE = {
    "63 kB": "a=" + "x" * 63_000 + SECRET,
    "10,000 entries": ",".join(f"k{number}={SECRET}" for number in range(10_000)),
    "100 entries": ",".join(f"k{number}=v" for number in range(100)) + f",k={SECRET}",
    "control characters": f"a=b\x00{SECRET}\n,\x1b[31m=1",
    "encoded control characters": f"a=%0d%0aSet-Cookie%3a%20{SECRET}",
    "invalid percent-encoding": f"a=%zz{SECRET},b=%",
    "no pair": SECRET,
    "no key": f"={SECRET}",
    "not ASCII": f"schlüssel={SECRET}",
    "a long key": "k" * 300 + f"={SECRET}",
    "a long value": "k=" + "v" * 5000 + SECRET,
    "quotes": f'a="{SECRET}"',
}


@pytest.mark.parametrize("header", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_header_leaves_one_short_line(header: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A hostile header raises, is bound, or leaves more than one line of 200 bytes, or a word of its own in it."""
    propagator = Baggage(["a", "k", "request_id"])
    for _ in range(5):
        context = received(propagator, header)
        assert dict(attributes(context)) == {}
    output = "".join(capfd.readouterr())
    assert len(output.splitlines()) == 1
    assert len(output.encode()) <= 200
    assert SECRET not in output


def test_the_first_entries_of_a_long_list_are_kept() -> None:
    """A list of more than 64 entries costs those within the limit."""
    context = received(Baggage(), ",".join(f"k{number}=v" for number in range(70)))
    assert len(baggage.get_all(context)) == 64


def test_properties_and_spaces_of_the_form_are_understood() -> None:
    """Optional whitespace or properties of an entry make it invalid."""
    context = received(Baggage(), "a = 1 ; private=yes , b=2;x;y=z,,c=")
    assert baggage.get_all(context) == {"a": "1", "b": "2", "c": ""}


def test_several_headers_are_one() -> None:
    """A second baggage header is ignored."""
    context = Baggage().extract({"baggage": ["a=1", "b=2"]}, otel_context.Context())
    assert baggage.get_all(context) == {"a": "1", "b": "2"}


def test_what_is_sent_is_bounded(capfd: pytest.CaptureFixture[str]) -> None:
    """A program with too much baggage sends more than the W3C's limits, or loses the chosen ids to it."""
    context = otel_context.Context()
    for number in range(200):
        context = baggage.set_baggage(f"key{number}", "v" * 100, context)
    with bind(request_id="r"):
        header = header_of(Baggage(["request_id"]), context)
    assert len(header) <= 8192
    assert len(header.split(",")) <= 64
    assert "otel_kit.request.id=r" in header
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_a_carrier_that_raises_is_contained(monkeypatch: pytest.MonkeyPatch) -> None:
    """A carrier, getter or baggage value that raises reaches the program."""
    from otel_kit import _guard

    _guard.reset(reraise=False)

    class Hostile(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            raise RuntimeError("no")

        def get(self, key: str, default: Any = None) -> Any:
            raise RuntimeError("no")

    with bind(request_id="r"):
        Baggage(["request_id"]).inject(Hostile())
    assert Baggage().extract(Hostile(), otel_context.Context()) == {}
    assert _guard.contained_counts() == {"context.baggage": 2}


@settings(max_examples=50)
@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=10))
def test_any_baggage_survives_the_way(entries: dict[str, str]) -> None:
    """Some text that the W3C's grammar can carry arrives changed."""
    context = otel_context.Context()
    for key, value in entries.items():
        context = baggage.set_baggage(key, value, context)
    arrived = baggage.get_all(received(Baggage(), header_of(Baggage(), context)))
    clean = {k: v for k, v in entries.items() if not propagation._CONTROL.search(k + v)}
    assert {k: v for k, v in arrived.items() if k in clean} == clean


@settings(max_examples=50)
@given(st.text(max_size=300))
def test_any_header_is_survived(header: str) -> None:
    """Some header raises."""
    received(Baggage(["a"]), header)


def test_the_stock_propagators_headers_are_understood() -> None:
    """A header written by OpenTelemetry's own propagator is turned away."""
    from opentelemetry.baggage.propagation import W3CBaggagePropagator

    carrier: dict[str, str] = {}
    context = baggage.set_baggage("key", "läßt/sich:lesen", otel_context.Context())
    W3CBaggagePropagator().inject(carrier, context)
    assert baggage.get_all(received(Baggage(), carrier["baggage"])) == {"key": "läßt/sich:lesen"}
