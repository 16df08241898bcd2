"""Helpers by use-case, built on ``signals`` and ``context`` alone: what an engineer would add by hand to every project.

- ``code``: what functions, blocks, loops and objects do, and what they cost
- ``errors``: what kind of error it is, whether it is new, what was done about it
- ``data``: changes of entities, caches, checks of data
- ``agents``: agents, workflows, costs, events of the business
- ``trust``: events of security, and an audit trail that shows tampering
- ``jobs``: runs, batches, progress

Each helper steps aside while its part is off (``otel_kit.context.parts``). Importing this loads none of them; from then
on exceptions are described by ``errors``, which is loaded at the first one, and ``code`` debugs what the settings say.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import SpanContext
from opentelemetry.util.types import AttributeValue

from otel_kit._imports import late
from otel_kit.context.debugging import debugging
from otel_kit.context.described import describe_with

_TELLING = "otel_kit.toolkit.errors.telling"
_DEBUG = "otel_kit.toolkit.code.debug"


def _describe(exception: BaseException) -> Mapping[str, AttributeValue]:
    found: Mapping[str, AttributeValue] = late(_TELLING).describe(exception)
    return found


def _brief(exception: BaseException) -> Mapping[str, AttributeValue]:
    found: Mapping[str, AttributeValue] = late(_TELLING).brief(exception)
    return found


def _told(exception: BaseException, description: Mapping[str, Any], span_context: SpanContext) -> None:
    late(_TELLING).told(exception, description, span_context)


def _locals_of(exception: BaseException) -> Mapping[str, Any]:
    found: Mapping[str, Any] = late("otel_kit.toolkit.code.frames").locals_of(exception)
    return found


def _debug(packages: tuple[str, ...]) -> None:
    late(_DEBUG).begin(packages)


def _end_debugging() -> None:
    if _DEBUG in sys.modules:
        sys.modules[_DEBUG].end()


describe_with(_describe, _told, _brief)
debugging.tell_locals, debugging.begin, debugging.end = _locals_of, _debug, _end_debugging
