"""Where a value ends in a text: quoted at some depth of escaping, in braces, or bare up to what cannot belong to it."""

# ruff: noqa: E501  (a branch of an expression is a line)

from __future__ import annotations

import re
from typing import NamedTuple

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.expression import expression, word_set
from otel_kit.pipeline.redact.keys import Asks, Verdict, judge
from otel_kit.pipeline.redact.vocabulary import METADATA


class Span(NamedTuple):
    """A value in a text, without its quotes.

    Args:
        start: where it begins.
        end: where it ends.
        quoted: whether quotes say where it ends.
        stop: where the scan goes on.
    """

    start: int
    end: int
    quoted: bool
    stop: int


LONGEST_VALUE = 16_384
# What a dump writes between a key and its value: Go's "(string)(len=12) ", PHP's "string(12) ", "new String(", "&str = ".
_DUMPED = expression(
    r"\s{0,8}(?:\(\*?[\w.\[\]]{1,40}\)[ ]?(?:\((?:len|cap)=[\w= ]{1,30}\)[ ]?)?|string\(\d{1,6}\)[ ]|\[\]\w{1,20}\{|(?:given|got|received|input|value|was|is|set[ ]to)[ ]|str:|new[ ]\w{1,30}\(|&(?:'\w{1,20}[ ])?\w{1,20}[ ]=[ ])(?=[\"'])"
)
_OPEN = expression(r"(?:[bBrRuUfFNnEe]{1,2}|[A-Z]&)?(\\{0,7})(\"\"\"|'''|[\"'`]|%22|&quot;|\\u0022)")
_CALL = expression(r"[A-Za-z_][\w.]{0,60}\(\s{0,4}(?=[bBrRuUfFN]{0,2}\\{0,3}[\"'])")
_ANNOTATION = expression(
    r"[ \t]{0,4}[A-Za-z_][\w.]{0,40}(?:\[[\w., |]{0,60}\])?(?: \| \w{1,20})*[ \t]{0,4}=[ \t]{0,4}(?=[\"'])"
)
# Bare values stop at white space, quotes and angle brackets, and at , ; & ) ] } only where what follows shows that they end it.
_BARE = expression(
    r"""(?:
      [^\s"'`<>&,;)\]}\\|?]++
    | &(?!(?:amp;)?[\w%.\-\[\]$]{1,64}=|amp;|&|\s|["')\]}]|$)
    | [,;](?!\s|[\w.\-\[\]%]{1,64}(?:[=:]|\ {1,2}[\w]{1,32}=)|["'(\[{)\]}]|$|[A-Z][\w ]{1,32}=)
    | [)\]}](?!\s|[,;.:!?)\]}"'&/]|$)
    | \\(?![nrtu"'\\])
    | ["'`](?![\s,;.:!?)\]}>&]|$)(?<=\w["'`])(?=\w)
    | \|(?!\s|$|[\w.\-]{1,64}[=:])
    | \?(?![\w.\-%\[\]]{1,64}=|$|\s)
    )++""",
    re.VERBOSE,
)
# YAML's "!!binary ".
_TAGGED = expression(r"!!(?:binary|str)[ \t]{1,4}")
_STAND_IN = expression(
    r"\$\([^()\n]{1,200}\)|\$(?:[a-z_]{1,60}|[A-Z_]{1,60})(?=\))|!(?:vault|env|secret|Ref|Sub|GetAtt|ImportValue|encrypted|include)[ \t]{1,4}[|>]?|ENC\[[^\]\n]{1,512}\]|\$\{[^{}\s]{0,80}\}|\$?\{\{[^{}]{0,80}\}\}|\$\(\w{1,60}\)|<[\w \-]{1,60}>|%\(\w{1,60}\)s|\[(?:redacted|hash)[:#][^\]\n]{1,80}\]"
)
_REFERENCE = expression(r"[A-Za-z_][\w]{0,60}(?:\.[A-Za-z_]\w{0,60}){0,6}")
_BLOCK = expression(r"[|>][+\-]?\d?[ \t]*\r?\n([ \t]+)(?=\S)")
_NEXT_WORD = expression(r"[ \t]{1,3}[a-z]{2,}(?:[\s.,]|$)")


def _call(text: str, position: int) -> re.Match[str] | None:
    """A call whose argument is the value; not one that asks the environment for it."""
    match = _CALL.match(text, position)
    return None if match and _LOOKS_UP.search(match.group()) else match


_LOOKS_UP = expression(r"(?i:env|get|config|settings|lookup|fetch|read|load|decouple)\w*\(\s*$")


def value_at(text: str, position: int) -> Span | None:
    """The value that begins at a position, or None where there is none.

    Args:
        text: the text.
        position: just behind the separator and its white space.
    """
    if dumped := _DUMPED.match(text, position):
        position = dumped.end()
    elif (annotated := _ANNOTATION.match(text, position)) or (annotated := _call(text, position)):
        position = annotated.end()
    if text.startswith("!!", position) and (tagged := _TAGGED.match(text, position)):
        position = tagged.end()
    stand_in = _STAND_IN.match(text, position)
    if stand_in:
        return Span(position, stand_in.end(), False, stand_in.end())
    opened = _OPEN.match(text, position)
    if opened:
        return _quoted(text, opened)
    head = text[position : position + 1]
    if head == "{":
        return _braced(text, position)
    if head in ("[", "("):
        return None
    if head in ("|", ">") and (block := _BLOCK.match(text, position)):
        return _bare(text, block.end())
    return _bare(text, position)


def _quoted(text: str, opened: re.Match[str]) -> Span:
    """Up to the same quote at the same depth of escaping; a doubled quote of SQL is part of the value."""
    start, closing = opened.end(), opened.group(1) + opened.group(2)
    depth, at = len(opened.group(1)), start
    limit = min(len(text), start + LONGEST_VALUE)
    while True:
        at = text.find(closing, at, limit)
        if at < 0:
            end = _end_of_line(text, start) if limit == len(text) else limit
            return Span(start, end, True, end)
        if _escaped(text, at, depth, start):
            at += len(closing)
        elif closing == "'" and text[at + 1 : at + 2] == "'" and at > start:
            at += 2
        else:
            return Span(start, at, True, at + len(closing))


def _escaped(text: str, at: int, depth: int, start: int) -> bool:
    """Whether the quote at a position belongs to a deeper level: an odd number of backslashes, or more than the opening had."""
    slashes = 0
    while at - 1 - slashes >= start and text[at - 1 - slashes] == "\\" and slashes < 16:
        slashes += 1
    return slashes % 2 == 1 if depth == 0 else slashes > 0


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _braced(text: str, position: int) -> Span | None:
    """ODBC's ``Pwd={a;b}``; a brace that opens a JSON object or a placeholder is no value."""
    end = text.find("}", position, position + 256)
    inside = text[position + 1 : end] if end > 0 else ""
    if (
        not inside
        or ":" in inside
        or "\n" in inside
        or (looks.placeholder(f"{{{inside}}}") and looks.wordy(inside))
    ):
        return None
    return Span(position + 1, end, True, end + 1)


def _bare(text: str, position: int) -> Span | None:
    match = _BARE.match(text, position, position + LONGEST_VALUE)
    if not match:
        return None
    end = match.end()
    # A full stop or an ellipsis at the end of a sentence is not part of the value.
    while end > position + 1 and text[end - 1] in ".:!?" and (end == len(text) or text[end] in " \n\t\r\"'"):
        end -= 1
    return Span(position, end, False, match.end())


def withheld(verdict: Verdict, value: str) -> bool:
    """Whether a value is what its key asks for."""
    asks = verdict.asks
    if asks is Asks.TEXT or asks is Asks.QUANTITY or looks.placeholder(value):
        return False
    if asks is Asks.NOTHING:
        return not (" " in value and looks.message(value)) and not _place(value)
    if asks is Asks.DIGITS:
        return _code(value, verdict.rule)
    if asks is Asks.CARD:
        return 12 <= sum(map(str.isdigit, value)) <= 19 and len(value) <= 40
    if asks is Asks.WORDLESS:
        return not looks.wordy(value) and len(value) >= 6
    return looks.opaque(value.strip(), 12 if verdict.rule == "session" else 16, digests=True)


# "/etc/gcp/service-account.json": where the credentials are.
_PLACE = expression(r"(?:~|\.{1,2})?(?:/[\w.\-]+){2,}")


def _place(value: str) -> bool:
    return value[:1] in "/~." and _PLACE.fullmatch(value) is not None and looks.wordy(value)


# "4vf3-o9x0": groups of letters and digits, as backup codes are printed.
_GROUPED = expression(r"(?=[\w\-]*\d)[A-Za-z0-9]{3,6}(?:-[A-Za-z0-9]{3,6}){1,7}")


def _code(value: str, rule: str) -> bool:
    bare = value.replace(" ", "").replace("-", "")
    if bare.isdigit():
        return 3 <= len(bare) <= 12
    if rule == "otp" and _GROUPED.fullmatch(value):
        return True
    return rule == "otp" and not looks.wordy(value) and " " not in value.strip()


_TYPE = expression(
    r"(?:(?:typing|t)\.)?(?:Optional|List|Sequence|Dict|Annotated|Union|SecretStr|list|dict|tuple|set)(?:\[|$)"
)


def refers(text: str, span: Span) -> bool:
    """Whether a bare value of source code names a variable or calls a function: ``password=password)``."""
    value = text[span.start : span.end]
    after = text[span.end : span.end + 1]
    if value.endswith("["):
        return _REFERENCE.fullmatch(value[:-1]) is not None
    if "(" in value:
        return _REFERENCE.match(value) is not None and not value.startswith(("(",)) and ")" not in value[:-1]
    if _TYPE.match(value):
        return True
    if not _REFERENCE.fullmatch(value) or any(map(str.isdigit, value)):
        return False
    if "." in value:
        return looks.wordy(value) and (
            after in ("", ",", ")", "\n", " ") or judge(value).asks not in (Asks.TEXT, Asks.QUANTITY)
        )
    return (
        after in (",", ")") and value == value.lower() and judge(value).asks not in (Asks.TEXT, Asks.QUANTITY)
    )


def goes_on(text: str, span: Span) -> bool:
    """Whether a bare value is the first word of a sentence: ``password: must have twelve characters``, ``secrets: 12 found``."""
    value = text[span.start : span.end]
    first = (looks.wordy(value) and value.isalpha()) or (value.isdigit() and len(value) <= 3)
    return first and _NEXT_WORD.match(text, span.end) is not None


# A sentence has such a word; a passphrase of random words has none.
PROSE = (
    METADATA
    | looks.STATES
    | word_set(
        """
    a an the is are was were be been being has have had do does did must may can could should shall will would need
    for from to of in on at by with without and or not but if then than that this your you my his her their our its it he she
    we they user please click here too very more least minimum twelve eight characters letters found see use using
    der die das ein eine ist war und oder nicht muss le la les un une est et ou pas el los es y o no il che
    """
    )
)
_WORDS = expression(r"[^\W\d_]{2,20}(?:[ -][^\W\d_]{2,20}){2,24}(?=[ ]{0,4}(?:$|[\n\r,;\"']))")


def passphrase(text: str, span: Span, *, seed: bool = False) -> int:
    """Where a bare passphrase of several words ends; 0 if the words are a sentence, or one word alone.

    Args:
        text: the text.
        span: the first word.
        seed: whether the key asks for the words of a wallet, whose number is a multiple of three.
    """
    match = _WORDS.match(text, span.start)
    if not match or not match.group().islower():
        return 0
    words = match.group().replace("-", " ").split()
    if seed and len(words) >= 12 and len(words) % 3 == 0:
        return match.end()
    return 0 if len(words) < 3 or PROSE.intersection(words) else match.end()
