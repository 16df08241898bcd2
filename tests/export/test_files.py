"""Log files: the right lines in the right files, each once, whoever writes and whatever happens to the disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import otel_kit
from otel_kit.export.files.archive import Archive, Keeping, compress
from otel_kit.export.files.layout import layout_of
from otel_kit.export.files.logfile import Directory
from tests.export.written import lines_of, settle

TIERED = layout_of("tiered", {})
ROOT = Path(__file__).resolve().parent.parent.parent
QUIET = {
    "console": "off",
    "logs_exporter": "none",
    "traces_exporter": "none",
    "metrics_exporter": "none",
    "instrument": (),
}
WRITER = """
    import sys
    import otel_kit
    directory, name, count, size = sys.argv[1:]
    telemetry = otel_kit.init_telemetry(
        "checkout", files=directory, files_max_size=int(size), files_keep=100_000, console="off", instrument=(),
        logs_exporter="none", traces_exporter="none", metrics_exporter="none", process_metrics=False)
    log = otel_kit.get_logger("shop")
    for number in range(int(count)):
        log.info("line", writer=name, number=number)
        if number % 100 == 0:
            telemetry.force_flush(10)
    assert telemetry.shutdown(30)
"""


@contextmanager
def writing(directory: Path, **settings: Any) -> Iterator[Any]:
    telemetry = otel_kit.init_telemetry("checkout", files=directory, **{**QUIET, **settings})
    try:
        yield telemetry
    finally:
        telemetry.shutdown(1)


def until(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def start_writer(directory: Path, name: str, count: int, size: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(directory), name, str(count), str(size)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_records_go_into_the_files_of_their_level_and_category(tmp_path: Path) -> None:
    """A record is missing from a file of the layout, or is in one where it does not belong."""
    with writing(tmp_path, log_level="debug", files_categories={"payments": ["shop.pay"]}):
        otel_kit.get_logger("shop").debug("looked")
        otel_kit.get_logger("shop.pay").info("paid", amount=12.5)
        otel_kit.get_logger("shop.payroll").error("failed")
        otel_kit.security.authentication(user="ann", outcome="failure", reason="password")
    assert [len(lines_of(tmp_path, f"{name}.log")) for name in ("app", "error", "debug")] == [3, 1, 4]
    assert len(lines_of(tmp_path, "app.jsonl")) == 4
    assert ["paid" in line for line in lines_of(tmp_path, "payments.log")] == [True]
    assert len(lines_of(tmp_path, "security.log")) == 1


def test_a_line_for_people_has_what_the_record_has(tmp_path: Path) -> None:
    """A line lacks time, level, logger, text, facts or the ids of its trace, or shows a secret."""
    with writing(tmp_path), otel_kit.span("charge") as span:
        otel_kit.get_logger("shop").info("card\ncharged", amount=12.5, password="hunter" + "22")
        trace = f"{span.get_span_context().trace_id:032x}"
    (line,) = lines_of(tmp_path, "app.log")
    time_, level, logger, rest = line.split(maxsplit=3)
    assert (time_[4], time_[-1], level, logger) == ("-", "Z", "INFO", "shop")
    assert "card\\ncharged  amount=12.5" in rest
    assert f"trace={trace}" in rest
    assert "hunter22" not in line
    record = json.loads(lines_of(tmp_path, "app.jsonl")[0])
    assert (record["trace_id"], record["attributes"]["amount"]) == (trace, 12.5)


def test_the_dated_layout_names_files_by_day(tmp_path: Path) -> None:
    """A file of the dated layout is missing, or has another name than the day's."""
    day = time.strftime("%Y-%m-%d")
    with writing(tmp_path, files_layout="dated"):
        otel_kit.get_logger("shop").error("failed")
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*") if "lock" not in path.name}
    assert {
        f"debug/debug-{day}.log",
        f"production/operations-{day}.log",
        f"production/errors-{day}.log",
    } <= names


def test_several_processes_that_rotate_all_the_time_lose_no_line(tmp_path: Path) -> None:
    """A line of one of several processes that write and rotate the same files is missing, torn, or there twice."""
    writers = [start_writer(tmp_path, str(number), 400, 5_000) for number in range(5)]
    for writer in writers:
        told = writer.communicate(timeout=60)[1]
        assert writer.returncode == 0, told
    seen = Counter(
        (record["attributes"]["writer"], record["attributes"]["number"])
        for record in map(json.loads, lines_of(tmp_path, "app*.jsonl*"))
    )
    assert seen == Counter({(str(writer), number): 1 for writer in range(5) for number in range(400)})
    assert len(list(tmp_path.glob("app.*.jsonl*"))) > 20


def test_a_kill_tears_no_line_of_others(tmp_path: Path) -> None:
    """After kill -9 of a process a line of another one is torn or lost."""
    for attempt in range(4):
        writer = start_writer(tmp_path, "killed", 100_000, 3_000)
        assert until(lambda: bool(lines_of(tmp_path, "app.jsonl")))
        time.sleep(0.05 * attempt)
        writer.send_signal(signal.SIGKILL)
        writer.communicate(timeout=10)
    survivor = start_writer(tmp_path, "survivor", 200, 3_000)
    told = survivor.communicate(timeout=60)[1]
    assert survivor.returncode == 0, told
    whole = []
    for line in lines_of(tmp_path, "app*.jsonl*"):
        try:
            whole.append(json.loads(line)["attributes"])
        except ValueError:
            continue  # what the killed one had begun
    mine = [record["number"] for record in whole if record["writer"] == "survivor"]
    assert sorted(mine) == list(range(200))
    assert max(Counter(record["number"] for record in whole if record["writer"] == "killed").values()) <= 4


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    """After logrotate moved a file, or somebody deleted the directory, lines go into nowhere."""
    directory = tmp_path / "logs"
    with writing(directory) as telemetry:
        log = otel_kit.get_logger("shop")
        log.info("one")
        assert telemetry.force_flush(5)
        (directory / "app.log").rename(directory / "app.log.1")
        log.info("two")
        assert telemetry.force_flush(5)
        assert ["two" in line for line in lines_of(directory, "app.log")] == [True]
        settle()
        shutil.rmtree(directory)
        log.info("three")
        assert telemetry.force_flush(5)
        assert ["three" in line for line in lines_of(directory, "app.log")] == [True]


def test_a_torn_last_line_is_ended(tmp_path: Path) -> None:
    """A line is joined to one that a killed process left unfinished."""
    (tmp_path / "app.log").write_text("whole\nhalf of a li")
    with writing(tmp_path):
        otel_kit.get_logger("shop").info("next")
    first, torn, following = lines_of(tmp_path, "app.log")
    assert (first, torn) == ("whole", "half of a li")
    assert following.endswith("next")


def test_a_directory_that_cannot_be_made_costs_lines_not_the_program(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where the directory cannot be made the program fails, or nobody is told, or nothing is counted."""
    (tmp_path / "logs").write_text("a file stands where the directory should be")
    with writing(tmp_path / "logs", shutdown_timeout=0.5) as telemetry:
        otel_kit.get_logger("shop").info("one")
        assert not telemetry.force_flush(0.5)
        assert telemetry.stats()["logs"]["waiting"] == 1
    told = capfd.readouterr().err
    assert told.count("cannot deliver to") == 1
    assert "See whether the directory can be written" in told
    assert telemetry.stats()["logs"]["dropped"] == {"unreachable": 1}


def test_a_full_disk_costs_what_does_not_fit(tmp_path: Path) -> None:
    """On a full disk a line is torn, is written twice later, or the program fails."""
    source = """
        import resource, signal, sys
        import otel_kit
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        telemetry = otel_kit.init_telemetry("checkout", files=sys.argv[1], console="off", instrument=(),
            logs_exporter="none", traces_exporter="none", metrics_exporter="none", process_metrics=False)
        log = otel_kit.get_logger("shop")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        for number in range(200):
            log.info("line", number=number)
        assert not telemetry.force_flush(1)
        assert telemetry.stats()["logs"]["waiting"] > 0
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert telemetry.force_flush(10)
        telemetry.shutdown(5)
    """
    command = [sys.executable, "-c", textwrap.dedent(source), str(tmp_path)]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for pattern in ("app*.jsonl*",):
        numbers = [json.loads(line)["attributes"]["number"] for line in lines_of(tmp_path, pattern)]
        assert numbers == list(range(200))
    assert len(lines_of(tmp_path, "app.log")) == len(lines_of(tmp_path, "debug.log")) == 200


def test_a_file_is_rotated_by_day(tmp_path: Path) -> None:
    """Lines of two days are in one file."""
    path = tmp_path / "app.log"
    path.write_text("yesterday\n")
    os.utime(path, (time.time() - 86_400, time.time() - 86_400))
    with writing(tmp_path, files_compress=False):
        otel_kit.get_logger("shop").info("today")
    assert ["today" in line for line in lines_of(tmp_path, "app.log")] == [True]
    (rotated,) = tmp_path.glob("app.*-*.log")
    assert rotated.read_text() == "yesterday\n"


def test_old_files_are_compressed_and_cleared(tmp_path: Path) -> None:
    """Rotated files stay uncompressed, more of them stay than wanted, or the one in use goes."""
    for number in range(6):
        path = tmp_path / f"app.20260101-00000{number}-0000.log"
        path.write_text(f"{number}\n" * 100)
        age = (40 if number == 5 else 6 - number) * 86_400
        os.utime(path, (time.time() - age, time.time() - age))
    (tmp_path / "app.log").write_text("in use\n")
    archive = Archive(tmp_path, Keeping(copies=3, days=30, total=1 << 20, compress=True), TIERED)
    archive.tend()
    archive.wait(10)
    assert sorted(path.name for path in tmp_path.glob("app*")) == [
        "app.20260101-000002-0000.log.gz",
        "app.20260101-000003-0000.log.gz",
        "app.20260101-000004-0000.log.gz",
        "app.log",
    ]
    assert lines_of(tmp_path, "*-000004-*") == ["4"] * 100


def test_files_beyond_the_total_size_go(tmp_path: Path) -> None:
    """The directory grows beyond its total size, or the newest go instead of the oldest."""
    for number in range(5):
        path = tmp_path / f"app.20260101-00000{number}-0000.log"
        path.write_bytes(b"x" * 999 + b"\n")
        os.utime(path, (time.time() - 100 + number, time.time() - 100 + number))
    archive = Archive(tmp_path, Keeping(copies=100, days=30, total=2500, compress=False), TIERED)
    archive.tend()
    archive.wait(10)
    assert sorted(path.name[17:19] for path in tmp_path.glob("app*")) == ["03", "04"]


def test_a_kill_while_compressing_doubles_nothing(tmp_path: Path) -> None:
    """After a kill between compressing and removing, a file's lines are there twice, or gone."""
    path = tmp_path / "app.20260101-000000-0000.log"
    path.write_text("once\n")
    compress(path, Directory(tmp_path))
    path.write_text("once\n")  # as if the kill had come before it was removed
    Archive(tmp_path, Keeping(9, 9e9, 1 << 20, compress=True), TIERED)._compress_all()
    assert lines_of(tmp_path, "app*") == ["once"]
    assert not path.exists()
