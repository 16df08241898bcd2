"""Every other instrumentor that is installed: contrib's and anybody's, by their entry points.

The entry points are read from the files themselves: ``importlib.metadata`` tells the same, but its import costs more than
everything else at start-up. What an instrumentor needs is imported when the program imports its library.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from otel_kit.instrument._contrib import NotPossibleError, quietly
from otel_kit.instrument._patches import Patches

GROUP = "opentelemetry_instrumentor"

# Ours do the same: a second one would tell everything twice.
REPLACED = frozenset(
    {
        "aiohttp-client",
        "asgi",
        "asyncio",
        "celery",
        "django",
        "fastapi",
        "flask",
        "httpx",
        "logging",
        "redis",
        "requests",
        "sqlalchemy",
        "starlette",
        "structlog",
        "system_metrics",
        "threading",
        "urllib3",
        "wsgi",
    }
)
# What SQLAlchemy works through: beside it they would tell each of its statements a second time.
DRIVERS = frozenset(
    {
        "aiomysql",
        "aiopg",
        "aiosqlite",
        "asyncmy",
        "asyncpg",
        "mysql",
        "mysqlclient",
        "oracledb",
        "psycopg",
        "psycopg2",
        "pymssql",
        "pymysql",
        "sqlite3",
    }
)
# The module to wait for, where it has another name than the entry point.
_MODULES = {
    "aiohttp-client": "aiohttp",
    "aiohttp-server": "aiohttp.web",
    "asyncio": "",
    "aws-lambda": "",
    "httpx2": "httpx2",
    "grpc_aio_client": "grpc.aio",
    "grpc_aio_server": "grpc.aio",
    "grpc_client": "grpc",
    "grpc_server": "grpc",
    "mysql": "mysql.connector",
    "mysqlclient": "MySQLdb",
    "tortoiseorm": "tortoise",
    "vertexai": "google.cloud.aiplatform",
}


def installed() -> dict[str, str]:
    """The entry points, ``package.module:Class`` by name in small letters; those that ours replace are left out."""
    found: dict[str, str] = {}
    for path in _files():
        for name, target in _entries(path):
            if name.lower() not in REPLACED:
                found.setdefault(name.lower(), target)
    return found


class NotInstalledError(Exception):
    """The library that an instrumentor is for is not there at all."""


def module_of(name: str) -> str:
    """The module whose import an instrumentor waits for; empty where none is known, so that it need not wait."""
    if name in _MODULES:
        return _MODULES[name]
    module = name.replace("-", "_")
    return module if is_module(module) else ""


def is_module(name: str) -> bool:
    """Whether there is a module of that name; only a package around it is imported, if any."""
    try:
        from importlib.util import find_spec  # only programs with other instrumentors need it

        return name in sys.modules or find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def is_loading(target: str) -> bool:
    """Whether an instrumentor's module is being imported at this moment."""
    spec = getattr(sys.modules.get(target.partition(":")[0]), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))


def turn_on(name: str, target: str) -> Other | None:
    """Load an instrumentor and turn it on.

    Args:
        name: the entry point's name.
        target: its value.

    Returns:
        What turns it off again, None where the program has turned it on already.

    Raises:
        NotPossibleError: it refuses the installed version of its library.
        NotInstalledError: its library is not there.
    """
    instrumentor = _loaded(name, target)
    if getattr(instrumentor, "is_instrumented_by_opentelemetry", False):
        return None
    _check(instrumentor, target.partition(":")[0])
    _make_discreet(target)
    patches = Patches()
    with patches:
        quietly(lambda: instrumentor.instrument(skip_dep_check=True))
    return Other(instrumentor, patches)


class Other:
    """An instrumentor that is on."""

    def __init__(self, instrumentor: Any, patches: Patches) -> None:
        self._instrumentor, self._patches = instrumentor, patches

    def turn_off(self) -> None:
        """Turn it off, and take back what it leaves."""
        try:
            self._instrumentor.uninstrument()
        finally:
            self._patches.take_back()


def _make_discreet(target: str) -> None:
    """Have instrumentors of models' clients record no contents unless asked, and tell of a call once.

    OpenLLMetry's (they are known by the package of names that they share) record contents by default, and read another variable
    than the standard's. Anthropic's client tells of its calls itself, beside that one; the others of that kind join.
    """
    asked = os.environ.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "").strip().lower()
    if asked in ("", "false", "no_content") and is_module("opentelemetry.semconv_ai"):
        os.environ.setdefault("TRACELOOP_TRACE_CONTENT", "false")
    if target.startswith("opentelemetry.instrumentation.anthropic:"):
        os.environ.setdefault("ANTHROPIC_OPEN_TELEMETRY", "false")


def try_out(name: str, target: str) -> None:
    """Load an instrumentor and ask it, but turn nothing on.

    Raises:
        NotPossibleError: it refuses the installed version of its library.
        NotInstalledError: its library is not there.
    """
    _check(_loaded(name, target), target.partition(":")[0])


def _loaded(name: str, target: str) -> Any:
    module, _, cls = target.partition(":")
    try:
        return quietly(lambda: getattr(import_module(module), cls.strip())())
    except ModuleNotFoundError as error:
        # Some import their library at once.
        if (error.name or "").startswith((_MODULES.get(name) or name).replace("-", "_")):
            raise NotInstalledError(str(error)) from error
        raise


def _check(instrumentor: Any, module: str) -> None:
    check = getattr(instrumentor, "_check_dependency_conflicts", None)
    conflict = check() if check else None
    if conflict is None:
        return
    if not getattr(conflict, "found", None) and not getattr(conflict, "found_any", None):
        raise NotInstalledError(str(conflict))
    raise NotPossibleError(f"{conflict}; install a version that fits, or a newer {_distribution(module)}")


def _distribution(module: str) -> str:
    return "-".join(module.split(".")[:3]).replace("_", "-")


def _files() -> Iterator[str]:
    for folder in sys.path:
        try:
            entries = os.listdir(folder or ".")
        except OSError:  # a zip file, or a folder that does not exist
            continue
        for entry in entries:
            if entry.endswith((".dist-info", ".egg-info")):
                yield os.path.join(folder, entry, "entry_points.txt")


def _entries(path: str) -> list[tuple[str, str]]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError):
        return []
    _, _, section = text.partition(f"[{GROUP}]")
    lines = section.partition("[")[0].splitlines()
    pairs = [line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith("#")]
    return [(name.strip(), target.strip()) for name, _, target in pairs]
