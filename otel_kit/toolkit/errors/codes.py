"""Categories by the codes that exceptions carry: HTTP status, SQLSTATE, the numbers of databases and of the system, gRPC.

Codes are asked before types: a library has one class for many statuses. Attributes are looked at, never called, but for
gRPC's ``code()``; one that raises, or is of another type than expected, counts as absent.
"""

from __future__ import annotations

import errno
from typing import Any

from otel_kit.toolkit.errors.categories import (
    AUTHENTICATION,
    AUTHORIZATION,
    CANCELLED,
    CONFIGURATION,
    CONFLICT,
    DATABASE,
    DEPENDENCY,
    NETWORK,
    NOT_FOUND,
    PROGRAMMING,
    RATE_LIMIT,
    RESOURCES,
    TIMEOUT,
    VALIDATION,
)
from otel_kit.toolkit.errors.known import package_of
from otel_kit.toolkit.errors.words import category_of_name

_STATUS = {
    401: AUTHENTICATION, 407: AUTHENTICATION, 403: AUTHORIZATION, 451: AUTHORIZATION, 404: NOT_FOUND, 410: NOT_FOUND,
    408: TIMEOUT, 504: TIMEOUT, 524: TIMEOUT, 409: CONFLICT, 412: CONFLICT, 423: CONFLICT, 428: CONFLICT,
    429: RATE_LIMIT, 402: RESOURCES, 507: RESOURCES, 501: PROGRAMMING,
}  # fmt: skip
# By SQLSTATE, the longest beginning first; the first two characters are its class.
_SQLSTATE = {
    "23505": CONFLICT, "23P01": CONFLICT, "23503": CONFLICT, "23000": CONFLICT, "23": VALIDATION,
    "42501": AUTHORIZATION, "42": PROGRAMMING, "57014": TIMEOUT, "57": DEPENDENCY, "55P03": CONFLICT, "25006": AUTHORIZATION,
    "25P03": TIMEOUT, "08": NETWORK, "0A": PROGRAMMING, "22": VALIDATION, "28": AUTHENTICATION, "3D": CONFIGURATION,
    "40": CONFLICT, "53": RESOURCES, "54": RESOURCES, "58": RESOURCES, "HYT": TIMEOUT,
}  # fmt: skip
_SQLITE = {
    "SQLITE_CONSTRAINT_NOTNULL": VALIDATION, "SQLITE_CONSTRAINT_CHECK": VALIDATION, "SQLITE_CONSTRAINT": CONFLICT,
    "SQLITE_MISMATCH": VALIDATION, "SQLITE_TOOBIG": VALIDATION, "SQLITE_BUSY": CONFLICT, "SQLITE_LOCKED": CONFLICT,
    "SQLITE_FULL": RESOURCES, "SQLITE_NOMEM": RESOURCES, "SQLITE_IOERR": RESOURCES, "SQLITE_READONLY": AUTHORIZATION,
    "SQLITE_PERM": AUTHORIZATION, "SQLITE_AUTH": AUTHORIZATION, "SQLITE_CANTOPEN": CONFIGURATION,
    "SQLITE_INTERRUPT": CANCELLED, "SQLITE_ERROR": PROGRAMMING, "SQLITE_RANGE": PROGRAMMING, "SQLITE_MISUSE": PROGRAMMING,
}  # fmt: skip
_MYSQL = {
    1062: CONFLICT, 1586: CONFLICT, 1451: CONFLICT, 1452: CONFLICT, 1213: CONFLICT, 1205: CONFLICT, 1048: VALIDATION,
    1264: VALIDATION, 1366: VALIDATION, 1406: VALIDATION, 3819: VALIDATION, 1044: AUTHORIZATION, 1142: AUTHORIZATION,
    1045: AUTHENTICATION, 1040: RESOURCES, 1203: RESOURCES, 1114: RESOURCES, 1054: PROGRAMMING, 1064: PROGRAMMING,
    1146: PROGRAMMING, 1049: CONFIGURATION, 3024: TIMEOUT, 1317: CANCELLED, 2002: NETWORK, 2003: NETWORK, 2005: NETWORK,
    2006: NETWORK, 2013: NETWORK, 2055: NETWORK,
}  # fmt: skip
_MYSQL_DRIVERS = frozenset({"pymysql", "MySQLdb", "mysql", "aiomysql", "asyncmy"})
_GRPC = {
    "CANCELLED": CANCELLED, "INVALID_ARGUMENT": VALIDATION, "OUT_OF_RANGE": VALIDATION, "DEADLINE_EXCEEDED": TIMEOUT,
    "NOT_FOUND": NOT_FOUND, "ALREADY_EXISTS": CONFLICT, "ABORTED": CONFLICT, "FAILED_PRECONDITION": CONFLICT,
    "PERMISSION_DENIED": AUTHORIZATION, "UNAUTHENTICATED": AUTHENTICATION, "RESOURCE_EXHAUSTED": RATE_LIMIT,
    "UNIMPLEMENTED": PROGRAMMING, "UNAVAILABLE": DEPENDENCY, "INTERNAL": DEPENDENCY, "UNKNOWN": DEPENDENCY,
    "DATA_LOSS": DEPENDENCY,
}  # fmt: skip
_ERRNO = {
    errno.ENOSPC: RESOURCES, errno.EMFILE: RESOURCES, errno.ENFILE: RESOURCES, errno.ENOMEM: RESOURCES,
    errno.EDQUOT: RESOURCES, errno.EIO: RESOURCES, errno.EFBIG: RESOURCES, errno.ENETUNREACH: NETWORK,
    errno.EHOSTUNREACH: NETWORK, errno.ENETDOWN: NETWORK, errno.EADDRNOTAVAIL: NETWORK, errno.ENOTCONN: NETWORK,
    errno.EADDRINUSE: CONFLICT, errno.ENOTEMPTY: CONFLICT, errno.EXDEV: PROGRAMMING, errno.EBADF: PROGRAMMING,
    errno.EINVAL: PROGRAMMING, errno.EROFS: AUTHORIZATION, errno.ETIMEDOUT: TIMEOUT,
}  # fmt: skip

Found = tuple[str, str]  # a category, and which code said so


def category_of_code(error: BaseException) -> Found | None:
    """The category that a code of the exception stands for, and the code; None where it has none that is known."""
    return _grpc(error) or _sql(error) or _http(error) or _aws(error) or _system(error)


def category_of_status(status: int) -> str:
    """The category of an HTTP status from 400 on."""
    return _STATUS.get(status, VALIDATION if status < 500 else DEPENDENCY)


def look(owner: object, name: str) -> Any:
    """An attribute, or None where there is none or where it cannot be had."""
    try:
        return getattr(owner, name, None)
    except Exception:
        return None


def _http(error: BaseException) -> Found | None:
    response = look(error, "response")
    places = [(error, "status_code"), (error, "status"), (error, "http_status"), (error, "code"),
              (response, "status_code"), (response, "status")]  # fmt: skip
    for owner, name in places:
        status = look(owner, name)
        # Werkzeug and http.HTTPStatus have enumerations, which are integers too.
        if isinstance(status, int) and not isinstance(status, bool) and 400 <= status < 600:
            return category_of_status(int(status)), f"HTTP {int(status)}"
    return None


def _sql(error: BaseException) -> Found | None:
    for name in ("sqlstate", "pgcode"):
        state = look(error, name)
        if isinstance(state, str) and len(state) == 5:
            return _beginning(_SQLSTATE, state, DATABASE), f"SQLSTATE {state}"
    name = look(error, "sqlite_errorname")
    if isinstance(name, str):
        return _beginning(_SQLITE, name, DATABASE), name
    first = error.args[0] if error.args else None
    if package_of(type(error)) in _MYSQL_DRIVERS and isinstance(first, int) and first in _MYSQL:
        return _MYSQL[first], f"MySQL {int(first)}"
    if package_of(type(error)) == "pyodbc" and isinstance(first, str) and len(first) == 5:
        return _beginning(_SQLSTATE, first, DATABASE), f"SQLSTATE {first}"
    return None


def _beginning(table: dict[str, str], code: str, otherwise: str) -> str:
    return next(
        (table[code[:length]] for length in range(len(code), 1, -1) if code[:length] in table), otherwise
    )


def _grpc(error: BaseException) -> Found | None:
    if not any(package_of(kind) == "grpc" for kind in type(error).__mro__):
        return None
    try:
        name = error.code().name  # type: ignore[attr-defined]
    except Exception:
        return None
    return (_GRPC[name], f"gRPC {name}") if name in _GRPC else None


def _aws(error: BaseException) -> Found | None:
    response = look(error, "response")
    if package_of(type(error)) not in ("botocore", "boto3") or not isinstance(response, dict):
        return None
    code = str((response.get("Error") or {}).get("Code", ""))
    category = category_of_name(code)
    if category is None:
        status = (response.get("ResponseMetadata") or {}).get("HTTPStatusCode")
        category = category_of_status(status) if isinstance(status, int) and status >= 400 else None
    return (category, code) if category else None


def _system(error: BaseException) -> Found | None:
    number = look(error, "errno") if isinstance(error, OSError) else None
    if isinstance(number, int) and number in _ERRNO and package_of(type(error)) == "builtins":
        return _ERRNO[number], errno.errorcode.get(number, str(number))
    return None
