"""Batches: each item once, whatever happens; what became of it; how far it is."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace

import otel_kit
from otel_kit.errors import ArgumentError, JobError
from otel_kit.testing import capture
from otel_kit.toolkit.jobs import places
from otel_kit.toolkit.jobs.book import next_thinned
from otel_kit.toolkit.jobs.feed import ItemTimeout
from otel_kit.toolkit.jobs.rate import Rate
from tests.programs import begin, ended


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    places._told.clear()
    return tmp_path


def progress(name: str = "leads") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(f"logs/progress/{name}.json").read_text())
    return found


# the iterator


def test_a_loop_goes_through_all_items(here: Path) -> None:
    """Items are lost or come twice, or the progress file says something else in the end."""
    assert list(otel_kit.batch("leads", "abc")) == ["a", "b", "c"]
    found = progress()
    assert (found["operation"], found["processed"], found["total"], found["percentage"]) == (
        "leads",
        3,
        3,
        100.0,
    )
    assert (found["status"], found["failed"], found["pid"], found["eta_seconds"]) == (
        "finished",
        0,
        os.getpid(),
        None,
    )
    assert {"rate_per_second", "elapsed_seconds", "current_item", "timestamp", "run_id"} <= set(found)


def test_an_unknown_total_is_possible(here: Path) -> None:
    """A generator cannot be gone through, or its total is made up."""
    assert sum(otel_kit.batch("leads", (n for n in range(5)))) == 10
    assert (progress()["processed"], progress()["total"], progress()["percentage"]) == (5, None, None)


def test_async_items(here: Path) -> None:
    """``async for`` does not go through an asynchronous iterator."""

    async def items() -> Any:
        for number in range(3):
            yield number

    async def work() -> list[int]:
        return [n async for n in otel_kit.batch("leads", items(), total=3)]

    assert asyncio.run(work()) == [0, 1, 2]
    assert progress()["percentage"] == 100.0


def test_resuming_leaves_out_what_is_done_in_any_order(here: Path) -> None:
    """A resumed batch does an item again, leaves one out, or minds that the order changed."""
    items = [f"lead {n}" for n in range(10)] + ["lead 3"]
    first = []
    for item in otel_kit.batch("leads", items, resume=True):
        first.append(item)
        if len(first) == 5:
            break
    loop = otel_kit.batch("leads", items[::-1], resume=True)
    second = list(loop)
    assert loop.in_doubt == ["lead 4"]  # the loop was left in its middle
    assert sorted(first[:4] + second) == sorted(items)
    assert list(otel_kit.batch("leads", ["new"], resume=True)) == ["new"]


def test_failures_are_tried_again_or_not(here: Path) -> None:
    """What failed is not tried again when resuming, or though it is not wanted; or progress goes backwards."""

    def work(**options: Any) -> list[int]:
        seen = []
        loop = otel_kit.batch("leads", range(4), resume=True, **options)
        for item in loop:
            seen.append(item)
            if item == 2:
                loop.failed(ValueError("no"))
        return seen

    assert work() == [0, 1, 2, 3]
    assert work(retry_failed=False) == []
    assert work() == [2]
    assert (progress()["processed"], progress()["failed"]) == (4, 1)


def test_an_exception_in_the_loop_is_told(here: Path) -> None:
    """With a block around it, the item that raised is not the one that failed, or the exception is swallowed."""
    loop = otel_kit.batch("leads", range(5))

    def work() -> None:
        with loop:
            for item in loop:
                assert 6 / (item - 2)

    with pytest.raises(ZeroDivisionError):
        work()
    assert (loop.outcome, loop.failures) == ("failed", ["2"])


def test_items_without_a_lasting_name_are_refused(here: Path) -> None:
    """A batch of objects whose text changes with each process seems to resume, and does everything again."""
    with pytest.raises(ArgumentError, match="key="):
        list(otel_kit.batch("leads", [object()], resume=True))
    assert len(list(otel_kit.batch("leads", [object()], resume=True, key=lambda item: "one"))) == 1


def test_spans_are_thinned(here: Path) -> None:
    """Each of very many items has a span, or one that fails has none, or they are not the batch's children."""
    with capture() as captured:
        loop = otel_kit.batch("leads", range(1500))
        for item in loop:
            if item == 1234:
                loop.failed(ValueError("no"))
    items = [span for span in captured.spans if span.name == "leads item"]
    batch = captured.span("batch leads")
    assert len(items) == 100 + 90 + 5 + 1
    assert {span.parent.span_id for span in items if span.parent} == {batch.context.span_id}
    assert [
        span.attributes["otel_kit.batch.item.index"] for span in items if span.events or not span.status.is_ok
    ]
    numbers = [1]
    while numbers[-1] < 100_000:
        numbers.append(next_thinned(numbers[-1]))
    assert numbers[98:102] == [99, 100, 110, 120]
    assert numbers[-1] == 100_000
    assert len(numbers) < 500
    assert "otel_kit.batch.item.duration" in captured.metrics


def test_a_batch_in_a_run_is_part_of_its_summary(here: Path) -> None:
    """The summary of a run does not tell of its batches, or its progress file does not tell of the run."""
    with otel_kit.run("nightly") as run:
        list(otel_kit.batch("leads", range(3)))
    assert run.summary["batches"][0]["processed"] == 3
    assert progress()["run_id"] == run.id


# run_batch


def square(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number * number


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_results_come_in_order_and_failures_are_named(here: Path, kind: Any) -> None:
    """Results are in the order in which they came, or a failure is lost, or takes others with it."""
    result = otel_kit.run_batch("leads", range(8), square, workers=3, kind=kind)
    assert [each.index for each in result] == list(range(8))
    assert result.values == [0, 1, 4, 16, 25, 36, 49]
    (failure,) = result.failures
    assert (failure.name, str(failure.error)) == ("3", "three")
    assert (result.outcome, result.complete) == ("finished", False)
    assert progress()["failed"] == 1


def test_tasks(here: Path) -> None:
    """Coroutines do not run at the same time, or one that is too slow is not ended."""

    async def work(number: int) -> int:
        await asyncio.sleep(30 if number == 1 else 0.05)
        return number

    began = time.monotonic()
    result = asyncio.run(
        otel_kit.run_batch("leads", range(6), work, kind="async", workers=6, item_timeout=0.5)
    )
    assert time.monotonic() - began < 5
    assert result.values == [0, 2, 3, 4, 5]
    assert isinstance(result.failures[0].error, ItemTimeout)


def sleeping(number: int) -> int:
    if number == 1:
        time.sleep(30)
    if number == 2:
        os._exit(7)
    return number


def test_a_process_that_hangs_or_dies_costs_one_item(here: Path) -> None:
    """An item that hangs, or ends its process, takes the batch with it."""
    result = otel_kit.run_batch("leads", range(5), sleeping, workers=2, kind="process", item_timeout=1.0)
    assert result.values == [0, 3, 4]
    hung, died = result.failures
    assert isinstance(hung.error, ItemTimeout)
    assert "exit status 7" in str(died.error)


def test_a_thread_that_hangs_is_given_up(here: Path) -> None:
    """A hanging item keeps its worker for ever, or keeps others from their turn."""
    stop = threading.Event()

    def work(number: int) -> int:
        if number in (0, 1):
            stop.wait(30)
        return number

    result = otel_kit.run_batch("leads", range(5), work, workers=2, item_timeout=0.2)
    stop.set()
    assert result.values == [2, 3, 4]
    assert [each.name for each in result.failures] == ["0", "1"]


def test_a_timeout_gives_a_partial_result(here: Path) -> None:
    """At the timeout there is no result, or it looks like a full one."""
    stop = threading.Event()
    result = otel_kit.run_batch(
        "leads", range(100), lambda n: n if n < 3 else stop.wait(30), workers=1, timeout=0.3
    )
    stop.set()
    assert (result.outcome, result.partial, result.complete) == ("timeout", True, False)
    assert result.values == [0, 1, 2]
    assert [each.name for each in result.in_doubt] == ["3"]
    assert progress()["status"] == "timeout"


def test_retries(here: Path) -> None:
    """An item that would succeed on its second attempt fails, or its attempts are not counted."""
    tried: list[int] = []

    def work(number: int) -> int:
        tried.append(number)
        if tried.count(number) < 2:
            raise ConnectionError("once")
        return number

    result = otel_kit.run_batch("leads", range(3), work, retries=1)
    assert result.values == [0, 1, 2]
    assert {each.attempts for each in result} == {2}


def test_a_failure_may_end_the_batch(here: Path) -> None:
    """``on_error`` stop goes on, or raise does not raise."""
    result = otel_kit.run_batch("leads", range(100), square, workers=1, on_error="stop")
    assert (result.outcome, len(result)) == ("failed", 4)
    with pytest.raises(JobError, match="item 3 failed"):
        otel_kit.run_batch("leads", range(100), square, workers=1, on_error="raise")


def test_two_at_once_are_refused_where_they_would_do_the_same(here: Path) -> None:
    """Two batches of one name that resume work on the same items; or two that do not resume share a progress file."""
    for item in otel_kit.batch("leads", range(2), resume=True):
        if item == 0:
            with pytest.raises(JobError, match="worked on by another"):
                list(otel_kit.batch("leads", range(2), resume=True))
    for item in otel_kit.batch("leads", range(2)):
        if item == 0:
            list(otel_kit.batch("leads", range(5)))
    assert progress()["total"] == 2
    assert progress("leads.2")["total"] == 5


def test_wrong_arguments_are_named() -> None:
    """A wrong argument is accepted, or the error does not name it."""
    with pytest.raises(ArgumentError, match="kind"):
        otel_kit.run_batch("a", [], print, kind="fiber")  # type: ignore[call-overload]
    with pytest.raises(ArgumentError, match="workers"):
        otel_kit.run_batch("a", [], print, workers=0)
    with pytest.raises(ArgumentError, match="coroutine"):
        otel_kit.run_batch("a", [], print, kind="async")  # type: ignore[call-overload]
    with pytest.raises(ArgumentError, match="timeout"):
        otel_kit.batch("a", [], timeout=-1)


# signals, kills, disks

SLOW = """
    import sys, time, otel_kit
    def work(item):
        print(item, flush=True)
        time.sleep(0.2 if "hang" not in sys.argv else 30)
        return item
    if "pool" in sys.argv:
        otel_kit.run_batch("leads", range(100), work, workers=2, resume=True, grace=0.7)
    else:
        for item in otel_kit.batch("leads", range(100), resume=True, grace=0.7):
            work(item)
"""


@pytest.mark.parametrize("how", ["loop", "pool"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_running_items_end(here: Path, how: str, number: int, status: int) -> None:
    """A signal cuts an item off, lets new ones begin, or the exit status does not tell of it."""
    process = begin(here, SLOW, how)
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    process.send_signal(number)
    _, err = ended(process)
    assert process.returncode == status, err
    assert progress()["status"] in ("stopped", "interrupted")
    assert progress()["processed"] in (3, 4)


@pytest.mark.parametrize("how", ["loop", "pool"])
def test_a_grace_period_ends(here: Path, how: str) -> None:
    """An item that hangs keeps a program that was told to stop."""
    process = begin(here, SLOW, how, "hang")
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    ended(process)
    assert process.returncode == 143
    assert progress()["status"] == "stopped"


def test_a_second_process_at_a_resumable_batch_is_refused(here: Path) -> None:
    """Two processes at one resumable batch do its items twice, because the error that says so is contained."""
    first = begin(here, SLOW, "loop", "hang")
    assert first.stdout is not None
    first.stdout.readline()
    second = begin(here, SLOW, "loop", "hang")
    out, err = ended(second)
    first.kill()
    first.communicate()
    assert (second.returncode, out) == (1, "")
    assert "JobError: batch 'leads' is being worked on by another process" in err


def test_a_second_signal_ends_at_once(here: Path) -> None:
    """A second signal waits for the grace period, or leaves nothing on record."""
    process = begin(here, SLOW.replace("grace=0.7", "grace=60.0"), "pool", "hang")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    ended(process)
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert progress()["status"] == "interrupted"


MISSED = """
    import asyncio, os, otel_kit, signal, sys, threading, time
    how, number = sys.argv[1], int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    def send():
        # To this thread: the main one's system call goes on, as where a signal comes a moment before it.
        time.sleep(0.2)
        signal.pthread_kill(threading.get_ident(), number)
    async def work():
        async with otel_kit.run("job"):
            threading.Thread(target=send).start()
            await asyncio.sleep(3600)
    if how == "asyncio":
        asyncio.run(work())
    elif how == "run":
        with otel_kit.run("job"):
            threading.Thread(target=send).start()
            time.sleep(3600)
    else:
        for _ in otel_kit.batch("leads", range(2), grace=0.1):
            threading.Thread(target=send).start()
            time.sleep(3600)
"""


@pytest.mark.parametrize("how", ["asyncio", "run", "batch"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_interrupts_nothing_is_heard(here: Path, how: str, number: int) -> None:
    """A signal that comes in the moment before the main thread waits is heard when the wait is over, an hour later."""
    process = begin(here, MISSED, how, str(int(number)))
    ended(process)
    assert process.returncode in (-number, 128 + number)


def test_signals_are_left_as_they_were() -> None:
    """After a run or a batch a handler, a wake-up descriptor, an open file or a thread of ours remains."""

    def found() -> Any:
        waker = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(waker)
        return waker, [signal.getsignal(each) for each in sorted(signal.valid_signals())]

    before = found()
    with otel_kit.run("job"):
        assert found() != before
        list(otel_kit.batch("leads", "abc"))
        child = os.fork()
        if not child:
            os._exit(0 if found() == before else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert found() == before
    with otel_kit.run("job"):
        asyncio.run(asyncio.wait_for(_told_by_a_loop(), 30))
    assert found() == before


async def _told_by_a_loop() -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, told.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await told.wait()


KILLED = """
    import os, sys, time, random, otel_kit
    items = [f"item {n}" for n in range(int(sys.argv[1]))]
    random.shuffle(items)
    log = os.open("effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    loop = otel_kit.batch("leads", items, resume=True)
    began = False
    for item in loop:
        if not began:
            began = True
            os.write(log, f"doubt {'|'.join(loop.in_doubt)}\\n".encode())
        time.sleep(random.uniform(0, 0.004))
        os.write(log, f"{item}\\n".encode())
        time.sleep(random.uniform(0, 0.004))
    os.write(log, f"doubt {'|'.join(loop.in_doubt)}\\n".encode())
"""


def killed_again_and_again(here: Path, items: int, kills: int) -> None:
    processed = [0]
    for _ in range(kills):
        process = begin(here, KILLED, str(items))
        deadline = time.monotonic() + random.uniform(0.1, 0.9)
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.005)
            if (here / "logs/progress/leads.json").exists():
                processed.append(progress()["processed"])
        process.kill()
        process.communicate(timeout=10)
        if (here / "logs/progress/leads.json").exists() and progress()["status"] == "finished":
            break
    else:
        process = begin(here, KILLED, str(items))
        _, err = ended(process, 60)
        assert process.returncode == 0, err
    lines = (here / "effects").read_text().splitlines()
    doubts = {name for line in lines if line.startswith("doubt ") for name in line[6:].split("|")}
    done = [line for line in lines if line.startswith("item ")]
    assert set(done) == {f"item {n}" for n in range(items)}
    assert {item for item in done if done.count(item) > 1} <= doubts
    assert processed == sorted(processed)


def test_killed_and_resumed_each_item_is_done_once_or_in_doubt(here: Path) -> None:
    """An item is lost, or done twice without being named as in doubt, or progress goes backwards."""
    killed_again_and_again(here, 100, 5)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_fifty_random_moments(here: Path) -> None:
    """In fifty kills an item is lost, or done twice without being named as in doubt, or progress goes backwards."""
    killed_again_and_again(here, 3000, 50)


def test_a_journal_that_was_cut_at_any_byte_can_be_read(here: Path) -> None:
    """A journal whose last line is unfinished loses what stands before it, or spoils what is written after it."""
    from otel_kit.toolkit.jobs.journal import DONE, Journal

    def journal() -> Journal:
        made = Journal("leads", str(here))
        made.open()
        return made

    first = journal()
    for item in ("a", "b"):
        first.begin(item, f"item {item}")
        first.end(item, DONE)
    first.close(complete=False)
    whole = Path(first.path).read_bytes()
    for size in range(len(whole)):
        Path(first.path).write_bytes(whole[:size])
        again = journal()
        known = dict(again.states)
        assert set(known.values()) <= {"b", "d"}
        assert len(known) >= sum(b" b " in line for line in whole[:size].split(b"\n")[:-1])
        again.begin("c", "item c")
        again.close(complete=False)
        last = journal()
        assert last.states == {**known, "c": "b"}
        last.close(complete=False)


def test_no_room_for_files_is_one_sentence(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Directories that cannot be written end the batch, or nothing says why nothing is there."""
    (here / "logs").write_text("a file where the directory should be")
    (here / "artifacts").write_text("likewise")
    for _ in range(2):
        assert list(otel_kit.batch("leads", range(3), resume=True)) == [0, 1, 2]
    err = capsys.readouterr().err
    assert err.count("the journal, without which it cannot be resumed, cannot be written") == 1
    assert err.count("the progress of batch leads cannot be written") == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full disk here")
def test_a_full_disk_is_one_sentence(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A disk that is full in mid-run ends the batch, or nothing says so."""
    loop = otel_kit.batch("leads", range(50), resume=True)
    for item in loop:
        if item == 10:
            full = os.open("/dev/full", os.O_WRONLY)
            os.dup2(full, loop._book._journal._fd)  # type: ignore[union-attr]
            os.close(full)
    assert capsys.readouterr().err.count("No space left on device") == 1
    assert loop.outcome == "finished"


def test_directories_removed_in_mid_run_are_made_anew(here: Path) -> None:
    """A batch whose directories are deleted raises, or goes on without being able to resume."""
    import shutil

    for item in otel_kit.batch("leads", range(100), resume=True):
        if item == 2:
            shutil.rmtree(here / "artifacts")
            shutil.rmtree(here / "logs")
        if item == 3:
            deadline = time.monotonic() + 10
            while not (here / "artifacts/runs/journals/leads.journal").exists():
                assert time.monotonic() < deadline
                time.sleep(0.05)
        if item == 5:
            break
    assert next(iter(otel_kit.batch("leads", range(100), resume=True))) == 5
    assert (here / "logs/progress/leads.json").exists()


# how fast


def test_the_time_left_is_honest_with_uneven_items() -> None:
    """Items that take turns at being short and long make the time left jump, or it is wrong by far."""
    rate, elapsed, guesses = Rate(), 0.0, []
    for number in range(1, 401):
        elapsed += 9.0 if number % 10 == 0 else 0.1
        rate.add(elapsed, number)
        if number > 100 and number < 390:
            truth = (400 - number) * 0.99
            left = rate.seconds_left(elapsed, number, 400 - number)
            assert left is not None
            guesses.append(left / truth)
    assert min(guesses) > 0.6
    assert max(guesses) < 1.6


def test_the_rate_falls_while_nothing_ends() -> None:
    """A batch that is stuck goes on to promise the end in a moment."""
    rate = Rate()
    for second in range(1, 101):
        rate.add(float(second), second)
    before = rate.seconds_left(100.0, 100, 100)
    after = rate.seconds_left(400.0, 100, 100)
    assert before is not None
    assert after is None or after > 3 * before


def test_items_in_doubt_are_named_from_the_beginning(here: Path) -> None:
    """An item in doubt is named only when its turn comes: a process that is cut off before has named nothing."""
    for item in otel_kit.batch("leads", ["a", "b", "c"], resume=True):
        if item == "b":
            break
    loop = otel_kit.batch("leads", ["c", "b", "a"], resume=True)
    assert next(iter(loop)) == "c"
    assert loop.in_doubt[0] == "b"


def test_batches_side_by_side_leave_nothing_current() -> None:
    """Of two batches in a zip, or of one that another thread finishes, an item's span that is over stays the current one."""
    with capture() as seen:
        first, second = iter(otel_kit.batch("a", [1])), iter(otel_kit.batch("b", [1, 2]))
        next(first), next(second), next(first, None), next(second), next(second, None)
        assert trace.get_current_span() is trace.INVALID_SPAN
        for _ in zip(otel_kit.batch("a", range(50)), otel_kit.batch("b", range(50)), strict=True):
            pass
        assert trace.get_current_span() is trace.INVALID_SPAN
        leads: Any = iter(otel_kit.batch("leads", [1, 2, 3]))
        next(leads)
        thread = threading.Thread(target=list, args=(leads,))
        thread.start()
        thread.join()
        del leads, thread
        assert trace.get_current_span() is trace.INVALID_SPAN
        with otel_kit.span("later") as later:
            assert later.parent is None  # type: ignore[attr-defined]
        names = [span.name for span in seen.spans]
    assert all(span.end_time for span in seen.spans)
    assert (names.count("a item"), names.count("b item"), names.count("leads item")) == (51, 52, 3)
