"""`otel-kit logs`: the records that fit, each once and in order, from files of every kind, whatever happens to them."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import otel_kit
from otel_kit.cli import main
from otel_kit.cli.logs import part, work
from otel_kit.cli.logs.query import ANYTHING, QueryError, parse
from otel_kit.cli.logs.record import Field
from otel_kit.cli.logs.scan import counted, matches, measured
from otel_kit.cli.logs.source import sources

ROOT = Path(__file__).resolve().parent.parent.parent


def record(
    second: float, body: str = "card charged", level: str = "INFO", **attributes: Any
) -> dict[str, Any]:
    stamp = f"2026-11-22T10:{int(second) // 60:02d}:{second % 60:09.6f}Z"
    fields = {
        "timestamp": stamp,
        "severity": level,
        "service": "checkout",
        "logger": "shop.pay",
        "body": body,
    }
    return {**fields, "attributes": attributes} if attributes else fields


def write(path: Path, *records: dict[str, Any]) -> Path:
    text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.fixture
def logs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run the command on ``tmp_path``; gives the records that it printed, by ``n``, or the lines."""

    def run(*words: str, status: int = 0, text: bool = False) -> Any:
        given = words if text or any(word.startswith("--") for word in words) else (*words, "--json")
        assert main(["logs", str(tmp_path), *given]) == status
        out = capfd.readouterr().out
        return out if given is words else [json.loads(line)["attributes"]["n"] for line in out.splitlines()]

    return run


RECORDS = [
    record(
        0, "card charged", n=0, order_id=7, **{"otel_kit.run.id": "a", "otel_kit.operation.duration": 0.2}
    ),
    record(
        1,
        "Payment failed: no funds",
        "ERROR",
        n=1,
        order_id=77,
        **{"otel_kit.run.id": "b", "size": 3_000_000},
    ),
    record(2, "café »x« \n2", "WARN", n=2, order_id="7", paid=True, **{"http.response.status_code": 500}),
    {
        **record(3, "no", "FATAL", n=3),
        "exception": {"type": "KeyError", "message": "'x'"},
        "trace_id": "1a2b3c4d" * 4,
    },
    {**record(4, "b", "NOTICE", n=4, tags=["a", "b"], duration_ms=1500), "event_name": "shop.paid"},
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("level>=error", [1, 3]),
        ("level=warning", [2]),
        ("level<warn", [0]),
        ("level=notice", []),
        ("level=NOTICE", [4]),
        ("run.id=a", [0]),
        ("otel_kit.run.id=a", [0]),
        ("run.id!=a", [1, 2, 3, 4]),
        ("order_id=7", [0, 2]),
        ("order_id>=7 order_id<=77", [0, 1]),
        ("duration>100ms", [0]),
        ("duration_ms>=200", [0, 4]),
        ("duration_ms>1s", [4]),
        ("size>2.5MB", [1]),
        ("status_code=500", [2]),
        ("paid=true", [2]),
        ("tags=b", [4]),
        ('"no funds"', [1]),
        ("PAYMENT", [1]),
        ("CAFÉ", [2]),
        ('"»x«"', [2]),
        ("shop.paid", [4]),
        ("message~'^(no|b)$'", [3, 4]),
        ("logger~^shop\\.", [0, 1, 2, 3, 4]),
        ("logger!~pay", []),
        ("event=shop.paid", [4]),
        ("trace=1a2b3c4d", [3]),
        ("exception.type=KeyError", [3]),
        ("exception~KeyError", [3]),
        ("service=checkout level=info", [0]),
        ("run.id=a or level=fatal", [0, 3]),
        ("not level>=info", [4]),
        ("(run.id=a or run.id=b) not order_id=7", [1]),
        ("level>=error and not 'no funds'", [3]),
        ("time>=2026-11-22T10:00:03Z", [3, 4]),
        ("since=2026-11-22T10:00:01Z until=2026-11-22T10:00:02Z", [1, 2]),
        ("since=2026-11-22T10:00:04Z or run.id=a", [0, 4]),
        ("timestamp", []),
        ("attributes", []),
    ],
)
def test_a_query_finds_what_it_says(query: str, found: list[int], tmp_path: Path, logs: Any) -> None:
    """A record that fits is not found, or one that does not fit is."""
    write(tmp_path / "app.jsonl", *RECORDS)
    assert logs(query, status=0 if found else 1) == found


@pytest.mark.parametrize(
    ("query", "position", "wrong"),
    [
        ("level>=bananas", 8, "'bananas' is no level"),
        ("a=1 b=", 7, "a value is missing after b="),
        ('a="1', 3, "without its end"),
        ("a=1 'b", 5, "without its end"),
        ("(a=1 or b=2", 1, "a bracket without its end"),
        ("a=1)", 4, "without its beginning"),
        ("a=1 or", 7, "a condition is missing"),
        ("not", 4, "a condition is missing"),
        ("or a=1", 1, "a condition is missing"),
        ("duration>fast", 10, "is no number"),
        ("duration>1parsec", 10, "is no number"),
        ("since=yesterday", 7, "is no point in time"),
        ("message~(", 9, "a value is missing"),
        ("message~'('", 9, "is no regular expression"),
        (">5", 1, "without a field"),
    ],
)
def test_a_wrong_query_names_the_place(query: str, position: int, wrong: str) -> None:
    """A wrong query finds something, or its error does not say where it is wrong and what would be right."""
    with pytest.raises(QueryError) as told:
        parse(query)
    assert f"at {position} of the query" in str(told.value)
    assert wrong in str(told.value)
    assert "Valid: " in str(told.value)


def test_a_wrong_query_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong query ends in a traceback, or its position is not marked."""
    write(tmp_path / "app.jsonl", record(0, n=0))
    assert main(["logs", str(tmp_path), "level>=bananas"]) == 2
    assert "\n  level>=bananas\n         ^\n" in capsys.readouterr().err


def test_rotated_and_compressed_files_are_read_once_and_in_order(tmp_path: Path, logs: Any) -> None:
    """A line of a rotated file is missing, is there twice because of a compressed copy, or comes after newer ones."""
    write(tmp_path / "app.20261122-100002-0000.jsonl.gz", record(0, n=0), record(1, n=1))
    write(tmp_path / "app.20261122-100004-0000.jsonl", record(2, n=2), record(3, n=3))
    write(tmp_path / "app.20261122-100004-0000.jsonl.gz", record(2, n=2), record(3, n=3))
    write(tmp_path / "app.jsonl.1", record(4, n=4))
    write(tmp_path / "app.jsonl.2.gz", record(3.5, n=35))
    write(tmp_path / "app.jsonl", record(5, n=5), record(7, n=7), record(6, n=6))
    (tmp_path / "app.20261122-100009-0000.jsonl.7.gz.partial").write_bytes(b"half")
    (tmp_path / "app.20261122-100001-0000.jsonl.gz").write_bytes(gzip.compress(b"x" * 9000)[:30])
    assert logs() == [0, 1, 2, 3, 35, 4, 5, 6, 7]
    assert main(["logs", str(tmp_path / "app.jsonl"), "n=35", "--json"]) == 0


def test_files_of_several_programs_are_merged_by_time(tmp_path: Path, logs: Any) -> None:
    """Lines of two files that were written at the same time come file by file."""
    write(tmp_path / "app.jsonl", *(record(n, n=n) for n in range(0, 10, 2)))
    write(tmp_path / "app.two.jsonl", *(record(n, n=n) for n in range(1, 10, 2)))
    assert logs() == list(range(10))


def test_it_works_without_pread(tmp_path: Path, logs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no pread, as Windows, nothing is found."""
    monkeypatch.delattr(os, "pread")
    write(tmp_path / "app.jsonl", *RECORDS)
    assert logs("level>=error") == [1, 3]


def test_a_folder_that_goes_while_it_is_looked_through(tmp_path: Path, logs: Any, vanishing: Path) -> None:
    """A folder that is deleted while the directory is looked through makes the search fail."""
    write(tmp_path / "shop.jsonl", record(1, n=1))
    assert logs("n=1") == [1]
    assert not vanishing.exists()


def test_torn_lines_and_other_text_cost_only_themselves(tmp_path: Path, logs: Any) -> None:
    """A torn line, a line that is no JSON, or binary data hides a line beside it, or ends in a traceback."""
    path = tmp_path / "app.jsonl"
    whole = json.dumps(record(1, n=1)).encode()
    path.write_bytes(b'{"timestamp": "2026-1\n[1]\n\xff\xfe\x00\nplain text\n\n' + whole + b"\n" + whole[:50])
    assert logs("n=1") == [1]
    assert "plain text" in logs("plain text", text=True)


def test_words_are_found_in_plain_text_and_fields_are_refused_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A word in a plain file is not found, or a field asked of one finds nothing without a word about it."""
    path = tmp_path / "app.log"
    path.write_text("2026-11-22T10:00:00.000000Z  INFO   shop  card \x1b[2Jcharged\n")
    assert main(["logs", str(path), "CARD", "since=2026-11-22"]) == 0
    assert "card \\x1b[2Jcharged" in capsys.readouterr().out
    assert main(["logs", str(path), "level=info"]) == 1
    assert "app.log: plain text" in capsys.readouterr().err


def test_records_are_shown_for_people(tmp_path: Path, logs: Any) -> None:
    """A line for people lacks date, level, text, facts, trace or traceback, or can drive the terminal."""
    stack = "Traceback (most recent call last):\n  File x\nKeyError: 'x'\n"
    whole = record(1, "no\x1b[2J", "ERROR", n=3)
    whole |= {"trace_id": "ab" * 16, "exception": {"type": "KeyError", "message": "'x'", "stacktrace": stack}}
    write(tmp_path / "app.jsonl", whole)
    first, *below = logs(text=True).splitlines()
    assert first.split()[2:4] == ["ERROR", "shop.pay"]
    assert first.startswith("2026-11-2")
    assert first.endswith("n=3 trace=abababab")
    assert "no\\x1b[2J" in first
    assert below[-1] == "    KeyError: 'x'"


def test_around_shows_neighbours_across_files(tmp_path: Path, logs: Any) -> None:
    """The records before and after one with an id are missing, also where a rotation lies between, or others are shown."""
    numbers = range(40)
    every = [record(n, n=n, **{"otel_kit.request.id": f"r-{n}"}) for n in numbers]
    write(tmp_path / "app.20261122-100002-0000.jsonl.gz", *every[:20])
    write(tmp_path / "app.jsonl", *every[20:])
    for sought, shown in (
        ("r-20", [18, 19, 20, 21, 22]),
        ("r-1", [0, 1, 2, 3]),
        ("r-39", [37, 38, 39]),
        ("r-19", [17, 18, 19, 20, 21]),
    ):
        lines = logs("--around", sought, "--context", "2", "--json").splitlines()
        assert [json.loads(line)["attributes"]["n"] for line in lines] == shown
    assert logs("--around", "r-99", status=1) == ""


def test_counts_and_statistics(tmp_path: Path, logs: Any) -> None:
    """A count, a share or a percentile is wrong."""
    write(
        tmp_path / "app.jsonl",
        *(
            record(n, n=n, **{"otel_kit.operation.name": f"op {n % 2}", "duration_ms": n})
            for n in range(1, 201)
        ),
        record(300, n=0),
    )
    assert [line.split() for line in logs("--count-by", "operation").splitlines()[1:]] == [
        ["100", "49.8%", "op", "1"],
        ["100", "49.8%", "op", "0"],
        ["1", "0.5%", "(none)"],
    ]
    assert [line.split()[0] for line in logs("--count-by", "minute").splitlines()[1:-1]] == [
        "59",
        "60",
        "60",
        "21",
        "1",
    ]
    table = logs("--stats", "duration_ms", "by", "operation").splitlines()
    assert [line.split() for line in table] == [
        ["count", "min", "mean", "p50", "p95", "p99", "max", "operation"],
        ["100", "2", "101", "100", "190", "198", "200", "op", "0"],
        ["100", "1", "100", "99", "189", "197", "199", "op", "1"],
    ]
    (line,) = logs("--stats", "duration_ms").splitlines()[1:]
    assert line.split() == ["200", "1", "100.5", "100", "190", "198", "200"]


def test_parts_in_several_processes_give_the_same(
    tmp_path: Path, logs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut into parts at any byte, and read by several processes, a line is lost, doubled or out of order."""
    write(tmp_path / "app.jsonl", *(record(n / 100, "x" * (n % 50), n=n) for n in range(2000)))
    monkeypatch.setattr(part, "PIECE", 1000)
    monkeypatch.setattr(work.threading, "active_count", lambda: 1)
    monkeypatch.setattr(work.os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    for size in (997, 40_000, 1 << 30):
        monkeypatch.setattr(part, "PART", size)
        monkeypatch.setattr(work, "PART", size)
        assert logs("n>=0") == list(range(2000))
        assert logs() == list(range(2000))
        assert "2,000" in logs("--stats", "n")


def test_a_time_that_is_asked_for_skips_what_lies_outside(
    tmp_path: Path, logs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where parts outside the time are skipped, a line inside is missing."""
    write(tmp_path / "app.jsonl", *(record(n, n=n) for n in range(1000)))
    monkeypatch.setattr(part, "PART", 5000)
    assert logs("since=2026-11-22T10:05:00Z until=2026-11-22T10:05:09Z") == list(range(300, 310))


def test_what_files_writes_is_what_the_query_reads(tmp_path: Path, logs: Any) -> None:
    """A record of the program is not found in its own log files, or the directory of the settings is not the default."""
    quiet: dict[str, Any] = {f"{signal}_exporter": "none" for signal in ("logs", "traces", "metrics")}
    telemetry = otel_kit.init_telemetry("shop", files=tmp_path, console="off", instrument=(), **quiet)
    with otel_kit.bind(run_id="r-1"), otel_kit.span("charge"):
        otel_kit.get_logger("shop").error("no \ud800 »funds«\u2028", n=5)
    telemetry.shutdown(5)
    assert logs('level>=error run.id=r-1 "»FUNDS«" since=1h') == [5]


def test_words_and_options_may_stand_in_any_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A query after an option is an error, or a file that is not there is taken for a word."""
    path = str(write(tmp_path / "app.jsonl", *RECORDS))
    assert main(["logs", "--json", path, "level>=error"]) == 0
    assert main(["logs", path, "--stats", "order_id", "by", "level", "level>=error"]) == 0
    assert "ERROR" in capsys.readouterr().out
    assert main(["logs", str(tmp_path / "none.jsonl"), "level=error"]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert main(["logs", "--stats", "order_id", "by"]) == 2
    assert "a field is missing after by" in capsys.readouterr().err


def test_standard_input_can_be_read(tmp_path: Path) -> None:
    """`program 2>&1 | otel-kit logs - QUERY` finds nothing."""
    path = write(tmp_path / "app.jsonl", *RECORDS)
    command = [sys.executable, "-m", "otel_kit", "logs", "-", "level=error", "--json"]
    done = subprocess.run(
        command, input=path.read_text(), cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert json.loads(done.stdout)["attributes"]["n"] == 1, done.stderr


def test_without_a_file_the_settings_name_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a file the directory of the setting is not read, or nothing is said where there is none."""
    write(tmp_path / "app.jsonl", *RECORDS)
    monkeypatch.chdir(tmp_path)
    assert main(["logs", "level=error"]) == 2
    assert "name a file or a directory" in capsys.readouterr().err
    monkeypatch.setenv("OTEL_KIT_FILES", str(tmp_path))
    assert main(["logs", "level=error"]) == 0


class Following:
    """`otel-kit logs --follow` as a process."""

    def __init__(self, directory: Path, *words: str) -> None:
        command = [
            sys.executable,
            "-u",
            "-m",
            "otel_kit",
            "logs",
            str(directory),
            "--follow",
            "--json",
            *words,
        ]
        self.seen = directory.parent / "seen"
        with self.seen.open("wb") as out:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.PIPE)

    def numbers(self) -> list[int]:
        lines = self.seen.read_bytes().split(b"\n")[:-1]
        return [json.loads(line)["attributes"]["n"] for line in lines]

    def wait_for(self, numbers: list[int]) -> None:
        deadline = time.monotonic() + 20
        while self.numbers() != numbers and time.monotonic() < deadline:
            assert self._process.poll() is None, self._process.stderr
            time.sleep(0.02)
        assert self.numbers() == numbers

    def end(self) -> int:
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=10)
        return self._process.returncode


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "logs"
    path.mkdir()
    return path


def test_following_survives_rotation(directory: Path) -> None:
    """While files are rotated several times between two looks, truncated or begun anew, a line is missed or shown twice."""
    path = write(directory / "app.jsonl", *(record(n, n=n) for n in range(15)))
    following = Following(directory, "n>=0")
    shown = list(range(5, 15))
    following.wait_for(shown)
    for number in range(15, 41):
        with path.open("a") as lines:
            lines.write(json.dumps(record(number, n=number)) + "\n")
        if number % 3 == 0:
            target = directory / f"app.20261122-1000{number:02d}-0000.jsonl"
            path.rename(target)
            if number % 2 == 0:
                write(
                    target.with_name(f"{target.name}.gz"), *map(json.loads, target.read_text().splitlines())
                )
                target.unlink()
        if number % 10 == 0:
            time.sleep(0.3)
    following.wait_for([*shown, *range(15, 41)])
    os.truncate(path, 0)
    time.sleep(0.3)
    with path.open("a") as lines:
        lines.write(json.dumps(record(50, n=50)) + "\n" + json.dumps(record(51, n=51))[:20])
    following.wait_for([*shown, *range(15, 41), 50])
    with path.open("a") as lines:
        lines.write(json.dumps(record(51, n=51))[20:] + "\n")
    write(directory / "app.two.jsonl", record(52, n=52))
    following.wait_for([*shown, *range(15, 41), 50, 51, 52])
    assert following.end() == 130


def test_what_is_not_there_is_said(
    logs: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that does not exist, or a field that no record has, is answered with silence or something else."""
    monkeypatch.delenv("OTEL_KIT_FILES", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["logs", "nosuchdir"]) == 2
    assert "no file or directory 'nosuchdir'" in capfd.readouterr().err
    write(tmp_path / "app.jsonl", record(1, n=1))
    assert main(["logs", str(tmp_path), "--count-by", "nosuch"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "none of the 1 records that fit has the field nosuch" in err
    assert main(["logs", str(tmp_path), "level=error", "--count-by", "level"]) == 1
    assert "no record fits" in capfd.readouterr().err


def _tricky(wanted: int) -> list[dict[str, Any]]:
    """Records of which bytes alone could be misread, ``wanted`` at a time, so that some pieces hold none."""
    name = "otel_kit.operation.name"
    plain = [
        {name: "load", "otel_kit.operation.duration": n / 8, "user.id": n, "ok": n % 2 == 0} for n in range(4)
    ]
    odd: list[dict[str, Any]] = [
        {name: 'say "operation.name": "x"', "operation": None, "duration": -1.5e-07},
        {name: "{", "payload": {"operation": "inner", "duration": 3}},
        {"a.operation": "one", "b.operation": "other", "duration_ms": 12},
        {"operation": ["a", {"b": 1}], "duration": "5", "severity": "DEBUG", "event_name": "no"},
        {"user.id": "r-\u00e9\n", "type": "mine", "note": '"user.id": 7', "duration": True},
        {"old_operation": "no", "duration.name": 4, "user.id.name": "named"},
        {},
    ]
    records = [record(n, f"took {n} {{}}", **each) for n, each in enumerate(plain)]
    for n, each in enumerate(odd[wanted : wanted + 1]):
        records.append(record(60 + n, 'a "severity": "ERROR" \\ {"attributes": {', "NOTICE", **each))
        records.append({**records[-1], "exception": {"type": "shop.NoFunds", "message": "operation"}})
    return records


@pytest.mark.parametrize("wanted", range(8))
def test_a_glimpse_at_bytes_and_the_whole_json_tell_the_same(
    wanted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read from the bytes of lines, to save time, is another value than the JSON holds."""
    path = write(tmp_path / "app.jsonl", *_tricky(wanted))
    with path.open("a") as more:
        more.write(
            "" if wanted % 2 else '{"timestamp": "2026-11-22T10:00:00.0Z", "body": "torn", "operation": "lo\n'
        )
    (piece,) = part.parts_of(sources([str(path)]))

    def answers() -> list[Any]:
        names = (
            "operation",
            "user.id",
            "ok",
            "type",
            "minute",
            "message",
            "level",
            "event",
            "exception.type",
        )
        found: list[Any] = [counted(piece, ANYTHING, name) for name in (*names, "severity", "payload")]
        for name, by in (("duration", "operation"), ("duration_ms", "user.id"), ("duration_ms", "duration")):
            found += [measured(piece, ANYTHING, name, by), measured(piece, ANYTHING, name, "")]
        return found + [matches(piece, parse(query)) for query in ("duration<2", "ok=true", "user.id=named")]

    fast = answers()
    monkeypatch.setattr(Field, "_look", lambda self: lambda raw: b"")
    monkeypatch.setattr(Field, "column", lambda self: None)
    assert fast == answers()
