"""One name for all occurrences of the same error.

It is made of what stays: the types of the exception and of its causes, a code that it carries, and where in the program's own
code it was raised, by function and by the text of the line. Line numbers, paths, ids in messages and the version have no part
in it. Where there is no text of the line, the message is used without what changes in it.
"""

from __future__ import annotations

import hashlib
import linecache
import re
from types import TracebackType

from otel_kit.context.place import is_users
from otel_kit.toolkit.errors.chain import DEEPEST, cause_of, code_of, members_of
from otel_kit.toolkit.errors.rules import full_name

LONGEST_WALK = 1000  # frames; a recursion has as many as the interpreter allows
LONGEST_TEXT = 300
MOST_MEMBERS = 10
_RECURSION_TAIL = 60  # frames of a recursion in which all functions that take part occur

_CHANGING = (
    (re.compile(r"""(["'`])(?:(?!\1).){0,200}\1"""), "'…'"),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE), "<url>"),
    (re.compile(r"\b[\w.+-]+@[\w-]+\.\w+"), "<email>"),
    (re.compile(r"(?:[A-Za-z]:)?(?:[/\\][\w.@~ -]+){2,}"), "<path>"),
)
# An id: anything with a digit in it, as long as it is one word.
_IDS = re.compile(r"[\w-]*\d[\w-]*(?:[.:][\w-]*\d[\w-]*)*")
_SPACE = re.compile(r"\s+")


def fingerprint_of(error: BaseException) -> str:
    """16 hexadecimal digits, the same for the same error; nothing is raised for odd exceptions."""
    members = members_of(error)
    if members:
        parts = [
            full_name(type(error)),
            *sorted({_digest(_parts(member)) for member in members[:MOST_MEMBERS]}),
        ]
    else:
        parts = _parts(error)
    return _digest(parts)


def skeleton(text: str) -> str:
    """A message without what changes in it: ids, numbers, quoted values, addresses, paths."""
    text = text[:LONGEST_TEXT]
    for pattern, instead in _CHANGING:
        text = pattern.sub(instead, text)
    return _SPACE.sub(" ", _IDS.sub("0", text)).strip()


def _digest(parts: list[str]) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def _parts(error: BaseException) -> list[str]:
    code = code_of(error)
    parts = [*_types(error), code[1] if code else ""]
    if isinstance(error, RecursionError):
        return [*parts, *_recursion(error)]
    step = raised_at(error)
    if step is not None:
        parts.append(function_of(step))
        line = _line(step)
        if line:
            return [*parts, line]
    return [*parts, skeleton(_message(error))]


def _types(error: BaseException) -> list[str]:
    names, seen, step = [full_name(type(error))], {id(error)}, cause_of(error)
    while step is not None and id(step) not in seen and len(seen) < DEEPEST:
        names.append(full_name(type(step)))
        seen.add(id(step))
        step = cause_of(step)
    return names


def raised_at(error: BaseException) -> TracebackType | None:
    """The deepest frame of the program's own code in its traceback, or the deepest at all."""
    found = deepest = step = error.__traceback__
    walked = 0
    while step is not None and walked < LONGEST_WALK:
        deepest = step
        if is_users(step.tb_frame.f_code):
            found = step
        step, walked = step.tb_next, walked + 1
    if found is not None and not is_users(found.tb_frame.f_code):
        return deepest
    return found


def function_of(step: TracebackType) -> str:
    """The function that a frame runs, with its module and class."""
    frame = step.tb_frame
    return f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}"


def _line(step: TracebackType) -> str:
    frame = step.tb_frame
    # The traceback's text is made of the same lines: they are in memory already.
    line = linecache.getline(frame.f_code.co_filename, step.tb_lineno, frame.f_globals)
    return _SPACE.sub("", _IDS.sub("0", line[:LONGEST_TEXT]))


def _recursion(error: BaseException) -> list[str]:
    """All functions that take part: which of them hits the limit is chance."""
    steps: list[TracebackType] = []
    step = error.__traceback__
    while step is not None:
        steps.append(step)
        step = step.tb_next
    return sorted({function_of(step) for step in steps[-_RECURSION_TAIL:] if is_users(step.tb_frame.f_code)})


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""
