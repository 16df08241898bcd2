"""The resource: what is true of everything that this process emits.

Made directly, not by ``Resource.create()``, which scans entry points and starts threads. Every part is guarded: what
cannot be found out is left out.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.version import __version__ as sdk_version

from otel_kit import __version__, _guard, semconv
from otel_kit.setup.config import Settings
from otel_kit.setup.container import find_container_id
from otel_kit.setup.distribution import installed_version
from otel_kit.setup.revision import find_revision
from otel_kit.setup.table import DEDICATED

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"

_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm32",
    "armv6l": "arm32",
    "i686": "x86",
    "i386": "x86",
    "ppc64le": "ppc64",
}
_SYSTEMS = {"win32": "windows", "cygwin": "windows", "sunos5": "solaris"}

_instance: tuple[int, str] = (0, "")


def build_resource(settings: Settings) -> Resource:
    """The resource of this process.

    What is detected gives way to ``settings.resource_attributes``, these to the settings with a name of their own.

    Args:
        settings: the effective settings.
    """
    attributes = {
        **_distribution(),
        **_guarded("host", _host),
        **_guarded("program", _program),
        **_guarded("container", _container),
        **_guarded("revision", _revision),
        **process_attributes(settings),
        **settings.resource_attributes,
        **_service(settings),
    }
    return Resource(
        {name: value for name, value in attributes.items() if value not in ("", None)}, SCHEMA_URL
    )


def process_attributes(settings: Settings) -> dict[str, Any]:
    """What a forked child has for itself: ``process.pid``, and ``service.instance.id`` where none is set."""
    return {
        semconv.PROCESS_PID: os.getpid(),
        semconv.SERVICE_INSTANCE_ID: settings.service_instance_id or instance_id(),
    }


def instance_id() -> str:
    """A random id, the same as long as the process lives; a forked child has another one."""
    global _instance
    pid = os.getpid()
    if _instance[0] != pid:
        _instance = (pid, str(uuid.uuid4()))
    return _instance[1]


def _guarded(part: str, find: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    try:
        return find()
    except Exception as error:
        _guard.contained(f"resource.{part}", error)
        return {}


def _service(settings: Settings) -> dict[str, Any]:
    found = {attribute: getattr(settings, row.name) for attribute, row in DEDICATED.items()}
    if settings.service_version is None:
        found.update(
            _guarded("version", lambda: {semconv.SERVICE_VERSION: installed_version(settings.service_name)})
        )
    return {name: value for name, value in found.items() if value is not None}


def _distribution() -> dict[str, Any]:
    return {
        semconv.TELEMETRY_SDK_LANGUAGE: "python",
        semconv.TELEMETRY_SDK_NAME: "opentelemetry",
        semconv.TELEMETRY_SDK_VERSION: sdk_version,
        semconv.TELEMETRY_DISTRO_NAME: "otel-kit",
        semconv.TELEMETRY_DISTRO_VERSION: __version__,
    }


def _host() -> dict[str, Any]:
    system = {semconv.OS_TYPE: _SYSTEMS.get(sys.platform, sys.platform)}
    if not hasattr(os, "uname"):
        return {**system, semconv.HOST_NAME: os.environ.get("COMPUTERNAME", "")}
    host = os.uname()
    return {
        **system,
        semconv.OS_DESCRIPTION: f"{host.sysname} {host.release}",
        semconv.HOST_NAME: host.nodename,
        semconv.HOST_ARCH: _ARCHITECTURES.get(host.machine, host.machine),
    }


def _program() -> dict[str, Any]:
    """No arguments of the command line: they may hold secrets."""
    return {
        semconv.PROCESS_EXECUTABLE_NAME: os.path.basename(sys.executable or ""),
        semconv.PROCESS_COMMAND: _command(),
        semconv.PROCESS_RUNTIME_NAME: sys.implementation.name,
        semconv.PROCESS_RUNTIME_VERSION: ".".join(map(str, sys.version_info[:3])),
        semconv.PROCESS_RUNTIME_DESCRIPTION: sys.version,
    }


def _command() -> str:
    """The script's name, or the module's after ``python -m``."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    return name if name not in ("", "-c", "-") else os.path.basename(sys.executable or "")


def _container() -> dict[str, Any]:
    return {semconv.CONTAINER_ID: find_container_id()}


def _revision() -> dict[str, Any]:
    return {semconv.VCS_REF_HEAD_REVISION: find_revision()}
