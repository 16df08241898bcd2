"""``otel_kit.span`` and ``otel_kit.get_tracer``, in programs of their own because the global provider is set once."""

from __future__ import annotations

from typing import Any

PREPARED = """
    import asyncio, inspect
    import otel_kit
    from opentelemetry import trace
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from otel_kit.export.spans import TracerProvider
    from otel_kit import span

    memory = InMemorySpanExporter()

    def install():
        trace.set_tracer_provider(TracerProvider(processors=[SimpleSpanProcessor(memory)]))

    def told():
        found = [(s.name, dict(s.attributes), s.status.status_code.name) for s in memory.get_finished_spans()]
        memory.clear()
        return found
"""


def ran(run_program: Any, source: str) -> None:
    """Run a program that asserts."""
    result = run_program(PREPARED + source, options=("-W", "error"))
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


def test_block_and_functions(run_program: Any) -> None:
    """``span`` does not work as a block, or as a decorator of a sync or async function."""
    ran(
        run_program,
        """
    install()
    with span("block", order_id=7, name="n") as current:
        assert trace.get_current_span() is current
        current.set_attribute("more", 1)
    assert told() == [("block", {"order_id": 7, "name": "n", "more": 1}, "UNSET")]

    @span("sync", kind="k")
    def sync(a, *, b=2):
        "doc"
        return a + b

    assert sync(1) == 3 and sync(1, b=1) == 2
    assert (sync.__name__, sync.__doc__, str(inspect.signature(sync))) == ("sync", "doc", "(a, *, b=2)")
    assert told() == [("sync", {"kind": "k"}, "UNSET")] * 2

    @span("async")
    async def work():
        await asyncio.sleep(0)
        assert trace.get_current_span().is_recording()
        raise ValueError("x")

    assert inspect.iscoroutinefunction(work)
    try:
        asyncio.run(work())
    except ValueError:
        pass
    assert told() == [("async", {"error.type": "ValueError"}, "ERROR")]
    """,
    )


def test_generators(run_program: Any) -> None:
    """The span of a decorated generator is current in its caller, ends too early, or breaks send, throw or return."""
    ran(
        run_program,
        """
    install()

    @span("generator", n=1)
    def numbers():
        assert trace.get_current_span().is_recording()
        got = yield 1
        try:
            yield got
        except KeyError:
            assert trace.get_current_span().is_recording()
            yield "caught"
        return "done"

    assert inspect.isgeneratorfunction(numbers)
    steps = numbers()
    assert told() == []
    assert next(steps) == 1
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert steps.send("sent") == "sent"
    assert steps.throw(KeyError()) == "caught"
    assert told() == []
    try:
        next(steps)
    except StopIteration as stop:
        assert stop.value == "done"
    assert told() == [("generator", {"n": 1}, "UNSET")]

    abandoned = numbers()
    next(abandoned)
    abandoned.close()
    assert told() == [("generator", {"n": 1}, "UNSET")]

    @span("failing")
    def failing():
        yield 1
        raise ValueError("x")

    try:
        list(failing())
    except ValueError:
        pass
    assert told() == [("failing", {"error.type": "ValueError"}, "ERROR")]
    """,
    )


def test_async_generators(run_program: Any) -> None:
    """The span of a decorated async generator is current in its caller, or an abandoned one makes noise."""
    ran(
        run_program,
        """
    import gc
    install()

    @span("numbers")
    async def numbers():
        try:
            with span("inside"):
                await asyncio.sleep(0)
            got = yield 1
            yield got
        finally:
            await asyncio.sleep(0)

    assert inspect.isasyncgenfunction(numbers)

    async def main():
        with span("request") as request:
            async for number in numbers():
                assert trace.get_current_span() is request
                break
            gc.collect()
            for _ in range(10):
                await asyncio.sleep(0)
            assert trace.get_current_span() is request
            steps = numbers()
            assert await steps.asend(None) == 1
            assert await steps.asend("sent") == "sent"
            try:
                await steps.athrow(KeyError())
            except KeyError:
                pass
            assert trace.get_current_span() is request

    asyncio.run(main())
    assert [(name, status) for name, _, status in told()] == [
        ("inside", "UNSET"), ("numbers", "UNSET"), ("inside", "UNSET"), ("numbers", "ERROR"), ("request", "UNSET"),
    ]
    """,
    )


def test_what_was_made_before_the_provider_follows(run_program: Any) -> None:
    """A tracer, block or decorated function from before ``init_telemetry`` emits nothing after it, or raises before."""
    ran(
        run_program,
        """
    tracer = otel_kit.get_tracer()
    block = tracer.start_as_current_span("block")

    @tracer.start_as_current_span("by tracer")
    def by_tracer():
        return 1

    @tracer.start_as_current_span("by tracer, async")
    async def by_tracer_async():
        return 1

    @span("by span")
    def by_span():
        return 1

    def all_of_them():
        assert by_tracer() == by_span() == asyncio.run(by_tracer_async()) == 1
        with tracer.start_as_current_span("direct"), span("short"):
            pass
        tracer.start_span("started").end()

    all_of_them()
    install()
    all_of_them()
    with block:
        pass
    assert [name for name, _, _ in told()] == [
        "by tracer", "by span", "by tracer, async", "short", "direct", "started", "block",
    ]
    assert otel_kit.get_tracer("x") is otel_kit.get_tracer("x")
    """,
    )


def test_scopes(run_program: Any) -> None:
    """A tracer or a span has another scope than the module that asked for it."""
    ran(
        run_program,
        """
    install()
    otel_kit.get_tracer().start_span("a").end()
    otel_kit.get_tracer("shop.pay").start_span("b").end()
    with span("c"):
        pass
    scopes = [s.instrumentation_scope.name for s in memory.get_finished_spans()]
    assert scopes == ["__main__", "shop.pay", "__main__"]
    """,
    )


def test_a_provider_of_the_programs_own(run_program: Any) -> None:
    """``span`` needs our provider: with the stock SDK's it does not work."""
    ran(
        run_program,
        """
    from opentelemetry.sdk.trace import TracerProvider as Stock
    provider = Stock()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(provider)

    @span("generator")
    def numbers():
        yield 1

    assert list(numbers()) == [1]
    with span("block", a=1):
        pass
    assert [name for name, _, _ in told()] == ["generator", "block"]
    """,
    )


def test_only_the_api_is_needed(run_program: Any) -> None:
    """Using tracers without setting anything up imports the SDK."""
    result = run_program(
        """
        import sys
        import otel_kit
        with otel_kit.span("x"), otel_kit.get_tracer().start_as_current_span("y"), otel_kit.bind(a=1):
            pass
        print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "structlog", "asyncio"))])
        """
    )
    assert result.stdout == "[]\n", result.stderr


def test_bare_decorator(run_program: Any) -> None:
    """A bare ``@span`` replaces the function by something that does not call it, or names its span otherwise."""
    ran(
        run_program,
        """
    @span
    def charge(amount):
        "Charge it."
        return amount + 1

    class Shop:
        @span
        async def close(self):
            return "closed"

        @span
        def orders(self):
            yield 1

        @span
        @staticmethod
        def tax():
            return 2

        @span
        @classmethod
        def made(cls):
            return cls()

        @classmethod
        @span("named")
        def named(cls):
            return cls()

        @span("outside")
        @classmethod
        def outside(cls):
            return cls()

    install()
    assert (charge(1), charge.__name__, charge.__doc__) == (2, "charge", "Charge it.")
    shop = Shop.made()
    assert asyncio.run(shop.close()) == "closed"
    assert (list(shop.orders()), shop.tax(), type(Shop.named()), type(Shop.outside())) == ([1], 2, Shop, Shop)
    assert [name for name, _, _ in told()] == [
        "charge", "Shop.made", "Shop.close", "Shop.orders", "Shop.tax", "named", "outside",
    ]
    """,
    )
