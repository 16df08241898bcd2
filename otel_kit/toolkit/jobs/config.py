"""The configuration of a run: made plain, without secrets, and what is different from another one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from otel_kit.context.redacted import WITHHELD, redacted
from otel_kit.errors import ArgumentError
from otel_kit.signals.logs.values import plain

MOST_KEYS = 1000
LONGEST_VALUE = 1000


def mapping_of(config: Any) -> Mapping[str, Any]:
    """The keys and values of whatever a program keeps its configuration in.

    Raises:
        ArgumentError: it has none.
    """
    if config is None:
        return {}
    if isinstance(config, Mapping):
        return config
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    dump = getattr(config, "model_dump", None)  # pydantic's
    found = dump() if callable(dump) else getattr(config, "__dict__", None)
    if isinstance(found, Mapping):
        return found
    valid = "a mapping, a dataclass, or an object with attributes"
    raise ArgumentError("run(config)", type(config).__name__, valid)


def shown_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Plain and without secrets."""
    return {str(key): _shown(str(key), value) for key, value in list(config.items())[:MOST_KEYS]}


def _shown(key: str, value: Any) -> Any:
    shown = redacted(key, _nested(value))
    if isinstance(shown, str):
        return shown[:LONGEST_VALUE]
    return shown


def _nested(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _nested({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {str(key): _nested(inner) for key, inner in list(value.items())[:MOST_KEYS]}
    return plain(value)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What was ``added``, ``removed`` and ``changed`` (to pairs), by dotted keys."""
    old, new = _flat(before), _flat(after)
    return {
        "added": {key: value for key, value in new.items() if key not in old},
        "removed": {key: value for key, value in old.items() if key not in new},
        "changed": {
            key: [old[key], value]
            for key, value in new.items()
            if key in old and old[key] != value and WITHHELD not in (old[key], value)
        },
    }


def _flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in config.items():
        path = f"{above}{key}"
        if isinstance(value, Mapping) and value:
            found.update(_flat(value, f"{path}."))
        else:
            found[path] = value
    return found
