"""Which libraries are turned on, when, and what is said about those that cannot be. Each test is a program of its own."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Program = Callable[..., dict[str, Any]]


def test_a_library_is_not_imported_by_turning_it_on(program: Program) -> None:
    """A program pays for a library that it does not use, or for contrib's package of one."""
    seen = program(
        """
        import sys
        from otel_kit.instrument import instrument_all, LIBRARIES
        report = instrument_all()
        loaded = [n for n in sys.modules if n in (*LIBRARIES, "asyncio", "wrapt") or "instrumentation" in n]
        show(loaded=[n for n in loaded if n != "opentelemetry.sdk.util.instrumentation"],
             waiting=report.waiting, on=report.on, impossible=report.impossible)
        """
    )
    assert {"django", "fastapi", "flask", "httpx", "requests", "sqlalchemy", "starlette"} <= set(
        seen["waiting"]
    )
    assert (seen["on"], seen["impossible"], seen["said"]) == ([], {}, "")
    assert [name for name in seen["loaded"] if name != "asyncio"] == []


@pytest.mark.parametrize("order", ["before", "after", "threads"])
def test_libraries_are_turned_on_whenever_they_are_imported(program: Program, order: str) -> None:
    """A library stays off, is on twice, or warns, because of when it was imported."""
    turn_on = "instrument_all(); observe()"
    imports = "import fastapi, flask, httpx, requests, sqlalchemy"
    source = {
        "before": f"{turn_on}; {imports}",
        "after": f"{imports}; {turn_on}",
        "threads": f"""import importlib, threading; {turn_on}
threads = [threading.Thread(target=importlib.import_module, args=(name,)) for name in LIBRARIES * 3]
[t.start() for t in threads]; [t.join() for t in threads]""",
    }[order]
    seen = program(
        f"from otel_kit.instrument import *\n{source}\n"
        + textwrap.dedent("""
        from flask import Flask
        from sqlalchemy import create_engine, text
        import requests as http
        app = Flask("shop")
        engine = create_engine("sqlite://")
        @app.get("/orders/<n>")
        def order(n):
            with engine.connect() as connection:
                return str(connection.execute(text("select 1")).scalar())
        address = serve_wsgi(app)
        http.get(address + "/orders/7")
        found = settled(3)
        show(names=[s.name for s in found], traces=len({s.context.trace_id for s in found}), on=report().on)
        """)
    )
    assert {"fastapi", "flask", "httpx", "requests", "sqlalchemy", "starlette"} <= set(seen["on"])
    assert sorted(seen["names"]) == ["GET", "GET /orders/<n>", "SELECT"]
    assert seen["traces"] == 1
    assert "otel_kit" not in seen["said"]


def test_everything_can_be_undone_and_done_again(program: Program) -> None:
    """Something is emitted after uninstrument_all, or nothing after the next instrument_all."""
    seen = program(
        """
        from otel_kit.instrument import *
        from flask import Flask
        from sqlalchemy import create_engine, text
        import fastapi, httpx, requests
        observe()
        engine = create_engine("sqlite://")
        app = Flask("shop")
        native = fastapi.FastAPI()
        @app.get("/")
        def home():
            with engine.connect() as connection:
                return str(connection.execute(text("select 1")).scalar())
        address = serve_wsgi(app)
        def visit():
            requests.get(address); httpx.get(address)
            return sorted(s.name for s in settled(6))
        rounds = [instrument_all() and visit()]
        uninstrument_all()
        requests.get(address); app.test_client().get("/"); httpx.get(address)
        off = names(), report().on, report().waiting, native._telemetry["operation_spans"]
        instrument_all()
        instrument_all()
        rounds.append(visit())
        show(rounds=rounds, off=off)
        """
    )
    assert seen["rounds"] == [["GET", "GET", "GET /", "GET /", "SELECT", "SELECT"]] * 2
    assert seen["off"] == [[], [], [], True]


def test_a_choice_is_followed_also_when_it_changes(program: Program) -> None:
    """A library that was not chosen, or was disabled by name, is on; or an unknown name is passed over in silence."""
    seen = program(
        """
        from otel_kit.instrument import *
        import flask, httpx, requests
        only = instrument_all(["flask", "nonsense"])
        without = instrument_all("auto", disabled=["httpx", " sqlalchemy"])
        nothing = instrument_all("auto", disabled=["*"])
        show(only=only.on, impossible=only.impossible, without=[without.on, without.waiting], nothing=nothing.on)
        """
    )
    assert seen["only"] == ["flask"]
    on, waiting = seen["without"]
    assert {"flask", "requests"} <= set(on)
    assert {"fastapi", "django"} <= set(waiting)
    assert not {"httpx", "sqlalchemy"} & {*on, *waiting}
    assert seen["nothing"] == []
    assert list(seen["impossible"]) == ["nonsense"]
    assert seen["said"].count("otel_kit: nonsense is not instrumented: no library of that name is known") == 1


def test_a_missing_library_is_said_with_the_line_that_installs_it(program: Program) -> None:
    """Turning one library on that is not installed fails without a word about what would help."""
    seen = program(
        """
        import sys
        sys.modules["flask"] = None
        import otel_kit
        try:
            otel_kit.instrument.flask()
        except otel_kit.errors.MissingExtraError as error:
            show(message=str(error))
        """
    )
    assert seen["message"] == "flask is not installed; run: pip install 'otel-kit[flask]'"


def test_what_an_exporter_imports_is_not_the_program_s_use(program: Program) -> None:
    """A program that never uses a library is told about it, because an exporter imports it."""
    seen = program(
        """
        import sys, types
        from opentelemetry import context
        from otel_kit.instrument import instrument_all, report
        context.attach(context.set_value(context._SUPPRESS_INSTRUMENTATION_KEY, True))
        sys.modules["flask"] = types.ModuleType("flask")
        instrument_all()
        show(impossible=report().impossible)
        """
    )
    assert list(seen["impossible"]) == ["flask"]
    assert seen["said"] == ""


def test_instrumentors_of_others_are_turned_on_too(program: Program, tmp_path: Path) -> None:
    """An installed instrumentor of somebody else stays off, is imported too early, or is on although it was disabled."""
    _install_instrumentor(tmp_path, "quacker", requires="quacker >= 1.0")
    (tmp_path / "quacker.py").write_text("sound = 'quack'")
    source = """
        import sys
        from otel_kit.instrument import instrument_all, report, uninstrument_all
        before = instrument_all("auto", DISABLED)
        early = "quacker_instrumentor" in sys.modules
        import quacker
        on = report()
        loud = quacker.sound
        uninstrument_all()
        show(before=before.waiting, early=early, on=on.on, impossible=on.impossible, sounds=[loud, quacker.sound])
        """
    seen = program(source.replace("DISABLED", "()"))
    assert "quacker" in seen["before"]
    assert seen["early"] is False
    assert "quacker" in seen["on"]
    assert seen["sounds"] == ["QUACK", "quack"]
    quiet = program(source.replace("DISABLED", "['quacker']"))
    assert quiet["sounds"] == ["quack", "quack"]


def test_an_instrumentor_whose_library_is_not_there_is_passed_over(program: Program, tmp_path: Path) -> None:
    """A program is told about a library that it has not, because somebody's instrumentor imports it at once."""
    _install_instrumentor(tmp_path, "quacker", requires="quacker >= 1.0")
    seen = program(
        """
        from otel_kit.instrument import instrument_all, plan
        found, planned = instrument_all(), plan()
        show(found=[*found.waiting, *found.impossible, *found.left, *planned.waiting, *planned.impossible])
        """
    )
    assert "flask" in seen["found"]
    assert "quacker" not in seen["found"]
    assert seen["said"] == ""


def test_a_refused_version_is_said_once_with_the_remedy(program: Program, tmp_path: Path) -> None:
    """An instrumentor that refuses the installed version of its library stays off and nobody says why."""
    _install_instrumentor(tmp_path, "quacker", requires="quacker >= 2.0")
    (tmp_path / "quacker.py").write_text("sound = 'quack'")
    seen = program(
        """
        from otel_kit.instrument import instrument_all, report
        import quacker
        instrument_all()
        show(impossible=report().impossible, on=report().on)
        """
    )
    assert "quacker" not in seen["on"]
    assert "quacker >= 2.0" in seen["impossible"]["quacker"]
    assert "install a version that fits" in seen["impossible"]["quacker"]
    assert seen["said"].count("quacker is not instrumented") == 1


DRIVER = """
    from otel_kit.instrument import instrument_all, report
    instrument_all(CHOICE)
    IMPORTS
    import pymysql
    found = report()
    instrument_all(["pymysql"] if CHOICE == "auto" else "auto")
    show(sound=pymysql.sound, on="pymysql" in found.on, left=found.left, waiting="pymysql" in found.waiting)
"""


@pytest.mark.parametrize(
    ("choice", "imports", "on"),
    [
        ("auto", "import sqlalchemy", False),
        ("auto", "import pymysql, sqlalchemy", False),
        ("auto", "import flask", True),
        (["pymysql", "sqlalchemy"], "import sqlalchemy", True),
    ],
    ids=["after", "before", "alone", "named"],
)
def test_a_driver_leaves_its_statements_to_sqlalchemy(
    program: Program, tmp_path: Path, choice: Any, imports: str, on: bool
) -> None:
    """A statement has a span of SQLAlchemy and one of its driver, or a driver has none where nobody else tells."""
    _install_instrumentor(tmp_path, "pymysql", requires="pymysql >= 1.0")
    (tmp_path / "pymysql.py").write_text("sound = 'quack'")
    seen = program(DRIVER.replace("CHOICE", repr(choice)).replace("IMPORTS", imports))
    assert seen["on"] is on
    assert list(seen["left"]) == ([] if on else ["pymysql"])
    assert not seen["waiting"]
    assert seen["sound"] == ("QUACK" if choice == "auto" else "quack"), "the other choice does not hold then"


def test_the_command_says_what_would_be_on(program: Program, tmp_path: Path) -> None:
    """``otel-kit config`` does not tell which libraries would emit, which are left off or impossible, and why."""
    for library, requires in (("pymysql", "1.0"), ("quacker", "2.0")):
        _install_instrumentor(tmp_path, library, requires=f"{library} >= {requires}")
        (tmp_path / f"{library}.py").write_text("sound = 'quack'")
    seen = program(
        """
        import contextlib, io, json
        from otel_kit.cli import main
        with contextlib.redirect_stdout(io.StringIO()) as text:
            main(["config"])
        with contextlib.redirect_stdout(io.StringIO()) as answer:
            main(["config", "--json"])
        show(text=text.getvalue(), libraries=json.loads(answer.getvalue())["libraries"])
        """
    )
    assert {"flask", "sqlalchemy"} <= set(seen["libraries"]["waiting"])
    assert list(seen["libraries"]["left"]) == ["pymysql"]
    assert list(seen["libraries"]["impossible"]) == ["quacker"]
    assert "\n  left off: pymysql: SQLAlchemy tells" in seen["text"]
    assert "\n  impossible: quacker: " in seen["text"]


def test_what_only_the_exporter_uses_is_not_on(program: Program) -> None:
    """urllib3 is told as instrumented because the exporter imported it, or is not although the program uses it."""
    seen = program(
        """
        from flask import Flask
        import otel_kit, tests.receiver
        with tests.receiver.receiving() as receiver:
            telemetry = otel_kit.init_telemetry("shop", endpoint=receiver.http, console="off", instrument=["urllib3"])
            otel_kit.get_logger("shop").info("hello")
            flushed = telemetry.force_flush(10)
            exported = telemetry.stats()["instrumented"]
            import urllib3
            urllib3.request("GET", serve_wsgi(Flask("shop")))
            used = telemetry.stats()["instrumented"]
            telemetry.shutdown()
        show(flushed=flushed, exported=exported, used=used)
        """
    )
    assert seen["flushed"]
    assert (seen["exported"]["on"], seen["exported"]["waiting"]) == ([], ["urllib3"])
    assert (seen["used"]["on"], seen["used"]["waiting"]) == (["urllib3"], [])


def test_an_installed_instrumentor_can_be_chosen_by_name(program: Program, tmp_path: Path) -> None:
    """``instrument`` refuses the name of an installed instrumentor, or suggests nothing for one that is misspelt."""
    _install_instrumentor(tmp_path, "quacker", requires="quacker >= 1.0")
    (tmp_path / "quacker.py").write_text("sound = 'quack'")
    seen = program(
        """
        import otel_kit
        quiet = dict.fromkeys(("traces_exporter", "metrics_exporter", "logs_exporter"), "none")
        telemetry = otel_kit.init_telemetry("shop", instrument=["quacker", "flask"], **quiet)
        import quacker
        errors = []
        for name in ("quaker", "fastpi", "zzz"):
            try:
                otel_kit.init_telemetry("shop", instrument=["flask", name], **quiet)
            except otel_kit.errors.SettingError as error:
                errors.append(str(error))
        show(sound=quacker.sound, on=telemetry.stats()["instrumented"]["on"], errors=errors)
        """
    )
    assert (seen["sound"], seen["on"]) == ("QUACK", ["quacker"])
    assert [error.partition("installed")[2] for error in seen["errors"]] == [
        "; did you mean 'quacker'?",
        "; did you mean 'fastapi'?",
        "",
    ]


def test_an_instrumentor_that_takes_nothing_back_tells_once(program: Program, tmp_path: Path) -> None:
    """Each init_telemetry after a shutdown makes an instrumentor tell once more, or one that is not chosen stays on."""
    (tmp_path / "quacker.py").write_text(
        "class Duck:\n    def quack(self):\n        return []\nclass Goose(Duck): pass\n"
    )
    _install_instrumentor(tmp_path, "quacker", "quacker")
    (tmp_path / "quacker_instrumentor.py").write_text(
        """
import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

def told(wrapped, instance, args, kwargs):
    return ["told", *wrapped(*args, **kwargs)]

class Instrumentor(BaseInstrumentor):
    def instrumentation_dependencies(self):
        return ["quacker"]

    def _instrument(self, **_):
        wrapt.wrap_function_wrapper("quacker", "Duck.quack", told)
        wrapt.wrap_function_wrapper("quacker", "Goose.quack", told)

    def _uninstrument(self, **_):
        pass
"""
    )
    seen = program(
        """
        import quacker, wrapt, otel_kit
        quiet = dict.fromkeys(("traces_exporter", "metrics_exporter", "logs_exporter"), "none")
        found = []
        for choice in (["quacker"], ["quacker"], [], ["quacker"]):
            telemetry = otel_kit.init_telemetry("shop", instrument=choice, **quiet)
            found.append(quacker.Duck().quack() + quacker.Goose().quack())
            telemetry.shutdown()
        show(found=found, left="quack" in vars(quacker.Goose), patch=wrapt.patches.apply_patch.__module__)
        """
    )
    # A goose quacks as a duck does.
    assert seen["found"] == [["told"] * 3, ["told"] * 3, [], ["told"] * 3]
    assert (seen["left"], seen["patch"]) == (False, "wrapt.patches")


def _install_instrumentor(folder: Path, library: str, requires: str) -> None:
    """A distribution with an instrumentor, and one of the library it is for, where the program looks for modules."""
    for name, extra in ((library, ""), (f"{library}_instrumentor", "")):
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{extra}")
    entry = f"[opentelemetry_instrumentor]\n{library} = {library}_instrumentor:Instrumentor\n"
    (folder / f"{library}_instrumentor-1.0.dist-info" / "entry_points.txt").write_text(entry)
    (folder / f"{library}_instrumentor.py").write_text(
        f"""
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
import {library}

class Instrumentor(BaseInstrumentor):
    def instrumentation_dependencies(self):
        return ["{requires}"]

    def _instrument(self, **_):
        {library}.sound = {library}.sound.upper()

    def _uninstrument(self, **_):
        {library}.sound = {library}.sound.lower()
"""
    )


def test_disabled_fastapi_emits_nothing_by_itself_either(program: Program) -> None:
    """FastAPI goes on to emit by itself although its instrumentation was disabled; or never again."""
    seen = program(
        """
        import asyncio, httpx
        from otel_kit.instrument import instrument_all
        from fastapi import FastAPI
        observe()
        app = FastAPI()
        app.get("/")(lambda: "fine")
        async def get():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                return await client.get("/")
        def visit():
            return [asyncio.run(get()).status_code, [s.kind.name for s in spans()].count("SERVER")]
        instrument_all("auto", ["fastapi"]); disabled = visit()
        instrument_all("auto", ["*"]); all_disabled = visit()
        instrument_all(); on = visit()
        show(disabled=disabled, all_disabled=all_disabled, on=on)
        """
    )
    assert (seen["disabled"], seen["all_disabled"], seen["on"]) == ([200, 0], [200, 0], [200, 1])


def test_a_library_that_breaks_while_it_is_turned_on_breaks_nothing_else(program: Program) -> None:
    """An error while a library is turned on reaches the program's import, or stops other libraries."""
    seen = program(
        """
        import sys, types
        sys.modules["httpx"] = types.ModuleType("httpx")
        from otel_kit.instrument import *
        instrument_all()
        import requests
        show(impossible=report().impossible, on=report().on)
        """
    )
    assert "httpx" in seen["impossible"]
    assert "requests" in seen["on"]


def test_the_stable_conventions_hold(program: Program) -> None:
    """Attributes have the names of old conventions."""
    source = """
        from otel_kit.instrument import *
        instrument_all(); observe()
        from sqlalchemy import create_engine, text
        with create_engine("sqlite://").connect() as connection:
            connection.execute(text("select 1"))
        show(keys=sorted(spans()[0].attributes))
        """
    assert "db.query.text" in program(source)["keys"]


def test_one_request_through_three_libraries_is_one_trace(program: Program) -> None:
    """The trace breaks between FastAPI, requests and Flask, or has spans that nobody asked for."""
    seen = program(
        """
        from otel_kit.instrument import *
        import requests
        from fastapi import FastAPI
        from flask import Flask
        stock = Flask("stock")
        @stock.get("/items/<n>")
        def item(n):
            return {"n": n}
        shop = FastAPI()
        @shop.get("/orders/{n}")
        def order(n: int):
            return requests.get(f"{inner}/items/{n}").json()
        instrument_all(); observe()
        inner, outer = serve_wsgi(stock), serve_asgi(shop)
        with requests.Session() as session:
            answer = session.get(f"{outer}/orders/7").json()
        found = {s.context.span_id: s for s in settled(4)}
        chain, span = [], next(s for s in found.values() if s.name == "GET /items/<n>")
        while span:
            chain.append([span.name, span.kind.name])
            span = span.parent and found[span.parent.span_id]
        durations = {p.attributes.get("http.route") for p in metric("http.server.request.duration")}
        show(answer=answer, chain=chain, durations=sorted(map(str, durations)), extra=len(spans()))
        """
    )
    assert seen["answer"] == {"n": "7"}
    assert seen["chain"] == [
        ["GET /items/<n>", "SERVER"],
        ["GET", "CLIENT"],
        ["GET /orders/{n}", "SERVER"],
        ["GET", "CLIENT"],
    ]
    assert seen["durations"] == ["/items/<n>", "/orders/{n}"]
    assert seen["extra"] == 0


def test_fastapi_s_operation_spans_are_there_for_who_asks(program: Program) -> None:
    """FastAPI's operation spans are on for an app that did not ask, or off for one that did."""
    seen = program(
        """
        from fastapi import FastAPI
        from otel_kit.instrument import *
        class Shop(FastAPI): ...
        made_before = [FastAPI(), Shop()]
        instrument_all()
        made_after = [FastAPI(), Shop(telemetry={"metrics": False})]
        asked = FastAPI(telemetry={"operation_spans": True})
        state = lambda apps: [app._telemetry["operation_spans"] for app in apps]
        show(quiet=state(made_before + made_after), asked=state([asked]), metrics=made_after[1]._telemetry["metrics"])
        """
    )
    assert seen["quiet"] == [False] * 4
    assert seen["asked"] == [True]
    assert seen["metrics"] is False


def test_calls_of_the_exporters_make_no_spans(program: Program) -> None:
    """A call that otel_kit makes while it exports becomes a span, which is exported, which becomes a span."""
    seen = program(
        """
        from flask import Flask
        from opentelemetry import context
        from otel_kit.instrument import *
        instrument_all(["requests", "httpx"]); observe()
        import httpx, requests
        address = serve_wsgi(Flask("collector"))
        token = context.attach(context.set_value("suppress_instrumentation", True))
        requests.get(address); httpx.get(address)
        context.detach(token)
        quiet = names()
        requests.get(address)
        show(quiet=quiet, loud=names())
        """
    )
    assert (seen["quiet"], seen["loud"]) == ([], ["GET"])


def test_files_are_there_by_name(program: Program) -> None:
    """``otel_kit.instrument.<library>`` needs an import of its own."""
    seen = program(
        """
        import otel_kit
        names = (*otel_kit.instrument.LIBRARIES, "asgi", "wsgi")
        files = [getattr(otel_kit.instrument, name) for name in names]
        show(all=all(callable(file) and callable(file.instrument) and callable(file.undo) for file in files))
        """
    )
    assert seen["all"]
