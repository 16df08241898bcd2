"""What events of security and of audit cost: each case is one call, set up and ready to be timed.

``stock_cases`` is the same by hand with OpenTelemetry's API alone; of the file, a line that is written and on the disk.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable

from opentelemetry import _logs, metrics
from opentelemetry._logs import SeverityNumber

import otel_kit
from otel_kit.toolkit.trust import AuditTrail

Case = Callable[[], object]


def _file() -> str:
    return os.path.join(tempfile.mkdtemp(prefix="audit-"), "audit.jsonl")


def cases() -> dict[str, Case]:
    """By name, what is to be timed."""
    trail = AuditTrail(_file())
    facts = {"actor": "ann", "action": "order.refund", "target": "order/7"}
    return {
        "event of security": lambda: otel_kit.security.data_access("patient/7", "ann"),
        "audit record": lambda: otel_kit.audit("ann", "order.refund", "order/7", after={"state": "refunded"}),
        "audit entry, on the disk": lambda: trail.append(facts),
    }


def stock_cases() -> dict[str, Case]:
    """The peers."""
    logger = _logs.get_logger("stock")
    counter = metrics.get_meter("stock").create_counter("events")
    path = _file()

    def event() -> None:
        counter.add(1, {"event": "sensitive_read"})
        logger.emit(
            severity_number=SeverityNumber.INFO,
            body="read patient/7",
            event_name="sensitive_read",
            attributes={"user.id": "ann", "resource": "patient/7", "outcome": "success"},
        )

    def line() -> None:
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({"actor": "ann", "action": "order.refund", "target": "order/7"}) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    return {"event of security": event, "audit entry, on the disk": line}
