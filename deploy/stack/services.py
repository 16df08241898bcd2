"""How each program is started: its arguments, its variables, its ports, and where it says that it is ready.

All four get the same variables; the configuration files pick theirs. docker-compose.yml does the same for
containers, and tests/test_compose.py compares the arguments.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from .programs import CHECKOUT, COLLECTOR, DEPLOY, JAEGER, PROMETHEUS, VICTORIALOGS, Program, StackError

HOST = "127.0.0.1"
RETENTION = "168h"
Ports = Mapping[str, int]

STANDARD_PORTS: Ports = {
    "OTEL_KIT_OTLP_GRPC_PORT": 4317,
    "OTEL_KIT_OTLP_HTTP_PORT": 4318,
    "OTEL_KIT_JAEGER_UI_PORT": 16686,
    "OTEL_KIT_PROMETHEUS_PORT": 9090,
    "OTEL_KIT_VICTORIALOGS_PORT": 9428,
    # Between the programs, and for who watches them. Jaeger's are unusual: the collector has the usual ones.
    "OTEL_KIT_COLLECTOR_HEALTH_PORT": 13133,
    "OTEL_KIT_COLLECTOR_METRICS_PORT": 8888,
    "OTEL_KIT_JAEGER_OTLP_PORT": 14318,
    "OTEL_KIT_JAEGER_GRPC_PORT": 16685,
    "OTEL_KIT_JAEGER_HEALTH_PORT": 14133,
}


@dataclass(frozen=True)
class Service:
    """One program as it runs here."""

    program: Program
    arguments: tuple[str, ...]
    health: str
    """Answers 200 as soon as the program takes data."""

    @property
    def name(self) -> str:
        return self.program.name


def chosen_ports() -> Ports:
    """The standard ports, except where the environment names another one."""
    return {name: _port(name, os.environ.get(name) or str(port)) for name, port in STANDARD_PORTS.items()}


def _port(name: str, text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise StackError(
            f"{name}={text} is not a port: give a number from 1 to 65535, or leave the variable out."
        )
    return int(text)


def free_ports() -> Ports:
    """Ports that nobody listens on just now, for tests beside a running stack."""
    with ExitStack() as held:
        sockets = {name: held.enter_context(socket.socket()) for name in STANDARD_PORTS}
        for one in sockets.values():
            one.bind((HOST, 0))
        return {name: one.getsockname()[1] for name, one in sockets.items()}


def refuse_taken(ports: Ports) -> None:
    """Say which port another program listens on, before anything is built or started."""
    for name, port in ports.items():
        if not _can_listen(port):
            raise StackError(
                f"Port {port} is taken by another program (`otel-kit up`, `docker compose`, another "
                f"`make stack`?): stop that one, or choose another port by the variable {name}."
            )


def _can_listen(port: int) -> bool:
    with socket.socket() as probe:
        # As the programs do it themselves: the last run's closed connections do not count as "taken".
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def address(ports: Ports, name: str) -> str:
    """The address of one port, by the middle of its variable's name: ``address(ports, "PROMETHEUS")``."""
    return f"http://{HOST}:{ports[f'OTEL_KIT_{name}_PORT']}"


def variables(ports: Ports, data: Path) -> dict[str, str]:
    """The environment of all four. Variables for a program's own telemetry (`OTEL_…`) stay outside."""
    inherited = {name: value for name, value in os.environ.items() if _is_for_the_stack(name)}
    return {
        "OTEL_KIT_LISTEN_HOST": HOST,
        "OTEL_KIT_RETENTION": RETENTION,
        **inherited,
        **{name: str(port) for name, port in ports.items()},
        "OTEL_KIT_COLLECTOR_DATA": str(data / "collector"),
        "OTEL_KIT_JAEGER_DATA": str(data / "jaeger"),
        "OTEL_KIT_JAEGER_UI_CONFIG": str(DEPLOY / "jaeger-ui.json"),
        "OTEL_KIT_JAEGER_OTLP_URL": address(ports, "JAEGER_OTLP"),
        "OTEL_KIT_PROMETHEUS_URL": address(ports, "PROMETHEUS"),
        "OTEL_KIT_VICTORIALOGS_URL": address(ports, "VICTORIALOGS"),
    }


def _is_for_the_stack(name: str) -> bool:
    return not name.startswith("OTEL_") or name.startswith("OTEL_KIT_")


def services(ports: Ports, data: Path) -> list[Service]:
    """The four in start order: who is written to comes first."""
    environment = variables(ports, data)
    host, retention = environment["OTEL_KIT_LISTEN_HOST"], environment["OTEL_KIT_RETENTION"]
    return [
        Service(
            VICTORIALOGS,
            (
                f"-storageDataPath={data / 'victoria-logs'}",
                f"-retentionPeriod={retention}",
                f"-httpListenAddr={host}:{ports['OTEL_KIT_VICTORIALOGS_PORT']}",
            ),
            f"{address(ports, 'VICTORIALOGS')}/health",
        ),
        Service(
            PROMETHEUS,
            (
                f"--config.file={DEPLOY / 'prometheus.yml'}",
                f"--storage.tsdb.path={data / 'prometheus'}",
                f"--storage.tsdb.retention.time={retention}",
                f"--web.listen-address={host}:{ports['OTEL_KIT_PROMETHEUS_PORT']}",
                "--web.enable-otlp-receiver",
                "--enable-feature=exemplar-storage,otlp-deltatocumulative,created-timestamp-zero-ingestion",
            ),
            f"{address(ports, 'PROMETHEUS')}/-/ready",
        ),
        Service(JAEGER, (f"--config={DEPLOY / 'jaeger.yaml'}",), f"{address(ports, 'JAEGER_HEALTH')}/status"),
        Service(
            COLLECTOR, (f"--config={CHECKOUT / 'collector-config.yaml'}",), address(ports, "COLLECTOR_HEALTH")
        ),
    ]
