"""Imports the SDK without psutil, a sixth of what ``init_telemetry`` would cost otherwise, and without reading variables.

The SDK uses psutil for one attribute of a detector that otel_kit does not run, ``process.owner``. The import is held back only
while no other thread is there that could miss it.

The SDK makes a resource and limits of its own as it is imported, which nobody uses here. Wrong variables would stop it, or
have it print lines of its own; a detector that is named would run.
"""

from __future__ import annotations

import sys
import threading
from typing import cast

from otel_kit._environment import hidden

READ_BY_THE_SDK = (
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
)

if "psutil" not in sys.modules and threading.active_count() == 1:
    modules = cast("dict[str, object]", sys.modules)
    modules["psutil"] = None  # "there is no such module", says the import system
    try:
        with hidden(*READ_BY_THE_SDK):
            import opentelemetry.sdk.resources
    finally:
        del modules["psutil"]

with hidden(*READ_BY_THE_SDK):
    import opentelemetry.sdk._logs
    import opentelemetry.sdk.trace  # noqa: F401
