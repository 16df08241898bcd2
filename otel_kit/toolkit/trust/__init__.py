"""Events of security, and an audit trail that shows tampering.

- ``auditing``: who did what to what · ``trail``: the file · ``entry``: a line of it · ``verify``: what is wrong with a file
- ``security``: logins, permissions, access to data · ``repeated``: failures that repeat themselves
- ``event``: how an event of this room becomes a record
"""

from __future__ import annotations

from otel_kit.toolkit.trust import security
from otel_kit.toolkit.trust.auditing import audit
from otel_kit.toolkit.trust.trail import AuditTrail

__all__ = ["AuditTrail", "audit", "security"]
