"""Caches of any kind: what is counted is what happened, and the cache does what it did."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import pickle
import threading
from collections import OrderedDict, UserDict, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

import otel_kit
from otel_kit.context.tally import Tally
from otel_kit.testing import capture

NAMES = {"hit": 0, "miss": 0, "writes": 0, "invalidation": 0, "eviction": 0}


def figures(captured: Any, name: str) -> dict[str, int]:
    """Counts of one cache, those that are 0 left out."""
    found: dict[str, int] = {}
    for metric in captured.metrics.values():
        for point in metric.data.data_points if metric.name.startswith("otel_kit.cache.") else ():
            facts = dict(point.attributes)
            if facts.pop("otel_kit.cache.name", None) != name or "duration" in metric.name:
                continue
            key = next(iter(facts.values()), metric.name.removeprefix("otel_kit.cache."))
            found[str(key)] = point.value
    return found


class Plain(UserDict[Any, Any]):
    """A dict-like of the program's own."""


class Slots(dict[Any, Any]):
    """A dict with slots."""

    __slots__ = ("__weakref__", "note")


MADE_OF_C = {"dict": dict, "OrderedDict": OrderedDict, "defaultdict": defaultdict}
MAPPINGS: dict[str, Any] = {**MADE_OF_C, "UserDict": Plain, "slots": Slots}


def cachetools_cache() -> Any:
    return pytest.importorskip("cachetools", reason="cachetools is not installed").LRUCache(100)


@pytest.mark.parametrize("kind", [*MAPPINGS, "cachetools"])
def test_a_mapping(kind: str) -> None:
    """A mapping's hits, misses, writes or removals are not those that happened, or its size is not told."""
    cache = cachetools_cache() if kind == "cachetools" else MAPPINGS[kind]()
    with capture() as captured:
        cache = otel_kit.observe_cache(f"mapping {kind}", cache)
        for number in range(6):
            cache[number] = str(number)
        assert (cache[0], cache.get(1), cache.get(77), cache.get(77, "none")) == ("0", "1", None, "none")
        with pytest.raises(KeyError):
            cache[77]
        assert cache.setdefault(6, "6") == cache.setdefault(6, "7") == "6"
        cache.update({7: "7", 8: "8"})
        del cache[0]
        assert (cache.pop(1), cache.pop(77, None)) == ("1", None)
        assert 2 in cache
        assert figures(captured, f"mapping {kind}") == {
            "hit": 3, "miss": 4, "writes": 9, "invalidation": 2, "size": 7
        }  # fmt: skip
        cache.clear()
        assert figures(captured, f"mapping {kind}")["invalidation"] == 9


@pytest.mark.parametrize("kind", [*MAPPINGS, "cachetools"])
def test_a_mapping_is_what_it_was(kind: str) -> None:
    """An observed mapping is no instance of its class, looks or compares otherwise, or is pickled as something else."""
    cache = cachetools_cache() if kind == "cachetools" else MAPPINGS[kind]()
    cache["a"] = 1
    plain, shown = type(cache), repr(cache)
    observed = otel_kit.observe_cache("same", cache)
    assert (observed is cache) == (kind not in MADE_OF_C)
    assert isinstance(observed, plain)
    assert (repr(observed), dict(observed), type(observed).__name__) == (shown, {"a": 1}, plain.__name__)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        loaded = pickle.loads(pickle.dumps(observed, protocol))
        assert (type(loaded), dict(loaded)) == (plain, {"a": 1})
    assert dict(copy.copy(observed)) == {"a": 1}
    assert inspect.signature(observed.get) == inspect.signature(
        plain().get if kind != "cachetools" else plain(1).get
    )


def test_a_mapping_makes_what_is_missing() -> None:
    """A defaultdict no longer makes values, or one that it made counts as found."""
    with capture() as captured:
        cache = otel_kit.observe_cache("lists", defaultdict(list, a=[1]))
        cache["b"].append(2)
        assert (cache, cache.default_factory) == ({"a": [1], "b": [2]}, list)
        assert cache["b"] == [2]
        found = figures(captured, "lists")
    assert (found["hit"], found["miss"], found["size"]) == (1, 1, 2)


def test_evictions_of_cachetools() -> None:
    """What a bounded cache drops for room, or because its time is over, is taken for an invalidation or not counted."""
    cachetools = pytest.importorskip("cachetools", reason="cachetools is not installed")
    now = [0.0]
    with capture() as captured:
        small = otel_kit.observe_cache("small", cachetools.LRUCache(3))
        for number in range(10):
            small[number] = number
        old = otel_kit.observe_cache("old", cachetools.TTLCache(10, 5, timer=lambda: now[0]))
        old["a"] = old["b"] = 1
        now[0] = 9.0
        assert old.get("a") is None
        old["c"] = 1
        assert figures(captured, "small") == {"writes": 10, "eviction": 7, "size": 3}
        assert figures(captured, "old") == {"writes": 3, "miss": 1, "eviction": 2, "size": 1}


def test_only_the_one_object_is_observed() -> None:
    """Other objects of the same class are counted, too."""
    one, other = Plain(), Plain()
    with capture() as captured:
        otel_kit.observe_cache("one", one)
        other.get("x")
        assert figures(captured, "one") == {"size": 0}
    assert type(other) is Plain


def test_observed_again_it_counts_once() -> None:
    """A cache that is observed twice is counted twice, or under its old name."""
    with capture() as captured:
        cache = otel_kit.observe_cache("second", otel_kit.observe_cache("first", Plain()))
        cache.get("x")
        assert "miss" not in figures(captured, "first")
        assert figures(captured, "second") == {"miss": 1, "size": 0}


# functools.lru_cache


@otel_kit.observe_cache("square")
@functools.lru_cache(maxsize=3)
def square(number: int) -> int:
    """The square."""
    if number < 0:
        raise ValueError(number)
    return number * number


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    square.cache_clear()


def test_lru_cache() -> None:
    """Calls of a cached function are not counted as they were, also where the function raises."""
    with capture() as captured:
        assert [square(number) for number in (1, 2, 3, 1, 4, 1)] == [1, 4, 9, 1, 16, 1]
        with pytest.raises(ValueError, match="-1"):
            square(-1)
        info = square.cache_info()
        found = figures(captured, "square")
    assert (
        (info.hits, info.misses, info.currsize) == (found["hit"], found["miss"], found["size"]) == (2, 5, 3)
    )
    assert (found["writes"], found["eviction"]) == (4, 1)


def test_lru_cache_of_a_recursive_function() -> None:
    """A call inside a call makes a hit of a miss."""
    with capture() as captured:

        @otel_kit.observe_cache("fib")
        @functools.cache
        def fib(number: int) -> int:
            return number if number < 2 else fib(number - 1) + fib(number - 2)

        assert fib(30) == 832040
        info, found = fib.cache_info(), figures(captured, "fib")
    assert (found["hit"], found["miss"], found["size"]) == (info.hits, info.misses, info.currsize)
    assert "eviction" not in found


def test_a_cached_function_is_what_it_was() -> None:
    """A cached function lost its name, signature, docstring, parameters, pickle or type."""
    assert (square.__name__, square.__doc__, square.__module__) == ("square", "The square.", __name__)
    assert str(inspect.signature(square)) == "(number: 'int') -> 'int'"
    assert square.cache_parameters() == {"maxsize": 3, "typed": False}
    assert isinstance(square, type(functools.lru_cache(lambda: None)))
    assert copy.deepcopy(square) is square
    assert square.__wrapped__(3) == 9
    assert square.__reduce__() == "square"


def test_lru_cache_of_a_method() -> None:
    """A cached method is called without its object."""

    class Shop:
        @otel_kit.observe_cache("price")
        @functools.lru_cache  # noqa: B019
        def price(self, product: str) -> str:
            return product.upper()

    with capture() as captured:
        shop = Shop()
        assert (shop.price("tea"), shop.price(product="tea"), shop.price("tea")) == ("TEA", "TEA", "TEA")
        assert figures(captured, "price")["hit"] == 1
        Shop.price.cache_clear()
        assert figures(captured, "price")["invalidation"] == 2


def test_threads_are_counted_exactly() -> None:
    """Counts of several threads are lost, or a thread's miss is taken for another's."""
    with capture() as captured:
        cached = otel_kit.observe_cache("threads", functools.lru_cache(maxsize=None)(lambda number: number))
        shared = otel_kit.observe_cache("shared", Plain(a=1))

        def work(start: int) -> None:
            for number in range(200):
                cached((start, number // 2))
                shared.get("a")

        workers = [threading.Thread(target=work, args=(start,)) for start in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert (figures(captured, "threads")["hit"], figures(captured, "threads")["miss"]) == (400, 400)
        assert figures(captured, "shared")["hit"] == 800


# libraries


def test_redis() -> None:
    """Commands of redis, alone or in a pipeline, are not counted as what they are."""
    fakeredis = pytest.importorskip("fakeredis")
    client = fakeredis.FakeRedis(decode_responses=True)
    with capture() as captured:
        assert otel_kit.observe_cache("redis", client) is client
        client.set("a", 1)
        assert (client.get("a"), client.get("b"), client.mget("a", "b")) == ("1", None, ["1", None])
        client.hset("h", mapping={"x": 1, "y": 2})
        client.delete("a", "none")
        with client.pipeline() as pipeline:
            pipeline.set("c", 1).get("c").get("d")
            assert pipeline.execute() == [True, "1", None]
        assert figures(captured, "redis") == {"hit": 3, "miss": 3, "writes": 4, "invalidation": 1}
    import redis

    assert isinstance(client, redis.Redis)


def test_redis_with_asyncio() -> None:
    """Commands of redis in coroutines are not counted."""
    fakeredis = pytest.importorskip("fakeredis")

    async def program() -> None:
        client = otel_kit.observe_cache("redis async", fakeredis.FakeAsyncRedis())
        await client.set("a", 1)
        assert (await client.get("a"), await client.get("b")) == (b"1", None)
        pipeline = client.pipeline()
        pipeline.get("a")
        assert await pipeline.execute() == [b"1"]
        await client.aclose()

    with capture() as captured:
        asyncio.run(program())
        assert figures(captured, "redis async") == {"hit": 2, "miss": 1, "writes": 1}


def test_a_lookup_counts_once_for_the_work_that_is_done() -> None:
    """A lookup counts twice where the library below is instrumented, or not at all where it is not."""
    fakeredis = pytest.importorskip("fakeredis")
    client = otel_kit.observe_cache("tallied", fakeredis.FakeRedis())
    for instrument in ((), ("redis",)):
        with capture(instrument=instrument) as captured, Tally() as counted:
            client.get("none")
            assert {"cache_miss": 1, "cache_call": 1}.items() <= counted.counts.items()
            assert figures(captured, "tallied") == {"miss": 1}
    with capture(), Tally() as counted:
        square(2)
        square(2)
        assert (counted.counts["cache_hit"], counted.counts["cache_miss"]) == (1, 1)


def test_aiocache() -> None:
    """What happens in a cache of aiocache is not counted."""
    aiocache = pytest.importorskip("aiocache", reason="aiocache is not installed")

    async def program() -> None:
        cache = otel_kit.observe_cache("aio", aiocache.SimpleMemoryCache())
        await cache.set("a", 1)
        assert (await cache.get("a"), await cache.get("b"), await cache.get("b", default=7)) == (1, None, 7)
        await cache.multi_set([("c", 1), ("d", 2)])
        assert await cache.multi_get(["c", "d", "e"]) == [1, 2, None]
        await cache.delete("a")
        assert isinstance(cache, aiocache.SimpleMemoryCache)

    with capture() as captured:
        asyncio.run(program())
        found = figures(captured, "aio")
        found.pop("size", None)
        assert found == {"hit": 3, "miss": 3, "writes": 3, "invalidation": 1}


DJANGO = """
import asyncio, json, threading
from django.conf import settings
settings.configure(CACHES={"default": {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 5}}})
from django.core.cache import cache, caches
import otel_kit
from otel_kit.testing import capture

with capture() as captured:
    assert otel_kit.observe_cache("django", cache) is cache
    cache.set("a", 1)
    assert (cache.get("a"), cache.get("b"), cache.get("b", 7), cache.get_or_set("c", lambda: 3)) == (1, None, 7, 3)
    assert cache.get_many(["a", "b"]) == {"a": 1}
    cache.set_many({"x": 1, "y": 2})
    assert (cache.add("a", 3), cache.delete("a"), cache.delete("a")) == (False, True, False)
    other = threading.Thread(target=lambda: (cache.get("x"), caches["default"].get("none")))
    other.start(); other.join()
    async def look():
        return await cache.aget("x")
    assert asyncio.run(look()) == 1
    for number in range(9):
        cache.set(number, number)
    found = {}
    for metric in captured.metrics.values():
        for point in metric.data.data_points if metric.name.startswith("otel_kit.cache.") else ():
            facts = dict(point.attributes)
            del facts["otel_kit.cache.name"]
            if "duration" not in metric.name:
                found[next(iter(facts.values()), metric.name)] = point.value
    found["left"] = found["writes" if "writes" in found else "otel_kit.cache.writes"] - found["invalidation"] - found["eviction"]
    print(json.dumps(found))
"""


def test_django(run_program) -> None:  # type: ignore[no-untyped-def]
    """What happens in Django's cache, in any thread or task, is not counted, or what it drops for room is not."""
    import json

    pytest.importorskip("django")
    done = run_program(DJANGO)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("left") == found.pop("otel_kit.cache.size")
    assert found.pop("eviction") > 0
    assert found == {"hit": 5, "miss": 5, "otel_kit.cache.writes": 13, "invalidation": 1}


def test_flask_caching() -> None:
    """What Flask-Caching's decorators and methods do is not counted, or counted twice."""
    flask_caching = pytest.importorskip("flask_caching", reason="Flask-Caching is not installed")
    import flask

    app = flask.Flask("shop")
    app.config["CACHE_TYPE"] = "SimpleCache"
    cache = flask_caching.Cache(app)
    with capture() as captured, app.app_context():
        assert otel_kit.observe_cache("flask", cache) is cache
        cache.set("a", 1)
        assert (cache.get("a"), cache.get("b"), cache.get_many("a", "b")) == (1, None, [1, None])

        @cache.cached(60, key_prefix="page")  # type: ignore[untyped-decorator]
        def page() -> str:
            return "page"

        assert page() == page() == "page"
        cache.delete("a")
        assert figures(captured, "flask") == {"hit": 3, "miss": 3, "writes": 2, "invalidation": 1, "size": 1}


# the rest


def test_durations_are_told() -> None:
    """How long operations take is not measured."""
    with capture() as captured:
        cache = otel_kit.observe_cache("timed", Plain())
        cache["a"] = 1
        cache.get("a")
        cache.pop("a")
        points = captured.metrics["otel_kit.cache.operation.duration"].data.data_points
        found = {
            p.attributes["otel_kit.cache.operation"]: p
            for p in points
            if p.attributes["otel_kit.cache.name"] == "timed"
        }
    assert {name: point.count for name, point in found.items()} == {"get": 1, "set": 1, "delete": 1}
    assert all(0 < point.sum < 1 for point in found.values())


def test_nothing_is_counted_while_the_part_is_off() -> None:
    """A cache is counted although the part is off, or does not work then."""
    cache = otel_kit.observe_cache("off", Plain(a=1))
    with capture(disabled_toolkit=["data"]) as captured, Tally() as counted:
        assert (cache.get("a"), square(3)) == (1, 9)
        assert figures(captured, "off") == {}
        assert counted.counts == {}


def test_what_is_no_cache_is_named() -> None:
    """Something else than a cache is taken in silence."""
    with pytest.raises(otel_kit.OtelKitError, match=r"'list'; valid: a function with functools\.lru_cache"):
        otel_kit.observe_cache("list", [])
    with pytest.raises(otel_kit.OtelKitError, match="name"):
        otel_kit.observe_cache("", {})
