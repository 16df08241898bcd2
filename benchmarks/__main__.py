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

from benchmarks.libraries import LIBRARIES, Library
from benchmarks.sink import running_sink

Figures = dict[str, float]
Rounds = dict[str, list[Figures]]


def _contenders(library: Library) -> tuple[str, ...]:
    return ("bare", "stock", "ours") if library.has_peer() else ("bare", "ours")


CASES: dict[str, tuple[str, ...]] = {
    "span": ("stock", "ours"),
    "log": ("stock", "ours"),
    "stdlib": ("stock", "ours"),
    "counter": ("stock", "ours"),
    "request": ("bare", "stock", "ours"),
    "start": ("stock", "ours"),
    "redaction": ("off", "ours"),
    "redaction step": ("ours",),
}
HERE = Path(__file__).parent
PARTS = sorted(path.stem.removeprefix("toolkit_") for path in HERE.glob("toolkit_*.py"))
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "libraries": {f"library.{name}": _contenders(found) for name, found in LIBRARIES.items()},
    "toolkit": {f"toolkit.{part}": ("stock", "off", "ours") for part in PARTS},
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
    if done.returncode and case in GROUPS["toolkit"]:
        # One part that cannot be measured must not take the others' figures along.
        print(f"\n{case} {contender} failed: {done.stderr.splitlines()[-1]}", file=sys.stderr)
        return {}
    if done.returncode:
        raise SystemExit(f"{case} {contender} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run(rounds: int, chosen: dict[str, tuple[str, ...]]) -> dict[str, Rounds]:
    # Installed packages come compiled; so does ours then, also where the environment forbids to write bytecode.
    compileall.compile_dir("otel_kit", quiet=2)
    results: dict[str, Rounds] = {case: {name: [] for name in names} for case, names in chosen.items()}
    with running_sink() as endpoint:
        for turn in range(rounds):
            for case, names in chosen.items():
                print(f"\rround {turn + 1} of {rounds}: {case:<20}", end="", file=sys.stderr, flush=True)
                for name in names:
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


def library_table(results: dict[str, Rounds]) -> list[str]:
    """What each instrumentation adds to the bare call; without a peer the ratio is that of the whole call."""
    lines = ["| | bare | its peer adds | otel_kit adds | ratio |", "|---|---:|---:|---:|---:|"]
    for name, library in LIBRARIES.items():
        rounds = results.get(f"library.{name}")
        if rounds is None:
            continue
        bare, added = median(each["caller"] for each in rounds["bare"]), values(rounds, "ours", "caller")
        if "stock" in rounds:
            theirs = values(rounds, "stock", "caller")
            ratio = median(mine / other for mine, other in zip(added, theirs, strict=True))
            lines.append(
                f"| {library.text} | {bare:.1f} µs | {median(theirs):.1f} µs | {median(added):.1f} µs | **{ratio:.2f}** |"
            )
        else:
            whole = (bare + median(added)) / bare
            lines.append(
                f"| {library.text} | {bare:.1f} µs | | {median(added):.1f} µs | {whole:.2f} × bare |"
            )
    return lines


def toolkit_table(results: dict[str, Rounds]) -> list[str]:
    """What a call of the toolkit costs: by hand, with its part off, and on."""
    lines = ["| | by hand | off | on |", "|---|---:|---:|---:|"]
    for part in PARTS:
        rounds = results.get(f"toolkit.{part}", {"ours": []})
        for case in dict.fromkeys(name for figures in rounds["ours"] for name in figures):
            found = [_least(rounds[name], case) for name in ("stock", "off", "ours")]
            lines.append(f"| {part}: {case} | {' | '.join(found)} |")
    return lines


def _least(rounds: list[Figures], case: str) -> str:
    found = [figures[case] for figures in rounds if case in figures]
    return f"{min(found):.1f} µs" if found else ""


def redaction_table(results: dict[str, Rounds]) -> list[str]:
    """What redaction adds: its step alone, and the whole with encoding and sending, whose noise is more than that."""
    lines = ["| | redaction off | on | |", "|---|---:|---:|---:|"]
    kinds = (("span", "span with 5 attributes"), ("log", "log record with 2 facts"))
    for key, text in kinds if "redaction step" in results else ():
        rounds = results["redaction step"]["ours"]
        least, most = (min(each[f"{key} {state}"] for each in rounds) for state in ("off", "on"))
        lines.append(
            f"| {text}, the step alone | {least:.2f} µs | {most:.2f} µs | **+{most - least:.2f} µs** |"
        )
    for key, text in kinds if "redaction" in results else ():
        wholes = results["redaction"]
        off, on = ([each[key] for each in wholes[name]] for name in ("off", "ours"))
        ratio = median(mine / other for mine, other in zip(on, off, strict=True))
        lines.append(
            f"| {text}, with encoding and sending | {median(off):.2f} µs | {median(on):.2f} µs | **{ratio:.2f}** |"
        )
    return lines


def tables(results: dict[str, Rounds]) -> list[str]:
    """All that were measured, each under its heading."""
    parts: list[tuple[str, list[str]]] = [("", table(results))]
    if any(case.startswith("library.") for case in results):
        parts.append(("## What each instrumentation adds, caller's thread", library_table(results)))
    if any(case.startswith("toolkit.") for case in results):
        parts.append(("## The toolkit, per call, caller's thread", toolkit_table(results)))
    if "redaction" in results or "redaction step" in results:
        parts.append(("## Redaction", redaction_table(results)))
    found = [([title, ""] if title else []) + lines for title, lines in parts if len(lines) > 2]
    return [line for number, block in enumerate(found) for line in ([""] if number else []) + block]


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
    "- An instrumentation's ratio is what otel_kit adds by what its peer adds; where none is installed, the whole call by the",
    "  bare one. Ours includes ids, their headers, body sizes and the access log record of a request, pools, transactions, slow",
    "  and repeated statements, which no peer has.",
    "- The toolkit's `off` is with `disabled_toolkit=\"*\"`; `by hand` is OpenTelemetry's API alone, where that can do the same.",
    "- Below the level `logging` compares with a cached verdict; a structlog call has its keywords packed first.",
)


def _is_chosen(case: str, only: list[str] | None) -> bool:
    return only is None or case in only or any(case in GROUPS.get(name, {}) for name in only)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    every: dict[str, tuple[str, ...]] = CASES | {
        case: names for group in GROUPS.values() for case, names in group.items()
    }
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*CASES, *GROUPS, *(case for case in every if case not in CASES)],
        help="only these cases, not written",
    )
    options = parser.parse_args()
    chosen = {case: names for case, names in every.items() if _is_chosen(case, options.only)}
    lines = tables(run(options.rounds, chosen))
    print("\n".join(lines))
    if options.only is None:
        path = HERE / "RESULTS.md"
        path.write_text(page(lines, options.rounds), encoding="utf-8")
        print(f"written to {path.relative_to(Path.cwd())}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
