"""The four programs as processes: started in order of health, stopped in the opposite order."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from .programs import StackError
from .services import Ports, Service, refuse_taken, services, variables

SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 20.0
LINES_OF_LOG = 10


class Stack:
    """The stack on these ports, its data and logs below this folder. As a block: up inside, down after it."""

    def __init__(self, programs: Mapping[str, Path], data: Path, ports: Ports) -> None:
        self.programs = programs
        self.data = data
        self.ports = ports
        self.services = {service.name: service for service in services(ports, data)}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start all four, each when the one before it is healthy."""
        refuse_taken(self.ports)
        try:
            for name in self.services:
                self.start_one(name)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop what runs, the collector first, so that nothing is sent to a closed door."""
        for name in reversed(self.services):
            self.stop_one(name)

    def start_one(self, name: str) -> None:
        """Start one program and wait until it is healthy."""
        service = self.services[name]
        log = self.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._running[name] = subprocess.Popen(
                [str(self.programs[name]), *service.arguments],
                env=variables(self.ports, self.data),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal is for us alone: we stop them in order.
                start_new_session=True,
            )
        self._wait_until_healthy(service)

    def stop_one(self, name: str) -> None:
        """Ask one program to stop and wait for it; kill it if it does not listen."""
        process = self._running.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill_one(self, name: str) -> None:
        """End one program without a warning, as a crash would."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def runs(self, name: str) -> bool:
        """Whether the program was started and has not been stopped, nor died."""
        process = self._running.get(name)
        return process is not None and process.poll() is None

    def dead(self) -> str | None:
        """The sentence about a program that ended by itself, if one did."""
        for name, process in self._running.items():
            if process.poll() is not None:
                return self._obituary(name, process.returncode)
        return None

    def log(self, name: str) -> Path:
        """What the program itself has to say."""
        return self.data / "logs" / f"{name}.log"

    def _wait_until_healthy(self, service: Service) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        process = self._running[service.name]
        while not _answers(service.health):
            if process.poll() is not None:
                raise StackError(self._obituary(service.name, process.returncode))
            if time.monotonic() > deadline:
                raise StackError(f"{service.name} runs, but {service.health} is not healthy after 60 s.")
            time.sleep(0.1)

    def _obituary(self, name: str, status: int) -> str:
        log = self.log(name)
        lines = log.read_text(errors="replace").splitlines()[-LINES_OF_LOG:]
        return "\n".join([f"{name} ended with status {status}. The end of {log}:", *lines])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False
