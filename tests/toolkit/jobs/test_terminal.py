"""Progress on a real terminal, and where there is none."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

pty = pytest.importorskip("pty")

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
    time.sleep(0.45)
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
