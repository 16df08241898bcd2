"""A user's regular expressions: those that may backtrack for seconds are refused when they are given.

Python cannot interrupt a search, so a bad one is not tried on a long text. First its structure is looked at: a repeated
group that itself repeats, or whose alternatives overlap, is refused. Then it is tried on texts made of its own characters
that grow by steps: a search that takes long on a short text stops the trial before it takes very long.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator
from typing import Any

from otel_kit.errors import SettingError

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    try:
        from re import _parser as sre_parse  # type: ignore[attr-defined]
    except ImportError:  # pragma: no cover - the module's name before Python 3.11
        import sre_parse

# Longer texts are searched in windows that overlap, so that a search in proportion to the square of its text is bounded too.
WINDOW, OVERLAP = 1_024, 256
# A search in one window may take this long on the texts that the trial makes.
SECONDS_FOR_A_WINDOW = 0.03
LONGEST_PATTERN = 1_000
_STEPS = (8, 12, 16, 18, 20, 22, 24, 26, 28, 30, 32, 40, 48, 64, 96, 128, 192, 256, 384, 512, 768, WINDOW)
_CHECKED: set[re.Pattern[str]] = set()
_VALID = "an expression that does not try one part of a text in many ways"


def checked(name: str, pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    """A compiled pattern that is safe to run on any text of 64 kB.

    Raises:
        SettingError: it does not compile, matches the empty text, is too long, or may backtrack for long.
    """
    if isinstance(pattern, re.Pattern) and pattern in _CHECKED:
        return pattern
    source = f"redact_rules.patterns[{name!r}]"
    text = pattern if isinstance(pattern, str) else pattern.pattern
    if len(text) > LONGEST_PATTERN:
        raise SettingError(
            source, "argument", text[:40] + "…", f"an expression of at most {LONGEST_PATTERN} characters"
        )
    try:
        compiled = re.compile(pattern)
        tree = sre_parse.parse(text, compiled.flags & ~re.DEBUG)
    except (re.error, RecursionError, OverflowError, TypeError) as error:
        raise SettingError(source, "argument", text, f"a regular expression ({error})") from None
    if compiled.search("") is not None:
        raise SettingError(source, "argument", text, "an expression that does not match the empty text")
    if _nested(tree, repeated=False):
        raise SettingError(source, "argument", text, f"{_VALID}; this one repeats a group that repeats")
    slow = _slow(compiled, tree)
    if slow:
        raise SettingError(source, "argument", text, f"{_VALID}; this one took {slow}")
    _CHECKED.add(compiled)
    return compiled


def _nested(tree: Any, *, repeated: bool) -> bool:
    """Whether an unbounded repeat stands inside an unbounded repeat, where backtracking can divide a text in many ways."""
    for kind, argument in tree:
        name = str(kind)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            _, most, inner = argument
            unbounded = most is sre_parse.MAXREPEAT or most > 64
            if unbounded and repeated:
                return True
            if _nested(inner, repeated=unbounded and not _fenced(inner)):
                return True
        elif any(_nested(part, repeated=repeated) for part in _parts(argument)):
            return True
    return False


def _fenced(inner: Any) -> bool:
    """Whether a repeated group has a character that must be there each time, which leaves one way to divide a text."""
    for kind, argument in inner:
        name = str(kind)
        if name in ("LITERAL", "IN", "NOT_LITERAL"):
            return True
        if name == "SUBPATTERN" and _fenced(argument[-1]):
            return True
    return False


def _parts(argument: Any) -> Iterator[Any]:
    """The patterns inside of one element of a parsed pattern."""
    if isinstance(argument, sre_parse.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for part in argument:
            yield from _parts(part)


def _slow(compiled: re.Pattern[str], tree: Any) -> str:
    """What the trial found, in words, or an empty string."""
    for unit in _units(tree):
        for size in _STEPS:
            seconds = _seconds(compiled, (unit * (size // len(unit) + 1))[:size] + "\0")
            if seconds > SECONDS_FOR_A_WINDOW:
                return f"{seconds * 1e3:.0f} ms for {size} characters"
    return ""


def _seconds(compiled: re.Pattern[str], text: str) -> float:
    """The processor time of all matches in a text, the least of up to three tries."""
    best = float("inf")
    for _ in range(3):
        start = time.thread_time()
        for _ in compiled.finditer(text):
            pass
        best = min(best, time.thread_time() - start)
        if not SECONDS_FOR_A_WINDOW < best < 10 * SECONDS_FOR_A_WINDOW:
            break
    return best


def matches(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Where a user's pattern matches, or its first group where it has one; long texts are searched in windows.

    A match longer than the overlap of two windows may be cut.
    """
    group = 1 if pattern.groups else 0
    for start in range(0, max(1, len(text) - OVERLAP), WINDOW - OVERLAP):
        for match in pattern.finditer(text, start, min(len(text), start + WINDOW)):
            yield match.span(group)


def _units(tree: Any) -> list[str]:
    """Short texts of characters that the pattern accepts: what makes it backtrack is made of them."""
    letters = list(dict.fromkeys(_letters(tree)))[:12]
    units = [*letters, "".join(letters[:2]), "".join(letters)]
    return [unit for unit in dict.fromkeys([*units, "a", "0", " ", "a0", "a ", "aA0_-"]) if unit]


def _letters(tree: Any) -> Iterator[str]:
    for kind, argument in tree:
        name = str(kind)
        if name == "LITERAL":
            yield chr(argument)
        elif name == "IN":
            yield from _class(argument)
        elif name == "RANGE":
            yield chr(argument[0])
        elif name == "CATEGORY":
            yield {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " "}.get(str(argument), "a")
        elif name in ("ANY", "NOT_LITERAL"):
            yield "a"
        else:
            for part in _parts(argument):
                yield from _letters(part)


def _class(members: Any) -> Iterator[str]:
    for kind, argument in members:
        name = str(kind)
        if name == "LITERAL":
            yield chr(argument)
        elif name == "RANGE":
            yield chr(argument[0])
        elif name == "CATEGORY":
            yield {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " "}.get(str(argument), "a")
        elif name == "NEGATE":
            yield "a"
