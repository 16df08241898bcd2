"""The cache of a function, ``functools.lru_cache``: a C object that cannot be watched, so another one takes its place."""

from __future__ import annotations

import functools
from contextvars import ContextVar
from time import perf_counter
from types import MethodType
from typing import Any

from otel_kit import _guard
from otel_kit.toolkit.data.figures import data
from otel_kit.toolkit.data.lookups import EVICTION, GET, Lookups, count_work

LruCache: Any = type(functools.lru_cache(maxsize=1)(lambda: None))


class _Answer:
    """Whether the function itself had to be called, and how many values there were when it had answered."""

    __slots__ = ("missed", "of", "size")

    def __init__(self, of: object) -> None:
        self.missed, self.of, self.size = False, of, 0


_answer: ContextVar[_Answer | None] = ContextVar("otel_kit_lru_cache", default=None)


class WatchedLruCache:
    """An ``lru_cache`` of the same function with the same limits, whose calls are counted.

    The C type allows no subclass, so this one says that it is of that type, and does what it does.
    """

    def __init__(self, cache: Any, lookups: Lookups) -> None:
        function, parameters = cache.__wrapped__, cache.cache_parameters()
        functools.update_wrapper(self, cache)
        self.__wrapped__ = function
        self._most, self._lookups = parameters["maxsize"], lookups
        self._cache = functools.lru_cache(**parameters)(self._asked(function))
        self.cache_info = self._cache.cache_info
        self.cache_parameters = cache.cache_parameters

    def _asked(self, function: Any) -> Any:
        @functools.wraps(function)
        def asked(*args: Any, **kwargs: Any) -> Any:
            answer = _answer.get()
            if answer is None or answer.of is not self:
                return function(*args, **kwargs)
            answer.missed = True
            result = function(*args, **kwargs)
            answer.size = self._cache.cache_info().currsize
            return result

        return asked

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return LruCache

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> str:
        return str(getattr(self, "__qualname__", ""))

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, _: Any) -> Any:
        return self

    def __repr__(self) -> str:
        return repr(self._cache)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, or give what it gave before."""
        if not data.on:
            return self._cache(*args, **kwargs)
        answer = _Answer(self)
        token = _answer.set(answer)
        began = perf_counter()
        try:
            result = self._cache(*args, **kwargs)
        except BaseException:
            _answer.reset(token)
            if answer.missed:
                self._tell(answer, perf_counter() - began, written=False)
            raise
        _answer.reset(token)
        self._tell(answer, perf_counter() - began, written=True)
        return result

    def cache_clear(self) -> None:
        """Forget everything."""
        count = self.cache_info().currsize if data.on else 0
        self._cache.cache_clear()
        try:
            self._lookups.removed(count)
        except Exception as error:
            _guard.contained("data.cache", error)

    def _tell(self, answer: _Answer, seconds: float, *, written: bool) -> None:
        try:
            lookups, misses = self._lookups, int(answer.missed)
            lookups.looked(1 - misses, misses)
            if misses and written and self._most != 0:
                lookups.wrote(1)
                lookups.removed(int(self._most is not None and answer.size >= self._most), EVICTION)
            lookups.took(GET, seconds)
            count_work(1 - misses, misses, seconds, None)
        except Exception as error:
            _guard.contained("data.cache", error)
