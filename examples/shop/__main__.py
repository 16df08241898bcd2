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

from examples.shop.figures import Figures, table
from examples.shop.links import links, next_command
from examples.shop.load import Tally, drive
from examples.shop.picture import one_order
from examples.shop.processes import StartError, open_shop


def main() -> int:
    """Run the demo; 0 when it could, also when it was ended sooner."""
    parser = argparse.ArgumentParser(prog="python -m examples.shop", description=__doc__)
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the figures to FILE, as JSON")
    options = parser.parse_args()
    seconds = duration(parser)
    closed = closed_by_signals()
    with tempfile.TemporaryDirectory(prefix="shop-") as folder:
        try:
            tally, figures = open_and_count(seconds, Path(folder), closed)
        except StartError as error:
            print(error, file=sys.stderr)
            return 1
    if options.report:
        options.report.write_text(json.dumps(as_json(tally, figures), indent=2) + "\n", encoding="utf-8")
    show(tally, figures)
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


def open_and_count(seconds: float, folder: Path, closed: threading.Event) -> tuple[Tally, list[Figures]]:
    """One day in the shop: what the customers got, and what each service emitted."""
    print(f"A shop in two services, storefront and inventory, open for {seconds:g} s. Ctrl-C closes it.")
    with open_shop(folder) as services:
        tally = drive(services[0].url, seconds, closed, progress)
        progress(tally, "closing")
    progress(tally, "closed\n")
    return tally, [Figures(service.name, service.stats()) for service in services]


def progress(tally: Tally, end: str = "") -> None:
    """One line, written over and over on a terminal; elsewhere only its last state."""
    surprise = f", {tally.surprises} by surprise" if tally.surprises else ""
    line = (
        f"{tally.seconds:4.0f} s · {tally.requests:,} requests · {tally.errors} failed on purpose{surprise}"
    )
    if sys.stdout.isatty():
        print(f"\r{line}   {end}", end="", flush=True)
    elif end.endswith("\n"):
        print(line)


def show(tally: Tally, figures: list[Figures]) -> None:
    """The table, and where to look."""
    print("\n" + table(figures) + "\n")
    if pages := list(links(tally.trace_id)):
        print("\n".join(pages))
    if not any(sum(service.delivered.values()) for service in figures):
        show_one_order()


def show_one_order() -> None:
    """Without anybody to deliver to: one order on the console, and how to change that."""
    print("Nothing was delivered: nobody listens at http://localhost:4318. One order, printed instead:\n")
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
