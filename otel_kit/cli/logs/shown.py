"""A line of a file as it is shown: like on the console with the date before it, or as it is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import IO, Any

from otel_kit import semconv
from otel_kit.cli.logs.literal import level_of
from otel_kit.cli.logs.record import data_of
from otel_kit.export.console.colors import Colors, colors_for
from otel_kit.export.console.columns import line as columns
from otel_kit.export.console.escape import escaped
from otel_kit.export.console.logs import shown_below, shown_pairs, text_of

_EXCEPTION = {
    "type": semconv.EXCEPTION_TYPE,
    "message": semconv.EXCEPTION_MESSAGE,
    "stacktrace": semconv.EXCEPTION_STACKTRACE,
}


class Output:
    """Writes lines to standard output.

    Args:
        raw: as they are in the file.
    """

    def __init__(self, raw: bool) -> None:
        self._raw, self.stream = raw, sys.stdout
        self.colors = colors_for(self.stream)

    def line(self, line: bytes) -> None:
        """Write one line."""
        if self._raw:
            self.raw(line)
        else:
            self.stream.write(f"{pretty(line, self.colors)}\n")

    def raw(self, line: bytes) -> None:
        """Write the bytes of a line, where the stream takes bytes."""
        binary: IO[bytes] | None = getattr(self.stream, "buffer", None)
        if binary is None:
            self.stream.write(line.decode("utf-8", "replace") + "\n")
        else:
            binary.write(line + b"\n")

    def between(self) -> None:
        """Tell that lines are left out here."""
        if not self._raw:
            self.stream.write(f"{self.colors.dim}--{self.colors.reset}\n")

    def flush(self) -> None:
        """Have all that was written seen."""
        self.stream.flush()


def pretty(line: bytes, colors: Colors) -> str:
    """One line for people, and a traceback below it. A line of plain text stays, with its terminal sequences escaped."""
    data = data_of(line)
    if not line.startswith(b"{") or "severity" not in data:
        return escaped(line.decode("utf-8", "replace").rstrip("\r"))
    attributes: dict[str, Any] = {**_mapping(data.get("attributes")), **_exception(data.get("exception"))}
    trace, when = data.get("trace_id"), _local(data.get("timestamp"))
    rest = [shown_pairs(attributes, colors)]
    if trace:
        rest.append(f"{colors.dim}trace={escaped(str(trace))[:8]}{colors.reset}")
    severity = str(data["severity"])
    text = columns(
        int(when.timestamp()) * 10**9 + when.microsecond * 1000 if when else 0,
        escaped(severity),
        colors.level(level_of(severity) or 0),
        str(data.get("logger") or ""),
        text_of(data.get("body")) or escaped(str(data.get("event_name") or "")),
        " ".join(filter(None, rest)),
        colors,
    )
    day = f"{colors.dim}{when:%Y-%m-%d}{colors.reset} " if when else ""
    return f"{day}{text}{shown_below(attributes, colors)}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _exception(value: Any) -> dict[str, Any]:
    found = _mapping(value)
    return {name: found[key] for key, name in _EXCEPTION.items() if key in found}


def _local(stamp: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(stamp)).astimezone()
    except (ValueError, OverflowError, OSError):
        return None
