"""An entry of the audit trail: one line of JSON that ends with its own hash, and holds that of the entry before it.

The hash is taken over the bytes of the line as they stand, so no two programs can disagree about how JSON is written.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

# Before the first entry there is none.
NOTHING = "0" * 64
# What stands in the file and is no entry is described by the entry after it: the rest of a write that was cut short, which
# has no end of its own, or lines that somebody else wrote.
INTERRUPTED, FOREIGN = "otel_kit.audit.interrupted", "otel_kit.audit.foreign_lines"

_LINE = re.compile(rb'(\{"seq":(\d{1,18}),"prev":"([0-9a-f]{64})".*),"hash":"([0-9a-f]{64})"\}')


class Entry(NamedTuple):
    """An entry.

    Attributes:
        seq: its number, from 0.
        prev: the hash of the entry before it.
        hash: its own, as the line says.
        holds: whether that is the hash of the line.
        line: the line without its end.
    """

    seq: int
    prev: str
    hash: str
    holds: bool
    line: bytes

    def facts(self) -> Mapping[str, Any]:
        """What it tells, with its number and both hashes."""
        facts = json.loads(self.line)
        return facts if isinstance(facts, dict) else {}


def written(seq: int, prev: str, facts: Mapping[str, Any]) -> Entry:
    """A new entry.

    Args:
        seq: its number.
        prev: the hash of the entry before it.
        facts: what it tells: what JSON can carry, under other names than ``seq``, ``prev`` and ``hash``.
    """
    # ASCII only: no character of a value can be taken for the end of a line.
    body = json.dumps({"seq": seq, "prev": prev, **facts}, separators=(",", ":"), default=str)[:-1].encode(
        "ascii"
    )
    digest = hashlib.sha256(body).hexdigest()
    return Entry(seq, prev, digest, True, body + b',"hash":"' + digest.encode("ascii") + b'"}')


def read(line: bytes) -> Entry | None:
    """The entry that a line without its end holds; None where it is none."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    body, seq, prev, digest = match.groups()
    claimed = digest.decode("ascii")
    return Entry(int(seq), prev.decode("ascii"), claimed, hashlib.sha256(body).hexdigest() == claimed, line)


def marking(remains: bytes) -> dict[str, Any]:
    """What an entry tells about the bytes before it that are no entry."""
    return {
        "action": FOREIGN if remains.endswith(b"\n") else INTERRUPTED,
        "bytes": len(remains),
        "sha256": hashlib.sha256(remains).hexdigest(),
    }
