"""The command line: `python -m deploy.stack build`, `up` or `lock`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from .build import build, lock
from .processes import Stack
from .programs import StackError
from .services import Ports, address, chosen_ports, refuse_taken

# Ctrl-C, a service manager, a terminal that is closed.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    arguments = _parser().parse_args()
    for one in STOPPING:
        signal.signal(one, _stop_once)
    try:
        arguments.command(arguments)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.stack",
        description="Collector, Jaeger, Prometheus and VictoriaLogs as plain processes, built with Go.",
    )
    commands = parser.add_subparsers(required=True)
    commands.add_parser("build", help="build the programs that are missing in the cache").set_defaults(
        command=_build
    )
    up = commands.add_parser("up", help="build what is missing, start the four, run until Ctrl-C")
    up.add_argument(
        "--data",
        type=Path,
        default=_data_folder(),
        help="where traces, metrics and logs are kept (%(default)s)",
    )
    up.set_defaults(command=_up)
    renew = commands.add_parser(
        "lock", help="renew the collector's go.mod and go.sum after a change to its manifest"
    )
    renew.set_defaults(command=lambda _: lock())
    return parser


def _build(_: argparse.Namespace) -> None:
    for path in build().values():
        print(path)


def _up(arguments: argparse.Namespace) -> None:
    ports = chosen_ports()
    refuse_taken(ports)
    stack = Stack(build(), arguments.data.resolve(), ports)
    try:
        with stack:
            print(_links(ports, stack.data), flush=True)
            _watch(stack)
    except KeyboardInterrupt:
        print("stopped")


def _watch(stack: Stack) -> None:
    """Until Ctrl-C, or until one of the four is gone."""
    while (obituary := stack.dead()) is None:
        time.sleep(0.5)
    raise StackError(obituary)


def _links(ports: Ports, data: Path) -> str:
    return "\n".join(
        [
            "The stack is up. Ctrl-C stops it.",
            f"  send to     OTEL_EXPORTER_OTLP_ENDPOINT={_local(ports, 'OTLP_HTTP')}"
            f" (gRPC: {_local(ports, 'OTLP_GRPC')})",
            f"  traces      {_local(ports, 'JAEGER_UI')}/api/services",
            f"  metrics     {_local(ports, 'PROMETHEUS')}/api/v1/label/__name__/values",
            f"  logs        {_local(ports, 'VICTORIALOGS')}/select/vmui/",
            f"  data        {data}",
            "Jaeger's and Prometheus's own pages are in their Docker images only; docs/stack.md shows their HTTP APIs.",
        ]
    )


def _local(ports: Ports, name: str) -> str:
    return address(ports, name).replace("127.0.0.1", "localhost")


def _data_folder() -> Path:
    default = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share", "otel-kit", "stack")
    return Path(os.environ.get("OTEL_KIT_STACK_DATA") or default).expanduser()


def _stop_once(_signal: int, _frame: FrameType | None) -> None:
    """The first signal stops; further ones would leave programs behind."""
    for one in STOPPING:
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
