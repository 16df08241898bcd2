"""What went wrong, from the exceptions of many drivers: a type, a status code and one line."""

from __future__ import annotations

from typing import Any

from otel_kit import semconv

_LONGEST = 500
_CODES = ("sqlstate", "pgcode", "sqlite_errorname")  # psycopg and asyncpg, psycopg2, sqlite3


def facts_of(error: BaseException) -> dict[str, str]:
    """``error.type`` and, where the database gave one, ``db.response.status_code``."""
    error = driver_error(error)
    facts = {semconv.ERROR_TYPE: _type(error)}
    code = status_code(error)
    return facts | {semconv.DB_RESPONSE_STATUS_CODE: code} if code else facts


def driver_error(error: BaseException) -> BaseException:
    """The driver's own exception: SQLAlchemy stands between asyncio drivers and us with classes of its own."""
    original = getattr(error, "orig", None) or error
    cause: BaseException | None = original.__cause__
    adapted = type(original).__module__.startswith("sqlalchemy.dialects")
    return cause if adapted and cause is not None else original


def status_code(error: BaseException) -> str:
    """SQLSTATE or the database's own code; empty where there is none."""
    for name in _CODES:
        code = getattr(error, name, None)
        if isinstance(code, str) and code:
            return code
    return _code_in(error.args[0] if error.args else None)


def _code_in(first: Any) -> str:
    if isinstance(first, dict):  # pg8000
        return str(first.get("C", ""))
    if isinstance(first, int) and not isinstance(first, bool):  # drivers of MySQL
        return str(first)
    full = getattr(first, "full_code", None)  # oracledb
    if isinstance(full, str):
        return full
    return first if isinstance(first, str) and len(first) == 5 and first.isalnum() and first.isupper() else ""


def sentence(error: BaseException) -> str:
    """Type and first line: PostgreSQL puts the row's values into the lines after it."""
    error = driver_error(error)
    try:
        first = str(error).partition("\n")[0]
    except Exception:
        first = ""
    return f"{type(error).__name__}: {first}"[:_LONGEST]


def _type(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
