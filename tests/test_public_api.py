"""What users may rely on: the names at the front door, and nothing but them."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import otel_kit

ROOT = Path(__file__).resolve().parent.parent
FRONT_DOOR = {
    "OtelKitError",
    "Telemetry",
    "__version__",
    "add_error_rule",
    "agent",
    "analyze",
    "audit",
    "batch",
    "bind",
    "bind_context",
    "block",
    "business_event",
    "capture",
    "carry",
    "check",
    "checks",
    "clear_context",
    "cost",
    "current_context",
    "debug_everything",
    "debug_on_error",
    "degraded",
    "each",
    "errors",
    "fallback",
    "get_logger",
    "get_meter",
    "get_tracer",
    "init_telemetry",
    "instrument",
    "measure",
    "measured",
    "observe_cache",
    "operations",
    "recovered",
    "redact",
    "retried",
    "run",
    "run_batch",
    "security",
    "semconv",
    "set_level",
    "span",
    "testing",
    "traced",
    "track_changes",
    "unbind_context",
    "watch_attributes",
    "workflow",
}


def test_the_front_door_is_exactly_this() -> None:
    """A public name appeared or vanished without anybody deciding it."""
    assert set(otel_kit.__all__) == FRONT_DOOR
    assert set(dir(otel_kit)) == FRONT_DOOR


@pytest.mark.parametrize("name", sorted(FRONT_DOOR))
def test_each_name_of_the_front_door_is_there_and_documented(name: str) -> None:
    """A public name cannot be imported, or has no docstring."""
    value = getattr(otel_kit, name)
    assert name == "__version__" or value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typing error at the front door gives something else than AttributeError."""
    with pytest.raises(AttributeError, match="get_loger"):
        otel_kit.get_loger  # noqa: B018


@pytest.mark.parametrize(
    "path", sorted((ROOT / "otel_kit").rglob("__init__.py")), ids=lambda p: p.parent.name
)
def test_each_package_says_what_it_is(path: Path) -> None:
    """A folder of the map has no docstring that says what it is for."""
    module = ".".join(path.parent.relative_to(ROOT).parts)
    assert import_module(module).__doc__


def test_importing_the_package_imports_next_to_nothing() -> None:
    """``import otel_kit`` loads the SDK, structlog or an exporter before anybody asked for them."""
    source = "import sys, otel_kit; print([m for m in sys.modules if m.startswith(('opentelemetry', 'structlog'))])"
    out = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"


def test_the_version_is_said_once() -> None:
    """The version of the package and that of the distribution differ."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{otel_kit.__version__}"' in text
