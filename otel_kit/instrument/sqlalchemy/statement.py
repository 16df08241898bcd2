"""A statement without its values, and in a few words: which operation on which tables.

Both come from one pass over the statement's tokens. It is no parser: what it does not understand it leaves alone, except
that nothing that could be a literal stays. Quoting differs by database, so there is one expression per :class:`Dialect`.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

LONGEST = 8_192
"""Characters of a statement that are looked at; what follows is not recorded."""

_LONGEST_SUMMARY = 255  # the specification's limit
_KEPT = 512  # statements of each dialect


class Dialect(Enum):
    """How a database quotes: what is a literal in one is a name in the other."""

    STANDARD = "standard"
    BRACKETS = "brackets"  # SQL Server and SQLite have names in [brackets]
    MYSQL = "mysql"  # "text" is a literal, \\' does not end one, and # begins a comment


class Statement(NamedTuple):
    """What is told of a statement.

    Attributes:
        text: with ``?`` for each literal, without comments, lists of values shortened to their first.
        summary: operations and tables in their order, such as ``SELECT orders items``.
        operation: the main operation, such as ``SELECT``.
        collection: the first table that it works on.
    """

    text: str
    summary: str
    operation: str
    collection: str


_PLAIN_TEXT = r"(?:[NnBbXx]|[Uu]&)?'[^']*+(?:''[^']*+)*+(?:'|\Z)"
_ESCAPED_TEXT = r"'(?:[^'\\]|\\.|'')*+(?:'|\\?\Z)"
_QUOTED_NAME = r'"[^"]*+(?:""[^"]*+)*+(?:"|\Z)'
_BACKTICKS = r"`[^`]*+(?:`|\Z)"
_WORD = r"[^\W\d][\w$#]*+"
_TEXTS = {
    Dialect.STANDARD: rf"[Ee]{_ESCAPED_TEXT}|{_PLAIN_TEXT}|\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)",
    Dialect.BRACKETS: _PLAIN_TEXT,
    Dialect.MYSQL: rf"(?:[NnBbXx]|_\w+\s*)?(?:{_ESCAPED_TEXT}|" + _ESCAPED_TEXT.replace("'", '"') + ")",
}
_NAMES = {
    Dialect.STANDARD: f"{_QUOTED_NAME}|{_BACKTICKS}|{_WORD}",
    Dialect.BRACKETS: rf"{_QUOTED_NAME}|{_BACKTICKS}|\[[^\]]*+(?:\]|\Z)|{_WORD}",
    Dialect.MYSQL: f"{_BACKTICKS}|{_WORD}",
}
_TOKENS = {
    dialect: re.compile(
        rf"""
          (?P<space>\s++)
        | (?P<comment>--[^\n]*+|/\*.*?(?:\*/|\Z){"|[#][^" + chr(92) + "n]*+" if dialect is Dialect.MYSQL else ""})
        | (?P<text>{_TEXTS[dialect]})
        | (?P<hole>%\(\w+\)s|%s|\?|::?\w+|[$@]\w+)
        | (?P<number>\d[\w.]*+)
        | (?P<name>(?:{_NAMES[dialect]})(?:\s*+\.\s*+(?:{_NAMES[dialect]}))*+)
        | (?P<other>.)
        """,
        re.VERBOSE | re.DOTALL,
    )
    for dialect in Dialect
}
_HOLE = r"(?:\?|%s|%\(\w+\)s|:\w+|[$@]\w+)(?:::[\w ]+)?"
# Also where the end is missing, because no more was looked at.
_LIST = re.compile(rf"(\bIN\s*+\()\s*+{_HOLE}(?:\s*+,\s*+{_HOLE})++(?:\s*+\)|\s*+,?\s*+\Z)", re.IGNORECASE)
_ROWS = re.compile(
    r"(\bVALUES\s*+\([^()]*+\))(?:\s*+,\s*+\([^()]*+(?:\)|\Z))++(?:\s*+,\s*+\Z)?", re.IGNORECASE
)
_QUOTES = str.maketrans("", "", '"`[]')


@lru_cache(maxsize=_KEPT * len(Dialect))
def _described(head: str, dialect: Dialect) -> Statement:
    return _Reader().read(head, _TOKENS[dialect])


def describe(statement: str, dialect: Dialect = Dialect.STANDARD) -> Statement:
    """What is told of a statement; of one that is longer than :data:`LONGEST`, of its beginning."""
    found = _described(statement[:LONGEST], dialect)
    return found if len(statement) <= LONGEST else found._replace(text=f"{found.text} ...")


_VERBS_INSIDE = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_DEFINING = frozenset({"CREATE", "ALTER", "DROP", "TRUNCATE"})
_KINDS = frozenset(
    {"TABLE", "INDEX", "VIEW", "SEQUENCE", "TYPE", "SCHEMA", "DATABASE", "TRIGGER", "FUNCTION"}
)
_BEFORE_TABLE = frozenset({"FROM", "JOIN", "INTO", "UPDATE", "USING"})
_BETWEEN = frozenset({"IF", "NOT", "EXISTS", "ONLY", "LATERAL", "IGNORE", "OR", "CONCURRENTLY"})
_FIRST = frozenset({"", ";", "EXPLAIN", "ANALYZE", "VERBOSE"})
_STARTS = _FIRST | {"(", ")"}
_FROM_INSIDE = frozenset({"EXTRACT", "TRIM", "SUBSTRING", "OVERLAY", "POSITION"})
_ENDS_LIST = frozenset(
    {"WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "SET", "ON", "UNION", "EXCEPT", "INTERSECT", "RETURNING",
     "VALUES", "FETCH", "OFFSET", "FOR", "WINDOW"}
)  # fmt: skip


class _Reader:
    """Reads one statement, token by token."""

    def __init__(self) -> None:
        self.before = ""  # the token before, in capitals
        self.summary: list[str] = []
        self.length = 0
        self.operation = self.collection = self.kind = ""
        self.due = False  # a table's name comes next
        self.listing = False  # more tables come after commas
        self.outer: list[
            tuple[bool, bool]
        ] = []  # for each open parenthesis: listing, and whether FROM is no clause
        self.inside_function = False
        self.naming = False  # between WITH and the statement proper
        self.named: set[str] = set()

    def read(self, statement: str, tokens: re.Pattern[str]) -> Statement:
        """Go through the tokens once."""
        parts: list[str] = []
        for token in tokens.finditer(statement):
            kind, text = token.lastgroup, token.group()
            if kind == "name":
                self._word(text, text.upper())
            elif kind == "other":
                self._sign(text)
            elif kind == "comment":
                text = " "
            elif kind != "space":
                text = text if kind == "hole" else "?"
                self.before, self.due = "?", False
            parts.append(text)
        text = _ROWS.sub(r"\1", _LIST.sub(r"\1?)", "".join(parts))).strip()
        return Statement(text, " ".join(self.summary), self.operation, self.collection)

    def _sign(self, sign: str) -> None:
        if sign == "(":
            self.outer.append((self.listing, self.inside_function))
            self.inside_function = self.before in _FROM_INSIDE
            self.due = self.listing = False
        elif sign == ")" and self.outer:
            self.listing, self.inside_function = self.outer.pop()
        elif sign == ",":
            self.due = self.listing
        elif sign == ";":
            self.due = self.listing = False
        self.before = sign

    def _word(self, name: str, word: str) -> None:
        before, self.before = self.before, word
        if word == "WITH" and before in _STARTS and not self.operation:
            self.naming = True
        elif self.naming and not self.outer and before in ("WITH", "RECURSIVE", ","):
            if word != "RECURSIVE":
                self.named.add(word)
        elif self._is_verb(word, before):
            self._verb(word)
        elif word in _BEFORE_TABLE:
            self._before_table(word, before)
        elif word in _ENDS_LIST:
            self.due = self.listing = False
        elif self.kind == "?" and word in _KINDS:
            self._say(word)
            self.kind, self.due = word, True
        elif self.due and word not in _BETWEEN:
            self._table(name)

    def _is_verb(self, word: str, before: str) -> bool:
        if word == "SELECT" or (word in _VERBS_INSIDE and before in _STARTS):
            return True
        return before in _FIRST and not self.naming and (not self.operation or before == ";")

    def _verb(self, word: str) -> None:
        if self.summary[-1:] != ["SELECT"] or word != "SELECT":
            self._say(word)
        if not self.operation or (self.naming and not self.outer):
            self.operation = word
            self.naming = self.naming and bool(self.outer)
        self.kind = "?" if word in _DEFINING else ""
        self.due, self.listing = word == "UPDATE", False

    def _before_table(self, word: str, before: str) -> None:
        compared = word == "FROM" and before == "DISTINCT"  # IS DISTINCT FROM
        locking = word == "UPDATE"  # FOR UPDATE, ON DUPLICATE KEY UPDATE
        self.due = bool(self.operation) and not (self.inside_function or compared or locking)
        self.listing = self.due and word == "FROM"

    def _table(self, name: str) -> None:
        self.due = False
        table = name.translate(_QUOTES)
        if table.upper() not in self.named:
            if self.kind in ("", "TABLE", "VIEW"):
                self.collection = self.collection or table
            self._say(table)

    def _say(self, word: str) -> None:
        if self.length + len(word) < _LONGEST_SUMMARY:
            self.summary.append(word)
            self.length += len(word) + 1
