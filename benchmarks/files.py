"""What log files cost: ``python -m benchmarks.files`` prints a table.

Each contender runs in a process of its own and writes RECORDS records with three facts at 1,000 a second, in bursts of ten as
requests make them, for SECONDS; everything is flushed at the end. CPU time is that of the whole process, all threads, less that
of the same loop which logs nothing. ``caller`` is what the logging thread pays. A share of a program's time is CPU time at that
rate: 10 µs a record at 1,000 a second are 1 % of one core.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import logging.handlers
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

RATE, SECONDS, BURST = 1000, 8, 10
MOST_BYTES = 50 << 20
TARGET = 0.05
Log = Callable[[int], object]
Contender = Callable[[Path], tuple[Log, Callable[[], object]]]


def nothing(directory: Path) -> tuple[Log, Callable[[], object]]:
    """The loop alone."""
    return lambda number: None, lambda: None


def standard(directory: Path) -> tuple[Log, Callable[[], object]]:
    """logging's RotatingFileHandler: one file of text."""
    handler = logging.handlers.RotatingFileHandler(directory / "app.log", maxBytes=MOST_BYTES, backupCount=20)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("shop")
    logger.addHandler(handler)
    logger.setLevel("INFO")
    return lambda n: logger.info(
        "card charged amount=%s order_id=%s method=%s", 12.5, n, "card"
    ), handler.close


def loguru(directory: Path) -> tuple[Log, Callable[[], object]]:
    """loguru: one file of text, written by the caller."""
    return _loguru(directory, {"app.log": False})


def loguru_pair(directory: Path) -> tuple[Log, Callable[[], object]]:
    """loguru: a file of text and one of JSON, written by a thread, as ours are."""
    return _loguru(directory, {"app.log": False, "app.jsonl": True})


def _loguru(directory: Path, files: dict[str, bool]) -> tuple[Log, Callable[[], object]]:
    from loguru import logger

    logger.remove()
    for name, json_lines in files.items():
        logger.add(directory / name, rotation=MOST_BYTES, serialize=json_lines, enqueue=len(files) > 1)

    def log(number: int) -> None:
        logger.info("card charged", amount=12.5, order_id=number, method="card")

    return log, logger.remove


def ours(directory: Path) -> tuple[Log, Callable[[], object]]:
    """otel_kit: app.log, app.jsonl, error.log, debug.log and six categories."""
    return _ours(files=directory)


def ours_without(directory: Path) -> tuple[Log, Callable[[], object]]:
    """otel_kit where nothing is exported: the call alone."""
    return _ours()


def _ours(**settings: object) -> tuple[Log, Callable[[], object]]:
    import otel_kit

    off = dict.fromkeys(("logs_exporter", "traces_exporter", "metrics_exporter"), "none")
    telemetry = otel_kit.init_telemetry(
        "benchmark",
        console="off",
        instrument=(),
        process_metrics=False,
        **off,
        **settings,
    )
    logger = otel_kit.get_logger("shop")
    return (
        lambda n: logger.info("card charged", amount=12.5, order_id=n, method="card"),
        lambda: telemetry.shutdown(30),
    )


CONTENDERS: dict[str, tuple[Contender, str]] = {
    "nothing": (nothing, "the loop alone"),
    "standard": (standard, "logging, RotatingFileHandler: 1 file of text"),
    "loguru": (loguru, "loguru: 1 file of text"),
    "loguru pair": (loguru_pair, "loguru, enqueue=True: text and JSON"),
    "ours without": (ours_without, "otel_kit with nowhere to deliver to"),
    "ours": (ours, "otel_kit, files=…: app.log, app.jsonl, debug.log"),
}


def measure(name: str, seconds: float) -> dict[str, float]:
    """µs of CPU a record: in the calling thread, and in the whole process."""
    with tempfile.TemporaryDirectory() as directory:
        log, flush = CONTENDERS[name][0](Path(directory))
        for number in range(200):
            log(number)
        time.sleep(1.5)  # what is loaded lazily is loaded
        records = int(RATE * seconds)
        whole, caller, began = time.process_time(), 0.0, time.monotonic()
        for first in range(0, records, BURST):
            at = time.thread_time()
            for number in range(first, first + BURST):
                log(number)
            caller += time.thread_time() - at
            time.sleep(max(0.0, began + (first + BURST) / RATE - time.monotonic()))
        flush()
        return {"caller": caller / records * 1e6, "whole": (time.process_time() - whole) / records * 1e6}


def run(rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """The least of interleaved rounds, each contender in a fresh process."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for name in CONTENDERS:
            if name.startswith("loguru") and importlib.util.find_spec("loguru") is None:
                continue
            command = [sys.executable, "-m", "benchmarks.files", "--one", name, "--seconds", str(seconds)]
            found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            earlier = best.get(name, found)
            best[name] = {figure: min(earlier[figure], found[figure]) for figure in found}
    return best


def table(found: dict[str, dict[str, float]]) -> list[str]:
    """The rows, in Markdown."""
    idle, stdlib = found["nothing"], found["standard"]["whole"] - found["nothing"]["whole"]
    lines = [
        "| log files at 1,000 records/s | caller µs/record | all threads µs/record | of one core | to RotatingFileHandler |",
        "|---|---|---|---|---|",
    ]
    for name, figures in found.items():
        if name == "nothing":
            continue
        caller, whole = (figures[each] - idle[each] for each in ("caller", "whole"))
        lines.append(
            f"| {CONTENDERS[name][1]} | {caller:.1f} | {whole:.1f} | {whole * RATE / 1e6:.1%} | {whole / stdlib:.1f}× |"
        )
    share = (found["ours"]["whole"] - idle["whole"]) * RATE / 1e6
    lines += ["", f"otel_kit with files takes {share:.1%} of one core; asked for: {TARGET:.0%} at most."]
    if "loguru" not in found:
        lines.append("loguru is not installed and was left out: pip install loguru.")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each contender writes")
    parser.add_argument("--one", choices=list(CONTENDERS), help="one contender in this process, as JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.seconds)))
        return 0
    print("\n".join(table(run(options.rounds, options.seconds))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
