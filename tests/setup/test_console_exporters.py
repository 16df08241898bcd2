"""Signals on the console, as the standard variables ask for it."""

from __future__ import annotations

import json

import pytest

from tests.conftest import RunProgram

PROGRAM = """
    import otel_kit
    telemetry = otel_kit.init_telemetry("shop", process_metrics=False, instrument=())
    with telemetry.tracer.start_as_current_span("charge card"):
        telemetry.logger.info("card charged", amount=12.5)
        telemetry.meter.create_counter("orders").add(1)
"""


@pytest.mark.parametrize("console", ["auto", "off"])
def test_each_item_is_one_line(run_program: RunProgram, console: str) -> None:
    """A signal does not show on the console, shows twice, or takes more than one line."""
    env = {f"OTEL_{signal}_EXPORTER": "console" for signal in ("TRACES", "METRICS", "LOGS")}
    done = run_program(PROGRAM, env={**env, "OTEL_KIT_CONSOLE": console})

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    kinds = sorted(next(key for key in ("body", "span", "metric") if key in line) for line in lines)
    assert kinds == ["body", "metric", "span"]


def test_nothing_shows_where_nothing_is_asked_for(run_program: RunProgram) -> None:
    """OTEL_LOGS_EXPORTER=none and OTEL_KIT_CONSOLE=off leave something on the console."""
    env = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    done = run_program(PROGRAM, env={**env, "OTEL_KIT_CONSOLE": "off"})

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
