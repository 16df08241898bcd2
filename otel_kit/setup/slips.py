"""What looks like a slip in the settings, but need not be one: a sentence each, and the value counts as it is."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from otel_kit.setup.table import VARIABLES
from otel_kit.setup.urls import masked_url, split_url
from otel_kit.setup.values import SIGNALS

USUAL_FOR_THE_OTHER = {"http/protobuf": 4317, "grpc": 4318}
SIGNAL_PATH = re.compile(r"/v1/(traces|metrics|logs)/?(?=$|\?)")
# In the specification once, and one letter away from names that are in it now.
OF_OLD = {"OTEL_EXPORTER_OTLP_SPAN_INSECURE", "OTEL_EXPORTER_OTLP_METRIC_INSECURE"}


def slips(values: Mapping[str, Any], sources: Mapping[str, str], variables: Collection[str]) -> Iterator[str]:
    """All of them.

    Args:
        values: the effective value of each setting.
        sources: where each was found.
        variables: names of the ``OTEL_`` variables that are set.
    """
    yield from _of_ports(values)
    yield from _of_paths(values, sources)
    yield from _of_names(variables)


def _of_ports(values: Mapping[str, Any]) -> Iterator[str]:
    """The ports are only a habit, but who mixes them up sees nothing but unreadable answers."""
    for signal in SIGNALS:
        protocol = values[f"{signal}_protocol"]
        other = USUAL_FOR_THE_OTHER[protocol]
        for url in values[f"{signal}_endpoint"] or values["endpoint"]:
            if split_url(url).port == other:
                yield f"{masked_url(url)} has the usual port of the other protocol; the protocol here is {protocol}"


def _of_paths(values: Mapping[str, Any], sources: Mapping[str, str]) -> Iterator[str]:
    """The general endpoint gets each signal's path; the endpoint of one signal does not."""
    if all(values[f"{signal}_endpoint"] or values[f"{signal}_protocol"] == "grpc" for signal in SIGNALS):
        return
    for url in values["endpoint"]:
        if SIGNAL_PATH.search(url):
            better = masked_url(SIGNAL_PATH.sub("", url))
            yield (
                f"endpoint (from {sources['endpoint']}) is {masked_url(url)!r}, and /v1/traces, /v1/metrics and /v1/logs "
                f"are added to it; did you mean {better!r}?"
            )


def _of_names(variables: Collection[str]) -> Iterator[str]:
    """Variables of OpenTelemetry that nobody reads: any other component's may be set, so only one slip is taken for one."""
    for name in variables:
        if name.startswith("OTEL_KIT_") or name in VARIABLES or name in OF_OLD:
            continue
        near = next((known for known in VARIABLES if _one_slip(name, known)), None)
        if near and near not in variables:
            yield f"{name} is set, which otel_kit does not know; did you mean {near}?"


def _one_slip(given: str, known: str) -> bool:
    """Whether one letter is missing, wrong or too many, or two neighbours have changed places."""
    if abs(len(given) - len(known)) > 1:
        return False
    pairs = enumerate(zip(given, known, strict=False))
    same = next((place for place, (mine, other) in pairs if mine != other), min(len(given), len(known)))
    rest, right = given[same:], known[same:]
    swapped = rest[1:2] + rest[:1] + rest[2:] == right
    return swapped or rest[1:] == right or rest == right[1:] or rest[1:] == right[1:]
