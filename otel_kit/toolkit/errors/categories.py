"""The kinds of errors: how bad each is, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

# As words that an alert can be built on; how loud the record is, is its own severity.
SEVERITIES = ("info", "warning", "error", "critical")

TIMEOUT = "timeout"
RATE_LIMIT = "rate_limit"
AUTHENTICATION = "authentication"
AUTHORIZATION = "authorization"
VALIDATION = "validation"
RESOURCES = "resources"
NETWORK = "network"
DATABASE = "database"
CONFLICT = "conflict"
NOT_FOUND = "not_found"
DEPENDENCY = "dependency"
CONFIGURATION = "configuration"
CANCELLED = "cancelled"
PROGRAMMING = "programming"
UNKNOWN = "unknown"


class Category(NamedTuple):
    """What is said of each error of a kind.

    Attributes:
        severity: one of ``SEVERITIES``.
        suggestions: short sentences.
    """

    severity: str
    suggestions: tuple[str, ...]


CATEGORIES: dict[str, Category] = {
    TIMEOUT: Category(
        "error",
        ("see in the trace which call took the time", "retry with backoff if it may be done twice"),
    ),
    RATE_LIMIT: Category(
        "warning",
        ("retry after the time that the answer names, with jitter", "call less often, or ask for a higher limit"),
    ),
    AUTHENTICATION: Category(
        "error", ("see whether the credentials are set, valid here and not expired", "do not retry as it is")
    ),
    AUTHORIZATION: Category(
        "warning", ("see which right the caller lacks, and whether it should have it", "do not retry as it is")
    ),
    VALIDATION: Category(
        "warning", ("see which value was refused, and where it came from", "check it where it enters the program")
    ),
    RESOURCES: Category(
        "critical",
        ("see memory, disk, open files and pools of the process", "look for what is taken and not given back"),
    ),
    NETWORK: Category(
        "error",
        ("see whether the other side runs and its address is right", "retry with backoff if it may be done twice"),
    ),
    DATABASE: Category("error", ("see the statement in the trace, and the database's own log",)),
    CONFLICT: Category(
        "warning",
        ("read the present state again before the next try", "make the operation one that may be done twice"),
    ),
    NOT_FOUND: Category("warning", ("see where the name or id came from, and whether it was deleted",)),
    DEPENDENCY: Category(
        "error",
        ("see the other service's own errors at that time", "have a fallback for the time that it is away"),
    ),
    CONFIGURATION: Category(
        "critical", ("see what is installed and set here, against where it works", "check it when the program starts")
    ),
    CANCELLED: Category("info", ("nothing, unless nobody meant to cancel it",)),
    PROGRAMMING: Category(
        "error", ("see the line in the traceback and the values that reached it", "add a test with these values")
    ),
    UNKNOWN: Category("error", ()),
}  # fmt: skip
