"""The columns that a line starts with, in every pretty line the same: time, label, name, text."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from opentelemetry.sdk.resources import Resource

from otel_kit import semconv
from otel_kit.export.console.colors import Colors
from otel_kit.export.console.escape import escaped
from otel_kit.export.console.times import clock

NAME_WIDTH = 20
TEXT_WIDTH = 28


def line(
    nanoseconds: int, label: str, label_color: str, name: str, text: str, rest: str, colors: Colors
) -> str:
    """One line. Only what stands left of something else is padded, so that no line ends in spaces."""
    padded = f"{text:<{TEXT_WIDTH}}" if rest else text
    start = (
        f"{colors.dim}{clock(nanoseconds)}{colors.reset} {label_color}{label:<5}{colors.reset} "
        f"{colors.name}{short_name(name):<{NAME_WIDTH}}{colors.reset}  {colors.bold}{padded}{colors.reset}"
    )
    return f"{start}  {rest}" if rest else start


@lru_cache(maxsize=256)
def short_name(name: str, width: int = NAME_WIDTH) -> str:
    """A dotted name that fits its column: outer packages by their first letter, ``s.engine.Engine``."""
    parts = escaped(name[:200]).split(".")
    for i in range(len(parts) - 1):
        if len(".".join(parts)) <= width:
            break
        parts[i] = parts[i][:1]
    short = ".".join(parts)
    return short if len(short) <= width else f"…{short[1 - width :]}"


def fitted(text: str) -> str:
    """A name that fits the column for text, by its beginning."""
    return text if len(text) <= TEXT_WIDTH else f"{text[: TEXT_WIDTH - 1]}…"


def short_id(trace_id: int, colors: Colors) -> str:
    """The first eight digits of a trace id, enough to tell traces apart and to search by."""
    return f"{colors.dim}trace={trace_id:032x}"[: len(colors.dim) + 14] + colors.reset


class _Service(NamedTuple):
    """The service of the last resource: nearly every line has the same, and a resource's own hash is slow."""

    resource: Resource | None
    name: Any


_last = _Service(None, None)


def service_of(resource: Resource | None) -> Any:
    """The service's name, where the resource has one."""
    global _last
    last = _last
    if last.resource is not resource:
        last = _Service(resource, resource.attributes.get(semconv.SERVICE_NAME) if resource else None)
        _last = last
    return last.name
