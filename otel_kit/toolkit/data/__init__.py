"""Changes of entities, caches, checks of data.

- ``changes``: what became of an entity · ``sessions``: SQLAlchemy's sessions, from which that is known
- ``cache``: caches of any kind · ``kinds``: what their methods mean · ``watched``, ``cached``: how they are watched · ``lookups``
- ``checking``: a figure and its limits, and sets of them · ``table``: rows, as lists, pandas or polars have them
- ``figures``: the instruments of this room
"""

from __future__ import annotations

from otel_kit.toolkit.data.cache import observe_cache
from otel_kit.toolkit.data.checking import Check, check, checks
from otel_kit.toolkit.data.sessions import track_changes

__all__ = ["Check", "check", "checks", "observe_cache", "track_changes"]
