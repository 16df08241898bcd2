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

# Signal, what must answer, where to look. Without containers Jaeger and Prometheus have no pages, only their HTTP APIs.
PLACES = (
    ("traces", f"{JAEGER}/", f"{JAEGER}/trace/{{trace_id}}"),
    ("traces", f"{JAEGER}/api/services", f"{JAEGER}/api/traces/{{trace_id}}"),
    ("metrics", f"{PROMETHEUS}/query", f"{PROMETHEUS}/query?g0.expr=shop_orders_total"),
    ("metrics", f"{PROMETHEUS}/-/ready", f"{PROMETHEUS}/api/v1/query?query=shop_orders_total"),
    ("logs", LOGS, f"{LOGS}#/?query=trace_id%3A%22{{trace_id}}%22"),
)
PLACEHOLDER = "not the Jaeger UI"  # on the page of a Jaeger that was built without its page


def links(trace_id: str | None) -> Iterator[str]:
    """A line for each signal that can be looked at: the trace and its log records, and the orders."""
    found: set[str] = set()
    for signal, page, place in PLACES:
        if signal not in found and answers(page):
            found.add(signal)
            yield f"{signal:<8} {place.format(trace_id=trace_id) if trace_id else page}"


def answers(page: str) -> bool:
    """Whether a page is there, and is what it should be."""
    try:
        answer = requests.get(page, timeout=1)
    except requests.RequestException:
        return False
    return answer.ok and PLACEHOLDER not in answer.text


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
    if has_docker():
        return "docker compose up -d"
    if shutil.which("go"):
        return "make stack              # in another terminal, until Ctrl-C"
    return "docker compose up -d    # with a Docker engine, or with Go: make stack"


def has_docker() -> bool:
    """Whether a Docker engine runs here."""
    if not shutil.which("docker"):
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=5, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
