"""``observe_cache``: hits, misses, writes, invalidations, evictions, size and time of a cache, whatever it is made of."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from otel_kit.context.stand import Stand
from otel_kit.errors import ArgumentError
from otel_kit.toolkit.data import kinds
from otel_kit.toolkit.data.cached import LruCache, WatchedLruCache
from otel_kit.toolkit.data.figures import data
from otel_kit.toolkit.data.lookups import EVICTION, Lookups, observe_sizes
from otel_kit.toolkit.data.watched import derived, original_class, watch

Cache = TypeVar("Cache")

VALID = (
    "a function with functools.lru_cache, a mapping, a cache of cachetools, aiocache, cachelib, Django or Flask-Caching, "
    "a client of redis"
)
_NOTHING: Any = object()
_lock = threading.Lock()
_known: dict[str, Lookups] = {}


@overload
def observe_cache(name: str, cache: Cache) -> Cache: ...


@overload
def observe_cache(name: str) -> Callable[[Cache], Cache]: ...


def observe_cache(name: str, cache: Any = _NOTHING) -> Any:
    """Count what happens in a cache: ``otel_kit.cache.lookups``, ``.writes``, ``.removals``, ``.size``, ``.operation.duration``.

    The cache does what it did, and stays an instance of its class. ``functools.lru_cache``, ``dict``, ``OrderedDict`` and
    ``defaultdict`` are made of C, and cannot be watched: for them another object of the kind is returned; so use what is
    returned. All others are watched in place, and returned. Observed once more it is observed under the new name only.

    Args:
        name: its name, an attribute of the metrics; a few of them, not one for each user.
        cache: the cache; without it a decorator, to be written above ``@lru_cache``.

    Returns:
        The cache to use.

    Raises:
        ArgumentError: this is no cache that is known here.
    """
    if not isinstance(name, str) or not name:
        raise ArgumentError("observe_cache(name)", name, "a text")
    if cache is _NOTHING:
        return functools.partial(observe_cache, name)
    with _lock:
        lookups = _known.get(name)
        if lookups is None:
            lookups = _known[name] = Lookups(name)
    observe_sizes()
    return _observed(cache, lookups)


def _observed(cache: Any, lookups: Lookups) -> Any:
    if issubclass(type(cache), Stand):  # of a decorator of ours, which is to stay around it
        inside = cache._otel_kit_target
        made = _observed(inside, lookups)
        return cache if made is inside else cache._otel_kit_again(made)
    if isinstance(cache, LruCache):
        made = WatchedLruCache(cache, lookups)
        lookups.measure(made, lambda function: function.cache_info().currsize)
        return made
    packages = kinds.modules_of(cache)
    if type(cache).__module__ == "django.utils.connection":
        return _django_proxy(cache, lookups)
    if type(cache).__module__ == "flask_caching" and hasattr(cache, "init_app"):
        return _flask_caching(cache, lookups)
    if "django" in packages:
        _django_backend(cache, lookups)
    else:
        made = _in_place(cache, packages, lookups)
        if made is not None:
            return made
    if kinds.size_of(cache) is not None:
        lookups.measure(cache, lambda each: kinds.size_of(each) or 0)
    return cache


def _in_place(cache: Any, packages: set[str], lookups: Lookups) -> Any:
    """Watch the object itself; gives another one only where that is not possible."""
    if "redis" in packages and hasattr(cache, "execute_command"):
        watch(cache, kinds.REDIS, lookups, {"pipeline": _pipeline(original_class(cache), lookups)})
    elif "aiocache" in packages and hasattr(cache, "multi_get"):
        watch(cache, kinds.AIOCACHE, lookups)
    elif "cachelib" in packages and hasattr(cache, "get_many"):
        watch(cache, kinds.CACHELIB, lookups)
    elif (
        hasattr(type(cache), "__getitem__")
        and hasattr(type(cache), "__setitem__")
        and hasattr(type(cache), "get")
    ):
        return _mapping(cache, lookups)
    else:
        raise ArgumentError("observe_cache(cache)", type(cache).__qualname__, VALID)
    return None


def _mapping(cache: Any, lookups: Lookups) -> Any:
    rules = kinds.DICT if isinstance(cache, dict) else kinds.MAPPING
    kind = type(cache)
    more = (
        {"expire": _expiring(original_class(cache), lookups)}
        if callable(getattr(kind, "expire", None))
        else {}
    )
    try:
        watch(cache, rules, lookups, more)
    except TypeError:
        if kind not in (dict, OrderedDict, defaultdict):
            raise ArgumentError("observe_cache(cache)", kind.__qualname__, VALID) from None
        factory = (cache.default_factory,) if kind is defaultdict else ()
        made = derived(kind, rules, lookups, {}, slots=False)(*factory, cache)
        lookups.measure(made, len)
        return made
    return None


def _expiring(kind: Any, lookups: Lookups) -> Callable[..., Any]:
    """The ``expire`` of cachetools, which other methods call: it gives what has gone."""
    original = kind.expire

    @functools.wraps(original)
    def expire(self: Any, *args: Any, **kwargs: Any) -> Any:
        gone = original(self, *args, **kwargs)
        if data.on and isinstance(gone, list):
            lookups.removed(len(gone), EVICTION)
        return gone

    return expire


def _pipeline(kind: type, lookups: Lookups) -> Callable[..., Any]:
    """A client's ``pipeline``, which gives a client of another class that collects commands."""
    original: Any = kind.pipeline  # type: ignore[attr-defined]

    @functools.wraps(original)
    def pipeline(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = original(self, *args, **kwargs)
        if hasattr(made, "command_stack"):
            watch(made, kinds.REDIS_PIPELINE, lookups)
        return made

    return pipeline


# Django: one backend for each thread and task, made by a handler, behind a proxy


def _django_proxy(proxy: Any, lookups: Lookups) -> Any:
    _django_alias(proxy._connections, proxy._alias, lookups)
    return proxy


def _django_backend(cache: Any, lookups: Lookups) -> None:
    """A backend: with those that its handler makes for other threads, where it is one of Django's own."""
    from importlib import import_module

    caches = import_module("django.core.cache").caches
    alias = next((name for name in caches if getattr(caches._connections, name, None) is cache), None)
    if alias is None:
        _watch_django(cache, lookups)
    else:
        _django_alias(caches, alias, lookups)


def _django_alias(handler: Any, alias: str, lookups: Lookups) -> None:
    made_before: Mapping[str, Lookups] = getattr(handler, "_otel_kit_lookups", {})
    handler._otel_kit_lookups = {**made_before, alias: lookups}
    if not made_before:
        handler.create_connection = functools.partial(
            _made_by_django, handler, type(handler).create_connection
        )
    backend = handler[alias]
    _watch_django(backend, lookups)
    if kinds.size_of(backend) is not None:
        lookups.measure(backend, lambda each: kinds.size_of(each) or 0)


def _made_by_django(handler: Any, original: Callable[[Any, str], Any], alias: str) -> Any:
    backend = original(handler, alias)
    lookups = handler._otel_kit_lookups.get(alias)
    if lookups is not None:
        _watch_django(backend, lookups)
    return backend


def _watch_django(backend: Any, lookups: Lookups) -> None:
    more: dict[str, Any] = {}
    kind: Any = original_class(backend)
    if hasattr(kind, kinds.DJANGO_CULL):
        more[kinds.DJANGO_CULL] = _culling(kind, lookups)
    watch(backend, kinds.DJANGO, lookups, more)


def _culling(kind: Any, lookups: Lookups) -> Callable[..., Any]:
    """Making room happens inside of ``set``: the size before and after says how much."""
    original = getattr(kind, kinds.DJANGO_CULL)

    @functools.wraps(original)
    def cull(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = kinds.size_of(self)
        result = original(self, *args, **kwargs)
        after = kinds.size_of(self)
        if data.on and before is not None and after is not None:
            lookups.removed(before - after, EVICTION)
        return result

    return cull


# Flask-Caching: a backend for each app, behind an object that its decorators pass by


def _flask_caching(cache: Any, lookups: Lookups) -> Any:
    kind: Any = original_class(cache)
    seen: set[int] = set()

    def backend(self: Any) -> Any:
        found = kind.cache.fget(self)
        if id(found) not in seen and kinds.modules_of(found) & {"cachelib", "flask_caching"}:
            seen.add(id(found))
            watch(found, kinds.CACHELIB, lookups)
            if kinds.size_of(found) is not None:
                lookups.measure(found, lambda each: kinds.size_of(each) or 0)
        return found

    watch(cache, {}, lookups, {"cache": property(backend, doc="The backend of the current app.")})
    return cache
