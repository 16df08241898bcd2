"""One ordinary request: FastAPI, two SQLAlchemy statements on SQLite, two log records; called without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from sqlalchemy import StaticPool, create_engine, text

Log = Callable[..., object]


def make_app(log: Log) -> FastAPI:
    """The application; ``log(event, **facts)`` is the log call of the contender."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with engine.begin() as connection:
        connection.execute(text("create table item (id integer primary key, name text, price real)"))
        connection.execute(text("insert into item values (1, 'lamp', 12.5), (2, 'chair', 40.0)"))
    app = FastAPI()

    @app.get("/items/{item_id}")
    async def item(item_id: int) -> dict[str, Any]:
        log("item asked for", item_id=item_id)
        with engine.connect() as connection:
            count = connection.execute(text("select count(*) from item")).scalar_one()
            row = connection.execute(
                text("select name, price from item where id = :id"), {"id": item_id}
            ).one()
        log("item found", item_id=item_id, price=row.price)
        return {"name": row.name, "price": row.price, "of": count}

    return app


class Caller:
    """Calls an ASGI application as a server would, without the server."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app, self.loop = app, asyncio.new_event_loop()
        self.status = 0

    def __call__(self) -> None:
        self.loop.run_until_complete(self.app(dict(SCOPE), self._receive, self._send))
        assert self.status == 200

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Any) -> None:
        self.status = message.get("status", self.status)


SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/items/1",
    "raw_path": b"/items/1",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"127.0.0.1"), (b"user-agent", b"benchmark")],
    "client": ("127.0.0.1", 50000),
    "server": ("127.0.0.1", 80),
}
