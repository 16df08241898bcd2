"""The query language: conditions beside each other all hold, ``or`` and ``not`` are words, brackets group.

::

    level>=error run.id=r-7 duration>1s "card charged"
    (logger=shop or logger~^shop\\.) not event=otel_kit.operation since=1h
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from otel_kit.cli.logs.literal import (
    LEVEL_WORDS,
    VALID_LEVELS,
    VALID_TIMES,
    level_of,
    number_of,
    scaled,
    stamp_of,
)
from otel_kit.cli.logs.needle import Needle, either, in_text, longest_plain
from otel_kit.cli.logs.record import Field, Line, text_of, texts_of

VALID = (
    'Valid: field=value, also != > >= < <= ~ (a regular expression); "some text"; and, or, not, ( ). '
    "Fields: level, logger, event, message, trace, span, service, since, until, any attribute"
)
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<bracket>[()])
      | (?P<field>[A-Za-z_][\w.\-/]*)\s*(?P<operator>!=|!~|>=|<=|=|>|<|~)
        \s*(?P<value>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s()"']+)?
      | (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
      | (?P<word>[^\s()"'=<>!~]+)
    )""",
    re.VERBOSE,
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
SHORTEST_ID = 8
Holds = Callable[[Line], bool]


class QueryError(ValueError):
    """A query that means nothing.

    Args:
        query: the whole of it.
        position: where it goes wrong, from 0.
        wrong: what is wrong there.
        valid: what would be valid.
    """

    def __init__(self, query: str, position: int, wrong: str, valid: str = VALID) -> None:
        super().__init__(f"at {position + 1} of the query: {wrong}\n  {query}\n  {' ' * position}^\n{valid}")


class Condition(NamedTuple):
    """A condition on a record.

    Attributes:
        holds: whether it is true of a record.
        needles: of each, something is in every line that fits.
        fields: the names that it asks for.
        since, until: the times between which each record lies that fits; empty for no limit.
    """

    holds: Holds
    needles: tuple[Needle, ...] = ()
    fields: tuple[str, ...] = ()
    since: str = ""
    until: str = ""


ANYTHING = Condition(lambda line: True)


class _Token(NamedTuple):
    kind: str
    text: str
    position: int
    operator: str = ""
    value: str | None = None
    value_position: int = 0


def parse(query: str) -> Condition:
    """The condition that a query stands for.

    Raises:
        QueryError: it means nothing; says where and what would be valid.
    """
    reader = _Reader(query)
    return reader.whole()


def _tokens(query: str) -> list[_Token]:
    tokens, at = [], 0
    while query[at:].strip():
        found = _TOKEN.match(query, at)
        at += len(query[at:]) - len(query[at:].lstrip())
        if not found:
            wrong = (
                "a quote without its end"
                if query[at] in "\"'"
                else f"{query[at]!r} without a field before it"
            )
            raise QueryError(query, at, wrong)
        kind = found.lastgroup if found.lastgroup not in ("value", "operator") else "field"
        assert kind is not None
        value_at = found.start("value") if found["value"] else found.end()
        tokens.append(_Token(kind, found[kind], at, found["operator"] or "", found["value"], value_at))
        at = found.end()
    return tokens


def _unquoted(text: str) -> str:
    if text[:1] in ('"', "'"):
        return _QUOTED_PAIR.sub(lambda pair: pair[1] if pair[1] in "\"'\\" else pair[0], text[1:-1])
    return text


class _Reader:
    """Reads conditions by descending from ``or`` to ``and`` to ``not``."""

    def __init__(self, query: str) -> None:
        self._query, self._tokens, self._at = query, _tokens(query), 0

    def whole(self) -> Condition:
        if not self._tokens:
            return ANYTHING
        found = self._any()
        if token := self._peek():
            raise QueryError(self._query, token.position, f"{token.text!r} without its beginning")
        return found

    def _peek(self, *words: str) -> _Token | None:
        if self._at == len(self._tokens):
            return None
        token = self._tokens[self._at]
        said = token.text.lower() if token.kind in ("word", "bracket") else ""
        return token if not words or said in words else None

    def _took(self, *words: str) -> bool:
        found = self._peek(*words) is not None
        self._at += found
        return found

    def _any(self) -> Condition:
        found = self._all()
        while self._took("or"):
            found = _either(found, self._all())
        return found

    def _all(self) -> Condition:
        found = self._one()
        while (self._took("and") or self._peek()) and not self._peek("or", ")"):
            found = _both(found, self._one())
        return found

    def _one(self) -> Condition:
        token = self._peek()
        if token is None or self._peek("or", "and", ")"):
            at = token.position if token else len(self._query)
            raise QueryError(self._query, at, "a condition is missing")
        self._at += 1
        if token.kind == "bracket":
            return self._group(token)
        if token.kind == "word" and token.text.lower() == "not":
            return _not(self._one())
        if token.kind == "field":
            return _comparison(self._query, token)
        return _anywhere(_unquoted(token.text))

    def _group(self, opening: _Token) -> Condition:
        found = self._any()
        if not self._took(")"):
            raise QueryError(self._query, opening.position, "a bracket without its end")
        return found


def _both(left: Condition, right: Condition) -> Condition:
    until = min(filter(None, (left.until, right.until)), default="")
    return Condition(
        lambda line: left.holds(line) and right.holds(line),
        left.needles + right.needles,
        left.fields + right.fields,
        max(left.since, right.since),
        until,
    )


def _either(left: Condition, right: Condition) -> Condition:
    return Condition(
        lambda line: left.holds(line) or right.holds(line),
        tuple(either(left.needles, right.needles)),
        left.fields + right.fields,
        min(left.since, right.since),
        max(left.until, right.until) if left.until and right.until else "",
    )


def _not(inner: Condition) -> Condition:
    return Condition(lambda line: not inner.holds(line), fields=inner.fields)


def _anywhere(text: str) -> Condition:
    sought = text.lower()
    return Condition(
        lambda line: any(sought in each.lower() for each in texts_of(line.data)), tuple(in_text(text))
    )


def _comparison(query: str, token: _Token) -> Condition:
    name, operator = token.text, token.operator
    if token.value is None:
        raise QueryError(query, token.value_position, f"a value is missing after {name}{operator}")
    value = _unquoted(token.value)
    if operator.startswith("!"):
        positive = token._replace(operator="~" if operator == "!~" else "=")
        return _not(_comparison(query, positive))
    if operator == "~":
        return _pattern(query, token, name, value)
    if name in ("since", "until", "time"):
        return _time(query, token, name, value)
    if name in ("level", "severity"):
        return _level(query, token, value)
    return _ordered(query, token, value) if operator != "=" else _equal(token, value)


def _pattern(query: str, token: _Token, name: str, value: str) -> Condition:
    try:
        pattern = re.compile(value)
    except re.error as error:
        wrong = f"{value!r} is no regular expression: {error}"
        raise QueryError(
            query, token.value_position, wrong, "Valid: as Python's module re has them"
        ) from None
    field = Field(name)

    def holds(line: Line) -> bool:
        found = field.of(line)
        return found is not None and pattern.search(text_of(found)) is not None

    return Condition(holds, tuple(_key_needles(field)), (name,))


def _time(query: str, token: _Token, name: str, value: str) -> Condition:
    stamp = stamp_of(value)
    if stamp is None:
        wrong = f"{value!r} is no point in time"
        raise QueryError(query, token.value_position, wrong, f"Valid: {VALID_TIMES}")
    if name != "time" and token.operator != "=":
        raise QueryError(query, token.position, f"{name} takes only =", f"Valid: {name}=1h, time>=14:30")
    if name == "time" and token.operator == "=":
        raise QueryError(
            query, token.position, "no record has exactly a time", "Valid: time>=14:30 time<14:35"
        )
    lower = name == "since" or token.operator.startswith(">")
    test = _TESTS[">=" if name == "since" else "<=" if name == "until" else token.operator]

    def holds(line: Line) -> bool:
        found = line.stamp
        return bool(found) and test(found, stamp)

    return Condition(holds, (), (), since=stamp if lower else "", until="" if lower else stamp)


def _level(query: str, token: _Token, value: str) -> Condition:
    wanted = level_of(int(value) if value.isdigit() else value)
    operator = token.operator
    if wanted is None:
        if operator == "=":  # a level of the program's own
            return _equal(token, value)
        wrong = f"{value!r} is no level that has an order"
        raise QueryError(query, token.value_position, wrong, f"Valid: {VALID_LEVELS}")
    words = tuple(
        f'"{word}'.encode()
        for word in LEVEL_WORDS
        if any(_fits(operator, _base(word) + i, wanted) for i in range(4))
    )

    severity = Field("level")

    def holds(line: Line) -> bool:
        found = level_of(severity.of(line))
        return found is not None and _fits(operator, found, wanted)

    return Condition(holds, (Needle(words),) if words else (), ("level",))


def _base(word: str) -> int:
    number = level_of(word)
    assert number is not None
    return number


def _fits(operator: str, level: int, wanted: int) -> bool:
    """``level=error`` is any of the four numbers that OpenTelemetry gives to ERROR."""
    if operator == "=":
        return (level - 1) // 4 == (wanted - 1) // 4
    return _TESTS[operator](level, wanted)


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
}


def _ordered(query: str, token: _Token, value: str) -> Condition:
    field, test = Field(token.text), _TESTS[token.operator]
    given = number_of(value)
    if given is None:
        wrong = f"{value!r} is no number with a unit that is known"
        valid = "Valid: 5, 2.5, 300ms, 1.5s, 2m, 1h, 64kB, 10MB, 1GiB"
        raise QueryError(query, token.value_position, wrong, valid)
    limit = scaled(*given, token.text)

    def holds(line: Line) -> bool:
        found = field.number(line.raw)
        return found is not None and test(found, limit)

    return Condition(holds, tuple(_key_needles(field)), (token.text,))


def _equal(token: _Token, value: str) -> Condition:
    field, given, lowered = Field(token.text), number_of(value), value.lower()
    limit = scaled(*given, token.text) if given else None
    by_beginning = token.text in ("trace", "trace_id", "span", "span_id") and len(value) >= SHORTEST_ID

    def same(found: Any) -> bool:
        if isinstance(found, str):
            return found == value or (by_beginning and found.startswith(lowered))
        if isinstance(found, bool) or found is None:
            return json_word(found) == lowered
        if isinstance(found, int | float):
            return found == limit
        return isinstance(found, list) and any(map(same, found))

    def holds(line: Line) -> bool:
        found = field.of(line)
        return found is not None and same(found)

    needles = _key_needles(field)
    if limit is None and lowered not in ("true", "false", "null") and (plain := longest_plain(value)):
        needles += (
            [Needle((plain.lower().encode(),), folded=True)] if by_beginning else [Needle((plain.encode(),))]
        )
    elif value.isdigit() and len(value) < 16:
        needles.append(Needle((value.lstrip("0").encode() or b"0",)))
    return Condition(holds, tuple(needles), (token.text,))


def json_word(value: bool | None) -> str:
    """A value of JSON that is a word."""
    return "null" if value is None else str(value).lower()


def _key_needles(field: Field) -> list[Needle]:
    keys = field.keys()
    if not keys or longest_plain(field.name) != field.name:
        return []
    return [Needle(tuple(f'{key}"'.encode() for key in keys))]
