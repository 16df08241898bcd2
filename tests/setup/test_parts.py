"""Parts of the toolkit are on between ``init_telemetry`` and ``shutdown``."""

from __future__ import annotations

import pytest

import otel_kit
from otel_kit.context import parts
from otel_kit.testing import capture


def on() -> set[str]:
    return {name for name in parts.PARTS if parts.part(name).on}


def test_all_parts_are_on_while_telemetry_is() -> None:
    """A part is off although telemetry is on, or on although it is off."""
    assert on() == set()
    with capture():
        assert on() == set(parts.PARTS)
    assert on() == set()


def test_a_setting_leaves_parts_out() -> None:
    """A part that the user turned off is on, or another one is off."""
    with capture(disabled_toolkit=["code", "data"]):
        assert on() == set(parts.PARTS) - {"code", "data"}
    with capture(disabled_toolkit="*"):
        assert on() == set()


def test_an_unknown_part_is_named() -> None:
    """A misspelt part is taken in silence."""
    with pytest.raises(otel_kit.OtelKitError, match=r"disabled_toolkit.*cod.*code, errors"):
        otel_kit.init_telemetry("checkout", disabled_toolkit=["cod"])
