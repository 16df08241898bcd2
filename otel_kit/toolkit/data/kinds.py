"""What the methods of each kind of cache mean. No library is imported here: a class says which package it is from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_kit.toolkit.data.lookups import DELETE, EVICTION, GET, SET
from otel_kit.toolkit.data.watched import ABSENT, Call, Rule


def modules_of(cache: object) -> set[str]:
    """The packages that an object's class and its bases are from."""
    return {base.__module__.partition(".")[0] for base in type(cache).__mro__}


# what a call gave


def ask_for_absent(call: Call) -> None:
    """Have a ``get`` give a mark of ours where there is nothing: a default of the program's own may be anything."""
    if "default" in call.kwargs or not call.args:
        call.before = call.kwargs.get("default")
        call.kwargs = {**call.kwargs, "default": ABSENT}
    else:
        call.before = call.args[1] if len(call.args) > 1 else None
        call.args = (call.args[0], ABSENT, *call.args[2:])


def absent_or_found(call: Call) -> None:
    """After :func:`ask_for_absent`."""
    found = call.result is not ABSENT and not call.missing
    if call.result is ABSENT:
        call.result = call.before
    call.looked(int(found), int(not found))


def none_or_found(call: Call) -> None:
    """Of a ``get`` that gives None where there is nothing."""
    call.looked(int(call.result is not None), int(call.result is None))


def several(call: Call) -> None:
    """Of a ``get`` of many: a mapping of what was found, or a list with None for what was not."""
    asked = call.args if len(call.args) != 1 or isinstance(call.args[0], str) else call.args[0]
    asked = next(iter(call.kwargs.values()), ()) if not call.args else asked
    result = call.result
    found = [
        value for value in (result.values() if isinstance(result, Mapping) else result) if value is not None
    ]
    count = len(result) if isinstance(result, list | tuple) else len(list(asked))
    call.looked(len(found), max(0, count - len(found)))


def wrote_one(call: Call) -> None:
    """Of a ``set``; one that says False has not."""
    call.lookups.wrote(int(call.result is not False))


def wrote_several(call: Call) -> None:
    """Of a ``set`` of many, given as a mapping or as pairs."""
    given = call.args[0] if call.args else next(iter(call.kwargs.values()), ())
    failed = call.result if isinstance(call.result, list) and isinstance(given, Mapping) else ()
    count = len(given) if hasattr(given, "__len__") else 0
    # cachelib gives the keys that it has written, Django those that it has not.
    written = len(failed) if "cachelib" in modules_of(call.cache) else count - len(failed)
    call.lookups.wrote(written)


def removed_one(call: Call) -> None:
    """Of a ``delete``; where it says how many there were, it is believed."""
    call.lookups.removed(1 if call.result is None else int(call.result))


def removed_several(call: Call) -> None:
    """Of a ``delete`` of many: keys, as one argument or as several."""
    if isinstance(call.result, list):
        call.lookups.removed(len(call.result))
    else:
        keys = call.args[0] if len(call.args) == 1 and not isinstance(call.args[0], str) else call.args
        call.lookups.removed(len(list(keys)))


def remember_size(call: Call) -> None:
    """Before a ``clear``."""
    call.before = size_of(call.cache)


def removed_all(call: Call) -> None:
    """After :func:`remember_size`; where the size is not known it counts as one."""
    call.lookups.removed(1 if call.before is None else call.before)


def size_of(cache: Any) -> int | None:
    """How many values there are, where the cache is in this process and knows it."""
    holder = cache if hasattr(type(cache), "__len__") else getattr(cache, "_cache", None)
    return len(holder) if holder is not None and hasattr(type(holder), "__len__") else None


CLEAR = Rule(DELETE, removed_all, remember_size)

# dict-likes, cachetools


def _found_or_not(call: Call) -> None:
    # __missing__ is called on the object itself, so whether it will be is asked before.
    call.looked(int(not call.missing and not call.before), int(call.missing or bool(call.before)))


def _will_be_missing(call: Call) -> None:
    if hasattr(type(call.cache), "__missing__"):
        call.before = call.args[0] not in call.cache


def _remember_room(call: Call) -> None:
    key = call.args[0]
    if hasattr(call.cache, "maxsize"):
        call.before = len(call.cache) + (key not in call.cache)


def _wrote_and_made_room(call: Call) -> None:
    if not call.missing:
        call.lookups.wrote(1)
    if call.before is not None:
        call.lookups.removed(call.before - len(call.cache), EVICTION)


def _is_there(call: Call) -> None:
    call.before = call.args[0] in call.cache


def _found_or_written(call: Call) -> None:
    call.looked(int(call.before), int(not call.before))
    call.lookups.wrote(int(not call.before))


def _removed_if_there(call: Call) -> None:
    call.lookups.removed(int(call.before and not call.missing))


def _removed_by_size(call: Call) -> None:
    call.lookups.removed(int(not call.missing))


def _take_together(call: Call) -> None:
    call.before = dict(*call.args, **call.kwargs)
    call.args, call.kwargs = (call.before,), {}


def _wrote_together(call: Call) -> None:
    call.lookups.wrote(len(call.before))


MAPPING = {
    "__getitem__": Rule(GET, _found_or_not, _will_be_missing),
    "get": Rule(GET, absent_or_found, ask_for_absent),
    "setdefault": Rule(GET, _found_or_written, _is_there),
    "__setitem__": Rule(SET, _wrote_and_made_room, _remember_room),
    "__delitem__": Rule(DELETE, _removed_if_there, _is_there),
    "pop": Rule(DELETE, _removed_if_there, _is_there),
    "popitem": Rule(DELETE, _removed_by_size),
    "clear": CLEAR,
}
# A dict's own update writes without __setitem__.
DICT = {**MAPPING, "update": Rule(SET, _wrote_together, _take_together)}

# the caches of frameworks

CACHELIB = {
    "get": Rule(GET, none_or_found),
    "get_many": Rule(GET, several),
    "get_dict": Rule(GET, several),
    "set": Rule(SET, wrote_one),
    "add": Rule(SET, wrote_one),
    "set_many": Rule(SET, wrote_several),
    "inc": Rule(SET, wrote_one),
    "dec": Rule(SET, wrote_one),
    "delete": Rule(DELETE, removed_one),
    "delete_many": Rule(DELETE, removed_several),
    "clear": CLEAR,
}
DJANGO = {
    "get": Rule(GET, absent_or_found, ask_for_absent),
    "get_many": Rule(GET, several),
    "set": Rule(SET, wrote_one),
    "add": Rule(SET, wrote_one),
    "set_many": Rule(SET, wrote_several),
    "incr": Rule(SET, wrote_one),
    "delete": Rule(DELETE, removed_one),
    "delete_many": Rule(DELETE, removed_several),
    "clear": CLEAR,
}
# Inside a set, so that it needs another guard than the one that keeps methods of methods from counting.
DJANGO_CULL = "_cull"
AIOCACHE = {
    "get": Rule(GET, absent_or_found, ask_for_absent),
    "multi_get": Rule(GET, several),
    "set": Rule(SET, wrote_one),
    "add": Rule(SET, wrote_one),
    "multi_set": Rule(SET, wrote_several),
    "increment": Rule(SET, wrote_one),
    "delete": Rule(DELETE, removed_one),
    "clear": CLEAR,
}

# redis

_READ_ONE = frozenset(("GET", "GETEX", "GETDEL", "HGET", "JSON.GET"))
_READ_SEVERAL = frozenset(("MGET", "HMGET", "JSON.MGET"))
_WRITES = frozenset(
    ("SET", "SETEX", "PSETEX", "SETNX", "GETSET", "APPEND", "INCR", "INCRBY", "INCRBYFLOAT", "DECR", "DECRBY", "JSON.SET")
)  # fmt: skip
_WRITES_PAIRS = {
    "MSET": 0,
    "MSETNX": 0,
    "HSET": 1,
    "HMSET": 1,
    "HSETNX": 1,
}  # how much stands before the pairs
_REMOVALS = frozenset(("DEL", "UNLINK", "HDEL", "GETDEL", "JSON.DEL"))
_REMOVALS_OF_ALL = frozenset(("FLUSHDB", "FLUSHALL"))


def _command(call: Call, args: tuple[Any, ...], result: Any) -> None:
    name = str(args[0]).upper() if args else ""
    if name in _READ_ONE:
        call.looked(int(result is not None), int(result is None))
    elif name in _READ_SEVERAL and isinstance(result, list):
        found = sum(value is not None for value in result)
        call.looked(found, len(result) - found)
    elif name in _WRITES:
        call.lookups.wrote(int(result is not None and result is not False))
    elif name in _WRITES_PAIRS:
        call.lookups.wrote((len(args) - 1 - _WRITES_PAIRS[name]) // 2)
    if name in _REMOVALS:
        call.lookups.removed(result if isinstance(result, int) else int(result is not None))
    elif name in _REMOVALS_OF_ALL:
        call.lookups.removed(1)


def _one_command(call: Call) -> None:
    _command(call, call.args, call.result)


def _remember_commands(call: Call) -> None:
    call.before = [getattr(each, "args", None) or each[0] for each in call.cache.command_stack]


def _commands(call: Call) -> None:
    if isinstance(call.result, list) and len(call.result) == len(call.before):
        for args, result in zip(call.before, call.result, strict=True):
            if not isinstance(result, Exception):
                _command(call, args, result)


REDIS = {"execute_command": Rule(GET, _one_command, late=True)}
REDIS_PIPELINE = {"execute": Rule(GET, _commands, _remember_commands, late=True)}

Rules = Mapping[str, Rule]
