"""Errors of ours are contained, whatever the program has done to the interpreter."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from otel_kit import _guard


@pytest.fixture(autouse=True)
def counted() -> Iterator[None]:
    """Counts of this test only."""
    _guard.reset()
    yield
    _guard.reset()


def test_patched_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error reaches the program because its test has replaced the clock."""
    ticks: Iterator[float] = iter(())
    with monkeypatch.context() as patched:
        patched.setattr(time, "monotonic", lambda: next(ticks))
        _guard.contained("somewhere", ValueError("odd"))
    assert _guard.contained_counts() == {"somewhere": 1}
