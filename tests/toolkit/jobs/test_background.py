"""Commands as runs: in the foreground, in the background, watched, stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import otel_kit
from otel_kit.cli import main
from otel_kit.toolkit.jobs.index import Index
from otel_kit.toolkit.jobs.output import Rotating, job_logs
from otel_kit.toolkit.jobs.watching import states

ROOT = Path(__file__).resolve().parents[3]

JOB = """
import sys, time, otel_kit
with otel_kit.run("inner"):
    print("hello", flush=True)
    for year in otel_kit.batch("years", range(1000)):
        time.sleep(0.05)
"""


@pytest.fixture
def kit(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    (tmp_path / "job.py").write_text(JOB)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "otel_kit", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )

    return run


def status(kit: Any, *arguments: str) -> dict[str, Any]:
    return {each["name"]: each for each in json.loads(kit("status", "--json", *arguments).stdout)}


def seen(here: Path, stuck_after: float = 600.0) -> dict[str, Any]:
    """The same without a process, for what is looked at again and again."""
    index = Index(str(here / "artifacts/runs"))
    return {each["name"]: each for each in states(index, stuck_after=stuck_after, ended_within=600.0)}


def until(holds: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def summary(here: Path, name: str) -> dict[str, Any]:
    found = [json.loads(path.read_text()) for path in here.glob("artifacts/runs/*/summary.json")]
    return next(each for each in found if each["name"] == name)


@pytest.mark.parametrize(
    ("code", "exit_status", "outcome"),
    [
        ("import os; os._exit(0)", 0, "finished"),
        ("import os; os._exit(3)", 3, "failed"),
        ("import os; os.kill(os.getpid(), 9)", 137, "failed"),
    ],
)
def test_a_command_is_a_run(tmp_path: Path, kit: Any, code: str, exit_status: int, outcome: str) -> None:
    """A command's exit status is lost, or its outcome is told as another one."""
    done = kit("run", "--name", "job", "--tag", "who=ann", "--", sys.executable, "-c", code)
    assert done.returncode == exit_status, done.stderr
    found = summary(tmp_path, "job")
    assert (found["outcome"], found["tags"]) == (outcome, {"who": "ann"})


def test_the_figures_of_a_command_are_its_own(tmp_path: Path, kit: Any) -> None:
    """A command's memory and CPU are the launcher's, or the page, a comparison and the list of runs differ in them."""
    for size in (100, 200):
        code = f"held = bytearray({size}_000_000); sum(range(3_000_000))"
        done = kit("run", "--name", "big", sys.executable, "-c", code)
        # The launcher itself is smaller; its forked copy counts as the command's until that is larger.
        assert re.search(rf"peak (below )?{size // 100}\d\d(\.\d)? MB", done.stderr), done.stderr
    latest, first = json.loads(kit("runs", "--json", "--name", "big").stdout)
    assert latest["peak_memory_bytes"] - first["peak_memory_bytes"] == pytest.approx(1e8, rel=0.2)
    figures = json.loads(kit("runs", "--json", "compare", first["id"], latest["id"]).stdout)["figures"]
    assert figures["peak_memory_bytes"] == [first["peak_memory_bytes"], latest["peak_memory_bytes"]]
    taken = summary(tmp_path, "big")["resources"]
    assert taken["children_cpu_seconds"] in figures["cpu_seconds"]


def test_secrets_of_a_command_stay_out_of_its_files(tmp_path: Path, kit: Any) -> None:
    """A password on the command line is written to the run's files."""
    secret = "s3cr" + "et-Value-91"
    kit("run", "--name", "job", sys.executable, "-c", "pass", "--password", secret)
    assert secret not in json.dumps(summary(tmp_path, "job"))


def test_a_program_that_is_not_there_is_said(kit: Any) -> None:
    """A misspelt program is a run, or the background one fails in silence."""
    for arguments in ((), ("--background",)):
        done = kit("run", *arguments, "no-such-program-at-all")
        assert done.returncode == 2
        assert "no-such-program-at-all" in done.stderr


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path, kit: Any) -> None:
    """A command in the background is lost without a word where nothing can be kept of it, or one in the foreground is not run."""
    (tmp_path / "artifacts").write_text("a file where the directory should be")
    done = kit("run", "--background", "--name", "nightly", sys.executable, "-c", "print('ran')")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        f"otel-kit run: the runs directory cannot be written: {tmp_path / 'artifacts/runs'}: "
    )
    done = kit("run", "--name", "nightly", sys.executable, "-c", "print('ran')")
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert done.stderr.count("otel_kit: ") == 1


@pytest.mark.timeout(240)  # a dozen processes, one after the other
def test_the_life_of_a_job_in_the_background(tmp_path: Path, kit: Any) -> None:
    """A job in the background is not watched, not stopped cleanly, or what it said and came to is lost."""
    done = kit("run", "--background", "--name", "nightly", sys.executable, "job.py")
    assert done.returncode == 0, done.stderr
    until(lambda: seen(tmp_path).get("inner", {}).get("progress"))
    assert status(kit)["inner"]["progress"][0]["operation"] == "years"
    outer = status(kit)["nightly"]
    assert outer["status"] == "running"
    pid = outer["process"]["pid"]
    assert os.getsid(pid) != os.getsid(0)
    assert "still runs" in kit("wait", "nightly", "--timeout", "0.1").stderr
    assert "asked to end" in kit("stop", "nightly").stdout
    assert kit("wait", "nightly").returncode == 143
    assert (summary(tmp_path, "nightly")["outcome"], summary(tmp_path, "inner")["outcome"]) == (
        "stopped",
        "stopped",
    )
    assert kit("runs", "logs", "nightly").stdout.startswith("hello\n")
    assert status(kit)["nightly"]["status"] == "stopped"


def test_what_runs_is_shown_in_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A batch that belongs to no run has its pid where others have their id."""
    monkeypatch.chdir(tmp_path)
    with otel_kit.batch("years", range(3)) as years:
        next(iter(years))
        with otel_kit.run("nightly"):
            until(lambda: list((tmp_path / "logs/progress").glob("*.json")))
            capsys.readouterr()
            assert main(["status"]) == 0
            lines = [line for line in capsys.readouterr().out.splitlines() if " pid " in line]
    assert len(lines) == 2
    assert len({line.index(" pid ") for line in lines}) == 1


def test_a_killed_job_has_died_and_a_silent_one_is_stuck(tmp_path: Path, kit: Any) -> None:
    """A job whose processes are gone, or which does not move any more, goes on as running."""
    kit("run", "--background", "--name", "nightly", sys.executable, "job.py")
    inner = until(lambda: seen(tmp_path).get("inner", {}).get("progress"))
    child = inner[0]["pid"]
    os.kill(child, signal.SIGSTOP)
    until(lambda: seen(tmp_path, 0.1)["inner"]["status"] == "stuck")
    assert status(kit, "--stuck-after", "0.1s")["inner"]["status"] == "stuck"
    outer = status(kit)["nightly"]["process"]["pid"]
    os.kill(outer, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    until(lambda: status(kit).get("nightly", {}).get("status") == "died")  # the command finds it out
    assert kit("wait", "nightly").returncode == 1
    assert "no run 'nightly' is running" in kit("stop", "nightly").stderr


def test_output_is_rotated_and_read_in_order(tmp_path: Path) -> None:
    """Rotated output loses a piece, or is read in another order."""
    file = Rotating(str(tmp_path / "stdout.log"), largest=100)
    for number in range(20):
        file.write(f"{number:019d}\n".encode())
    file.close()
    lines = b"".join(job_logs(str(tmp_path))).split()
    assert [int(line) for line in lines] == list(range(20))
    assert len(list(tmp_path.glob("stdout.log*"))) == 4
