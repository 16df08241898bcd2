"""Recall, false positives and harmless context kept, per kind."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from otel_kit.pipeline.redact.engine import DROPPED, Redactor
from otel_kit.pipeline.redact.rules import Rules
from tests.corpus.row import Make, Row


@dataclass
class Tally:
    """What came of the rows of one kind."""

    secrets: int = 0
    found: int = 0
    benign: int = 0
    changed: int = 0
    contexts: int = 0
    kept: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add another tally's numbers."""
        for name in ("secrets", "found", "benign", "changed", "contexts", "kept"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def recall(self) -> float:
        """The share of secrets that did not leave."""
        return self.found / self.secrets if self.secrets else 1.0

    @property
    def false_positives(self) -> float:
        """The share of harmless rows that were changed."""
        return self.changed / self.benign if self.benign else 0.0

    @property
    def context(self) -> float:
        """The share of harmless context around secrets that survived."""
        return self.kept / self.contexts if self.contexts else 1.0


def rows(kinds: Mapping[str, Make], seed: int, each: int, *, personal: bool = False) -> list[Row]:
    """``each`` rows of every kind, the same for the same seed."""
    made = []
    for kind, make in kinds.items():
        for number in range(each):
            row = make(random.Random(f"{seed}/{kind}/{number}"))
            made.append(dataclasses.replace(row, kind=kind, personal=personal))
    return made


def redacted(redactor: Redactor, row: Row) -> Any:
    """A row's input as it leaves."""
    redactor.begin()
    given = row.input
    if row.where == "body":
        return redactor.text(given)
    if row.where == "sql":
        return dict(
            zip(
                ("statement", "parameters"),
                redactor.statement(given["statement"], given["parameters"]),
                strict=True,
            )
        )
    if row.where == "exception":
        texts = {name: redactor.text(given[name]) for name in ("message", "stacktrace")}
        return {"type": given["type"], **texts, "locals": redactor.value("locals", given["locals"])}
    value = redactor.value(given["key"], given["value"])
    return {} if value is DROPPED else {redactor.key(given["key"]): value}


def score(made: Iterable[Row], rules: Rules) -> dict[str, Tally]:
    """The tally of each kind."""
    redactor, tallies = Redactor(rules), {}
    for row in made:
        tally = tallies.setdefault(row.kind, Tally())
        shown = redacted(redactor, row)
        text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
        if row.secret is None:
            given = (
                row.input
                if row.where in ("body", "sql", "exception")
                else {row.input["key"]: row.input["value"]}
            )
            tally.benign += 1
            wrong = shown != given
            tally.changed += wrong
        else:
            tally.secrets += 1
            leaked = _within(row.secret, text)
            lost = row.context is not None and not _within(row.context, text)
            tally.found += not leaked
            tally.contexts += row.context is not None
            tally.kept += row.context is not None and not lost
            wrong = leaked or lost
        if wrong and len(tally.examples) < 3:
            tally.examples.append(f"{text}   <- {row.secret}")
    return tallies


def _within(part: str, text: str) -> bool:
    return part in text or json.dumps(part, ensure_ascii=False)[1:-1] in text


def total(tallies: Iterable[Tally]) -> Tally:
    """All kinds together."""
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return whole
