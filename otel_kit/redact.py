"""Redaction as a user meets it: rules to add, values that never show, a redactor to try out.

::

    from otel_kit import init_telemetry
    from otel_kit.redact import Rules, Secret

    init_telemetry("checkout", redact="secrets+personal", redact_rules=Rules(keys={"customer ref": "hash"}))
    log.info("connected", api_key=Secret(key))           # never shows, whatever the rules are

What is redacted, and how it is found, is in ``docs/redaction.md``.
"""

from __future__ import annotations

from otel_kit.pipeline.redact import Redactor, Rules, Secret, redaction_counts

__all__ = ["Redactor", "Rules", "Secret", "redaction_counts"]
