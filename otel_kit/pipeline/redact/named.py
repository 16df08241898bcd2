"""What the entries of a mapping say about each other: ``{"name": "password", "value": …}``, the members of a JSON web key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from otel_kit.pipeline.redact.keys import PLAIN, Asks, Verdict

# The verdict on a key, a user's action for it, and whether only its texts are of interest.
Known = tuple[Verdict, str, bool]
# Of RFC 7517's keys.
_PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "k")
_NAMES, _VALUES = (
    (
        "name",
        "key",
        "header",
        "field",
        "param",
        "parameter",
        "attribute",
        "k",
        "label",
        "path",
        "property",
        "setting",
        "variable",
        "option",
        "column",
        "id",
    ),
    (
        "value",
        "val",
        "v",
        "content",
        "data",
        "default",
        "before",
        "after",
        "old",
        "new",
        "old_value",
        "new_value",
        "from",
        "to",
    ),
)


_LIBRARIES, MOST_ROWS = ("numpy", "pandas", "polars"), 1_000


def named_rows(value: Any) -> tuple[list[str], list[Any]] | None:
    """What an array or a series calls its values, and the values: numpy's records, pandas' and polars' series and indexes.

    Their text shows the values without the names, or the names where no notation has them.
    """
    if type(value).__module__.partition(".")[0] not in _LIBRARIES:
        return None
    names = getattr(getattr(value, "dtype", None), "names", None) or getattr(value, "names", None)
    if names is None:
        names = [getattr(value, "name", None)]
    known = [name if isinstance(name, str) else "" for name in names]
    if not any(known) or not hasattr(value, "dtype"):
        return None
    some = value[:MOST_ROWS] if getattr(value, "ndim", 1) else value
    rows = some.tolist() if hasattr(some, "tolist") else some.to_list()
    return known, rows if isinstance(rows, list) else [rows]


def named_verdicts(value: Mapping[Any, Any], verdict: Callable[[str], Known]) -> dict[str, Known]:
    """``{"name": "password", "value": …}`` and pydantic's ``{"loc": ["body", "password"], "input": …}``."""
    lowered = {key.lower(): key for key in value if isinstance(key, str)}
    if "loc" in lowered and "input" in lowered:
        where = value[lowered["loc"]]
        last = where[-1] if isinstance(where, list | tuple) and where else where
        return {lowered["input"]: verdict(str(last))}
    for name in _NAMES:
        if name in lowered and isinstance(value[lowered[name]], str):
            known = verdict(value[lowered[name]])
            if known[0] is not PLAIN or known[1]:
                return {lowered[other]: known for other in _VALUES if other in lowered and other != name}
    for name in lowered:
        stem = name.removesuffix("key").removesuffix("name")
        if stem and stem != name and f"{stem}value" in lowered and isinstance(value[lowered[name]], str):
            return {lowered[f"{stem}value"]: verdict(value[lowered[name]])}
    if value.get("sensitive") is True and "value" in value:
        return {"value": (Verdict(Asks.NOTHING, "secret"), "", False)}
    if "kty" in lowered:
        return {
            name: (Verdict(Asks.NOTHING, "private_key"), "", False)
            for name in _PRIVATE_MEMBERS
            if name in value
        }
    if str(value.get("kind", "")).lower() == "secret":
        return {
            name: (Verdict(Asks.WORDLESS, "secret", "holder"), "", False)
            for name in ("data", "stringData")
            if name in value
        }
    return {}
