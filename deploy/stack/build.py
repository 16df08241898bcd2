"""Make the programs that are missing, with Go, and keep them in a cache outside the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .programs import COLLECTOR, COLLECTOR_LOCK, COLLECTOR_MANIFEST, PROGRAMS, Program, StackError

GO_MISSING = (
    "The stack is built with Go, and there is no `go` on the PATH: install Go 1.25 or newer from "
    "https://go.dev/dl/, or start the same stack with a Docker engine by `docker compose up -d`."
)
# No stamp of a repository that the cache may happen to lie in, no path of this machine, no debugging tables.
BUILD_FLAGS = ("-buildvcs=false", "-trimpath", "-ldflags=-s -w")
LINES_OF_LOG = 15
SECONDS_BETWEEN_LINES = 60


def cache_folder() -> Path:
    """Where the built programs are kept."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "otel-kit", "stack")
    return Path(os.environ.get("OTEL_KIT_STACK_CACHE") or default).expanduser()


def cached(program: Program) -> Path:
    """The program's place in the cache, whether it is there or not."""
    return cache_folder() / program.key


def missing() -> list[Program]:
    """What `build` would have to build."""
    return [program for program in PROGRAMS if not cached(program).exists()]


def build() -> dict[str, Path]:
    """Build what is missing; answers where each program is."""
    todo = missing()
    if todo and shutil.which("go") is None:
        raise StackError(GO_MISSING)
    if len(todo) > 1:
        print(
            "The first build takes about a quarter of an hour on two cores, and about 6 GB for Go's caches."
        )
    for program in todo:
        _build_one(program)
    return {program.name: cached(program) for program in PROGRAMS}


def lock() -> None:
    """Write the collector's go.mod and go.sum anew, after a change to its manifest."""
    if shutil.which("go") is None:
        raise StackError(GO_MISSING)
    with _workshop() as folder:
        go = _Go("lock of the collector's modules", Path(folder))
        # The checksum database lacks some modules of these two; from here on go.sum holds their checksums.
        go.environment["GONOSUMDB"] = "go.opentelemetry.io/*,github.com/open-telemetry/*"
        sources = _collector_sources(go, "--skip-compilation")
        for path in COLLECTOR_LOCK:
            shutil.copyfile(sources / path.name, path)


def _build_one(program: Program) -> None:
    """Into a folder beside the cache's files, so that the last step is a rename: all there or not at all."""
    with _workshop() as folder:
        go = _Go(f"{program.name} {program.version}", Path(folder))
        sources = _locked_collector(go) if program is COLLECTOR else _module_folder(go, program.module)
        out = Path(folder, "program")
        flags = (*BUILD_FLAGS, f"-tags={program.tags}", f"-o={out}")
        go.run("go", "build", *flags, program.package, cwd=sources)
        os.replace(out, cached(program))
        go.done()


def _workshop() -> tempfile.TemporaryDirectory[str]:
    cache_folder().mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="building-", dir=cache_folder())


def _module_folder(go: _Go, module: str) -> Path:
    """A module with `replace` lines cannot be installed, but its copy in the module cache can be built."""
    return Path(json.loads(go.run("go", "mod", "download", "-json", module))["Dir"])


def _locked_collector(go: _Go) -> Path:
    sources = _collector_sources(go, "--skip-compilation", "--skip-get-modules")
    for path in COLLECTOR_LOCK:
        shutil.copyfile(path, sources / path.name)
    return sources


def _collector_sources(go: _Go, *options: str) -> Path:
    """What the builder writes for the manifest: a main package that registers the components."""
    go.environment["GOBIN"] = str(go.folder)
    go.run("go", "install", COLLECTOR.module)
    go.run(str(go.folder / "builder"), "--config", str(COLLECTOR_MANIFEST), *options)
    return go.folder / "otelcol"


class _Go:
    """Runs commands for one program, their output in a log, and shows how long it takes."""

    def __init__(self, title: str, folder: Path) -> None:
        self.title = title
        self.folder = folder
        self.log = cache_folder() / f"{title.split()[0]}.log"
        self.started = time.monotonic()
        # GOWORK: Prometheus ships a go.work that names folders which its module leaves out.
        self.environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
        self.log.write_bytes(b"")

    def run(self, *command: str, cwd: Path | None = None) -> str:
        """The command's standard output; what it says on standard error goes to the log."""
        with self.log.open("ab") as log, tempfile.TemporaryFile() as out:
            process = subprocess.Popen(
                command, cwd=cwd or self.folder, env=self.environment, stdout=out, stderr=log
            )
            self._wait(process)
            out.seek(0)
            answer = out.read().decode()
        if process.returncode != 0:
            raise StackError(self._failure(command, answer))
        return answer

    def done(self) -> None:
        self._show(f"built in {self._seconds()} s", last=True)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        shown = self._seconds()
        try:
            while process.poll() is None:
                time.sleep(0.2)
                if self._seconds() - shown >= (1 if sys.stdout.isatty() else SECONDS_BETWEEN_LINES):
                    shown = self._seconds()
                    self._show(f"building, {shown} s")
        except BaseException:
            process.kill()
            raise

    def _seconds(self) -> int:
        return round(time.monotonic() - self.started)

    def _show(self, text: str, last: bool = False) -> None:
        on_one_line = sys.stdout.isatty()
        end = "\n" if last or not on_one_line else ""
        print(f"{chr(13) if on_one_line else ''}{self.title}: {text}", end=end, flush=True)

    def _failure(self, command: Sequence[str], answer: str) -> str:
        lines = (self.log.read_text(errors="replace") + answer).splitlines()[-LINES_OF_LOG:]
        return "\n".join([f"{self.title}: `{' '.join(command[:3])}` failed. The end of {self.log}:", *lines])
