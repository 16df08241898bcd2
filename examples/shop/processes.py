"""The two services as processes: started together, stopped together, never left behind."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 20.0  # the services give their telemetry 5 s


class StartError(Exception):
    """A service did not start; the message holds the end of what it printed."""


class Service:
    """One service as a process, which answers at ``url`` and prints to ``output``.

    Args:
        name: the service's module: ``inventory`` or ``storefront``.
        folder: where its database, its output and its figures go.
        environ: its environment.
    """

    def __init__(self, name: str, folder: Path, environ: Mapping[str, str]) -> None:
        self.name, self.folder, self.output = name, folder, folder / f"{name}.log"
        with socket.create_server(("127.0.0.1", 0)) as listener, self.output.open("wb") as output:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self._process = subprocess.Popen(
                [sys.executable, "-m", "examples.shop.service", name, str(listener.fileno())],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env={**environ, "SHOP_DATA": str(folder)},
                pass_fds=[listener.fileno()],
                start_new_session=True,  # Ctrl-C ends the demo, and the demo ends its services
            )

    def wait_until_ready(self) -> None:
        """Return once the service is ready. Raises StartError when it ends before, or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while not (self.folder / f"{self.name}.ready").exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise StartError(f"{self.name} did not start:\n" + "\n".join(self.lines()[-15:]))
            time.sleep(0.02)

    def ask_to_stop(self) -> None:
        """Close the service's standard input, which is how it knows."""
        if self._process.stdin:
            self._process.stdin.close()

    def end(self) -> None:
        """Wait until the process is gone, and see to it."""
        self.ask_to_stop()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def account(self) -> dict[str, Any]:
        """Its ``requests`` and its telemetry's ``stats``, as it wrote at its end; empty when it could not."""
        path = self.folder / f"{self.name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def lines(self) -> list[str]:
        """What it printed."""
        return self.output.read_text(encoding="utf-8", errors="replace").splitlines()

    def complaints(self) -> list[str]:
        """What its telemetry complained about; nothing when all was well."""
        return [line for line in self.lines() if line.startswith("otel_kit: ")]


@contextmanager
def open_shop(folder: Path, **settings: str) -> Iterator[tuple[Service, Service]]:
    """Storefront and inventory, ready to be used; both are gone at the end of the block.

    Args:
        folder: an existing folder for everything that they write.
        settings: variables for their environment, over those of this process.
    """
    environ = {**os.environ, **settings}
    services: list[Service] = []
    try:
        services.append(Service("inventory", folder, environ))
        environ["SHOP_INVENTORY_URL"] = services[0].url
        services.append(Service("storefront", folder, environ))
        for service in services:
            service.wait_until_ready()
        yield services[1], services[0]
    finally:
        for service in services:
            service.ask_to_stop()
        for service in services:
            service.end()
