"""SQL: literals and parameters by the column that they go to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.expression import expression, holds, word_set
from otel_kit.pipeline.redact.finding import LONGEST_TEXT, Finding, Findings, TooMuchWork
from otel_kit.pipeline.redact.keys import Asks, judge
from otel_kit.pipeline.redact.values import withheld

PARAMETER = "db.query.parameter."
STATEMENT = expression(
    r"\b(?:insert\s+(?:\w+\s+){0,2}into|replace\s+into|update|delete\s+from|select|merge\s+into|values|call|exec(?:ute)?|crypt|encrypt)\b",
    re.I,
)
_INSERT = expression(
    r"\b(?:insert|replace|merge)\s+(?:\w+\s+){0,2}into\s+[\w.\"`\[\]$]{1,200}\s*(?:\(([^()]{0,4000})\)\s*)?"
    r"(?:\w+\s+\w+\s+value\s+)?values?\s*(?=\()",
    re.IGNORECASE,
)  # fmt: skip
_TOKEN = expression(
    r"""
      (?P<string>[NEUneu]?&?'(?:[^'\\]|''|\\.){0,4096}+'|\$(\w{0,20})\$.{0,4096}?\$\2\$)
    | (?P<comment>--[^\n]*|/\*.{0,4096}?\*/)
    | (?P<hole>%\(\w+\)s|%s|\?|\$\d+|@p\d+\b|(?<![:\w]):\d+\b)
    | (?P<named>(?<![:\w@])[:@][A-Za-z_]\w*+|(?<!\w)\$[A-Za-z_]\w*+)
    | (?P<name>"[^"]+"|`[^`]+`|\[\w+\]|[A-Za-z_][\w$.]*+)
    | (?P<open>\()
    | (?P<close>\))
    | (?P<comma>,)
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)  # fmt: skip
_HOLE_NAME = expression(r"(?<!%)[A-Za-z_]\w*+")
_WORDS = word_set(
    """
    and or not in is like ilike between where set values on having when then else case any all some exists as from
    select insert update into null n e with coalesce lower upper trim cast convert binary collate limit offset
    escape similar to rlike regexp
    """
)
_ENDS_A_COLUMN = word_set("and or where set from select to into on values")
_FUNCTION_OF_SECRET = expression(
    r"(?:crypt|encrypt|decrypt|md5|sha\d*|sha2|hash|hashbytes|digest|password|gen_salt|aes_\w+|pgp_sym_\w+|encode|bcrypt|mysql|postgresql|mongodb|remote\w*|s3\w*|gcs|azureblob\w*|dblink\w*|redis|odbc|jdbc|openrowset|opendatasource)$",
    re.I,
)
# What these are given is a password, or the salt.
_OF_PASSWORDS = frozenset(("crypt", "password", "old_password"))
_SHOWN = expression(r"\[SQL: (.{1,16384}?)\]\s{0,4}\[parameters: (.{1,16384}?)\](?=\s|$)", re.DOTALL)
_ITEM = expression(
    r"[bBrRuU]?'(?:[^'\\\n]|\\.)*+'|[bBrRuU]?\"(?:[^\"\\\n]|\\.)*+\"|[\[({]|[\])}]|[^\s,'\"\[\](){}]+"
)
_ECHO = expression(
    r"\[(?:generated in|cached since|raw sql|no key|caching disabled|insertmanyvalues)[^\]\n]{0,120}\]\s{1,4}(?=[(\[{])"
)
_ECHOES = ("[generated in", "[cached since", "[raw sql", "[no key", "[caching disabled", "[insertmanyvalues")
_VERBS = (
    "insert",
    "replace",
    "update",
    "delete",
    "select",
    "merge",
    "values",
    "call",
    "exec",
    "crypt",
    "encrypt",
)
MOST_HOLES, ROWS_REACH, MOST_SHOWN = 1_000, 32_768, 30


def statements(text: str) -> Findings:
    """Literals of INSERT by column, or by their look where no column is named; SQLAlchemy's statement with parameters."""
    done = 0
    lower = text.lower()
    for match in _INSERT.finditer(text) if "into" in lower else ():
        if match.start() >= done:
            columns = _columns(match.group(1))
            for finding in _rows(text, match.end(), columns):
                yield finding
                done = finding.end
            done = max(done, match.end() + ROWS_REACH if len(text) > ROWS_REACH else 0)
    shown = "[parameters:" in text and "[SQL: " in text
    # Each statement without parameters is looked through up to its reach.
    if shown and text.count("[SQL: ") > MOST_SHOWN:
        raise TooMuchWork
    for match in _SHOWN.finditer(text) if shown else ():
        yield from _parameters(match, columns_of_holes(match.group(1)))
    for match in _ECHO.finditer(text) if holds(text, _ECHOES) else ():
        for item in _ITEM.finditer(text, match.end(), min(len(text), match.end() + 2048)):
            if item.group()[0] in "'\"" and looks.strong(item.group()[1:-1]):
                yield Finding(item.start() + 1, item.end() - 1, "sql")
    if holds(lower, _VERBS) and STATEMENT.search(text):
        yield from _wrapped(text)


def _columns(listed: str | None) -> list[str] | None:
    return None if listed is None else [column.strip().strip('"`[]') for column in listed.split(",")]


def _rows(text: str, start: int, columns: list[str] | None) -> Findings:
    """The string literals of the rows behind VALUES."""
    depth, item = 0, 0
    for token in _TOKEN.finditer(text, start, min(len(text), start + ROWS_REACH)):
        kind = token.lastgroup
        if kind == "open":
            depth += 1
            item = 0 if depth == 1 else item
        elif kind == "close":
            depth -= 1
        elif kind == "comma" and depth == 1:
            item += 1
        elif kind == "string" and depth >= 1:
            yield from _literal(token, columns[item] if columns and item < len(columns) else "")
        elif depth <= 0 and kind in ("end", "name"):
            return


def _literal(token: re.Match[str], column: str) -> Findings:
    raw = token.group()
    front = raw.index("'") + 1 if "'" in raw[:3] else raw.index("$", 1) + 1
    value = raw[front : -1 if "'" in raw[:3] else raw.rindex("$", 0, -1)]
    verdict = judge(column) if column else None
    asked = (
        withheld(verdict, value)
        if verdict and verdict.asks not in (Asks.TEXT, Asks.QUANTITY)
        else (not column and looks.strong(value))
    )
    if asked:
        rule = verdict.rule if verdict and verdict.rule else "sql"
        yield Finding(token.start() + front, token.start() + front + len(value), rule)


def _wrapped(text: str) -> Findings:
    """Literals that go to a secret column through an operator, a function or a list: ``token IN ('…', '…')``."""
    column, function = "", ""
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "name" or kind == "named":
            name = token.group().strip('"`[]:@$')
            if name.lower() in _WORDS:
                column = "" if name.lower() in _ENDS_A_COLUMN else column
            elif text[token.end() : token.end() + 1] == "(":
                function = name
            else:
                column = name
        elif kind == "close":
            function = ""
        elif kind == "end":
            column = function = ""
        elif kind == "string" and (column or function):
            yield from _compared(token, column, function)


def _compared(token: re.Match[str], column: str, function: str) -> Findings:
    value = token.group()
    if "'" not in value[:3]:
        return
    front = value.index("'") + 1
    inner = value[front:-1]
    verdict = judge(column.rpartition(".")[2]) if column else None
    if verdict and withheld(verdict, inner.strip("%")):
        yield Finding(token.start() + front, token.end() - 1, verdict.rule)
    elif function and _FUNCTION_OF_SECRET.search(function) and _given(function, inner):
        yield Finding(token.start() + front, token.end() - 1, "sql")


def _given(function: str, value: str) -> bool:
    """Whether a function of secrets is given one: what looks made up, and for a password what a word is not."""
    of_password = function.lower() in _OF_PASSWORDS and len(value) >= 8 and looks.secretish(value)
    return "/" not in value[:8] and (of_password or looks.strong(value))


def columns_of_holes(statement: str) -> list[str]:
    """For each ``?``, ``%s`` or ``$1`` of a statement the column that it is bound to; "" where that is unknown."""
    return [column for hole, column in _holes(statement) if hole.isdigit()]


def bindings(statement: str) -> dict[str, str]:
    """The column of each parameter, by its name (``:name``, ``@name``, ``$name``, ``%(name)s``) or its number from 0 on."""
    return dict(_holes(statement)) if len(statement) < LONGEST_TEXT else {}


def _holes(statement: str) -> Iterator[tuple[str, str]]:
    """The name or number of each hole, and its column; "" where that is unknown."""
    insert = _INSERT.search(statement)
    columns = _columns(insert.group(1)) if insert else None
    holes = depth = item = 0
    column = ""
    for token in _TOKEN.finditer(statement):
        kind = token.lastgroup
        inside = insert is not None and columns is not None and token.start() >= insert.end()
        if kind == "open":
            depth += 1
            item = 0 if inside and depth == 1 else item
        elif kind == "close":
            depth -= 1
        elif kind == "comma":
            item += inside and depth == 1
        elif kind == "name" and not inside:
            name = token.group().strip('"`[]')
            column = (
                column if name.lower() in _WORDS or statement[token.end() : token.end() + 1] == "(" else name
            )
        elif kind == "hole" or kind == "named":
            found = columns[item] if inside and columns and item < len(columns) else column
            found = found.rpartition(".")[2].strip('"`[]')
            # "@p0" has a number and a name.
            if called := _HOLE_NAME.search(token.group()):
                yield called.group(), found
            if kind == "hole" and not token.group().startswith("%("):
                yield str(holes), found
                holes += 1
                if holes > MOST_HOLES:
                    return


def _parameters(match: re.Match[str], holes: Sequence[str]) -> Iterator[Finding]:
    """Positional parameters as ``repr`` prints them: one row, or a list of rows."""
    if not holes:
        return
    text, start, end = match.string, match.start(2), match.end(2)
    index = 0
    for item in _ITEM.finditer(text, start, end):
        head = item.group()[0]
        if head in "[({":
            index = 0
        elif head not in "])}":
            verdict = judge(holes[index]) if index < len(holes) and holes[index] else None
            quoted = item.group()[-1] in "'\""
            front = item.group().find(item.group()[-1]) + 1 if quoted else 0
            value = item.group()[front : -1 if quoted else None]
            if verdict and withheld(verdict, value):
                yield Finding(item.start() + front, item.end() - quoted, verdict.rule)
            index += 1
