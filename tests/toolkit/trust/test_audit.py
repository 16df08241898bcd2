"""The audit trail: who did what, in a file that shows tampering and as a record that is not lost."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import otel_kit
from otel_kit.cli import main
from otel_kit.errors import AuditError
from otel_kit.testing import capture
from otel_kit.toolkit.trust.trail import AuditTrail
from otel_kit.toolkit.trust.verify import Verdict, verify
from tests.receiver import Receiver, attributes

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def filled(path: Path, count: int = 9) -> list[bytes]:
    trail = AuditTrail(path)
    for number in range(count):
        trail.append({"actor": "ann", "action": "step", "target": str(number)})
    return path.read_bytes().splitlines(keepends=True)


def entries(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def judged(path: Path, lines: list[bytes]) -> Verdict:
    path.write_bytes(b"".join(lines))
    return verify(path)


# what is on record


def test_an_entry_says_who_did_what(path: Path) -> None:
    """An entry, or its record, lacks who, what, to what, before, after, why, or the ids that hold."""
    with capture(audit_file=str(path)) as captured:
        with otel_kit.span("refund") as span, otel_kit.bind(user_id="ann", request_id="r-7"):
            entry = otel_kit.audit(
                None,
                "order.refund",
                "order/7",
                before={"state": "paid"},
                after={"state": "refunded"},
                reason="broken",
            )
        [record] = captured.logs
    assert entry is not None
    [written] = entries(path)
    assert written["hash"] == entry.hash
    assert {
        "actor": "ann",
        "action": "order.refund",
        "target": "order/7",
        "reason": "broken",
    }.items() <= written.items()
    assert (written["before"], written["after"]) == ({"state": "paid"}, {"state": "refunded"})
    assert written["ids"] == {"user.id": "ann", "otel_kit.request.id": "r-7"}
    assert written["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert (record.event_name, record.body) == ("otel_kit.audit", "ann order.refund order/7")
    assert record.attributes["otel_kit.audit.after"] == {"state": "refunded"}
    assert record.attributes["otel_kit.audit.hash"] == entry.hash
    assert record.attributes["code.function.name"].endswith("test_an_entry_says_who_did_what")


def test_no_secret_is_written(path: Path) -> None:
    """A secret among the values is in the file or in the record."""
    secret = "-".join(["correct", "horse", "battery"])
    with capture(audit_file=str(path)) as captured:
        otel_kit.audit(
            "ann", "user.update", "user/7", before={"password": secret}, after={"api_key": secret, "n": 1}
        )
        assert secret not in str(captured.logs)
    assert secret not in path.read_text()
    assert entries(path)[0]["after"] == {"api_key": "[redacted:api_key]", "n": 1}


def test_without_rules_values_are_withheld(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before there are rules of redaction, values are written as they are."""
    from otel_kit.context import redacted
    from otel_kit.context.files import files

    monkeypatch.setattr(
        redacted, "_rules", redacted._Rules()
    )  # a helper for jobs may have brought the usual ones
    files.audit = str(path)
    otel_kit.audit("ann", "user.update", "user/7", after={"note": "anything"})
    [written] = entries(path)
    assert (written["actor"], written["target"]) == ("ann", "user/7")
    assert written["after"] == "[withheld: no rules before init_telemetry]"


def test_values_of_any_kind_are_written(path: Path) -> None:
    """A hostile value raises, spoils the line, or makes it endless."""

    class Bad:
        def __repr__(self) -> str:
            raise ValueError

    cycle: list[object] = []
    cycle.append(cycle)
    nasty = {
        "bad": Bad(),
        "cycle": cycle,
        "bytes": b"\xff",
        "nan": float("nan"),
        7: "x\u2028y\ud800",
        "long": "ab " * 90_000,
    }
    with capture(audit_file=str(path)):
        otel_kit.audit(7, "user\nupdate", Bad(), before=nasty, after=nasty)
        otel_kit.audit("ann", "next", "x")
    assert path.stat().st_size < 200_000
    assert verify(path).finding is None
    assert entries(path)[0]["actor"] == "7"


def test_the_file_is_written_while_telemetry_is_off(path: Path) -> None:
    """An entry is missing because telemetry, or its part, is off or was shut down; or a record is emitted then."""
    with capture(audit_file=str(path), disabled_toolkit=["trust"]) as captured:
        assert otel_kit.audit("ann", "a", "x") is not None
        assert captured.logs == []
    telemetry = otel_kit.init_telemetry("shop", disabled=True, audit_file=str(path))
    assert otel_kit.audit("ann", "b", "x") is not None
    telemetry.shutdown()
    assert otel_kit.audit("ann", "c", "x") is not None
    assert [entry["action"] for entry in entries(path)] == ["a", "b", "c"]


def test_without_a_file_there_is_the_record() -> None:
    """Without a file nothing is emitted, or something is returned."""
    with capture() as captured:
        assert otel_kit.audit("ann", "a", "x") is None
        assert [record.event_name for record in captured.logs] == ["otel_kit.audit"]
    assert otel_kit.audit("ann", "a", "x") is None


def test_no_level_and_no_sampler_leaves_a_record_out(path: Path) -> None:
    """A log level or a sampler keeps an audit event from the record."""
    with capture(log_level="critical", sampler="always_off") as captured:
        with otel_kit.span("work"):
            otel_kit.audit("ann", "a", "x")
        assert len(captured.logs) == 1


def test_a_full_queue_drops_other_records_first(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of audit events are pushed out of the queue by ordinary ones, or the books are wrong for it."""
    monkeypatch.setattr("otel_kit.export.batch.FIRST_BACKOFF", 0.1)
    telemetry = otel_kit.init_telemetry(
        "shop",
        endpoint=receiver.http,
        logs_queue_size=100,
        console="off",
        process_metrics=False,
        instrument=(),
    )
    log = otel_kit.get_logger("shop")
    receiver.behave(hang=30)
    log.info("under way")
    assert not telemetry.force_flush(0.3)
    for number in range(40):
        otel_kit.audit("ann", "step", number)
    for number in range(500):
        log.info("ordinary", number=number)
    books = telemetry.stats()["logs"]
    assert books["accepted"] == books["waiting"] + books["dropped"]["queue_full"] == 541
    receiver.behave()
    assert receiver.wait_for(logs=books["waiting"])
    events = [record.event_name for record in receiver.logs]
    assert events.count("otel_kit.audit") == 40
    numbers = [
        attributes(record)["number"] for record in receiver.logs if record.body.string_value == "ordinary"
    ]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 499
    telemetry.shutdown(10)


def test_a_queue_of_nothing_but_audit_events_is_bounded(receiver: Receiver) -> None:
    """Records of audit events fill the memory of a program without a collector."""
    receiver.behave(hang=30)
    telemetry = otel_kit.init_telemetry(
        "shop",
        endpoint=receiver.http,
        logs_queue_size=50,
        console="off",
        process_metrics=False,
        instrument=(),
    )
    for number in range(200):
        otel_kit.audit("ann", "step", number)
    books = telemetry.stats()["logs"]
    assert books["waiting"] == 50
    assert books["dropped"] == {"queue_full": 150}
    receiver.behave()
    telemetry.shutdown(10)


def test_the_place_of_the_file_is_a_setting(path: Path, run_program) -> None:  # type: ignore[no-untyped-def]
    """OTEL_KIT_AUDIT_FILE is not followed, or is taken relative to another folder after a change of folder."""
    source = """
        import os, otel_kit
        otel_kit.init_telemetry("shop", logs_exporter="none", traces_exporter="none", metrics_exporter="none", console="off")
        os.chdir("/")
        otel_kit.audit("ann", "a", "x")
    """
    done = run_program(source, env={"OTEL_KIT_AUDIT_FILE": path.name})
    assert (done.returncode, done.stderr) == (0, "")
    assert len(entries(path)) == 1
    with pytest.raises(otel_kit.OtelKitError, match=r"audit_file.*folder that exists"):
        otel_kit.init_telemetry("shop", audit_file=str(path.parent / "nowhere" / "audit.jsonl"))


def test_what_cannot_be_written_is_known(path: Path, tmp_path: Path) -> None:
    """An entry that is not in the file is taken for written, or its record is missing too."""
    path.write_text("a diary\n")
    with capture(audit_file=str(path)) as captured:
        with pytest.raises(AuditError, match=r"audit\.jsonl cannot be written: the file is no audit trail"):
            otel_kit.audit("ann", "a", "x")
        assert len(captured.logs) == 1
    assert path.read_text() == "a diary\n"
    with pytest.raises(AuditError, match="No such file"):
        AuditTrail(tmp_path / "nowhere" / "audit.jsonl").append({})


def test_only_its_owner_reads_it(path: Path) -> None:
    """Others may read the trail."""
    filled(path, 1)
    assert path.stat().st_mode & 0o077 == 0


# what was done to it


@pytest.mark.parametrize("number", range(9))
def test_a_changed_entry_is_named(path: Path, number: int) -> None:
    """An entry that was changed is not found, or another one is named."""
    lines = filled(path)
    lines[number] = lines[number].replace(b'"ann"', b'"bob"')
    finding = judged(path, lines).finding
    assert finding is not None
    assert (finding.kind, finding.line) == ("changed", number + 1)
    assert f"entry {number} was changed" in finding.sentence


@pytest.mark.parametrize("number", range(8))
def test_an_entry_whose_hash_was_made_anew_is_named(path: Path, number: int) -> None:
    """An entry that was changed together with its hash is not found, or another one is named."""
    from otel_kit.toolkit.trust.entry import read, written

    lines = filled(path)
    entry = read(lines[number].rstrip())
    assert entry is not None
    lines[number] = written(entry.seq, entry.prev, {"actor": "bob"}).line + b"\n"
    finding = judged(path, lines).finding
    assert finding is not None
    assert (finding.kind, finding.line) == ("changed", number + 1)


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 3), (4, 4), (4, 6), (7, 7)])
def test_removed_entries_are_named(path: Path, first: int, last: int) -> None:
    """Entries that were taken out are not missed, or others are named."""
    lines = filled(path)
    del lines[first : last + 1]
    finding = judged(path, lines).finding
    assert finding is not None
    assert (finding.kind, finding.line) == ("removed", first + 1)
    assert (f"entry {first} was" if first == last else f"entries {first} to {last} were") in finding.sentence


@pytest.mark.parametrize("number", range(9))
def test_an_inserted_entry_is_named(path: Path, number: int) -> None:
    """A line that was put in is not found, or another one is named."""
    from otel_kit.toolkit.trust.entry import NOTHING, written

    lines = filled(path)
    prev = verify_hash(lines[number - 1]) if number else NOTHING
    forged = {
        "in the chain": written(number, prev, {"actor": "eve"}).line + b"\n",
        "out of it": written(number, "ab" * 32, {"actor": "eve"}).line + b"\n",
        "no entry": b"eve was here\n",
        "a copy": lines[2],
    }
    for kind, line in forged.items():
        if kind == "a copy" and number in (2, 3):
            continue
        finding = judged(path, [*lines[:number], line, *lines[number:]]).finding
        assert finding is not None, kind
        assert (finding.kind, finding.line) == ("inserted", number + 1), (kind, finding)


def verify_hash(line: bytes) -> str:
    return str(json.loads(line)["hash"])


def test_any_changed_byte_is_found(path: Path) -> None:
    """There is a byte of the trail that can be changed without being found, or with another line being named."""
    data = b"".join(filled(path, 3))
    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        finding = verify(path).finding
        assert finding is not None, position
        assert finding.line == data[:position].count(b"\n") + 1, finding


def test_an_entry_without_facts_is_one(path: Path) -> None:
    """An entry that tells nothing breaks the chain."""
    trail = AuditTrail(path)
    assert [trail.append({}).seq for _ in range(3)] == [0, 1, 2]
    assert (verify(path).finding, verify(path).entries) == (None, 3)


def test_a_moved_entry_is_named(path: Path) -> None:
    """Two entries changed places, and that is not seen."""
    lines = filled(path)
    lines[3], lines[4] = lines[4], lines[3]
    finding = judged(path, lines).finding
    assert finding is not None
    assert (finding.kind, finding.line) == ("moved", 4)


def test_what_is_missing_at_the_end_is_known_by_a_hash_from_elsewhere(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trail without its end, or one written anew, passes although a newer hash is known."""
    lines = filled(path)
    newest = verify_hash(lines[-1])
    assert main(["audit", "verify", str(path), "--head", newest]) == 0
    path.write_bytes(b"".join(lines[:-1]))
    assert main(["audit", "verify", str(path)]) == 0
    assert "Entries missing at the end" in capsys.readouterr().out
    assert main(["audit", "verify", str(path), "--head", newest[:20]]) == 1
    assert "HEAD NOT FOUND" in capsys.readouterr().out
    path.unlink()
    filled(path)
    assert main(["audit", "verify", str(path), "--head", newest]) == 0, "the same facts make the same hashes"
    assert main(["audit", "verify", str(path), "--head", "ab" * 32]) == 1
    path.write_bytes(b"")
    assert main(["audit", "verify", str(path)]) == 1


def test_the_command_says_what_it_found(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command's words or its exit status do not say what is wrong, or that the file cannot be read."""
    lines = filled(path)
    assert main(["audit", "verify", str(path)]) == 0
    assert (
        f"unbroken, 9 entries, from an unknown time to an unknown time\nhead 8 {verify_hash(lines[-1])}"
        in capsys.readouterr().out
    )
    path.write_bytes(b"".join([*lines[:4], *lines[5:]]))
    assert main(["audit", "verify", str(path)]) == 1
    assert "line 5: REMOVED: entry 4 was removed before line 5" in capsys.readouterr().out
    assert main(["audit", "verify", str(path.parent / "none")]) == 2
    assert main(["audit", "verify", str(path), "--head", "x"]) == 2


# interrupted writes


@pytest.mark.parametrize("rest", [1, 30, 150])
def test_the_rest_of_an_interrupted_write_is_marked(path: Path, rest: int) -> None:
    """A torn last line is taken for whole, removed in silence, or spoils what is written after it."""
    lines = filled(path, 3)
    torn = lines[2][:rest]
    path.write_bytes(b"".join([*lines[:2], torn]))
    finding = verify(path).finding
    assert finding is not None
    assert (finding.kind, finding.line) == ("unfinished", 3)
    entry = AuditTrail(path).append({"action": "next"})
    assert entry.seq == 3
    assert torn in path.read_bytes()
    mark = entries_of(path.read_bytes().splitlines()[3])
    assert (mark["action"], mark["bytes"]) == ("otel_kit.audit.interrupted", rest)
    verdict = verify(path)
    assert (verdict.finding, len(verdict.notes)) == (None, 1)
    assert verdict.entries == 4


def entries_of(line: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(line)
    return found


def test_a_first_entry_that_was_interrupted_is_marked(path: Path) -> None:
    """A file with nothing but the beginning of an entry can never be written to again."""
    [line] = filled(path, 1)
    path.write_bytes(line[:40])
    assert AuditTrail(path).append({"action": "next"}).seq == 1
    assert verify(path).finding is None


def test_a_line_that_lacks_only_its_end_is_an_entry(path: Path) -> None:
    """An entry whose last byte is missing is thrown away."""
    lines = filled(path, 3)
    path.write_bytes(b"".join(lines)[:-1])
    assert AuditTrail(path).append({"action": "next"}).seq == 3
    assert (verify(path).finding, verify(path).entries) == (None, 4)


def test_a_mark_does_not_cover_what_somebody_else_wrote(path: Path) -> None:
    """A last entry that was replaced by a whole line passes as an interrupted write."""
    lines = filled(path, 3)
    path.write_bytes(b"".join([*lines[:2], b"nothing to see\n"]))
    AuditTrail(path).append({"action": "next"})
    finding = verify(path).finding
    assert finding is not None
    assert (finding.kind, finding.line) == ("changed", 3)


WRITER = """
import sys
from otel_kit.toolkit.trust.trail import AuditTrail
trail, number = AuditTrail(sys.argv[1]), 0
while True:
    entry = trail.append({"action": "step", "note": "x" * 3000})
    sys.stdout.write(f"{entry.seq} {entry.hash}\\n")
    sys.stdout.flush()
"""


def test_kill_in_the_middle_of_writes_loses_nothing_acknowledged(path: Path) -> None:
    """After kill -9 an acknowledged entry is missing, or the trail is broken."""
    acknowledged: list[str] = []
    for _ in range(6):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=ROOT, text=True
            )
            for _ in range(2)
        ]
        for writer in writers:
            assert writer.stdout is not None
            acknowledged += [writer.stdout.readline().split()[1] for _ in range(3)]
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            rest, _ = writer.communicate()
            acknowledged += [
                line.split()[1] for line in rest.splitlines(keepends=True) if line.endswith("\n")
            ]
    AuditTrail(path).append({"action": "end"})
    assert verify(path).finding is None
    assert set(acknowledged) <= {
        entries_of(line)["hash"] for line in path.read_bytes().splitlines() if line.endswith(b"}")
    }


def test_a_full_disk_is_known_and_marked(path: Path, run_program) -> None:  # type: ignore[no-untyped-def]
    """An entry that did not fit is taken for written, or the trail cannot be used once there is room again."""
    source = """
        import resource, sys
        from otel_kit.errors import AuditError
        from otel_kit.toolkit.trust.trail import AuditTrail
        trail = AuditTrail(sys.argv[1])
        trail.append({"note": "fits"})
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        for note in ("x" * 2000, "y" * 2000):
            try:
                trail.append({"note": note})
            except AuditError as error:
                print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        trail.append({"note": "fits again"})
    """
    done = run_program(source, str(path))
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert "bytes could be written" in first
    assert "File too large" in second
    verdict = verify(path)
    assert (verdict.finding, verdict.entries, len(verdict.notes)) == (None, 3, 1)


# many at once


def write_many(path: str, count: int) -> None:
    for number in range(count):
        AuditTrail(path).append({"actor": str(os.getpid()), "target": str(number)})


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_share_a_trail(path: Path, method: str) -> None:
    """Entries of several processes are lost or break the chain."""
    context = multiprocessing.get_context(method)
    workers = [context.Process(target=write_many, args=(str(path), 15)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(40)
        assert worker.exitcode == 0
    verdict = verify(path)
    assert (verdict.finding, verdict.entries) == (None, 60)


def test_threads_and_tasks_share_a_trail(path: Path) -> None:
    """Entries of several threads or tasks are lost or break the chain, or lack their own ids."""

    async def program() -> None:
        async def step(number: int) -> None:
            with otel_kit.bind(user_id=f"user-{number}"):
                await asyncio.to_thread(otel_kit.audit, None, "step", number)

        await asyncio.gather(*(step(number) for number in range(20)))

    with capture(audit_file=str(path)):
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(otel_kit.audit, "ann", "step", n) for n in range(20)]:
                done.result()
        asyncio.run(program())
    verdict = verify(path)
    assert (verdict.finding, verdict.entries) == (None, 40)
    found = [entry for entry in entries(path) if entry["actor"] != "ann"]
    assert {entry["actor"] for entry in found} == {f"user-{entry['target']}" for entry in found}


def test_a_process_that_holds_the_lock_is_not_waited_for_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process that holds the lock stops this one, too."""
    import fcntl

    filled(path, 1)
    monkeypatch.setattr("otel_kit.toolkit.trust.trail.PATIENCE", 0.05)
    with path.open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        begun = time.monotonic()
        with pytest.raises(AuditError, match="another process has held its lock"):
            AuditTrail(path).append({})
        assert time.monotonic() - begun < 5


def test_a_file_that_was_put_aside_is_begun_anew(path: Path) -> None:
    """After the file was moved, entries go to the old one."""
    filled(path, 2)
    path.rename(path.with_suffix(".old"))
    assert AuditTrail(path).append({}).seq == 0


def test_a_variable_that_names_no_usable_file_does_not_stay_unnoticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator names a file in a folder that is not there, and the program goes on without an audit trail."""
    monkeypatch.setenv("OTEL_KIT_AUDIT_FILE", str(tmp_path / "nowhere" / "audit.jsonl"))
    telemetry = otel_kit.init_telemetry(
        "shop", console="off", logs_exporter="none", traces_exporter="none", metrics_exporter="none"
    )
    with pytest.raises(otel_kit.errors.AuditError, match="nowhere"):
        otel_kit.audit("ann", "order.refund", "order/1")
    telemetry.shutdown(1)


def test_values_beyond_what_json_writes(path: Path) -> None:
    """An entry is lost because of a number that is too long, a text that raises, or a list that is too deep."""

    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    with capture(audit_file=str(path)) as seen:
        for value in (10**5000, -(10**700), Odd(), deep, "\ud800", {10**5000: 1}, float("nan")):
            assert otel_kit.audit("ada", "refund", "order/7", before={"n": value}, after=value) is not None
    assert (verify(path).finding, verify(path).entries, len(seen.logs)) == (None, 7, 7)
    assert str(entries(path)[0]["after"]).startswith("0x")
