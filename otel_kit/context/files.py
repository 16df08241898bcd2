"""Files that helpers write beside the signals. Set-up fills in where they are, because it knows the settings."""

from __future__ import annotations


class Files:
    """Where they are.

    Attributes:
        audit: the audit trail, None for none.
        state: the directory for what is to be remembered over restarts, None for none.
    """

    audit: str | None = None
    state: str | None = None


files = Files()
