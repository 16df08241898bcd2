"""The pattern behind the URL of a call, where the program knows it: ``/orders/{id}``."""

from __future__ import annotations

from contextlib import suppress

from opentelemetry import context as otel_context

KEY = otel_context.create_key("otel_kit.url_template")


class url_template:
    """Name the calls of a block by a pattern: ``GET /orders/{id}`` instead of ``GET``.

    Use as ``with url_template("/orders/{id}"):``, also around ``await``. Spans and the duration of calls
    get it as ``url.template``; it must not contain ids, because each value makes a series.

    Args:
        template: the path's pattern.
    """

    __slots__ = ("_template", "_token")

    def __init__(self, template: str) -> None:
        self._template = template

    def __enter__(self) -> url_template:
        self._token = otel_context._RUNTIME_CONTEXT.attach(otel_context.set_value(KEY, self._template))
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(ValueError):  # left in another contextvars context
            otel_context._RUNTIME_CONTEXT.detach(self._token)
