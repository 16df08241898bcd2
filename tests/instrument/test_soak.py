"""Many requests and statements: memory stays where it is, and nothing of one request reaches the next."""

from __future__ import annotations

import pytest

from tests.conftest import RunProgram

SOAK = """
    import asyncio, gc, sys
    from concurrent.futures import ThreadPoolExecutor
    import httpx, psutil
    import otel_kit
    from tests.receiver import receiving

    rounds, requests = map(int, sys.argv[1:])
    receiver = receiving()
    receiver_now = receiver.__enter__()
    telemetry = otel_kit.init_telemetry("soak", endpoint=receiver_now.http, console="off")
    from fastapi import FastAPI
    from flask import Flask
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import StaticPool

    engine = create_engine("sqlite://", poolclass=StaticPool)
    app, stock, pool, leaks = FastAPI(), Flask("stock"), ThreadPoolExecutor(2), []

    @app.get("/orders/{n}")
    async def order(n: int):
        otel_kit.bind_context(user_id=n)
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        if n % 500 == 0:
            raise ValueError("no such order")
        return n

    @stock.get("/items/<n>")
    def item(n):
        otel_kit.bind_context(user_id=n)
        return n

    async def visit():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            for n in range(requests):
                await client.get(f"/orders/{n}")
                if n % 10 == 0:
                    stock.test_client().get(f"/items/{n}")
                    with otel_kit.bind(request_id="r"):
                        pool.submit(otel_kit.bind_context, tenant="red").result()
                    leaks.extend([otel_kit.current_context(), pool.submit(otel_kit.current_context).result()])

    def used():
        telemetry.force_flush(30)
        receiver_now.clear()
        gc.collect()
        return len(gc.get_objects()), psutil.Process().memory_info().rss / 1e6

    asyncio.run(visit())
    objects, megabytes = used()
    for _ in range(rounds):
        asyncio.run(visit())
        now = used()
    stats = telemetry.stats()
    assert not any(leaks), [leak for leak in leaks if leak][:3]
    assert stats["contained"] == {} and not stats["traces"]["dropped"], stats
    assert now[0] - objects < 2_000, (objects, now)
    assert now[1] - megabytes < 10, (megabytes, now)
    receiver.__exit__(None, None, None)
    print("flat")
"""


@pytest.mark.parametrize(
    ("rounds", "requests"),
    [
        pytest.param(2, 100, id="short"),
        pytest.param(4, 5_000, id="20,000 requests", marks=[pytest.mark.slow, pytest.mark.timeout(930)]),
    ],
)
def test_requests_leave_nothing_behind(run_program: RunProgram, rounds: int, requests: int) -> None:
    """Memory grows with each request, or an id of one request is seen by the next or by another job of a pool."""
    done = run_program(SOAK, str(rounds), str(requests), timeout=900)
    assert done.stdout == "flat\n", done.stderr
