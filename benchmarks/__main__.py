"""``make bench``: each case in fresh processes, the contenders taking turns, the median of the rounds, and the ratio.

The machine's speed drifts, so only contenders of one round are compared: the ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.sink import running_sink

Figures = dict[str, float]
Rounds = dict[str, list[Figures]]
CASES = {
    "span": ("stock", "ours"),
    "log": ("stock", "ours"),
    "stdlib": ("stock", "ours"),
    "counter": ("stock", "ours"),
    "request": ("bare", "stock", "ours"),
    "start": ("stock", "ours"),
}
ROWS = (
    ("span", "caller", "span with 5 attributes, caller's thread", "µs"),
    ("span", "whole", "span with 5 attributes, with encoding and sending", "µs"),
    ("log", "caller", "log record with 2 facts, caller's thread", "µs"),
    ("log", "whole", "log record with 2 facts, with encoding and sending", "µs"),
    ("log", "filtered", "log call below the level", "µs"),
    ("stdlib", "caller", "the same through `logging`, caller's thread", "µs"),
    ("counter", "caller", "`counter.add` with 2 attributes", "µs"),
    ("counter", "exemplar", "`counter.add` inside a span (exemplar)", "µs"),
    ("request", "caller", "FastAPI + 2 SQLAlchemy statements + 2 logs, added to the bare request", "µs"),
    ("request", "whole", "the same, with encoding and sending", "µs"),
    ("start", "import", "import", "ms"),
    ("start", "init", "set-up", "ms"),
    ("start", "both", "import and set-up", "ms"),
    ("start", "memory", "memory after 1,000 spans (peak)", "MiB"),
)


def measure(case: str, contender: str, endpoint: str) -> Figures:
    # Queues that hold everything: a dropped item would cost nothing and flatter whoever drops it.
    queue = {f"OTEL_{kind}_MAX_QUEUE_SIZE": "100000" for kind in ("BSP", "BLRP")}
    environment = {**os.environ, **queue, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    command = [sys.executable, "-m", "benchmarks.contender", case, contender]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise SystemExit(f"{case} {contender} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run(rounds: int, only: list[str]) -> dict[str, Rounds]:
    # Installed packages come compiled; so does ours then, also where the environment forbids to write bytecode.
    compileall.compile_dir("otel_kit", quiet=2)
    results: dict[str, Rounds] = {case: {name: [] for name in CASES[case]} for case in only}
    with running_sink() as endpoint:
        for turn in range(rounds):
            for case in only:
                print(f"\rround {turn + 1} of {rounds}: {case:<10}", end="", file=sys.stderr, flush=True)
                for name in CASES[case]:
                    results[case][name].append(measure(case, name, endpoint))
    print(file=sys.stderr)
    return results


def values(rounds: Rounds, name: str, key: str) -> list[float]:
    """The figure of each round; for the request what it adds to the bare one of the same round."""
    found = [figures[key] for figures in rounds[name]]
    if "bare" in rounds:
        return [value - bare[key] for value, bare in zip(found, rounds["bare"], strict=True)]
    return found


def table(results: dict[str, Rounds]) -> list[str]:
    lines = ["| | stock | otel_kit | ratio |", "|---|---:|---:|---:|"]
    for case, key, text, unit in ROWS:
        if case not in results:
            continue
        stock, ours = values(results[case], "stock", key), values(results[case], "ours", key)
        ratio = median(mine / theirs for mine, theirs in zip(ours, stock, strict=True))
        lines.append(f"| {text} | {median(stock):.2f} {unit} | {median(ours):.2f} {unit} | **{ratio:.2f}** |")
    return lines


def page(lines: list[str], rounds: int) -> str:
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("opentelemetry-sdk", "fastapi", "sqlalchemy", "structlog")
    )
    return "\n".join(
        [
            "# What otel_kit costs",
            "",
            f"`make bench` on {date.today()}: Python {platform.python_version()}, {packages}; {os.cpu_count()} cores, "
            f"{rounds} rounds. CPU time; a ratio below 1 means that otel_kit is cheaper than the stock SDK set up by hand "
            "(three signals, OTLP over HTTP, batch processors), measured in the same round. Absolute figures depend on the "
            "machine, ratios much less.",
            "",
            *lines,
            "",
            *NOTES,
            "",
        ]
    )


NOTES = (
    "- The stock side has what its documentation shows; otel_kit's side has all that is on by default: context ids,",
    "  code location on each record, limits on hostile values, exact counts, process metrics.",
    "- Stock log calls are `logging` with the SDK's `LoggingHandler`, ours are structlog calls; the row that says",
    '  "through `logging`" is the same call on both sides.',
    "- Below the level `logging` compares with a cached verdict; a structlog call has its keywords packed first.",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--only", nargs="+", choices=list(CASES), default=list(CASES), help="only these cases, not written"
    )
    options = parser.parse_args()
    lines = table(run(options.rounds, options.only))
    print("\n".join(lines))
    if len(options.only) == len(CASES):
        path = Path(__file__).parent / "RESULTS.md"
        path.write_text(page(lines, options.rounds), encoding="utf-8")
        print(f"written to {path.relative_to(Path.cwd())}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
