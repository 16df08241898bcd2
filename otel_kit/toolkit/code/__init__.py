"""What functions, blocks, loops and objects do, and what they cost.

- ``traced``: a span for each call · ``site``, ``parameters``: a function · ``call``: one call · ``wrap``: around a function
- ``block``: a span for a stretch of code · ``watch``: its variables · ``line_events``, ``line_tracing``: line by line, from
  Python 3.12 on and before
- ``each``: a span for a loop · ``loop``, ``durations``: one time through it, in figures
- ``attributes``: writes of attributes
- ``captured``: where the program stands · ``frames``: local variables · ``process``: what the process uses
- ``postmortem``: the debugger · ``debug``: everything that packages do · ``packages``: whose code it is · ``functions``: their
  functions · ``function_events``, ``function_tracing``: from Python 3.12 on and before · ``resources``: at intervals
- ``measure``, ``measured``: what a piece of work took · ``measure_figures``, ``measure_sentence``: in figures, in words
- ``operations``: what they add up to
- ``values``: values as bounded text without secrets · ``records``: how this room logs
"""

from __future__ import annotations

from otel_kit.toolkit.code.attributes import watch_attributes
from otel_kit.toolkit.code.block import block
from otel_kit.toolkit.code.captured import capture
from otel_kit.toolkit.code.debug import debug_everything
from otel_kit.toolkit.code.each import each
from otel_kit.toolkit.code.measure import measure
from otel_kit.toolkit.code.measured import measured
from otel_kit.toolkit.code.operations import operations
from otel_kit.toolkit.code.postmortem import debug_on_error
from otel_kit.toolkit.code.traced import traced

__all__ = [
    "block",
    "capture",
    "debug_everything",
    "debug_on_error",
    "each",
    "measure",
    "measured",
    "operations",
    "traced",
    "watch_attributes",
]
