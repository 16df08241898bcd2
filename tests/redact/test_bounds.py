"""Bounded in time and size, and never an exception."""

from __future__ import annotations

import time

import pytest

from benchmarks.redaction import WORST
from otel_kit import _guard
from otel_kit.pipeline.redact import Redactor, Rules, redaction_counts
from otel_kit.pipeline.redact import engine as engine_module
from otel_kit.pipeline.redact import scan as scan_module

# Twice what the promise of 100 ms would be for 64 kB on this machine alone; the suite shares its processors.
SECONDS = 1.0


@pytest.mark.parametrize("name", sorted(WORST))
def test_the_worst_text_is_bounded(name: str) -> None:
    """A text of 64 kB that is made to be slow takes long."""
    redactor = Redactor(Rules(mode="secrets+personal"))
    text = (WORST[name] * (65_535 // len(WORST[name]) + 1))[:65_535]
    start = time.thread_time()
    redactor.text(text)
    assert time.thread_time() - start < SECONDS


def test_a_megabyte_is_withheld_at_once() -> None:
    """A text beyond 64 kB is looked at, or leaves."""
    start = time.thread_time()
    assert Redactor().text("password=" * 120_000) == "[redacted:too long]"
    assert Redactor().value("note", ["x" * 70_000, "fine"]) == ["[redacted:too long]", "fine"]
    assert time.thread_time() - start < 0.1


def test_many_long_texts_in_one_item_are_bounded_together() -> None:
    """An item with a megabyte in many texts takes as long as a megabyte does."""
    redactor = Redactor()
    redactor.begin()
    shown = redactor.value("rows", ["password is here, and something else behind " * 900 for _ in range(40)])
    assert shown == "[redacted:too long]"
    redactor.begin()
    assert redactor.text("password is here, and something else behind " * 900).startswith("password is here")


def test_deep_and_cyclic_data_end() -> None:
    """Data that holds itself, or is deep, is walked for ever."""
    cyclic: list[object] = ["fine"]
    cyclic.append(cyclic)
    deep: object = "end"
    for _ in range(5_000):
        deep = [deep]
    wide: object = "x"
    for _ in range(20):
        wide = [wide] * 10
    redactor = Redactor()
    assert redactor.value("a", cyclic) == ["fine", "[cycle]"]
    assert "too deep" in str(redactor.value("a", deep))
    assert "[redacted:" in str(redactor.value("a", wide))


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


class Shows:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Shows(password='{self.text}')"


def test_objects_are_redacted_by_what_they_show() -> None:
    """The secret in an object's repr leaves, or a hostile object raises."""
    redactor = Redactor()
    assert "Hunter2x9Q" not in str(redactor.value("client", Shows("Hunter2x9Q")))
    assert "Hunter2x9Q" not in str(redactor.value("clients", [Shows("Hunter2x9Q")]))
    assert "cannot be shown" in str(redactor.value("client", Hostile()))
    assert redactor.value("data", b"password=Hunter2x9Q") == b"password=[redacted:password]"
    assert "Hunter2x9Q" not in str(redactor.value("data", {"password=Hunter2x9Q": 1}))


def test_a_failing_redactor_withholds_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value leaves although its redaction failed, or the failure reaches the program."""
    _guard.reset()

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(scan_module, "pairs", fails)
    before = redaction_counts().get(("error", "log.body"), 0)
    assert Redactor().text("password=Hunter2x9Q", "log.body") == "[redacted:error]"
    assert redaction_counts()["error", "log.body"] == before + 1
    assert _guard.contained_counts() == {"redact": 1}


def test_the_same_object_comes_back_when_nothing_was_found() -> None:
    """Harmless data is copied."""
    redactor = Redactor()
    for value in ("GET /orders/{id}", ["a", {"b": [1, 2.5, None]}], {"user": "ann"}, (1, 2), b"raw"):
        assert redactor.value("data", value) is value


def test_caches_are_bounded() -> None:
    """What the redactor remembers grows with what it sees."""
    redactor = Redactor()
    for i in range(20_000):
        redactor.value(f"key_{i}", f"a new value number {i} with some words w{i}x")
    assert len(redactor.clean) <= engine_module.MOST_CACHED
    assert len(redactor.verdicts) <= engine_module.MOST_CACHED


def test_a_known_shape_hides_nothing() -> None:
    """A secret is let through because a text that differs from it in digits alone was harmless."""
    redactor = Redactor()
    for harmless in ("using ann:hunterab for 1 s", "paid 4 by 1 of us", "mysql -1p done", "load 12%a now"):
        assert redactor.text(harmless) == harmless
    card = "4" + "1" * 15
    for hostile, secret in (
        ("using ann:hu1nt2er3ab4 for 1 s", "hu1nt2er3ab4"),
        (f"paid {card} by 1 of us", card),
        (f"paid {card[:4]} by {card} of us", card),
    ):
        assert secret not in redactor.text(hostile)


class Named:
    """Stands in for an array or a series: values, with the names beside them and not in the text."""

    __module__ = "numpy.stand_in"

    def __init__(self, values: list[object], *names: str) -> None:
        self.values, self.names, self.dtype = values, names, "object"

    def __getitem__(self, part: slice) -> Named:
        return Named(self.values[part], *self.names)

    def __repr__(self) -> str:
        return repr(self.values)

    def tolist(self) -> list[object]:
        return self.values


def test_the_names_of_an_array_judge_its_values() -> None:
    """The password in a record of numpy or a series of pandas leaves, because its name stands beside the text."""
    redactor = Redactor()
    records = Named([("ann", "hunterabc"), ("bob", "hunterdef")], "user", "password")
    assert redactor.value("rows", records) == [
        ("ann", "[redacted:password]"),
        ("bob", "[redacted:password]"),
    ]
    assert redactor.value("rows", Named(["hunterabc"], "password")) == ["[redacted:password]"]
    cities = Named(["Berlin"], "city")
    assert redactor.value("rows", cities) == "['Berlin']"


def test_the_names_behind_printed_values_judge_them() -> None:
    """The text of an index, a series or a record array shows the password that its name tells of."""
    redactor = Redactor()
    for text in (
        "Index(['{}', '{}'], dtype='object', name='password')",
        "got\n0    {}\n1    {}\nName: password, dtype: object",
        "rec.array([('ann', '{}'), ('bob', '{}')],\n          dtype=[('user', '<U10'), ('password', '<U20')])",
    ):
        shown = redactor.text(text.format("hunterabc", "hunterdef"))
        assert shown == text.format("[redacted:password]", "[redacted:password]")
        harmless = text.replace("password", "city").format("Berlin", "Bonn")
        assert redactor.text(harmless) == harmless
