"""What the detectors find in a text, each behind a question that costs less than it does."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from otel_kit.pipeline.redact import (
    arguments,
    detectors,
    looks,
    nested,
    notations,
    sentences,
    spoken,
    sql,
    tables,
    tokens,
    urls,
)
from otel_kit.pipeline.redact.expression import expression
from otel_kit.pipeline.redact.finding import Finding, bounded, settle
from otel_kit.pipeline.redact.keys import flat
from otel_kit.pipeline.redact.pairs import STEM, pairs
from otel_kit.pipeline.redact.patterns import checked, matches
from otel_kit.pipeline.redact.personal import personal
from otel_kit.pipeline.redact.prefilter import has_digit
from otel_kit.pipeline.redact.rules import Rules

DEEPEST_ENCODING = 3
# Words that may name a secret in a long text: beyond a thousand it is no log, no source code and no prose.
LONG_TEXT, MOST_STEMS = 16_384, 1_000
_REDACTED = expression(r"\[?redacted:[\w #]{1,60}\]?")
_LONG_RUN = expression(r"[\w\-]{10}")


class Scan:
    """All detectors, as the rules ask for them.

    Args:
        rules: the patterns of a user, and whether personal data is looked for.
    """

    def __init__(self, rules: Rules) -> None:
        self._personal, self._exempt = rules.personal, rules.exempt_values
        self._patterns = [(name, checked(name, pattern)) for name, pattern in rules.patterns.items()]

    def findings(self, text: str, *, cards: bool = True, depth: int = 0) -> list[Finding]:
        """What a text holds, in no order and overlapping."""
        lower = text.lower() if text.isascii() else flat(text)
        if len(text) > LONG_TEXT:
            _not_too_dense(lower)
        found = list(detectors.private_keys(text, lower))
        if _LONG_RUN.search(text):
            found += _credentials(text, lower)
        found += detectors.password_hashes(text, lower)
        found += detectors.authorizations(text, lower)
        found += urls.logins(text, lower)
        found += urls.paths(text, lower)
        found += pairs(text, lower)
        found += notations.notations(text, lower)
        found += sentences.sentences(text, lower)
        found += spoken.spoken(text, lower)
        found += sentences.protocols(text, lower)
        if "\n" in text:
            found += tables.tables(text, lower, STEM)
        if "dtype" in text:
            found += tables.arrays(text)
        found += arguments.commands(text)
        if "'" in text or "[parameters:" in text or "$$" in text:
            found += sql.statements(text)
        if cards and has_digit(text):
            found += detectors.cards(text)
        if self._personal:
            taken = settle(found)
            # "user:password@host" is no mail address.
            found += (finding for finding in personal(text, lower) if not _overlaps(finding, taken))
        for name, pattern in self._patterns:
            found += [Finding(start, end, name) for start, end in matches(pattern, text)]
        if depth < DEEPEST_ENCODING:
            found += nested.nested(text, lower, lambda plain: self.findings(plain, depth=depth + 1))
        if "redacted:" in text:
            found = [f for f in found if not _REDACTED.fullmatch(text, f.start, f.end)]
        return self.not_exempt(text, found)

    def personal(self, text: str) -> list[Finding]:
        """Personal data alone, for a text without anything else."""
        return self.not_exempt(text, list(personal(text, text.lower())))

    def not_exempt(self, text: str, found: list[Finding]) -> list[Finding]:
        """The findings whose values no user exempts."""
        return [f for f in found if text[f.start : f.end] not in self._exempt] if self._exempt else found


def _not_too_dense(lower: str) -> None:
    """Each detector stops at a number of its own candidates; this is the limit of all of them together."""
    for _ in bounded(STEM, lower, MOST_STEMS):
        pass


def _credentials(text: str, lower: str) -> list[Finding]:
    """What proves itself by a prefix, a structure or a checksum."""
    issued = list(tokens.issued(text))
    found = [*issued, *detectors.aws_secret_beside_its_id(text, issued)]
    found += tokens.shaped(text, lower)
    found += tokens.in_manner(text)
    found += detectors.json_web_tokens(text, lower)
    found += detectors.base58_keys(text)
    found += detectors.der_keys(text)
    found += detectors.credentials_of_schemes(text)
    found += detectors.encoded_logins(text)
    return found


def _overlaps(finding: Finding, settled: Sequence[Finding]) -> bool:
    """Whether a finding overlaps one of others that are in order and apart."""
    after = bisect_left(settled, finding.end, key=_start)
    return after > 0 and finding.start < settled[after - 1].end


def _start(finding: Finding) -> int:
    return finding.start


MOST_ECHOES = 16


def echoes(text: str, found: Sequence[Finding]) -> list[Finding]:
    """The same values elsewhere in the text: ``'…' is too short, on instance['password']: '…'``."""
    again: list[Finding] = []
    values = {
        text[f.start : f.end]: f.rule for f in found[:200] if f.text is None and 8 <= f.end - f.start <= 512
    }
    for value, rule in list(values.items())[:MOST_ECHOES]:
        at = text.find(value)
        while at >= 0 and len(again) < MOST_ECHOES * 8 and looks.strong(value):
            again.append(Finding(at, at + len(value), rule))
            at = text.find(value, at + len(value))
    return again
