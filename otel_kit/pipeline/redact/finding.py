"""A finding: where in a text a secret stands, and which rule says so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

LONGEST_TEXT = 65_536


class Finding(NamedTuple):
    """A part of a text that must not leave.

    Args:
        start: where the secret begins.
        end: where it ends.
        rule: the rule that found it, as it is named in the replacement.
        text: what stands there instead, when it is not the marker of the rule: a URL with its secret taken out.
        quote: put around the marker where the bare value had no quotes and its neighbours have.
    """

    start: int
    end: int
    rule: str
    text: str | None = None
    quote: str = ""


Findings = Iterator[Finding]
# Of one kind in one text.
MOST_MATCHES = 1_000


class TooMuchWork(Exception):
    """A text holds more candidates than a text of its size has in good faith."""


class Budget:
    """Work that one text may cost in good faith: candidates, each with the length of what was looked at for it.

    Args:
        most: of them.
    """

    __slots__ = ("left",)

    def __init__(self, most: int = MOST_MATCHES) -> None:
        self.left = most

    def spend(self, cost: int) -> None:
        """Take from it; raises :class:`TooMuchWork` when nothing is left."""
        self.left -= cost
        if self.left < 0:
            raise TooMuchWork


def bounded(pattern: re.Pattern[str], text: str, most: int = MOST_MATCHES) -> Iterator[re.Match[str]]:
    """All matches, up to a number that no text of its size has in good faith."""
    for number, match in enumerate(pattern.finditer(text)):
        if number >= most:
            raise TooMuchWork
        yield match


def marker(rule: str) -> str:
    """What stands where a secret was: ``[redacted:dsn]``."""
    return f"[redacted:{rule}]"


def settle(findings: Iterable[Finding]) -> list[Finding]:
    """Findings in order, the overlapping ones as one, named by the one that begins first and reaches farthest."""
    settled: list[Finding] = []
    for finding in sorted(findings, key=lambda f: (f.start, -f.end)):
        if settled and finding.start < settled[-1].end:
            last = settled[-1]
            if finding.end > last.end:
                settled[-1] = Finding(last.start, finding.end, last.rule, None, last.quote)
        elif finding.start < finding.end:
            settled.append(finding)
    return settled


def spliced(text: str, found: Iterable[Finding]) -> str:
    """The text with what stands in the place of each finding."""
    parts: list[str] = []
    at = 0
    for finding in found:
        shown = marker(finding.rule) if finding.text is None else finding.text
        parts += text[at : finding.start], finding.quote, shown, finding.quote
        at = finding.end
    return "".join([*parts, text[at:]])
