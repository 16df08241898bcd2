"""Redaction: secrets stay in the process.

Pure functions over text and plain data, and one file that knows the signals. In reading order:

- ``finding``: where a secret stands, and which rule says so
- ``vocabulary``, ``keys``: what a key says about its value
- ``looks``: what a value looks like
- ``tokens``, ``detectors``, ``personal``: values that prove themselves
- ``values``, ``pairs``, ``notations``, ``tables``, ``cookies``, ``urls``, ``sql``, ``arguments``: keys with values in every
  notation
- ``sentences``, ``spoken``: secrets that prose names, near to their noun and further away
- ``nested``: what hides in encodings
- ``rules``, ``patterns``, ``secret``: what a user adds
- ``prefilter``, ``scan``: the question whether a text can hold anything, and all detectors in their order
- ``named``, ``engine``: mappings whose entries speak of each other, and the redactor
- ``surfaces``: every surface of the three signals

A rule of this folder: a detector takes a text and yields findings; it replaces nothing, raises nothing but
``TooMuchWork``, and its time is in proportion to the text.
"""

from __future__ import annotations

from otel_kit.pipeline.redact.counts import redaction_counts
from otel_kit.pipeline.redact.engine import DROPPED, Redactor
from otel_kit.pipeline.redact.rules import Rules
from otel_kit.pipeline.redact.secret import Secret
from otel_kit.pipeline.redact.surfaces import (
    redact_attributes,
    redact_log,
    redact_mapping,
    redact_metrics,
    redact_resource,
    redact_scope,
    redact_span,
)

__all__ = [
    "DROPPED",
    "Redactor",
    "Rules",
    "Secret",
    "redact_attributes",
    "redact_log",
    "redact_mapping",
    "redact_metrics",
    "redact_resource",
    "redact_scope",
    "redact_span",
    "redaction_counts",
]
