"""The line of the program that a statement comes from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType

from otel_kit.context.place import is_users

_BETWEEN = frozenset({"sqlalchemy", "otel_kit", "opentelemetry", "greenlet", ""})
_LONGEST_WALK = 200  # frames


def place() -> FrameType | None:
    """The innermost frame of the program's own code; of a library's, where the program is installed as one."""
    nearest = None
    for frame in _frames():
        # What SQLAlchemy generates has no module's name.
        if frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
            continue
        if is_users(frame.f_code):
            return frame
        nearest = nearest or frame
    return nearest


def _frames() -> Iterator[FrameType]:
    """The frames from here outwards; from a greenlet on to the coroutine that waits for it."""
    frame: FrameType | None = sys._getframe(1)
    module = sys.modules.get("greenlet")
    greenlet = module.getcurrent() if module is not None else None
    for _ in range(_LONGEST_WALK):
        if frame is None:
            greenlet = greenlet.parent if greenlet is not None else None
            frame = greenlet.gr_frame if greenlet is not None else None
            if frame is None:
                return
        yield frame
        frame = frame.f_back
