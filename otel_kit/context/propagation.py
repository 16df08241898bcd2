"""Baggage: chosen ids travel to the next service in the W3C ``baggage`` header.

OpenTelemetry's own propagator logs a rejected header in full, secrets included. This one says in one short
line that something was left out, at most once a minute, and never what it was.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote, unquote

from opentelemetry import baggage
from opentelemetry.context import Context, get_current
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

from otel_kit import _guard
from otel_kit.context import ids

HEADER = "baggage"
LONGEST_HEADER = 8192  # bytes; the least that https://www.w3.org/TR/baggage/#limits lets everybody count on
MOST_ENTRIES = 64
LONGEST_KEY = 256
LONGEST_VALUE = 4096
SAY_EVERY_SECONDS = 60.0

# A token of RFC 9110, and the baggage-octets of the W3C's grammar.
_KEY = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_KEY_SAFE = "!#$&'*+^`|"
_VALUE_SAFE = "!#$&'()*+/:<=>?@[]^`{|}"

_lock = threading.Lock()
_next_line = 0.0


class Baggage(TextMapPropagator):
    """Writes and reads the ``baggage`` header.

    What is read stays available through ``opentelemetry.baggage``. Entries of the allow-list hold as ids
    besides, below those that are bound in this service. Entries past the limits, or not of the W3C's form,
    are left out; a header longer than 8,192 bytes is left out altogether. Properties of entries (after
    ``;``) are not kept.

    Args:
        allowed: ids that may travel, by the names under which they are bound: ``["request_id", "tenant"]``.
        redact: gives the text that may leave in place of an entry's key and value.
    """

    def __init__(
        self, allowed: Iterable[str] = (), redact: Callable[[str, str], str] = lambda _, value: value
    ) -> None:
        self._redact = redact
        self._allowed = {ids.WIRE_NAMES.get(name, name): name for name in allowed}

    @property
    def fields(self) -> set[str]:
        """The headers that :meth:`inject` writes."""
        return {HEADER}

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Write the header, if there is something to write. Never raises."""
        try:
            if header := self._header(context):
                setter.set(carrier, HEADER, header)
        except Exception as error:
            _guard.contained("context.baggage", error)

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """Return the context with what the header brought. Never raises."""
        context = get_current() if context is None else context
        try:
            if header := _received(getter.get(carrier, HEADER)):
                return self._with_entries(dict(_entries(header)), context)
        except Exception as error:
            _guard.contained("context.baggage", error)
        return context

    def _header(self, context: Context | None) -> str:
        entries = {key: str(value) for key, value in baggage.get_all(context).items()}
        if self._allowed:
            for key in ids.withdrawn(context):
                entries.pop(key, None)
            bound = ids.attributes(context)
            # The ids come last, so that they win over entries of the same name, and first, so that they fit.
            chosen = {key: str(bound[key]) for key in self._allowed if key in bound}
            entries = {**chosen, **entries, **chosen}
        return ",".join(_fitting({key: self._redact(key, value) for key, value in entries.items()}))

    def _with_entries(self, entries: Mapping[str, str], context: Context) -> Context:
        for key, value in entries.items():
            context = baggage.set_baggage(key, value, context)
        chosen = {
            self._allowed[key]: value[: ids.LONGEST_VALUE]
            for key, value in entries.items()
            if key in self._allowed
        }
        return ids.with_remote(chosen, context) if chosen else context


def _fitting(entries: Mapping[str, str]) -> Iterator[str]:
    """The encoded entries that fit into one header; what does not fit is told of."""
    length = left_out = count = 0
    for key, value in entries.items():
        pair = _encoded(key, value)
        if pair is None or count >= MOST_ENTRIES or length + len(pair) + 1 > LONGEST_HEADER:
            left_out += 1
            continue
        length, count = length + len(pair) + 1, count + 1
        yield pair
    if left_out:
        _say(f"{left_out} baggage entries were not sent: they are over the limits of the header")


def _encoded(key: str, value: str) -> str | None:
    name = quote(key, safe=_KEY_SAFE, errors="replace")
    if not name or len(name) > LONGEST_KEY or len(value) > LONGEST_VALUE:
        return None
    return f"{name}={quote(value, safe=_VALUE_SAFE, errors='replace')}"


def _received(values: Iterable[str] | None) -> str:
    """The header as one string; empty if there is none or if it is too long to be looked at."""
    parts = [values] if isinstance(values, str) else list(values or ())
    length = sum(map(len, parts)) + len(parts)
    if length > LONGEST_HEADER + 1:
        _say(f"a baggage header was ignored: {length} bytes, {LONGEST_HEADER} are allowed")
        return ""
    return ",".join(parts)


def _entries(header: str) -> Iterator[tuple[str, str]]:
    count = rejected = 0
    for member in header.split(","):
        if not member.strip(" \t"):
            continue
        entry = _decoded(member)
        if entry is None or count >= MOST_ENTRIES:
            rejected += 1
            continue
        count += 1
        yield entry
    if rejected:
        _say(f"{rejected} entries of a baggage header were ignored: malformed, or over {MOST_ENTRIES}")


def _decoded(member: str) -> tuple[str, str] | None:
    name, equals, value = member.partition(";")[0].partition("=")
    name, value = name.strip(" \t"), value.strip(" \t")
    if not equals or len(name) > LONGEST_KEY or len(value) > LONGEST_VALUE:
        return None
    if not _KEY.fullmatch(name) or not _VALUE.fullmatch(value) or _BROKEN_PERCENT.search(name + value):
        return None
    key, text = unquote(name), unquote(value)
    return None if _CONTROL.search(key + text) or not key else (key, text)


def _say(sentence: str) -> None:
    global _next_line
    now = time.monotonic()
    with _lock:
        due = now >= _next_line
        if due:
            _next_line = now + SAY_EVERY_SECONDS
    if due:
        _guard.say(sentence)
