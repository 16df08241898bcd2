"""Whole programs, set up by ``init_telemetry``, in processes of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

ENV = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_KIT_CONSOLE": "json",
    "OTEL_KIT_PROCESS_METRICS": "false",
    "OTEL_KIT_ERROR_NEWS": "false",
}


def lines(done: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]


def others(done: Any) -> list[str]:
    return [line for line in done.stderr.splitlines() if not line.startswith("{")]


@pytest.mark.parametrize("options", [(), ("-W", "error"), ("-O",), ("-X", "dev")])
def test_a_program_of_all_sorts(run_program: Any, options: tuple[str, ...]) -> None:
    """A program that logs in all ways at once raises, warns, or shows something twice or not at all."""
    done = run_program(
        """
        import logging
        import sys
        import otel_kit
        early = otel_kit.get_logger("early")
        early.warning("before", a=1)
        telemetry = otel_kit.init_telemetry("checkout", capture_warnings=True, capture_uncaught=True)
        otel_kit.init_telemetry("checkout", capture_warnings=True, capture_uncaught=True)
        early.info("now", a=object, b={1: {2}}, c=[float("nan")], d=10**5000, **{"": 1})
        early.info("%d", "x")
        many = {f"k{i}": i for i in range(300)}
        early.info("many", **many)
        logging.info("basicConfig behind the scenes")
        logging.getLogger("std").info("std %s", 1, extra={"k": [1]})
        import structlog
        structlog.get_logger().info("structlog", n=1)
        telemetry.shutdown()
        early.warning("after")
        otel_kit.init_telemetry("checkout", capture_uncaught=True)
        early.info("again")
        raise LookupError("the end")
        """,
        env=ENV,
        options=options,
    )
    assert [(line["logger"], line["body"]) for line in lines(done)] == [
        ("early", "now"),
        ("early", "%d [arguments ('x',) do not fit: %d format: a real number is required, not str]"),
        ("early", "many"),
        ("root", "basicConfig behind the scenes"),
        ("std", "std 1"),
        ("early", "again"),
    ]
    assert [line for line in others(done) if line[0] not in " T"] == [
        "before a=1",
        "WARNING:early:after",
        "LookupError: the end",
    ]
    assert done.stdout.count("structlog") == 1
    assert done.returncode == 1


def test_structlog_is_imported_only_where_it_is_used(run_program: Any) -> None:
    """A program pays for structlog or asyncio although it uses neither."""
    done = run_program(
        """
        import sys
        import otel_kit
        from otel_kit.signals.logs import activate, install_bridges
        activate(console=False)
        install_bridges(warnings=True, uncaught_exceptions=True)
        import logging
        logging.getLogger("x").warning("x")
        print({"structlog", "asyncio", "rich", "opentelemetry.sdk"} & set(sys.modules))
        """
    )
    assert (done.stdout, done.stderr) == ("set()\n", "x\n")


def test_a_thousand_threads_of_a_program(run_program: Any) -> None:
    """Of what 1,000 threads of a program log at once a line is lost, doubled or torn."""
    done = run_program(
        """
        import logging
        import threading
        import otel_kit
        otel_kit.init_telemetry("checkout")
        log = otel_kit.get_logger("ours")
        def work(number):
            log.info("x", number=number)
            logging.getLogger("std").warning("x", extra={"number": number})
        threads = [threading.Thread(target=work, args=(number,)) for number in range(1000)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """,
        env=ENV,
    )
    for name in ("ours", "std"):
        numbers = [line["attributes"]["number"] for line in lines(done) if line["logger"] == name]
        assert sorted(numbers) == list(range(1000))
    assert others(done) == []


def test_hooks_of_a_program(run_program: Any) -> None:
    """An uncaught exception of thread, task or program is no record in a real program, or its traceback is gone."""
    done = run_program(
        """
        import asyncio
        import threading
        import otel_kit
        otel_kit.init_telemetry("checkout", capture_uncaught=True, log_level="info,asyncio=error")
        def fail(): raise ValueError("v")
        thread = threading.Thread(target=fail, name="worker")
        thread.start(); thread.join()
        async def main():
            async def task(): fail()
            asyncio.create_task(task())
            await asyncio.sleep(0.01)
        asyncio.run(main())
        otel_kit.init_telemetry("checkout", capture_uncaught=False)
        fail()
        """,
        env=ENV,
    )
    # The console leaves a traceback that the interpreter prints to the interpreter; the loop's it shows itself.
    assert [(line["logger"], line["severity"], line["exception"]["type"]) for line in lines(done)] == [
        ("asyncio", "ERROR", "ValueError")
    ]
    assert done.stderr.count("Traceback (most recent call last):") == 3
    assert done.stderr.count("Exception in thread worker") == 1


@pytest.mark.parametrize("stderr", ["os.close(2)", "sys.stderr = None", "sys.stderr.close()"])
def test_a_program_without_standard_error(run_program: Any, stderr: str) -> None:
    """A program whose standard error is gone fails when it logs."""
    done = run_program(
        f"""
        import logging, os, sys
        import otel_kit
        otel_kit.init_telemetry("checkout")
        {stderr}
        otel_kit.get_logger("x").info("x")
        logging.getLogger("x").warning("x")
        print("done")
        """,
        env=ENV,
    )
    assert done.stdout == "done\n"


def test_flask_under_gunicorn_says_a_line_once(tmp_path: Path) -> None:
    """A line of Flask's logger is printed by Flask's own handler, which writes to gunicorn's wrapper around
    standard error, and by our console too.
    """
    (tmp_path / "shop.py").write_text(
        textwrap.dedent(
            """
            import flask, otel_kit
            otel_kit.init_telemetry("shop", instrument=())
            app = flask.Flask("shop")

            @app.get("/")
            def order():
                app.logger.warning("by flask")
                otel_kit.get_logger("shop").warning("by us")
                return "ok"
            """
        )
    )
    log = tmp_path / "log"
    env = {**os.environ, **ENV, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0", "shop:app"]
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + 20
            while not (found := re.search(r"Listening at: (\S+)", log.read_text())):
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            urllib.request.urlopen(found[1], timeout=20).close()
        finally:
            server.terminate()
            server.wait(20)
    said = log.read_text()
    assert (said.count("by flask"), said.count("by us")) == (1, 1), said
