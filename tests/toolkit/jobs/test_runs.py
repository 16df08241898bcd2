"""Runs: what is known of one, however it ends."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import otel_kit
from otel_kit.errors import ArgumentError
from otel_kit.testing import capture
from otel_kit.toolkit.jobs import places
from otel_kit.toolkit.jobs.alive import identity, is_alive
from otel_kit.toolkit.jobs.index import Index
from otel_kit.toolkit.jobs.runid import new_id
from tests.programs import ROOT, begin, ended


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    places._told.clear()
    return tmp_path


def summaries(folder: Path) -> list[dict[str, Any]]:
    found = sorted((folder / "artifacts/runs").glob("*/summary.json"))
    return [json.loads(path.read_text()) for path in found]


def test_a_run_leaves_a_summary(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The summary lacks the outcome, stages, rows, problems, artefacts, configuration or what changed in it."""
    log = otel_kit.get_logger("job")
    (here / "out.csv").write_text("a,b\n")
    with capture():
        for year in (2024, 2025):
            with otel_kit.run(
                "simulation", config={"year": year, "db": {"password": "pa" + "ss-w0rd"}}
            ) as run:
                with run.stage("load"):
                    run.rows(10)
                    with run.stage("parse"):
                        run.rows(5)
                for _ in range(3):
                    log.warning("no city", lead=7)
                otel_kit.check("nulls", 0.5, max=0.1)
                with otel_kit.measure("geocode"):
                    pass
                run.artifact("out.csv")
    first, second = summaries(here)
    assert second["outcome"] == "finished"
    assert second["id"] > first["id"]
    assert second["config"]["db"]["password"] != "pa" + "ss-w0rd"
    assert second["config_changes"]["changed"] == {"year": [2024, 2025]}
    assert [(s["path"], s["rows"]) for s in second["stages"]] == [("load", 15), ("load / parse", 5)]
    assert second["rows"] == 15
    assert second["warnings"] == 3
    problem = second["problems"][-1]
    assert (problem["count"], problem["message"]) == (3, "no city")
    assert "test_runs.py:" in problem["place"]
    assert second["slowest"][0]["name"] == "geocode"
    assert second["checks"][0]["outcome"] == "fail"
    assert second["artifacts"][0]["bytes"] == 4
    assert second["environment"]["packages"]["structlog"]
    assert second["resources"]["peak_memory_bytes"] > 1e6
    shown = capsys.readouterr().err
    assert "simulation" in shown
    assert "2024 → 2025" in shown


def test_what_is_emitted_inside_belongs_to_the_run(here: Path) -> None:
    """A span or record inside a run lacks its id, or a run inside a run is not told from the outer one."""
    with capture() as captured, otel_kit.run("outer") as outer:
        with otel_kit.span("a"):
            otel_kit.get_logger("job").info("said")
        with otel_kit.run("inner") as inner, otel_kit.span("b"):
            pass
        with otel_kit.span("c"):
            pass
    ids = {span.name: span.attributes["otel_kit.run.id"] for span in captured.spans}
    assert ids == {"a": outer.id, "b": inner.id, "c": outer.id, "run inner": inner.id, "run outer": outer.id}
    assert inner.summary["parent"] == outer.id
    said = [record for record in captured.logs if record.body == "said"]
    assert said[0].attributes["otel_kit.run.id"] == outer.id
    assert "OTEL_KIT_RUN_ID" not in os.environ


def test_children_by_environment_belong_to_the_run(here: Path) -> None:
    """A process that the run starts emits without the run's id."""
    source = """
        import otel_kit, json
        telemetry = otel_kit.init_telemetry(
            "child", traces_exporter=["none"], metrics_exporter=["none"], logs_exporter=["none"]
        )
        resource = telemetry.settings.resource_attributes
        print(json.dumps([otel_kit.current_context()["run_id"], resource["otel_kit.run.id"]]))
    """
    import textwrap

    with otel_kit.run("outer") as outer:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(source)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout.strip(), done.stderr
    assert json.loads(done.stdout) == [outer.id, outer.id]
    assert "OTEL_KIT_RUN_ID" not in done.stderr


def test_a_decorated_function_is_a_run_each_time(here: Path) -> None:
    """A decorated function, sync or async, loses its result, or its calls are not runs."""

    @otel_kit.run("sync")
    def add(a: int, b: int) -> int:
        return a + b

    @otel_kit.run("async")
    async def multiply(a: int, b: int) -> int:
        await asyncio.sleep(0)
        return a * b

    assert (add(1, 2), add(2, 3), asyncio.run(multiply(2, 3))) == (3, 5, 6)
    assert [each["name"] for each in summaries(here)] == ["sync", "sync", "async"]


@pytest.mark.parametrize(
    ("error", "outcome", "status"),
    [
        (ValueError("no"), "failed", None),
        (SystemExit(0), "finished", 0),
        (SystemExit(3), "failed", 3),
        (KeyboardInterrupt(), "interrupted", 130),
    ],
)
def test_an_exception_is_the_outcome(
    here: Path, error: BaseException, outcome: str, status: int | None
) -> None:
    """A run that an exception leaves is told as another outcome, or the exception is swallowed."""
    with pytest.raises(type(error)), otel_kit.run("job"):
        raise error
    (summary,) = summaries(here)
    assert (summary["outcome"], summary["exit_status"]) == (outcome, status)


SLEEPER = """
    import sys, time, otel_kit
    if "telemetry" in sys.argv:
        otel_kit.init_telemetry("job", traces_exporter=["none"], metrics_exporter=["none"], logs_exporter=["none"])
    try:
        with otel_kit.run("sleeper") as run:
            print(run.id, flush=True)
            time.sleep(30)
    finally:
        print("cleaned up", flush=True)
"""


def started(here: Path, source: str, *arguments: str) -> subprocess.Popen[str]:
    process = begin(here, source, *arguments)
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.mark.parametrize("arguments", [(), ("telemetry",)])
@pytest.mark.parametrize(
    ("number", "outcome", "status"), [(signal.SIGTERM, "stopped", 143), (signal.SIGINT, "interrupted", None)]
)
def test_a_signal_ends_a_run_cleanly(
    here: Path, number: int, outcome: str, status: int | None, arguments: tuple[str, ...]
) -> None:
    """A run that is told to end loses its summary, skips the program's clean-up, or has another exit status."""
    process = started(here, SLEEPER, *arguments)
    process.send_signal(number)
    out, err = ended(process)
    assert "cleaned up" in out
    assert process.returncode in ((status,) if status else (130, -signal.SIGINT)), err
    assert [each["outcome"] for each in summaries(here)] == [outcome]


def test_a_killed_run_is_found_dead_by_the_next(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run whose process was killed goes on as running for ever, or its configuration is lost."""
    process = started(here, SLEEPER)
    process.kill()
    ended(process)
    assert summaries(here) == []
    with otel_kit.run("next"):
        pass
    assert [(each["name"], each["outcome"]) for each in summaries(here)] == [
        ("sleeper", "died"),
        ("next", "finished"),
    ]
    assert "has died" in capsys.readouterr().err


def test_a_reused_pid_fools_nobody() -> None:
    """A process that has the pid of a dead run is taken for it."""
    known = identity()
    assert is_alive(known) is True
    assert is_alive({**known, "began": known["began"] - 1}) is False
    assert is_alive({**known, "boot": "another"}) is False
    assert is_alive({**known, "host": "elsewhere"}) is None


def test_a_forked_child_does_not_end_its_parents_run(here: Path) -> None:
    """A child that leaves the block, or os._exit in it, writes the summary of its parent's run."""
    with otel_kit.run("parent") as run:
        child = os.fork()
        if child == 0:
            run.__exit__(None, None, None)
            os._exit(0 if not summaries(here) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [each["outcome"] for each in summaries(here)] == ["finished"]


def test_a_directory_that_cannot_be_written_is_one_sentence(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program does not go on where the runs directory cannot be made, or nothing says why."""
    (here / "artifacts").write_text("a file where the directory should be")
    for _ in range(2):
        with otel_kit.run("job") as run:
            run.rows(1)
    err = capsys.readouterr().err
    assert err.count("the runs directory cannot be written") == 1
    assert run.summary["outcome"] == "finished"


def test_a_directory_that_is_removed_is_made_anew(here: Path) -> None:
    """A run whose directory is deleted in the middle raises, or has no summary."""
    import shutil

    with otel_kit.run("job"):
        shutil.rmtree(here / "artifacts")
    assert [each["outcome"] for each in summaries(here)] == ["finished"]


def test_a_damaged_index_is_made_anew(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged index raises into the program, or loses earlier runs."""
    with otel_kit.run("first"):
        pass
    (here / "artifacts/runs/index.db").write_bytes(b"no database" * 100)
    with otel_kit.run("second"):
        pass
    assert [row["name"] for row in Index(str(here / "artifacts/runs")).runs()] == ["second", "first"]
    assert "set aside" in capsys.readouterr().err


def test_several_processes_write_the_index(here: Path) -> None:
    """Runs of one name at once, in several processes, lose one of their rows."""
    source = """
        import otel_kit
        for _ in range(3):
            with otel_kit.run("same"): pass
        print("done", flush=True)
    """
    processes = [started(here, source) for _ in range(3)]
    for process in processes:
        _, err = ended(process)
        assert "otel_kit:" not in err
    rows = Index(str(here / "artifacts/runs")).runs("same")
    assert len({row["id"] for row in rows}) == 9
    assert {row["outcome"] for row in rows} == {"finished"}


def test_ids_grow_though_the_clock_jumps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id made after the clock was set back sorts before an earlier one."""
    first = new_id()
    monkeypatch.setattr("otel_kit.toolkit.jobs.runid.time.time_ns", lambda: 1)
    assert new_id() > first


def test_a_directory_removed_in_mid_run_is_made_anew(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run whose directory is deleted has no summary, or is said to be unable to write what nobody needs any more."""
    with otel_kit.run("job"):
        shutil.rmtree(here / "artifacts")
    assert [each["outcome"] for each in summaries(here)] == ["finished"]
    assert "cannot be written" not in capsys.readouterr().err


def test_wrong_arguments_are_named() -> None:
    """A wrong argument is accepted, or the error does not name it."""
    for wrong, name in (
        (lambda: otel_kit.run(""), "name"),
        (lambda: otel_kit.run("a", config=3), "config"),
        (lambda: otel_kit.run("a", tags=3), "tags"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ArgumentError, match=name):
            wrong()


def test_without_telemetry_the_usual_rules_hold(run_program: Any, here: Path) -> None:
    """Without init_telemetry a secret is written to the summary, or a configuration and messages are withheld altogether."""
    secret = "s3cr" + "et-Value-91"
    done = run_program(
        f"""
        import otel_kit
        with otel_kit.run("job", config={{"seed": 7, "password": "{secret}"}}):
            raise ValueError("no file years.csv, password={secret}")
        """
    )
    (found,) = summaries(here)
    assert done.stderr.startswith("── job")
    assert found["config"]["seed"] == 7
    assert found["error"]["message"].startswith("no file years.csv")
    assert secret not in json.dumps(found)


def test_the_resource_names_the_run_from_its_beginning_to_its_end(run_program: Any, here: Path) -> None:
    """The resource of a process that called init_telemetry before a run does not name it, or names it when it is over."""
    done = run_program(
        """
        import otel_kit, sys
        off = dict.fromkeys(("traces_exporter", "metrics_exporter", "logs_exporter"), ["none"])
        def told():
            return otel_kit.get_tracer("job").start_span("a").resource.attributes.get("otel_kit.run.id")
        otel_kit.init_telemetry("job", console="off", **off)
        found = [told()]
        with otel_kit.run("outer") as outer:
            found.append(told())
            with otel_kit.run("inner") as inner:
                found.append(told())
            found.append(told())
            otel_kit.init_telemetry("job", console="off", **off)
            found.append(told())
        found.append(told())
        assert found == [None, outer.id, inner.id, outer.id, outer.id, None], found
        print("well")
        """
    )
    assert done.stdout == "well\n", done.stderr


@pytest.mark.parametrize(("number", "outcome"), [(signal.SIGTERM, "stopped"), (signal.SIGINT, "cancelled")])
def test_a_signal_ends_a_run_of_asyncio(here: Path, number: int, outcome: str) -> None:
    """A run in an event loop that is told to end counts as failed."""
    source = """
        import asyncio, otel_kit, signal
        signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in a shell's background have it ignored
        async def main():
            async with otel_kit.run("job"):
                print("begun", flush=True)
                await asyncio.sleep(30)
        asyncio.run(main())
    """
    process = started(here, source)
    process.send_signal(number)
    ended(process)
    assert process.returncode in (143, -signal.SIGINT)
    assert [each["outcome"] for each in summaries(here)] == [outcome]
