"""Log files under attack: other files beside them, clocks, forks, truncation, full disks, no locks, tiny limits."""

from __future__ import annotations

import errno
import gzip
import json
import os
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import otel_kit
from otel_kit.export.files import logfile
from otel_kit.export.files.archive import Archive, Keeping, compress
from otel_kit.export.files.layout import layout_of
from otel_kit.export.files.logfile import Directory, OpenFile
from tests.export.written import lines_of

ROOT = Path(__file__).resolve().parent.parent.parent
NONE = {f"{signal}_exporter": "none" for signal in ("logs", "traces", "metrics")}
QUIET: dict[str, Any] = {"console": "off", "instrument": (), **NONE}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
START = """
    import os, sys, time
    import otel_kit
    def start(directory, **settings):
        return otel_kit.init_telemetry("shop", files=directory, console="off", instrument=(), process_metrics=False,
            logs_exporter="none", traces_exporter="none", metrics_exporter="none", **settings)
    log = otel_kit.get_logger("shop")
"""


@contextmanager
def writing(directory: Path, **settings: Any) -> Iterator[Any]:
    telemetry = otel_kit.init_telemetry("shop", files=directory, **{**QUIET, **settings})
    try:
        yield telemetry
    finally:
        telemetry.shutdown(5)


def program(source: str, *args: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(START) + textwrap.dedent(source), *args]


def numbers(directory: Path) -> Counter[Any]:
    """How often each number is in the JSON lines of a directory."""
    return Counter(json.loads(line)["attributes"]["n"] for line in lines_of(directory, "app*.jsonl*"))


def tend(directory: Path, layout: str = "tiered", **keeping: Any) -> None:
    kept = Keeping(**{"copies": 100, "days": 30, "total": 1 << 30, "compress": True, **keeping})
    archive = Archive(directory, kept, layout_of(layout, {}))
    archive.tend()
    archive.wait(10)


def aged(path: Path, text: str, days: float) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, (time.time() - days * 86_400,) * 2)
    return path


@pytest.mark.parametrize("layout", ["tiered", "dated"])
def test_files_of_others_are_left_alone(layout: str, tmp_path: Path) -> None:
    """A file that is not of the layout is compressed, or removed, or makes log files go because the directory is large."""
    others = ["sales-2026-01-01.csv", "dump.20260101-000000-0000.sql", "app-2026-01-01.log", "big.bin"]
    for name in others:
        aged(tmp_path / name, "x" * 5000, 90)
    mine = aged(tmp_path / "app.20260101-000000-0000.log", "mine\n", 1)
    tend(tmp_path, layout, copies=1, total=1000, compress=layout == "dated")
    assert {*others, mine.name} <= {path.name for path in tmp_path.iterdir()}


def test_a_dated_file_that_may_still_be_written_is_left_alone(tmp_path: Path) -> None:
    """A file of yesterday's name that a process in another time zone writes into is compressed under it."""
    name = f"operations-{time.strftime('%Y-%m-%d', time.localtime(time.time() - 86_400))}.log"
    written = aged(tmp_path / "production" / name, "x\n", 0.5)
    old = aged(tmp_path / "production" / "operations-2026-01-01.log", "x\n", 3)
    tend(tmp_path, "dated")
    assert (written.exists(), old.exists(), old.with_name(f"{old.name}.gz").exists()) == (True, False, True)


def test_lines_are_added_to_a_compressed_file_of_the_same_name(tmp_path: Path) -> None:
    """When the clock goes back and a name comes again, the new lines are thrown away for the old ones."""
    path = tmp_path / "app.20260101-000000-0000.log"
    for text in ("one\n", "two\n", "two\n"):  # the last as after a kill before the file was removed
        path.write_text(text)
        compress(path, Directory(tmp_path))
    assert gzip.decompress((tmp_path / f"{path.name}.gz").read_bytes()) == b"one\ntwo\n"
    assert not path.exists()


def test_a_name_is_not_used_twice(tmp_path: Path) -> None:
    """A rotated file that was cleared away gives its name to another, which is then mistaken for it."""
    path, names = tmp_path / "app.log", set()
    for _ in range(50):
        path.write_text("x\n")
        target = logfile._free_name(path)
        names.add(target.name)
        path.rename(target)
        target.unlink()
    assert len(names) == 50


def test_what_was_written_before_the_disk_was_full_is_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that the disk took half of, across a rotation, is there one and a half times after the next attempt."""
    file = OpenFile(tmp_path / "app.log", 100, daily=False)
    lines, write, full = [f"{n:>39}\n".encode() for n in range(10)], os.write, [False]

    def refusing(descriptor: int, data: bytes) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, "no space")
        full[0] = True
        return write(descriptor, data)

    rest = list(lines)
    with monkeypatch.context() as patched:
        patched.setattr(logfile.os, "write", refusing)
        with pytest.raises(OSError, match="no space"):
            file.append(rest)
    assert rest == lines[2:]
    assert file.append(rest)
    written = b"".join(
        path.read_bytes() for path in sorted(tmp_path.iterdir(), key=lambda p: (p.name == "app.log", p.name))
    )
    assert written == b"".join(lines)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to mount a file system"
)
def test_a_file_system_that_is_full_costs_no_line_once_there_is_room(tmp_path: Path) -> None:
    """On a full disk a line is lost or doubled although there is room in time, or the program fails."""
    directory = tmp_path / "logs"
    directory.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(directory)], check=False
    ).returncode:
        pytest.skip("may not mount")
    try:
        (directory / "ballast").write_bytes(b"x" * 200_000)
        with writing(directory, files_compress=False, files_max_size=20_000) as telemetry:
            log = otel_kit.get_logger("shop")
            for n in range(300):
                log.info("line", n=n)
            assert not telemetry.force_flush(1)
            assert telemetry.stats()["logs"]["waiting"] == 300
            (directory / "ballast").unlink()
            assert telemetry.force_flush(10)
        assert numbers(directory) == Counter(range(300))
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def test_a_truncated_file_goes_on_from_its_beginning(tmp_path: Path) -> None:
    """After logrotate's copytruncate the file begins with zeros, or lines are lost."""
    with writing(tmp_path) as telemetry:
        otel_kit.get_logger("shop").info("one", n=1)
        assert telemetry.force_flush(5)
        os.truncate(tmp_path / "app.jsonl", 0)
        otel_kit.get_logger("shop").info("two", n=2)
    assert numbers(tmp_path) == {2: 1}


def test_a_forked_child_writes_too(tmp_path: Path) -> None:
    """After a fork in mid-writing a line of parent or child is lost, doubled, or one of them hangs."""
    source = """
        telemetry = start(sys.argv[1], files_max_size=5000, files_keep=10000)
        children = []
        for k in range(4):
            for n in range(50):
                log.info("line", n=f"p{k}-{n}")
            if not (child := os.fork()):
                for n in range(50):
                    log.info("line", n=f"c{k}-{n}")
                assert telemetry.shutdown(20)
                os._exit(0)
            children.append(child)
        assert not any(os.waitpid(child, 0)[1] for child in children)
        assert telemetry.shutdown(20)
    """
    done = subprocess.run(
        program(source, str(tmp_path)),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert numbers(tmp_path) == Counter(f"{who}{k}-{n}" for who in "pc" for k in range(4) for n in range(50))


def test_another_directory_by_a_second_init(tmp_path: Path) -> None:
    """After a second init_telemetry lines go to the old directory, to both, or to none."""
    with writing(tmp_path / "one"):
        otel_kit.get_logger("shop").info("one", n=1)
        with writing(tmp_path / "two"):
            otel_kit.get_logger("shop").info("two", n=2)
    assert (numbers(tmp_path / "one"), numbers(tmp_path / "two")) == ({1: 1}, {2: 1})


def test_a_folder_that_goes_while_it_is_looked_through(tmp_path: Path, vanishing: Path) -> None:
    """Where a folder is deleted while old files are tended, this is an error, or old files stay."""
    old = aged(tmp_path / "app.20260101-000000-000001.jsonl", "{}\n", 60)
    tend(tmp_path, days=30)
    assert not vanishing.exists()
    assert not old.exists()


def test_it_works_where_there_are_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has neither flock nor pread, as Windows, nothing is written."""
    monkeypatch.setattr(logfile, "fcntl", None)
    monkeypatch.delattr(os, "pread")
    (tmp_path / "app.log").write_text("half a li")
    with writing(tmp_path, files_max_size=500, files_keep=1000):
        for n in range(20):
            otel_kit.get_logger("shop").info("line", n=n)
    assert numbers(tmp_path) == Counter(range(20))


def test_the_smallest_limits(tmp_path: Path) -> None:
    """With one byte a file, and none kept, something raises, hangs, or the newest line is gone."""
    with writing(tmp_path, files_max_size=1, files_keep=0) as telemetry:
        for n in range(30):
            otel_kit.get_logger("shop").info("line", n=n)
        assert telemetry.force_flush(10)
    assert numbers(tmp_path)[29] == 1


def test_any_text_of_any_size_is_one_line(tmp_path: Path) -> None:
    """A record of strange or huge text is lost, more than one line, or no valid UTF-8."""
    hostile = ["\ud800", "a\nb\r\u2028\x85", "\x00\x1b[2J", "🦆" * 1000, "x" * 3_000_000]
    with writing(tmp_path):
        for n, text in enumerate(hostile):
            otel_kit.get_logger(text[:50]).info(text, n=n, value=text)
    assert numbers(tmp_path) == Counter(range(len(hostile)))
    assert len((tmp_path / "app.log").read_text("utf-8", "strict").split("\n")) == len(hostile) + 1


def test_a_directory_behind_a_symbolic_link(tmp_path: Path) -> None:
    """Lines do not reach a directory, or a file, that is a symbolic link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "logs").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "app.log").symlink_to(tmp_path / "elsewhere.log")
    with writing(tmp_path / "logs"):
        otel_kit.get_logger("shop").info("line", n=1)
    assert numbers(tmp_path / "real") == {1: 1}
    assert len((tmp_path / "elsewhere.log").read_text().splitlines()) == 1


@pytest.mark.slow
def test_ten_processes_that_rotate_every_second_lose_no_line(tmp_path: Path) -> None:
    """In 20 s of ten processes that write, rotate, compress, and of which some are killed, a line is lost, torn or doubled."""
    source = """
        directory, name, seconds = sys.argv[1:]
        telemetry = start(directory, files_max_size=200_000, files_keep=100_000)
        until, n = time.monotonic() + float(seconds), 0
        while time.monotonic() < until:
            for _ in range(20):
                log.info("line", n=f"{name}-{n}")
                n += 1
            time.sleep(0.05)
        assert telemetry.shutdown(30)
        print(n)
    """
    started = [
        subprocess.Popen(
            program(source, str(tmp_path), str(k), "20"),
            env={**ENVIRONMENT, "TZ": ("UTC", "Asia/Tokyo")[k % 2]},
            stdout=subprocess.PIPE,
            text=True,
        )
        for k in range(10)
    ]
    for attempt in range(8):
        victim = subprocess.Popen(program(source, str(tmp_path), f"victim{attempt}", "60"), env=ENVIRONMENT)
        time.sleep(1.5 + attempt / 10)
        victim.kill()
        victim.wait(10)
    written = {str(k): int(each.communicate(timeout=90)[0]) for k, each in enumerate(started)}
    found = numbers(tmp_path)
    assert {
        n: 1 for name, count in written.items() for n in (f"{name}-{i}" for i in range(count))
    }.items() <= found.items()
    assert set(found.values()) == {1}
    assert len(list(tmp_path.glob("app.*.jsonl*"))) > 10
