"""What functions, blocks, loops and objects do, and what they cost.

- ``traced``: a span for each call · ``site``, ``parameters``: a function · ``call``: one call · ``wrap``: around a function
- ``values``: values as bounded text without secrets · ``records``: how this room logs
"""

from __future__ import annotations

from otel_kit.toolkit.code.traced import traced

__all__ = ["traced"]
