"""What a setting's value may be: small checkers, each for a Python value and for the text of a variable.

A checker returns the value in its normal form or raises ``ValueError``, without quoting what was given: it may be a
secret. The rules for texts are those of the OpenTelemetry specification for environment variables.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import unquote

from otel_kit.context.parts import PARTS
from otel_kit.instrument import LIBRARIES, instrumentors
from otel_kit.setup.urls import MASK, is_url
from otel_kit.signals.logs.levels import parse_levels

# A timeout of 0 means "no limit"; the specification lets us read that as a very long time.
NO_LIMIT = 86_400.0
LONGEST_TEXT = 1_024
LARGEST_COUNT = 2**31 - 1
SIGNALS = ("traces", "metrics", "logs")

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NAME = re.compile(r"[A-Za-z_][\w.\-]*", re.ASCII)
_HOST = re.compile(r"[\w.\-*:\[\]]{1,253}")


class Kind(NamedTuple):
    """A sort of value.

    Attributes:
        valid: what is valid as a keyword argument or in a file, in words.
        value: checks and normalises a Python value.
        text: the same for the text of a variable.
        valid_text: what is valid in a variable, where that differs.
        unit: the unit of the value as keyword argument, UCUM.
    """

    valid: str
    value: Callable[[Any], Any]
    text: Callable[[str], Any]
    valid_text: str = ""
    unit: str = ""


class UnknownNameError(ValueError):
    """A value is wrong because of a name in it.

    Attributes:
        hint: the nearest name that is right, as words, or empty.
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__()
        from difflib import get_close_matches  # only here: a program without mistakes need not load it

        near = get_close_matches(name, sorted(known), n=1, cutoff=0.5)
        self.hint = f"did you mean {near[0]!r}?" if near else ""


class Headers(dict[str, str]):
    """Headers of a request; their values never show in a ``repr``."""

    def __repr__(self) -> str:
        return repr(dict.fromkeys(self, MASK))

    __str__ = __repr__


def require(holds: bool) -> None:
    if not holds:
        raise ValueError


# texts


def _text(value: Any) -> str:
    require(isinstance(value, str))
    stripped: str = value.strip()
    require(0 < len(stripped) <= LONGEST_TEXT and stripped.isprintable())
    return stripped


def _file(value: Any) -> str:
    path = _text(os.fspath(value) if isinstance(value, os.PathLike) else value)
    require(os.path.isfile(path) and os.access(path, os.R_OK))
    return path


def _directory(value: Any) -> str:
    path = os.path.abspath(_text(os.fspath(value) if isinstance(value, os.PathLike) else value))
    present = path
    while not os.path.exists(present) and present != os.path.dirname(present):
        present = os.path.dirname(present)
    require(os.path.isdir(present) and os.access(present, os.W_OK | os.X_OK))
    return path


def _writable(value: Any) -> str:
    path = os.path.abspath(_text(os.fspath(value) if isinstance(value, os.PathLike) else value))
    require(
        os.access(path if os.path.exists(path) else os.path.dirname(path), os.W_OK)
        and not os.path.isdir(path)
    )
    return path


def _path(value: Any) -> str:
    return os.path.abspath(_text(os.fspath(value) if isinstance(value, os.PathLike) else value))


def _file_to_be(text: str) -> str:
    """By a variable also a file whose folder is not there yet: who writes to it has to say that it cannot."""
    path = _path(text)
    require(not os.path.isdir(path))
    return path


def _levels(value: Any) -> str:
    text = _text(value)
    parse_levels(text)
    return text


TEXT = Kind(f"a text of 1 to {LONGEST_TEXT:,} printable characters", _text, _text)
FILE = Kind("the path of a readable file", _file, _file)
PATH = Kind("the path of a directory", _path, _path)
DIRECTORY = Kind("the path of a directory that can be written, or made", _directory, _directory)
WRITABLE = Kind("the path of a file that can be written, in a folder that exists", _writable, _file_to_be)
LEVELS = Kind(
    "trace, debug, info, warning, error or critical, then logger=level where wished: info,sqlalchemy=warning",
    _levels,
    _levels,
)


# truth and numbers


def _flag(value: Any) -> bool:
    require(isinstance(value, bool))
    return bool(value)


def _flag_text(text: str) -> bool:
    require(text.lower() in ("true", "false"))
    return text.lower() == "true"


def _integer(text: str) -> int:
    """Decimal digits with a sign at most; ``int`` alone would also take underscores and other scripts."""
    require(len(text) <= 20 and text.isascii() and text.lstrip("+-").isdigit())
    return int(text)


def _number(value: Any) -> float:
    require(isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53)
    return float(value)


def count(low: int = 0) -> Kind:
    """A whole number of things."""

    def check(value: Any) -> int:
        require(isinstance(value, int) and not isinstance(value, bool) and low <= value <= LARGEST_COUNT)
        return int(value)

    return Kind(f"a whole number, {low} or more", check, lambda text: check(_integer(text)))


BYTES, DAYS = count()._replace(unit="By"), count()._replace(unit="d")


def _ratio(value: Any) -> float:
    number = _number(value)
    require(0 <= number <= 1)
    return number


def _seconds(value: Any) -> float:
    number = _number(value)
    require(0 <= number <= NO_LIMIT)
    return number


def _interval(value: Any) -> float:
    number = _seconds(value)
    require(number > 0)
    return number


def _timeout(value: Any) -> float:
    return _seconds(value) or NO_LIMIT


def _duration(check: Callable[[Any], float], low: str, zero: str = "") -> Kind:
    return Kind(
        f"a number of seconds, {low}{zero}, at most {NO_LIMIT:,.0f}",
        check,
        lambda text: check(_integer(text) / 1000),
        f"a whole number of milliseconds, {low}{zero}",
        "s",
    )


FLAG = Kind("true or false", _flag, _flag_text)
RATIO = Kind("a number from 0 to 1", _ratio, lambda text: _ratio(_finite(text)))
SECONDS = _duration(_seconds, "0 or more")
INTERVAL = _duration(_interval, "more than 0")
TIMEOUT = _duration(_timeout, "0 or more", " (0: no limit)")


def _finite(text: str) -> float:
    number = float(text)
    require(math.isfinite(number))
    return number


# one or several of some names


def in_words(options: Iterable[str], last: str = "or") -> str:
    *most, final = options
    return f"{', '.join(most)} {last} {final}" if most else final


def choice(*options: str, remark: str = "") -> Kind:
    """One of some words, in any case."""

    def check(value: Any) -> str:
        word = _text(value).lower()
        require(word in options)
        return word

    return Kind(in_words(options) + remark, check, check)


def _items(value: Any) -> tuple[str, ...]:
    """The entries of a comma list or of a sequence, in order, each once."""
    if isinstance(value, str):
        value = value.split(",")
    require(isinstance(value, list | tuple))
    return tuple(
        dict.fromkeys(_text(item) for item in value if not (isinstance(item, str) and not item.strip()))
    )


def several(*options: str) -> Kind:
    """Several of some words; ``none`` stands alone."""

    def check(value: Any) -> tuple[str, ...]:
        words = tuple(dict.fromkeys(word.lower() for word in _items(value)))
        require(bool(words) and words_known(words, options))
        return words

    return Kind(
        f"a list of {in_words(options, 'and')}" + (" (none alone)" * ("none" in options)), check, check
    )


def words_known(words: tuple[str, ...], options: Iterable[str]) -> bool:
    return set(words) <= set(options) and (words == ("none",) or "none" not in words)


def _names(value: Any) -> tuple[str, ...]:
    names = _items(value)
    require(all(_NAME.fullmatch(name) for name in names))
    return names


def _library_names(value: Any) -> tuple[str, ...]:
    names = tuple(name.lower() for name in _items(value))
    require(all(name == "*" or _NAME.fullmatch(name) for name in names))
    return names


def _toolkit(value: Any) -> tuple[str, ...]:
    names = _library_names(value)
    require(set(names) <= {*PARTS, "*"})
    return names


def _instrument(value: Any) -> str | tuple[str, ...]:
    names = _library_names(value)
    if names == ("auto",):
        return "auto"
    if names == ("none",):
        return ()
    # Reading the entry points takes a millisecond: only for a name that is not ours.
    known = LIBRARIES if set(names) <= set(LIBRARIES) else instrumentors()
    for name in names:
        if name not in known:
            raise UnknownNameError(name, known)
    return names


def _propagators(value: Any) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word.lower() for word in _items(value)))
    built_in = ("tracecontext", "baggage", "none")
    require(bool(words))
    if not words_known(words, built_in):
        # Reading the entry points takes milliseconds: only for a name that is not built in.
        require(words_known(words, (*built_in, *_installed_propagators())))
    return words


def _installed_propagators() -> set[str]:
    from importlib.metadata import entry_points

    return {entry.name for entry in entry_points(group="opentelemetry_propagator")}


def _patterns(value: Any) -> tuple[str, ...]:
    patterns = _items(value)
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError from error
    return patterns


def _identity(value: Any) -> Any:
    return value if callable(value) else _header_name(value)


def _header_name(value: Any) -> str:
    name = _text(value).lower()
    require(bool(_HEADER_NAME.fullmatch(name)))
    return name


def _hosts(value: Any) -> tuple[str, ...]:
    hosts = tuple(host.lower() for host in _items(value))
    require(all(_HOST.fullmatch(host) for host in hosts))
    return () if hosts == ("none",) else hosts


HOSTS = Kind(
    "a list of hosts such as api.example.com, *.internal or localhost:8080; * for all, none", _hosts, _hosts
)
NAMES = Kind("a list of names (letters, digits, _ . -)", _names, _names)
PATTERNS = Kind("a list of regular expressions", _patterns, _patterns)
IDENTITY = Kind(
    "a header's name, or a function of the request", _identity, _header_name, "the name of a header"
)
LIBRARY_NAMES = Kind("a list of names, or *", _library_names, _library_names)
INSTRUMENT = Kind(
    f"auto, none or a list of {in_words(LIBRARIES, 'and')}, and of other instrumentors that are installed",
    _instrument,
    _instrument,
)
TOOLKIT = Kind(f"a list of {in_words(PARTS, 'and')}, or *", _toolkit, _toolkit)
PROPAGATORS = Kind(
    "a list of tracecontext, baggage and installed propagators such as b3 (none alone)",
    _propagators,
    _propagators,
)


# mappings


def pairs(text: str) -> dict[str, str]:
    """``k=v,k2=v2`` with percent-encoding, as in W3C baggage without its metadata."""
    result: dict[str, str] = {}
    for part in text.split(","):
        if part.strip():
            key, equals, value = part.partition("=")
            require(bool(equals))
            result[_decoded(key)] = _decoded(value)
    return result


def _decoded(text: str) -> str:
    return unquote(text.strip(), errors="strict")


def _headers(value: Any) -> Headers:
    require(isinstance(value, Mapping))
    return Headers(_header(name, text) for name, text in value.items())


def _header(name: Any, value: Any) -> tuple[str, str]:
    require(isinstance(name, str) and bool(_HEADER_NAME.fullmatch(name)))
    # Anything else could end the header or fail in the transport, with the value in its message.
    require(isinstance(value, str) and value.isascii() and value.isprintable())
    return name.lower(), value


def _attributes(value: Any) -> dict[str, Any]:
    require(isinstance(value, Mapping))
    return {_text(name): _attribute(item) for name, item in value.items()}


def _attribute(value: Any) -> Any:
    if isinstance(value, list | tuple):
        items = tuple(_attribute(item) for item in value)
        require(all(type(item) is type(items[0]) and not isinstance(item, tuple) for item in items))
        return items
    require(isinstance(value, str | bool | int | float))
    if isinstance(value, str):
        value.encode()  # a lone surrogate raises UnicodeEncodeError, which is a ValueError
    require(not isinstance(value, int) or -(2**63) <= value < 2**63)
    return value


HEADERS = Kind(
    "a mapping of header names to ASCII texts",
    _headers,
    lambda text: _headers(pairs(text)),
    "name=value,name2=value2, percent-encoded",
)
ATTRIBUTES = Kind(
    "a mapping of names to texts, numbers, booleans or lists of one of these",
    _attributes,
    lambda text: _attributes(pairs(text)),
    "name=value,name2=value2, percent-encoded",
)


def _categories(value: Any) -> Mapping[str, tuple[str, ...]]:
    require(isinstance(value, Mapping))
    return {_category(name): _names_or_stars(found) for name, found in value.items()}


def _category(name: Any) -> str:
    require(isinstance(name, str) and name.isidentifier())
    return str(name)


def _names_or_stars(value: Any) -> tuple[str, ...]:
    names = _items(value)
    require(bool(names) and all(_NAME.fullmatch(name.removesuffix("*")) for name in names))
    return names


def _categories_read(text: str) -> Mapping[str, tuple[str, ...]]:
    return _categories({name: found.split("+") for name, found in pairs(text).items()})


CATEGORIES = Kind(
    "a mapping of category names to lists of beginnings of logger and event names",
    _categories,
    _categories_read,
    "name=beginning+beginning,name2=beginning",
)


def _rules(value: Any) -> Mapping[str, Any]:
    """The fields of ``otel_kit.redact.Rules``, which are checked there: what is wrong with a pattern is said there."""
    fields = vars(value) if type(value).__name__ == "Rules" else value
    require(isinstance(fields, Mapping) and set(fields) <= RULE_FIELDS)
    if not fields:
        return {}
    rules = import_module("otel_kit.pipeline.redact").Rules(**fields)
    return Rules({name: getattr(rules, name) for name in fields if name != "mode"})


class Rules(dict[str, Any]):
    """A user's rules for redaction; exempt values and the key of hashes never show in a ``repr``."""

    def __repr__(self) -> str:
        return repr({**self, **{name: MASK for name in ("exempt_values", "hash_key") if name in self}})

    __str__ = __repr__


RULE_FIELDS = {"mode", "keys", "patterns", "exempt_values", "hash_key"}
RULES = Kind(
    "otel_kit.redact.Rules or a mapping of keys, patterns, exempt_values and hash_key, with patterns that are bounded",
    _rules,
    _rules,
)


# addresses


def _endpoints(value: Any) -> tuple[str, ...]:
    urls = _items(value)
    require(bool(urls) and all(map(is_url, urls)))
    return urls


ENDPOINTS = Kind(
    "a URL such as http://localhost:4318, or several (for grpc also host:port)", _endpoints, _endpoints
)
