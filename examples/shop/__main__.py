"""The demo: open the shop, send customers, close it, show what it emitted and where to look."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

import requests

from examples.shop.figures import Figures, table
from examples.shop.links import is_listening, links, next_command
from examples.shop.load import Tally, drive
from examples.shop.picture import one_order
from examples.shop.processes import StartError, open_shop

# How two sentences of otel_kit begin; the table and a sentence of ours say the same.
NOT_DELIVERED = "otel_kit: not delivered at exit"
CANNOT_DELIVER = "otel_kit: cannot deliver"


def main() -> int:
    """Run the demo; 0 when it could, also when it was ended sooner."""
    parser = argparse.ArgumentParser(prog="python -m examples.shop", description=__doc__)
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the figures to FILE, as JSON")
    options = parser.parse_args()
    seconds = duration(parser)
    closed = closed_by_signals()
    try:
        tally, figures = open_and_count(seconds, closed)
        if options.report:
            options.report.write_text(json.dumps(as_json(tally, figures), indent=2) + "\n", encoding="utf-8")
        show(tally, figures)
    except (StartError, requests.RequestException) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def duration(parser: argparse.ArgumentParser) -> float:
    """``DEMO_SECONDS``: for how long customers come."""
    given = os.environ.get("DEMO_SECONDS") or "30"
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 3600:
        parser.error(f"DEMO_SECONDS is {given!r}; valid: seconds, more than 0, up to 3600")
    return seconds


def closed_by_signals() -> threading.Event:
    """Set by Ctrl-C and by SIGTERM: no more customers, then the figures. A second one ends the demo at once."""
    closed = threading.Event()

    def close(number: int, _: object) -> None:
        if closed.is_set():
            raise KeyboardInterrupt
        closed.set()

    signal.signal(signal.SIGINT, close)
    signal.signal(signal.SIGTERM, close)
    return closed


def open_and_count(seconds: float, closed: threading.Event) -> tuple[Tally, list[Figures]]:
    """One day in the shop: what the customers got, and what each service emitted."""
    words = f"A shop in two services, storefront and inventory, open for {seconds:g} s. Ctrl-C closes it."
    print(words, flush=True)
    with tempfile.TemporaryDirectory(prefix="shop-") as folder:
        with open_shop(Path(folder)) as services:
            tally = drive(services[0].url, seconds, closed, progress)
            progress(tally, "closing")
        progress(tally, "       \n")
        return tally, [Figures(s.name, s.account(), s.complaints()) for s in services]


def progress(tally: Tally, end: str = "") -> None:
    """One line, written over and over on a terminal; elsewhere only its last state."""
    surprise = f", {tally.surprises} by surprise" if tally.surprises else ""
    failed = f"{tally.failures:,} failed on purpose{surprise}"
    line = f"{tally.seconds:4.0f} s · {tally.requests:,} requests · {failed}"
    if sys.stdout.isatty():
        print(f"\r{line}   {end}", end="", flush=True)
    elif end.endswith("\n"):
        print(line)


def show(tally: Tally, figures: list[Figures]) -> None:
    """The table, and where to look; without a receiver one order, and how to get one."""
    print(f"\n{table(figures)}\n")
    endpoints = sorted(set().union(*(service.endpoints for service in figures)))
    if not endpoints:
        print("Nothing was to be delivered: OTEL_SDK_DISABLED or OTEL_*_EXPORTER says so.")
        return
    addresses = [endpoint for endpoint in endpoints if "://" in endpoint]  # the console is one, too
    nobody = bool(addresses) and not any(map(is_listening, addresses))
    for complaint in complaints(figures, (NOT_DELIVERED, CANNOT_DELIVER) if nobody else (NOT_DELIVERED,)):
        print(complaint)
    if nobody:
        print(f"Nothing is listening at {' or '.join(addresses)}.")
    if not any(sum(service.delivered.values()) for service in figures):
        show_one_order()
    elif pages := list(links(tally.trace_id)):
        print("\n".join(pages))


def complaints(figures: list[Figures], known: tuple[str, ...]) -> list[str]:
    """What telemetry complained about, each sentence once, without those that say what is known."""
    all_of_them = dict.fromkeys(line for service in figures for line in service.complaints)
    return [line for line in all_of_them if not line.startswith(known)]


def show_one_order() -> None:
    """One order on the console, and how to see more."""
    print("One order, on the console instead:\n")
    with tempfile.TemporaryDirectory(prefix="shop-") as folder:
        print(one_order(Path(folder)))
    print(f"\nNext: {next_command()}\n      make demo")


def as_json(tally: Tally, figures: list[Figures]) -> dict[str, object]:
    """The report: what a test compares with what the stack has stored."""
    return {
        "seconds": round(tally.seconds, 3),
        "requests": tally.requests,
        "services": {service.service: service.as_json() for service in figures},
        "trace_id": tally.trace_id,
    }


if __name__ == "__main__":
    sys.exit(main())
