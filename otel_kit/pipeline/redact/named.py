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
