"""The real four programs with the shipped files, once per run, and the demo that feeds them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.stack.build import GO_MISSING, build, missing
from deploy.stack.processes import Stack
from deploy.stack.services import address, free_ports
from tests.stack.apis import Collector, Jaeger, Logs, Prometheus, wait_for
from tests.stack.demo import Demo, Run

# Read here, because the suite takes every OTEL variable away before a test.
REQUIRED = os.environ.get("OTEL_KIT_REQUIRE_STACK") == "1"
CACHE = os.environ.get("OTEL_KIT_STACK_CACHE", "")


@pytest.fixture(scope="session")
def programs() -> dict[str, Path]:
    """The four programs, built if need be; without Go and without a cache the tests cannot run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_KIT_STACK_CACHE", CACHE)
        if missing() and shutil.which("go") is None:
            (pytest.fail if REQUIRED else pytest.skip)(GO_MISSING)
        return build()


@pytest.fixture(scope="session")
def stack(programs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack on free ports, with its data in a temporary folder."""
    with Stack(programs, tmp_path_factory.mktemp("stack"), free_ports()) as running:
        yield running


@pytest.fixture(scope="session")
def jaeger(stack: Stack) -> Jaeger:
    return Jaeger(address(stack.ports, "JAEGER_UI"))


@pytest.fixture(scope="session")
def prometheus(stack: Stack) -> Prometheus:
    return Prometheus(address(stack.ports, "PROMETHEUS"))


@pytest.fixture(scope="session")
def logs(stack: Stack) -> Logs:
    return Logs(address(stack.ports, "VICTORIALOGS"))


@pytest.fixture(scope="session")
def collector(stack: Stack) -> Collector:
    return Collector(address(stack.ports, "COLLECTOR_METRICS"))


@pytest.fixture
def start_demo(stack: Stack, tmp_path: Path) -> Iterator[Callable[[int], Demo]]:
    """Start the demo for so many seconds; it is gone after the test."""
    demos: list[Demo] = []

    def start(seconds: int) -> Demo:
        demos.append(Demo(address(stack.ports, "OTLP_HTTP"), seconds, tmp_path))
        return demos[-1]

    yield start
    for demo in demos:
        demo.end()


@pytest.fixture(scope="session")
def run(stack: Stack, jaeger: Jaeger, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One undisturbed run of the demo, its last trace arrived in Jaeger."""
    demo = Demo(address(stack.ports, "OTLP_HTTP"), seconds=12, folder=tmp_path_factory.mktemp("demo"))
    try:
        finished = demo.finish()
    finally:
        demo.end()
    wait_for(lambda: jaeger.trace(finished.trace_id), f"the demo's trace {finished.trace_id} in Jaeger")
    return finished
