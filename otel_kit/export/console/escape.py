"""Text that cannot leave its line, move the cursor, or turn the direction of writing."""

from __future__ import annotations

import re

# C0 and C1 controls, invisible and direction marks, line separators, lone surrogates, tags. Joiners stay: emoji need them.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def escaped(text: str) -> str:
    """The text with what is unsafe written as Python would: ``\\n``, ``\\x1b``, ``\\u2028``."""
    return text if text.isprintable() else _UNSAFE.sub(_as_python, text)  # what is unsafe is not printable


def escaped_json(text: str) -> str:
    """A JSON document on one line with what is unsafe in its strings written as ``\\u…``."""
    if text.isascii() and "\x7f" not in text:  # the encoder has escaped the other controls
        return text
    return text if text.isprintable() else _UNSAFE.sub(_as_json, text)


def _as_python(found: re.Match[str]) -> str:
    return repr(found.group())[1:-1]


def _as_json(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
