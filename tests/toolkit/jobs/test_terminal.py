"""Progress on a real terminal, and where there is none."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")

ROOT = Path(__file__).resolve().parents[3]

PROGRAM = """
import logging, sys, time
if "plain" in sys.argv:
    sys.modules["rich"] = None
import otel_kit
if "kit" in sys.argv:
    otel_kit.init_telemetry("job", traces_exporter=["none"], metrics_exporter=["none"], logs_exporter=["none"])
else:
    logging.basicConfig(level="INFO")
for lead in otel_kit.batch("leads", ["a", "b", "c", "d"]):
    time.sleep(0.3)
    if lead == "b":
        logging.warning("no city")
        print("printed", flush=True)
"""


def seen_on_terminal(here: Path, *arguments: str) -> str:
    (here / "program.py").write_text(PROGRAM)
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(here)
        os.environ.update({"COLUMNS": "100", "TERM": "xterm", "PYTHONPATH": str(ROOT)})
        os.execv(sys.executable, [sys.executable, "-W", "error", "program.py", *arguments])
    data = b""
    while True:
        try:
            piece = os.read(fd, 65_536)
        except OSError:
            break
        if not piece:
            break
        data += piece
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, data
    return data.decode()


def lines_left(data: str) -> list[str]:
    """What stays on the screen: a carriage return and an erasure take away what a line held."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", data).replace("\r\n", "\n")
    return [line.rpartition("\r\x1b[K")[2] for line in plain.split("\n")]


@pytest.mark.parametrize("arguments", [(), ("plain",), ("kit",)])
def test_a_bar_stays_below_what_is_printed(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """There is no bar, or what is logged or printed goes through it, or the bar stays when the batch is over."""
    data = seen_on_terminal(tmp_path, *arguments)
    assert "2/4" in data
    assert ("━" in data) != ("plain" in arguments)
    left = [line for line in lines_left(data) if line]
    assert len(left) == (4 if "kit" in arguments else 3), left  # telemetry says the end, too
    assert "no city" in left[0]
    assert left[1] == "printed"
    assert "leads 4 of 4 (100%)" in left[2]


@pytest.mark.parametrize(("columns", "rows", "key"), [(100, 24, b"q"), (44, 4, b"\x03")])
def test_the_status_can_be_watched(tmp_path: Path, columns: int, rows: int, key: bytes) -> None:
    """The page wraps or scrolls, does not move, or leaves the terminal without its cursor, its echo or its line."""
    name = "the simulation of all years"
    job = f"import otel_kit, time\nfor year in otel_kit.batch({name!r}, range(2000)): time.sleep(0.02)"
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    environ.pop("COLUMNS", None)
    working = subprocess.Popen([sys.executable, "-c", job], cwd=tmp_path, env=environ)
    try:
        here, there = os.openpty()
        termios.tcsetwinsize(there, (rows, columns))
        before = termios.tcgetattr(there)
        watching = subprocess.Popen(
            [sys.executable, "-c", WATCH], cwd=tmp_path, env=environ, stdin=there, stdout=there, stderr=there
        )
        frames = _frames(here, lambda found: len(set(_counts(found))) >= 2)
        os.write(here, key)
        while watching.poll() is None:
            frames += (
                os.read(here, 65_536).decode("utf-8", "replace")
                if select.select([here], [], [], 0.1)[0]
                else ""
            )
        assert watching.returncode == 0
        assert termios.tcgetattr(there) == before
    finally:
        working.kill()
        working.wait()
    assert frames.endswith("\x1b[?25h")
    pages = [
        re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", page)
        .rstrip()
        .split("\r\n")  # at its end a new line for the shell
        for page in frames.split("\x1b[H")[2:]
    ]
    assert max(len(line) for page in pages for line in page) <= columns
    assert max(len(page) for page in pages) <= rows
    assert pages[-1][0].startswith("running")


WATCH = """
import os, fcntl, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from otel_kit.cli import main
raise SystemExit(main(["status", "--watch"]))
"""


def _counts(page: str) -> list[str]:
    return re.findall(r"([\d,]+)/2,000", page)


def _frames(here: int, enough: Callable[[str], bool]) -> str:
    data, deadline = b"", time.monotonic() + 20
    while not enough(data.decode("utf-8", "replace")):
        assert time.monotonic() < deadline, data
        if select.select([here], [], [], 0.1)[0]:
            data += os.read(here, 65_536)
    return data.decode("utf-8", "replace")


def test_elsewhere_a_short_batch_says_nothing(run_program, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Where nobody looks, a batch of less than half a minute writes lines, or a bar."""
    done = run_program("import otel_kit\nlist(otel_kit.batch('leads', 'abc'))")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_line_every_thirty_seconds(run_program) -> None:  # type: ignore[no-untyped-def]
    """Where nobody looks, a long batch says nothing until it is over."""
    done = run_program("""
        import time, otel_kit
        from otel_kit.toolkit.jobs import progress
        progress.LINE_EVERY = 0.5
        for item in otel_kit.batch("leads", range(4)):
            time.sleep(0.4)
    """)
    lines = done.stderr.splitlines()
    assert len(lines) >= 2
    assert re.match(r"otel_kit: leads \d of 4 \(\d+%\), ", lines[0])
    assert "finished after" in lines[-1]
