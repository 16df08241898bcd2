"""Where to look: the pages of the stack, as far as they answer, and how to get them."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests

JAEGER = "http://localhost:16686"
PROMETHEUS = "http://localhost:9090"
LOGS = "http://localhost:9428/select/vmui/"


def links(trace_id: str | None) -> Iterator[str]:
    """A line for each page that answers."""
    trace = f"/trace/{trace_id}" if trace_id else ""
    logs = f"#/?query=trace_id%3A%22{trace_id}%22" if trace_id else ""
    pages = {"traces": (JAEGER, trace), "metrics": (PROMETHEUS, ""), "logs": (LOGS, logs)}
    for name, (page, place) in pages.items():
        if answers(page):
            yield f"{name.ljust(8)} {page}{place}"


def answers(url: str) -> bool:
    """Whether a page is there."""
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False


def is_listening(endpoint: str) -> bool:
    """Whether anything accepts connections there."""
    place = urlsplit(endpoint)
    try:
        socket.create_connection((place.hostname or "", place.port or 443), timeout=1).close()
    except (OSError, ValueError):
        return False
    return True


def next_command() -> str:
    """How to start the stack on this machine."""
    return "docker compose up -d" if has_docker() else "make stack"


def has_docker() -> bool:
    """Whether a Docker engine runs here."""
    if not shutil.which("docker"):
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=5, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
