"""The redactor: keys and values in, the same without their secrets out.

The way of a value: the verdict on its key (cached), then, for texts, a prefilter that knows the words that it has seen, and
only for a text with something in it the detectors. What is fine comes back as the object that it is.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from otel_kit import _guard
from otel_kit.pipeline.limit import clean_value
from otel_kit.pipeline.redact import arguments, detectors, looks, sql
from otel_kit.pipeline.redact.cookies import cookie_rule
from otel_kit.pipeline.redact.counts import count
from otel_kit.pipeline.redact.expression import expression
from otel_kit.pipeline.redact.finding import LONGEST_TEXT, Finding, TooMuchWork, marker, settle, spliced
from otel_kit.pipeline.redact.keys import PLAIN, QUANTITY, Asks, Verdict, judge, words_of
from otel_kit.pipeline.redact.keys import personal as personal_key
from otel_kit.pipeline.redact.named import Known, named_rows, named_verdicts
from otel_kit.pipeline.redact.nested import replaced
from otel_kit.pipeline.redact.pairs import authorization
from otel_kit.pipeline.redact.personal import may_be_personal
from otel_kit.pipeline.redact.personal import withheld as personal_withheld
from otel_kit.pipeline.redact.prefilter import Prefilter
from otel_kit.pipeline.redact.rules import Rules
from otel_kit.pipeline.redact.scan import Scan, echoes
from otel_kit.pipeline.redact.secret import is_secret
from otel_kit.pipeline.redact.values import withheld

DEEPEST = 16
MOST_PARTS = 10_000
# Of one record or span, as looked at by the detectors; what is beyond is withheld, so that an item's time is bounded.
MOST_TEXT_OF_AN_ITEM = 262_144
SHORTEST = 6
LONGEST_CACHED, MOST_CACHED = 512, 4_096

DROPPED = object()
# What somebody may do with secrets: {"secrets": ["get", "list"]}.
_ACTIONS = frozenset(
    ("get", "list", "read", "write", "create", "delete", "update", "watch", "set", "manage", "*")
)
# Keys that add nothing to what their parent says: {"db_password": {"value": …, "sensitive": true}}.
_NEUTRAL = frozenset(
    (
        "value",
        "values",
        "raw",
        "old",
        "new",
        "current",
        "previous",
        "plaintext",
        "plain",
        "text",
        "content",
        "data",
        "default",
    )
)
# Too short for a secret without a key, and without a sign that joins a key with its value; or an id.
_ID = r"[0-9a-f]{16,64}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# The letters are written out: a class of characters that names another class costs twice as much.
_SHORT = expression(rf"[A-Za-z0-9_./#\-+(),;]{{1,15}}+|{_ID}")
# Too few digits for a number that is personal, and at the end only: "/orders/1234".
_SHORT_PERSONAL = expression(
    rf"[^\W\d]{{1,15}}|(?=.{{1,15}}\Z)(?:/?[A-Za-z_]++)++(?:[/_#\-][0-9]{{1,6}}+)?|{_ID}"
)
_NAME = expression(r"\w[\w.\-]{1,79}")
_NEVER = expression(r"(?!)")
_STATEMENTS, _PARAMETERS = (
    ("statement", "sql", "query", "db.statement", "db.query.text"),
    ("parameters", "params", "args", "bind", "binds", "values", "arguments", "variables"),
)


class Redactor:
    """Takes secrets out of keys, values and texts. Thread-safe; never raises.

    Args:
        rules: what to redact; default: secrets.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.off = self.rules.mode == "off"
        self._key_of_hashes = self.rules.hashing_key() or secrets.token_bytes(32)
        self._actions = {tuple(words_of(key)): action for key, action in self.rules.keys.items()}
        self._scan, self._prefilter = Scan(self.rules), Prefilter()
        self.verdicts: dict[str, Known] = {}
        self.open_keys: dict[str, bool] = {}
        self.clean: set[str] = set()
        self._item = threading.local()
        shape = _SHORT_PERSONAL if self.rules.personal else _SHORT
        self.plain = (_NEVER if self.rules.patterns else shape).fullmatch
        self.charged = False
        # Scopes without secrets by their ids; they are held, so that no other object gets one's id.
        self.known_scopes: dict[int, object] = {}
        self.last_scope: object = None

    # keys

    def verdict(self, key: str) -> Known:
        """The verdict on a key, the action of a user's rule for it, and whether only its texts are of interest."""
        known = self.verdicts.get(key)
        if known is None:
            if len(self.verdicts) >= MOST_CACHED:
                self.verdicts.clear()
                self.open_keys.clear()
            verdict, action = self._judge(key)
            known = self.verdicts[key] = verdict, action, verdict is PLAIN or verdict is QUANTITY
            if known[2] and not action and self.key(key) is key:
                self.open_keys[key] = verdict is PLAIN
        return known

    def _judge(self, key: str) -> tuple[Verdict, str]:
        if type(key) is not str:
            return PLAIN, ""
        verdict = judge(key)
        action = self._action(key) if self._actions else ""
        if action == "keep":
            return PLAIN, ""
        if (
            not action
            and self.rules.personal
            and verdict.asks in (Asks.TEXT, Asks.QUANTITY, Asks.RANDOM)
            and (rule := personal_key(key))
        ):
            return Verdict(Asks.NOTHING, rule, "personal"), ""
        return (Verdict(Asks.NOTHING, "custom"), action) if action else (verdict, "")

    def _action(self, key: str) -> str:
        words = tuple(words_of(key))
        return next((self._actions[words[i:]] for i in range(len(words)) if words[i:] in self._actions), "")

    def key(self, key: str, surface: str = "key") -> str:
        """A key without secrets in it; nearly always the key itself."""
        if self.off or type(key) is not str or key in self.clean:
            return key
        shown = self.text(key, surface)
        # Two keys that held two secrets stay two keys.
        return key if shown is key else f"{shown}#{self.digest(key)}"

    # values

    def value(self, key: str, value: Any, surface: str = "attribute") -> Any:
        """A value without secrets; the same object if there was nothing to do.

        Args:
            key: its key.
            value: anything at all.
            surface: where it stands, for the counts.

        Returns:
            The value, or :data:`DROPPED` where a user's rule says ``drop``.
        """
        if self.off:
            return value
        known = self.verdicts.get(key)
        if known is None:
            known = self.verdict(key) if isinstance(key, str) else (PLAIN, "", True)
        kind = type(value)
        if kind is str and known[2] and value in self.clean:
            return value
        if kind is bool or value is None or kind is float:
            return value if not known[1] else self._acted(known, value, surface)
        try:
            if known[1]:
                return self._acted(known, value, surface)
            return self._walk(known[0], value, surface, _Walk())
        except TooMuchWork:
            return self._marked("too long", surface)
        except Exception as error:
            return self._failed(error, surface)

    def text(self, text: str, surface: str = "text", *, cards: bool = True) -> str:
        """A text without secrets; the same object if there was nothing to do.

        Args:
            text: the text.
            surface: where it stands, for the counts.
            cards: whether numbers may be cards; not where the key names a quantity.
        """
        if self.off or text in self.clean or len(text) < SHORTEST:
            return text
        if " " not in text:
            if self.plain(text) and not text.isdigit():
                return text
        elif self._familiar(text):
            return text
        try:
            return self._text(text, surface, cards=cards)
        except TooMuchWork:
            return self._marked("too long", surface)
        except Exception as error:
            return self._failed(error, surface)

    def _familiar(self, text: str) -> bool:
        """Whether a text differs from a harmless one in a few digits, and these are nobody's number."""
        return (
            not self.rules.patterns
            and self._prefilter.familiar(text)
            and not (self.rules.personal and may_be_personal(text.lower()))
        )

    def statement(self, statement: str, parameters: Any, surface: str = "sql") -> tuple[str, Any]:
        """A SQL statement and its parameters: those that are bound by position are judged by their columns."""
        if self.off:
            return statement, parameters
        try:
            return self.text(statement, surface), self._bound(statement, parameters, surface)
        except Exception as error:
            return self._failed(error, surface), self._marked("error", surface)

    def digest(self, value: object) -> str:
        """Eight hexadecimal digits that are equal for equal values, and tell nothing else."""
        data = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, key=self._key_of_hashes, digest_size=4).hexdigest()

    def begin(self) -> None:
        """A new record or span begins: its texts may cost as much as any other's."""
        self._item.spent = 0

    def _acted(self, known: Known, value: Any, surface: str) -> Any:
        action = known[1]
        if value is None or value == "":
            return value
        count("custom", surface)
        if action == "drop":
            return DROPPED
        shown = value if isinstance(value, str) else _revealed(value)
        if action == "hash":
            data = str(shown).encode("utf-8", "surrogatepass")
            return f"[hash:{hashlib.blake2b(data, key=self._key_of_hashes, digest_size=8).hexdigest()}]"
        if action == "mask":
            return "****" + (str(shown)[-4:] if len(str(shown)) >= 8 else "")
        return marker("custom")

    def _walk(self, verdict: Verdict, value: Any, surface: str, walk: _Walk) -> Any:
        kind = type(value)
        if kind is str:
            return self._string(verdict, value, surface)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int:
            return self._number(verdict, value, surface)
        if is_secret(value):
            return self._marked("secret", surface)
        if isinstance(value, bytes | bytearray):
            return self._bytes(verdict, bytes(value), surface)
        fields = getattr(kind, "_fields", None)
        if fields and isinstance(value, tuple) and len(fields) == len(value):
            return self._row(fields, tuple(value), surface)
        if kind is not dict and kind is not list and kind is not tuple:
            if (named := named_rows(value)) and not all(map(self._says_nothing, named[0])):
                names, rows = named
                return [
                    self._row(names, row, surface)
                    if isinstance(row, tuple)
                    else self._row(names, (row,), surface)[0]
                    for row in rows
                ]
            plain = clean_value(value)
            return value if _simple(plain) and plain is value else self._walk(verdict, plain, surface, walk)
        return self._container(verdict, value, surface, walk)

    def _says_nothing(self, name: str) -> bool:
        """Whether a name asks nothing of its values."""
        verdict, action, _ = self.verdict(name)
        return verdict.asks in (Asks.TEXT, Asks.QUANTITY) and not action

    def _container(self, verdict: Verdict, value: Any, surface: str, walk: _Walk) -> Any:
        if walk.depth >= DEEPEST:
            return self._marked("too deep", surface)
        walk.parts += len(value)
        if walk.parts > MOST_PARTS:
            return self._marked("too long", surface)
        if id(value) in walk.inside:
            return "[cycle]"
        walk.inside.add(id(value))
        walk.depth += 1
        try:
            if isinstance(value, dict):
                return self._mapping(verdict, value, surface, walk)
            return self._sequence(verdict, value, surface, walk)
        finally:
            walk.inside.discard(id(value))
            walk.depth -= 1

    # texts under a key

    def _string(self, verdict: Verdict, value: str, surface: str) -> str:
        asks = verdict.asks
        if asks is Asks.TEXT or asks is Asks.QUANTITY:
            if verdict.carrier:
                return self._carried(verdict, value, surface)
            return self._text(value, surface, cards=asks is Asks.TEXT)
        if verdict.carrier == "authorization":
            return self._carried(verdict, value, surface)
        if verdict.carrier == "personal":
            return (
                self._marked(verdict.rule, surface)
                if personal_withheld(verdict.rule, value)
                else self._text(value, surface)
            )
        if withheld(verdict, value) and value not in self.rules.exempt_values:
            return self._marked(verdict.rule, surface)
        return self._text(value, surface)

    def _carried(self, verdict: Verdict, value: str, surface: str) -> str:
        """A header, a cookie, a query or a command whose notation the key tells."""
        carrier = verdict.carrier
        if len(value) >= LONGEST_TEXT:
            return self._marked("too long", surface)
        if carrier == "authorization":
            return self._text(
                self._replaced(value, list(authorization(value, 0, len(value))), surface), surface
            )
        if carrier == "cookie":
            return self._cookies(value, surface)
        if carrier == "query" and value[:1] not in "?#" and "=" in value[:200]:
            shown = self._text("?" + value, surface)
            return value if shown == "?" + value else shown[1:]
        return self._text(value, surface, cards=verdict.asks is Asks.TEXT)

    def _cookies(self, value: str, surface: str) -> str:
        found = []
        for part in re.finditer(r"([^=;\s][^=;]{0,255})=([^;]*)", value):
            rule = cookie_rule(part.group(1).strip(), part.group(2).strip())
            if rule:
                found.append(Finding(part.start(2), part.end(2), rule))
        # A cookie header without names is one opaque value.
        if not found and "=" not in value.rstrip("=") and looks.opaque(value.strip(), 12, digests=True):
            found.append(Finding(0, len(value), "cookie"))
        return self._text(self._replaced(value, found, surface), surface)

    def _number(self, verdict: Verdict, value: int, surface: str) -> Any:
        asks = verdict.asks
        if asks is Asks.TEXT:
            if (
                10**12 <= value < 10**19
                and str(value) not in self.rules.exempt_values
                and len(str(value)) in (15, 16)
                and detectors.card(str(value))
            ):
                return self._marked("card", surface)
            return value
        if (
            asks is Asks.QUANTITY
            or (asks is Asks.NOTHING and -1000 < value < 1000)
            or asks in (Asks.WORDLESS, Asks.RANDOM)
        ):
            return value
        return self._marked(verdict.rule, surface) if withheld(verdict, str(value)) else value

    def _bytes(self, verdict: Verdict, value: bytes, surface: str) -> Any:
        if len(value) >= LONGEST_TEXT:
            return self._marked("too long", surface)
        text = value.decode("utf-8", "surrogateescape")
        shown = self._string(verdict, text, surface)
        return value if shown is text else shown.encode("utf-8", "surrogateescape")

    # containers

    def _mapping(self, verdict: Verdict, value: Mapping[Any, Any], surface: str, walk: _Walk) -> Any:
        verdicts = named_verdicts(value, self.verdict) if len(value) <= 32 else {}
        bound = (
            {**self._statement_parameters(value, surface), **self._rows(value, surface)}
            if len(value) <= 32
            else {}
        )
        holder = (
            verdict.rule in ("secret", "credential", "password", "token", "api_key")
            or verdict.carrier == "holder"
        )
        copy: dict[Any, Any] = {}
        same = True
        for key, item in list(value.items()):
            name = key if type(key) is str else str(key)
            own, action, _ = verdicts.get(name) or self.verdict(name)
            if own.asks is not Asks.NOTHING and not action and holder and name.lower() in _NEUTRAL:
                own = verdict
            elif own is PLAIN and holder and not action:
                own = Verdict(
                    Asks.WORDLESS, verdict.rule or "secret", "holder" if verdict.asks is Asks.WORDLESS else ""
                )
            if action:
                shown = self._acted((own, action, False), item, surface)
            else:
                shown = bound[name] if name in bound else self._walk(own, item, surface, walk)
            shown_key = self.key(key, surface) if type(key) is str else key
            same = same and shown is item and shown_key is key
            if shown is not DROPPED:
                copy[shown_key] = shown
        return value if same else copy

    def _statement_parameters(self, value: Mapping[Any, Any], surface: str) -> dict[str, Any]:
        """Parameters that stand beside their statement: ``{"statement": …, "parameters": [...]}``."""
        statement = next((value[name] for name in _STATEMENTS if isinstance(value.get(name), str)), None)
        if statement is None or not any(map(statement.__contains__, "?%$:@")):
            return {}
        found: dict[str, Any] = {}
        for name in _PARAMETERS:
            if isinstance(value.get(name), list | tuple | dict):
                found[name] = self._bound(statement, value[name], surface)
        columns = sql.bindings(statement)
        for name, item in value.items():
            if isinstance(name, str) and name.startswith(sql.PARAMETER):
                shown = self.bound(columns, name, item, surface)
                if shown is not item:
                    found[name] = shown
        return found

    def _rows(self, value: Mapping[Any, Any], surface: str) -> dict[str, Any]:
        """A table as data: ``{"columns": ["user", "password"], "rows": [[…]]}``."""
        columns = value.get("columns") or value.get("fields")
        if not isinstance(columns, list | tuple) or not all(isinstance(name, str) for name in columns):
            return {}
        found: dict[str, Any] = {}
        for name in ("row", "rows", "data", "values"):
            rows = value.get(name)
            if isinstance(rows, list | tuple) and rows and all(isinstance(row, list | tuple) for row in rows):
                found[name] = [self._row(columns, row, surface) for row in rows[:1000]]
            elif isinstance(rows, list | tuple) and len(rows) == len(columns):
                found[name] = self._row(columns, rows, surface)
        return found

    def _bound(self, statement: str, parameters: Any, surface: str) -> Any:
        if isinstance(parameters, list | tuple) and parameters and len(statement) < LONGEST_TEXT:
            holes = sql.columns_of_holes(statement)
            if all(isinstance(row, list | tuple) for row in parameters):
                rows = [self._row(holes, row, surface) for row in parameters[:1000]]
                return (
                    parameters
                    if all(map(_is, rows, parameters))
                    else (tuple(rows) if type(parameters) is tuple else rows)
                )
            if isinstance(parameters[0], dict):
                columns = sql.bindings(statement)
                shown = [self._by_name(columns, row, surface) for row in parameters[:1000]]
                return parameters if all(map(_is, shown, parameters)) else shown
            return self._row(holes, parameters, surface)
        if isinstance(parameters, dict):
            return self._by_name(sql.bindings(statement), parameters, surface)
        return self.value("parameters", parameters, surface)

    def _by_name(self, columns: Mapping[str, str], parameters: Any, surface: str) -> Any:
        """Parameters that are bound by name, judged by their names and by their columns."""
        shown = self.value("parameters", parameters, surface)
        if not isinstance(shown, dict):
            return shown
        bound = {name: self.bound(columns, name, item, surface) for name, item in shown.items()}
        return shown if all(map(_is, bound.values(), shown.values())) else bound

    def _row(self, holes: Sequence[str], row: Sequence[Any], surface: str) -> Any:
        shown = [
            self.value(holes[i] if i < len(holes) else "parameter", item, surface)
            for i, item in enumerate(row)
        ]
        shown = [item if item is not DROPPED else marker("custom") for item in shown]
        return row if all(map(_is, shown, row)) else tuple(shown) if type(row) is tuple else shown

    def bound(self, columns: Mapping[str, str], name: Any, item: Any, surface: str) -> Any:
        """A parameter of a statement, judged by the column that it is bound to."""
        column = columns.get(str(name).removeprefix(sql.PARAMETER).lstrip(":@$")) or "parameter"
        shown = self.value(column, item, surface)
        return marker("custom") if shown is DROPPED else shown

    def _sequence(self, verdict: Verdict, value: Sequence[Any], surface: str, walk: _Walk) -> Any:
        if verdict.rule == "secret" and all(type(item) is str and item.lower() in _ACTIONS for item in value):
            return value
        special = self._special_elements(verdict, value, surface)
        shown = []
        for index, item in enumerate(value):
            if index in special:
                shown.append(special[index])
            else:
                own, action, _ = (
                    self.verdict(str(value[0])) if index == 1 and _is_pair(value) else (verdict, "", False)
                )
                walked = (
                    self._acted((own, action, False), item, surface)
                    if action
                    else self._walk(own if own is not PLAIN else verdict, item, surface, walk)
                )
                shown.append(marker("custom") if walked is DROPPED else walked)
        if all(map(_is, shown, value)):
            return value
        return tuple(shown) if type(value) is tuple else shown

    def _special_elements(self, verdict: Verdict, value: Sequence[Any], surface: str) -> dict[int, Any]:
        """Elements that their neighbour in front gives away: options of a command, headers in a flat list."""
        if len(value) < 2 or len(value) > 1_000 or not any(map(_hints, value)):
            return {}
        found: dict[int, Any] = {}
        for index, (start, end, rule) in arguments.secret_arguments(value).items():
            found[index] = self._replaced(value[index], [Finding(start, end, rule)], surface)
        if len(value) % 2 == 0 and all(isinstance(item, str) for item in value):
            for index in range(0, len(value), 2):
                own, action, _ = self.verdict(value[index])
                if (
                    own.asks not in (Asks.TEXT, Asks.QUANTITY, Asks.RANDOM)
                    and not action
                    and index + 1 not in found
                    and _names(value[index])
                    and not (len(value) > 2 and _names(value[index + 1]))
                ):
                    found[index + 1] = self._string(own, value[index + 1], surface)
        return found

    # texts

    def _text(self, text: str, surface: str, *, cards: bool = True) -> str:
        if text in self.clean or len(text) < SHORTEST:
            return text
        if len(text) >= LONGEST_TEXT:
            return self._marked("too long", surface)
        harmless = not self.rules.patterns and self._prefilter.harmless(text)
        if not harmless:
            self._spend(text)
            found = settle(self._findings(text, cards=cards))
        elif self.rules.personal and may_be_personal(text.lower()):
            found = settle(self._scan.personal(text))
        else:
            found = []
        if not found:
            if cards or harmless:
                self._remember(text)
            return text
        return self._replaced(text, found, surface)

    def _spend(self, text: str) -> None:
        if len(text) > 1_024:
            self.charged = True
            spent = self._item.spent = getattr(self._item, "spent", 0) + len(text)
            if spent > MOST_TEXT_OF_AN_ITEM:
                raise TooMuchWork

    def _remember(self, text: str) -> None:
        if len(text) <= LONGEST_CACHED:
            if len(self.clean) >= MOST_CACHED:
                self.clean.clear()
            self.clean.add(text)

    def _findings(self, text: str, *, cards: bool) -> list[Finding]:
        found = self._scan.findings(text, cards=cards)
        if text[:1] in "{[" and text[-1:] in "}]":
            found += self._scan.not_exempt(text, self._json(text))
        return [*found, *echoes(text, found)]

    def _json(self, text: str) -> list[Finding]:
        """What the structure of a JSON text gives away, at the places where the text has it."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return []
        found: list[Finding] = []
        for value, rule in _withheld_leaves(data, self):
            written = json.dumps(value)[1:-1]
            for form in {written, json.dumps(value, ensure_ascii=False)[1:-1]}:
                at = text.find(form) if len(form) >= 4 else -1
                while at >= 0 and len(found) < 1_000:
                    found.append(Finding(at, at + len(form), rule))
                    at = text.find(form, at + len(form))
        return found

    def _replaced(self, text: str, found: Sequence[Finding], surface: str) -> str:
        if not found:
            return text
        for finding in found:
            count(finding.rule, surface)
        return spliced(text, found)

    def _marked(self, rule: str, surface: str) -> str:
        count(rule, surface)
        return marker(rule)

    def _failed(self, error: Exception, surface: str) -> str:
        _guard.contained("redact", error)
        return self._marked("error", surface)


class _Walk:
    """Where in a nested value the redactor is, and how much of it it has seen."""

    __slots__ = ("depth", "inside", "parts")

    def __init__(self) -> None:
        self.depth = self.parts = 0
        self.inside: set[int] = set()


def _is(one: object, other: object) -> bool:
    return one is other


def _simple(value: Any) -> bool:
    return value is None or type(value) in (bool, int, float, str)


def _revealed(value: Any) -> Any:
    return value.reveal() if hasattr(value, "reveal") else value


def _hints(item: object) -> bool:
    """Whether an element of a list is an option, or names a header or key."""
    return isinstance(item, str) and 1 < len(item) <= 80 and (item[0] in "-/" or _names(item))


def _names(item: str) -> bool:
    return _NAME.fullmatch(item) is not None and judge(item).asks not in (
        Asks.TEXT,
        Asks.QUANTITY,
        Asks.RANDOM,
    )


def _is_pair(value: Sequence[Any]) -> bool:
    """Whether a list is a key with its value; a line of a program with an assignment is no key."""
    if len(value) != 2 or not isinstance(value[0], str | bytes) or len(value[0]) > 128:
        return False
    return isinstance(value[0], bytes) or not ("=" in value[0] and '"' in value[0])


def _withheld_leaves(data: Any, redactor: Redactor) -> list[tuple[str, str]]:
    """Strings of a parsed JSON text that the walk over the structure would replace as a whole, each with its rule."""
    shown = redactor._walk(PLAIN, data, "", _Walk())
    found: list[tuple[str, str]] = []
    replaced(data, shown, found)
    return found
