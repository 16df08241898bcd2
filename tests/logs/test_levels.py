"""Which event passes: overall, per logger, and while the program runs."""

from __future__ import annotations

import gc
import logging
from typing import Any

import pytest

from otel_kit.signals import get_logger, set_level
from otel_kit.signals.logs import levels, parse_levels
from otel_kit.signals.logs.levels import Levels


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("info", Levels(20)),
        ("TRACE", Levels(5)),
        (" warning , sqlalchemy = DEBUG ", Levels(30, {"sqlalchemy": 10})),
        ("sqlalchemy=warning", Levels(20, {"sqlalchemy": 30})),
        ("info,sqlalchemy=warning,shop.pay=debug", Levels(20, {"sqlalchemy": 30, "shop.pay": 10})),
        ("shop=fatal,critical", Levels(50, {"shop": 50})),
    ],
)
def test_the_grammar(text: str, parsed: Levels) -> None:
    """A valid level setting is refused or misread."""
    assert parse_levels(text) == parsed


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("loud", "'loud'"),
        ("", "''"),
        ("info,", "''"),
        ("info,debug", "'debug'"),
        ("info,=debug", "'=debug'"),
        ("info,shop=", "'shop='"),
        ("info,shop=10", "'shop=10'"),
    ],
)
def test_a_wrong_level_is_named(text: str, bad: str) -> None:
    """The error about a wrong level setting does not name the wrong part and the valid names."""
    with pytest.raises(ValueError, match="trace, debug, info, warning, error or critical") as caught:
        parse_levels(text)
    assert bad in str(caught.value)


@pytest.mark.parametrize("level", [None, 10, ["info"]])
def test_a_level_that_is_no_text_is_named(level: Any) -> None:
    """A wrong argument raises from deep inside instead of naming what is valid."""
    with pytest.raises(TypeError, match=r"the level is .*; valid: text .* levels: trace, debug"):
        set_level(level)


@pytest.mark.parametrize(
    ("name", "threshold"),
    [("shop", 20), ("shop.pay", 10), ("shop.pay.card", 40), ("shop.payment", 20), ("other", 20), ("", 20)],
)
def test_the_longest_dotted_prefix_wins(name: str, threshold: int) -> None:
    """A rule for ``shop.pay`` holds for ``shop.payment``, or a shorter rule wins over a longer one."""
    assert parse_levels("info,shop.pay=debug,shop.pay.card=error").threshold(name) == threshold


def test_levels_hold_for_all_loggers_and_change_at_run_time(records: Any) -> None:
    """A logger that was made before a change of levels, ours or the standard library's, does not follow it."""
    ours, std = get_logger("shop.pay"), logging.getLogger("shop.pay.std")

    def speak() -> list[str]:
        records.clear()
        for level in (10, 20, 30):
            ours.log(level, f"ours {level}")
            std.log(level, f"std {level}")
        return [seen.body for seen in records.all]

    assert speak() == ["ours 20", "std 20", "ours 30", "std 30"]
    set_level("info,shop.pay=debug")
    assert speak() == ["ours 10", "std 10", "ours 20", "std 20", "ours 30", "std 30"]
    set_level("info,shop=warning")
    assert speak() == ["ours 30", "std 30"]
    set_level("critical")
    assert speak() == []
    with pytest.raises(ValueError, match="'loud'"):
        set_level("loud")
    assert speak() == []


def test_is_enabled_for_tells_what_would_pass(records: Any) -> None:
    """``is_enabled_for`` says something else than what happens."""
    log = get_logger("shop")
    assert [log.is_enabled_for(level) for level in (5, 10, 20, 50)] == [False, False, True, True]


def test_made_up_names_cost_no_memory(records: Any) -> None:
    """100,000 logger names stay in memory for ever."""
    for number in range(20_000):
        get_logger(f"made.up.{number}")
        levels.threshold(f"made.up.{number}")
    gc.collect()
    assert len(levels._gates) < 100
    assert len(levels._thresholds) <= levels.MAX_NAMES
