"""What jobs cost: each case is one call, set up and ready to be timed; a batch's is one item of it.

``stock_cases`` is the same by hand: a span for each item, and a line of a journal. Run as a program, it measures a job of items
of 1 ms each, with and without: ``python -m benchmarks.toolkit_jobs 2000`` items.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from opentelemetry import trace

import otel_kit
from otel_kit.toolkit.jobs.runs import Run

Case = Callable[[], object]


def _here() -> None:
    folder = tempfile.mkdtemp(prefix="jobs-")
    os.environ["OTEL_KIT_RUNS_DIRECTORY"] = os.path.join(folder, "runs")
    os.environ["OTEL_KIT_PROGRESS_DIRECTORY"] = os.path.join(folder, "progress")


def cases() -> dict[str, Case]:
    """By name, what is to be timed."""
    _here()
    loop: Iterator[int] = iter(otel_kit.batch("items", count()))
    resumable: Iterator[int] = iter(otel_kit.batch("items that can be resumed", count(), resume=True))
    run = Run("benchmark", None, None, None)
    run.__enter__()

    def stage() -> None:
        with run.stage("stage"):
            run.rows(1)

    return {
        "item of a batch": lambda: next(loop),
        "item of a batch, with journal": lambda: next(resumable),
        "stage of a run": stage,
    }


def stock_cases() -> dict[str, Case]:
    """The peers."""
    tracer = trace.get_tracer("stock")
    stream = open(os.path.join(tempfile.mkdtemp(prefix="jobs-"), "journal"), "ab", buffering=0)  # noqa: SIM115

    def item() -> None:
        with tracer.start_as_current_span("item"):
            pass

    def journalled() -> None:
        stream.write(json.dumps({"begun": 1}).encode() + b"\n")
        with tracer.start_as_current_span("item"):
            pass
        stream.write(json.dumps({"done": 1}).encode() + b"\n")

    return {"item of a batch": item, "item of a batch, with journal": journalled, "stage of a run": item}


def _work() -> None:
    end = time.thread_time() + 0.001
    while time.thread_time() < end:
        pass


def _seconds(items: Any) -> float:
    began = time.process_time()
    for _ in items:
        _work()
    return time.process_time() - began


def main() -> None:
    """Print what a job costs more for being a batch, in CPU time: the least of interleaved repeats."""
    _here()
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    otel_kit.init_telemetry("jobs", console="off", endpoint="http://127.0.0.1:9")
    took: dict[str, list[float]] = {"bare": [], "batch": [], "batch, resumable": []}
    for _ in range(3):
        took["bare"].append(_seconds(range(number)))
        took["batch"].append(_seconds(otel_kit.batch("job", range(number))))
        took["batch, resumable"].append(_seconds(otel_kit.batch("job", range(number), resume=True)))
    bare = min(took["bare"])
    for name, seconds in took.items():
        print(f"{name:<20} {min(seconds):8.3f} s {min(seconds) / bare - 1:+7.2%}")


if __name__ == "__main__":
    main()
