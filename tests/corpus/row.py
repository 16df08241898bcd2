"""A row of the corpus, and the two ways in which most kinds are made: a key with a value, a text with a hole."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.corpus.values import Rng

Make = Callable[[Rng], "Row"]
Secret = Callable[[Rng], str]


@dataclass(frozen=True)
class Row:
    """One row.

    Args:
        where: attr, nested, body, sql, url, header or exception.
        input: what is given to the redactor, in the form of that place.
        secret: what must not be in the output, or None for a benign row.
        context: what must be.
        personal: whether the secret is personal data, which the default set leaves alone.
    """

    where: str
    input: Any
    secret: str | None = None
    context: str | None = None
    personal: bool = False
    kind: str = field(default="", compare=False)

    def as_json(self, number: int) -> str:
        """The row as a line of JSON, in the form of ``redaction.jsonl``."""
        row = {"id": f"{'S' if self.secret else 'B'}{number:04d}", "kind": self.kind, "where": self.where}
        return json.dumps(
            {**row, "input": self.input, "must_not_contain": self.secret, "must_contain": self.context}
        )


def keyed(
    key: str,
    secret: Secret,
    where: str = "attr",
    wrap: Callable[[str], Any] | None = None,
    context: str | None = None,
) -> Make:
    """A key whose value is the secret, or holds it."""

    def make(rng: Rng) -> Row:
        value = secret(rng)
        return Row(where, {"key": key, "value": wrap(value) if wrap else value}, value, context)

    return make


def filled(
    where: str,
    template: str,
    secret: Secret,
    context: str | None = None,
    key: str = "url.full",
    part: Callable[[str], str] | None = None,
) -> Make:
    """A text with ``{s}`` where the secret stands."""

    def make(rng: Rng) -> Row:
        value = secret(rng)
        return Row(
            where, placed(where, template.replace("{s}", value), key), part(value) if part else value, context
        )

    return make


def placed(where: str, text: str, key: str) -> Any:
    """A text in the form of its place."""
    if where == "body":
        return text
    if where == "sql":
        return {"statement": text, "parameters": None}
    if where == "exception":
        trace = f'Traceback (most recent call last):\n  File "app.py", line 3, in f\n    g()\nRuntimeError: {text}\n'
        return {"type": "RuntimeError", "message": text, "stacktrace": trace, "locals": None}
    if where == "header":
        return {"key": key, "value": [text]}
    return {"key": key, "value": text}


def benign(
    where: str, template: str, value: Secret | None = None, key: str = "url.full", context: str | None = None
) -> Make:
    """A harmless text; ``{s}`` is filled with a harmless value."""

    def make(rng: Rng) -> Row:
        text = template.replace("{s}", value(rng)) if value else template
        return Row(where, placed(where, text, key), None, text if context is None else context)

    return make


def benign_key(key: str, value: Any, where: str = "attr") -> Make:
    """A harmless key with a value, or a function that makes one."""

    def make(rng: Rng) -> Row:
        held = value(rng) if callable(value) else value
        return Row(
            where, {"key": key, "value": held}, None, held if isinstance(held, str) else json.dumps(held)
        )

    return make
