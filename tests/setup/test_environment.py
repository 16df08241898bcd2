"""Variables that OpenTelemetry's API and SDK read for themselves: a wrong one costs one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, RunProgram

PROGRAM = """
    import otel_kit
    tracer = otel_kit.get_tracer(__name__)
    telemetry = otel_kit.init_telemetry("shop", console="off", instrument=(), traces_exporter="none",
                                        metrics_exporter="none", logs_exporter="none")
    with tracer.start_as_current_span("step"):
        telemetry.meter.create_counter("steps").add(1)
        telemetry.logger.info("done")
    print("ran")
"""
WRONG = {
    "OTEL_PROPAGATORS": "tracecontex",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "many",
    "OTEL_RESOURCE_ATTRIBUTES": "foo",
    "OTEL_PYTHON_CONTEXT": "foo",
    "OTEL_PYTHON_TRACER_PROVIDER": "foo",
    "OTEL_PYTHON_METER_PROVIDER": "foo",
    "OTEL_PYTHON_LOGGER_PROVIDER": "foo",
}


def test_each_wrong_variable_costs_one_sentence(run_program: RunProgram) -> None:
    """A misspelt standard variable ends the program, prints a traceback, or is not told."""
    done = run_program(PROGRAM, env={**WRONG, "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "bad"})
    assert done.stdout == "ran\n", done.stderr
    lines = done.stderr.splitlines()
    assert all(line.startswith("otel_kit: ") for line in lines)
    assert [sum(name in line for line in lines) for name in WRONG] == [1] * len(WRONG) == [1] * len(lines)


@pytest.mark.parametrize("name", ["OTEL_PROPAGATORS", "OTEL_PYTHON_CONTEXT"])
def test_the_command_tells_what_the_api_would_stumble_over(name: str) -> None:
    """``otel-kit config`` ends in a traceback of the API's."""
    done = subprocess.run(
        [sys.executable, "-m", "otel_kit", "config"],
        env={**os.environ, "PYTHONPATH": str(ROOT), name: WRONG[name]},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == ""
    assert name in done.stdout


def test_strict_raises_for_a_provider_that_is_not_there(run_program: RunProgram) -> None:
    """A strict program starts although a variable names what is not installed."""
    done = run_program(PROGRAM, env={"OTEL_KIT_STRICT": "true", "OTEL_PYTHON_METER_PROVIDER": "foo"})
    assert done.returncode == 1
    assert "OtelKitError: OTEL_PYTHON_METER_PROVIDER is ignored" in done.stderr


PROPAGATOR = """
from opentelemetry.propagators.textmap import TextMapPropagator

class Shouting(TextMapPropagator):
    fields = {"x-loud"}
    def extract(self, carrier, context=None, getter=None):
        return context
    def inject(self, carrier, context=None, setter=None):
        carrier["x-loud"] = "yes"
"""


def test_an_installed_propagator_is_used(run_program: RunProgram, tmp_path: Path) -> None:
    """A propagator of another package is accepted, and then carries nothing."""
    (tmp_path / "shouting.py").write_text(PROPAGATOR)
    about = tmp_path / "shouting-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[opentelemetry_propagator]\nloud = shouting:Shouting\n")
    done = run_program(
        """
        import otel_kit
        from opentelemetry import propagate
        telemetry = otel_kit.init_telemetry("shop", console="off", instrument=(), traces_exporter="none",
                                            metrics_exporter="none", logs_exporter="none")
        with telemetry.tracer.start_as_current_span("call"):
            propagate.inject(carrier := {})
        print(*sorted(carrier))
        """,
        env={"OTEL_PROPAGATORS": "tracecontext,loud"},
    )
    assert done.stdout == "traceparent x-loud\n", done.stderr
