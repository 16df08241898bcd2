"""Flask: one server span per request, whenever the app was made and whatever else it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Program = Callable[..., dict[str, Any]]


def test_apps_made_and_used_before_and_after(program: Program) -> None:
    """An app is missed or watched twice because of when it was made, subclassed, used or instrumented by others."""
    seen = program(
        """
        from flask import Blueprint, Flask
        from opentelemetry.instrumentation.flask import FlaskInstrumentor
        from werkzeug.middleware.proxy_fix import ProxyFix
        from otel_kit.instrument import instrument_all, uninstrument_all
        class Shop(Flask): ...
        def made(kind=Flask):
            app = kind("shop")
            pages = Blueprint("pages", "pages", url_prefix="/pages")
            pages.get("/<name>")(lambda name: name)
            app.register_blueprint(pages)
            return app
        fresh, used, proxied, theirs = made(), made(), made(Shop), made()
        used.test_client().get("/pages/a")
        proxied.wsgi_app = ProxyFix(proxied.wsgi_app)
        FlaskInstrumentor.instrument_app(theirs)
        observe(); instrument_all(); instrument_all()
        apps = [fresh, used, proxied, theirs, made(), made(Shop)]
        def visit():
            return [app.test_client().get("/pages/a").status_code for app in apps for _ in range(2)]
        visit()
        on = names()
        uninstrument_all()
        visit()
        off = names()
        instrument_all()
        visit()
        show(on=on, off=off, again=names())
        """
    )
    assert seen["on"] == ["GET /pages/<name>"] * 12
    assert seen["off"] == ["GET /pages/<name>"] * 2  # the app that the user instrumented
    assert seen["again"] == seen["on"]


def test_hooks_errors_and_unknown_paths(program: Program) -> None:
    """A request that a hook answers, that fails, or that has no route, has no span or the wrong name or status."""
    seen = program(
        """
        from flask import Flask, abort, request
        from opentelemetry import trace
        from otel_kit.instrument import instrument_all
        app = Flask("shop")
        current = lambda: trace.get_current_span().get_span_context().is_valid
        inside = []
        @app.before_request
        def check():
            inside.append(current())
            if request.args.get("deny"):
                return "no", 403
        @app.teardown_request
        def end(error):
            inside.append(current())
        app.get("/ok", endpoint="ok")(lambda: "fine")
        app.get("/broken", endpoint="broken")(lambda: 1 / 0)
        app.get("/gone", endpoint="gone")(lambda: abort(410))
        app.get("/away", endpoint="away")(lambda: abort(503))
        app.get("/handled", endpoint="handled")(lambda: {}["a"])
        app.errorhandler(KeyError)(lambda error: ("sorry", 502))
        @app.get("/stream")
        def stream():
            return (str(i) for i in range(3))
        observe(); instrument_all()
        client = app.test_client()
        app.logger.disabled = True
        for path in ("/ok", "/ok?deny=1", "/broken", "/gone", "/away", "/handled", "/nowhere/at/all", "/stream"):
            client.get(path).get_data()
        found = spans()
        show(
            spans=[[s.name, s.attributes["http.response.status_code"], s.status.status_code.name] for s in found],
            reasons=[s.attributes["error.type"] for s in found if "error.type" in s.attributes],
            inside=inside,
            after=current(),
            active=[p.value for p in metric("http.server.active_requests")],
            durations=sum(p.count for p in metric("http.server.request.duration")),
            exemplars=sum(len(p.exemplars) for p in metric("http.server.request.duration")),
        )
        """
    )
    assert seen["spans"] == [
        ["GET /ok", 200, "UNSET"],
        ["GET /ok", 403, "UNSET"],
        ["GET /broken", 500, "ERROR"],
        ["GET /gone", 410, "UNSET"],
        ["GET /away", 503, "ERROR"],
        ["GET /handled", 502, "ERROR"],
        ["GET", 404, "UNSET"],
        ["GET /stream", 200, "UNSET"],
    ]
    assert seen["reasons"] == ["ZeroDivisionError", "503", "KeyError"]
    assert seen["inside"] == [True] * 16
    assert seen["after"] is False
    assert seen["active"] == [0]
    assert seen["durations"] == 8


def test_first_requests_at_the_same_moment(program: Program) -> None:
    """Requests that arrive together at a new app have no span, or two."""
    seen = program(
        """
        import threading
        from flask import Flask
        from otel_kit.instrument import instrument_all
        observe(); instrument_all()
        bad = []
        for _ in range(20):
            app = Flask("shop")
            app.get("/")(lambda: "fine")
            threads = [threading.Thread(target=lambda: app.test_client().get("/")) for _ in range(8)]
            [t.start() for t in threads]; [t.join() for t in threads]
            found = names()
            if found != ["GET /"] * 8:
                bad.append(found)
        show(bad=bad)
        """
    )
    assert seen["bad"] == []
