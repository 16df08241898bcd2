"""Imports the SDK's resource module without psutil, a sixth of what ``init_telemetry`` would cost otherwise.

The SDK uses psutil for one attribute of a detector that otel_kit does not run, ``process.owner``. The import is held back only
while no other thread is there that could miss it.
"""

from __future__ import annotations

import sys
import threading
from typing import cast

if "psutil" not in sys.modules and threading.active_count() == 1:
    modules = cast("dict[str, object]", sys.modules)
    modules["psutil"] = None  # "there is no such module", says the import system
    try:
        import opentelemetry.sdk.resources  # noqa: F401
    finally:
        del modules["psutil"]
