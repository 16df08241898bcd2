"""What users' tests need: :func:`capture` holds everything that a block emits in memory."""

from __future__ import annotations

from otel_kit.testing.capture import Captured, Log, capture

__all__ = ["Captured", "Log", "capture"]
