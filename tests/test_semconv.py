"""Names on the wire are those of the installed semantic conventions."""

from __future__ import annotations

import importlib
import pkgutil

import opentelemetry.semconv._incubating.attributes as incubating
import opentelemetry.semconv._incubating.metrics as metrics
import opentelemetry.semconv.attributes as stable

from otel_kit import semconv

# Conventions that the installed package does not list yet, each with where it stands.
ELSEWHERE = {
    "otel.metric.overflow",  # specification, metrics SDK: cardinality limits
}


def conventional_names() -> set[str]:
    names: set[str] = set()
    for package in (stable, incubating, metrics):
        for info in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{info.name}")
            names |= {value for value in vars(module).values() if isinstance(value, str)}
    return names


def test_each_attribute_name_is_a_convention_or_ours() -> None:
    """A name on the wire is neither in the semantic conventions nor marked as ours by its prefix."""
    ours = {
        value
        for name, value in vars(semconv).items()
        if name.isupper() and not name.startswith(("EVENT_", "METRIC_"))
    }
    wrong = {name for name in ours - conventional_names() - ELSEWHERE if not name.startswith("otel_kit.")}
    assert not wrong


def test_no_name_of_ours_uses_the_reserved_prefix() -> None:
    """A name of ours begins with ``otel.``, which the specification reserves."""
    taken = {
        v for k, v in vars(semconv).items() if k.isupper() and isinstance(v, str) and v.startswith("otel.")
    }
    assert taken <= ELSEWHERE | conventional_names()
