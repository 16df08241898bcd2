"""What hides in percent-encoding, in base64 and hexadecimal of something readable, and behind the entities of HTML."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from otel_kit.pipeline.redact import detectors, looks, urls
from otel_kit.pipeline.redact.expression import expression
from otel_kit.pipeline.redact.finding import Finding, Findings, TooMuchWork, bounded, settle, spliced
from otel_kit.pipeline.redact.prefilter import may_hold

LONGEST_RUN, MOST_RUNS = 8_192, 200
_BASE64 = expression(r"(?<![\w+/\-])[A-Za-z0-9+/_\-]{24,}={0,2}")
_HEX = expression(r"(?<![0-9A-Za-z])(?:0x|\\x|[xX]')?((?:[2-7][0-9a-fA-F]|0[9aAdD]){12,})(?![0-9A-Za-z])")
_ENTITY = expression(r"&(?:lt|gt|quot|apos|#\d{2,3}|#x[0-9a-f]{2});", 2)

Look = Callable[[str], list[Finding]]


def nested(text: str, lower: str, look: Look) -> Findings:
    """Findings in what a text encodes.

    Args:
        text: the text.
        lower: the same in lower case.
        look: finds in a decoded text.
    """
    looked = 0
    for start, end, plain in urls.encoded(text):
        if not may_hold(plain):
            continue
        looked += 1
        if looked > MOST_RUNS:
            raise TooMuchWork
        inner = settle(look(plain))
        if inner:
            yield Finding(start, end, inner[0].rule, urls.encode(spliced(plain, inner)))
    for match in bounded(_BASE64, text):
        run = match.group()
        if (
            len(run) <= LONGEST_RUN
            and not looks.hexadecimal(run)
            and (plain := detectors.decoded(run))
            and may_hold(plain)
        ):
            looked += 1
            if looked > MOST_RUNS:
                raise TooMuchWork
            inner = settle(look(plain))
            if inner:
                yield Finding(match.start(), match.end(), inner[0].rule)
    for match in bounded(_HEX, text, MOST_RUNS):
        run = match.group(1)
        if (
            len(run) <= LONGEST_RUN
            and not run.isdigit()
            and (inner := settle(look(bytes.fromhex(run).decode("ascii"))))
        ):
            yield Finding(match.start(1), match.end(1), inner[0].rule)
    if "&" in text and _ENTITY.search(lower):
        yield from _behind_entities(text, look)


def _behind_entities(text: str, look: Look) -> Findings:
    """Found in the readable text, and replaced where the same characters stand in the given one."""
    plain = html.unescape(text)
    at = missed = 0
    for finding in settle(look(plain)):
        value = plain[finding.start : finding.end]
        for form in (value, html.escape(value)):
            start = text.find(form, at) if len(form) >= 3 else -1
            if start >= 0:
                at = start + len(form)
                yield Finding(start, at, finding.rule)
                break
        else:
            # Each search for what is written in another way goes through the whole text.
            missed += 1
            if missed > MOST_RUNS:
                raise TooMuchWork


def replaced(data: Any, shown: Any, found: list[tuple[str, str]]) -> None:
    """The strings of a structure that its redacted copy withholds as a whole, each with its rule."""
    if data is shown:
        return
    if isinstance(data, str) and isinstance(shown, str):
        if shown.startswith("[redacted:") and shown.endswith("]") and shown.count("[redacted:") == 1:
            found.append((data, shown[10:-1]))
    elif isinstance(data, dict) and isinstance(shown, dict):
        for one, other in zip(data.values(), shown.values(), strict=False):
            replaced(one, other, found)
    elif isinstance(data, list) and isinstance(shown, list):
        for one, other in zip(data, shown, strict=False):
            replaced(one, other, found)
