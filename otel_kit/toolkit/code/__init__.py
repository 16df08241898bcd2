"""What functions, blocks, loops and objects do, and what they cost.

- ``traced``: a span for each call · ``site``, ``parameters``: a function · ``call``: one call · ``wrap``: around a function
- ``measure``, ``measured``: what a piece of work took · ``measure_figures``, ``measure_sentence``: in figures, in words
- ``operations``: what they add up to
- ``values``: values as bounded text without secrets · ``records``: how this room logs
"""

from __future__ import annotations

from otel_kit.toolkit.code.measure import measure
from otel_kit.toolkit.code.measured import measured
from otel_kit.toolkit.code.operations import operations
from otel_kit.toolkit.code.traced import traced

__all__ = ["measure", "measured", "operations", "traced"]
