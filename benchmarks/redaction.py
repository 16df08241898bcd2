"""What redaction costs: on an ordinary span, log record and metric point, on the worst texts, and at import.

Run with ``python -m benchmarks.redaction``. Times are processor times of the thread, the least of several repeats,
because other work on the machine only adds.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan

from otel_kit.pipeline.redact import Redactor, Rules, redact_log, redact_span

# A batch stays in the cache of the processor, as a span does that the program has just filled.
REPEATS, ROUNDS = 60, 400
RESOURCE = Resource({"service.name": "bench"})


def span(number: int) -> ReadableSpan:
    """A server span with five attributes, one of them new each time."""
    attributes: dict[str, Any] = {
        "http.request.method": "GET",
        "http.route": "/orders/{id}",
        "url.path": f"/orders/{number}",
        "http.response.status_code": 200,
        "server.address": "shop.test",
    }
    return ReadableSpan(
        "GET /orders/{id}",
        attributes=BoundedAttributes(attributes=attributes, immutable=False),
        resource=RESOURCE,
    )


def record(number: int) -> LogRecord:
    """An event with a constant message and three attributes."""
    return LogRecord(
        body="order placed", attributes={"order_id": f"ORD-2026-{number:06d}", "items": 3, "shop": "berlin"}
    )


def formatted(number: int) -> LogRecord:
    """A record of the standard library: each message is new."""
    return LogRecord(
        body=f"order {number} placed by user {number % 977} in {number % 50}.5 ms",
        attributes={"code.function.name": "place"},
    )


WORST: dict[str, str] = {
    "pairs": "password=",
    "pairs with values": "token=a, ",
    "key after key": "".join(f"key{i}=1&" for i in range(9_000)),
    "quotes": "'",
    "escaped quotes": '\\"',
    "brackets": "auth:(",
    "calls": "login('",
    "cookies": "cookie:",
    "short words": "a.b-",
    "one word": "A",
    "prefixes": "sk-",
    "underscores": "a_",
    "digits": "4111 ",
    "digit run": "4",
    "urls": "a://b:c",
    "at signs": "a:b@",
    "percent": "%3d",
    "percent deep": "%25",
    "pem": "-----BEGIN PRIVATE KEY-----",
    "jwt": "eyJ",
    "tags": "<password>",
    "sql": "insert into a values ('",
    "sql names": "select password ",
    "prose": "the password is ",
    "names": "name=password ",
    "flags": "--password ",
    "programs": "curl -u ",
    "base64": "QUJD",
    "braces": "{password:",
    "mail": "a@b.",
    "paths": "/hook",
    "slashes": "/",
    "spaces": " ",
    "newlines": "\n",
    "unicode": "пароль=",
}


def least(make: Callable[[int], Any], act: Callable[[Any], object]) -> float:
    """Microseconds of one call, the making of its argument not counted."""
    counter = itertools.count()
    best = float("inf")
    for _ in range(REPEATS):
        items = [make(next(counter)) for _ in range(ROUNDS)]
        start = time.thread_time()
        for item in items:
            act(item)
        best = min(best, time.thread_time() - start)
    return best / ROUNDS * 1e6


def nothing(item: object) -> None:
    """The loop and the call without any work."""


def worst(redactor: Redactor, unit: str, size: int) -> float:
    """Milliseconds of one text of so many characters."""
    text = (unit * (size // len(unit) + 1))[:size]
    best = float("inf")
    for _ in range(2):
        redactor.begin()
        start = time.thread_time()
        redactor.text(text)
        best = min(best, time.thread_time() - start)
    return best * 1e3


def import_milliseconds() -> float:
    """What the import of the redactor adds to that of the SDK's spans and logs."""
    program = (
        "import time, opentelemetry.sdk.trace, opentelemetry.sdk._logs, otel_kit.pipeline.limit\n"
        "start = time.perf_counter()\n"
        "from otel_kit.pipeline.redact import Redactor\n"
        "Redactor().text('hello world, all is well')\n"
        "print((time.perf_counter() - start) * 1e3)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        for _ in range(5)
    ]
    return min(float(run.stdout) for run in runs)


def main() -> None:
    """Print the figures."""
    for mode in ("secrets", "secrets+personal"):
        redactor = Redactor(Rules(mode=mode))
        print(f"redact={mode!r}")
        for name, make, act in (
            ("span, 5 attributes", span, partial(redact_span, redactor)),
            ("log record, constant message", record, partial(redact_log, redactor)),
            ("log record, new message", formatted, partial(redact_log, redactor)),
        ):
            print(f"  {name:<32} {least(make, act) - least(make, nothing):7.2f} µs")
    redactor = Redactor(Rules(mode="secrets+personal"))
    slowest = sorted(((worst(redactor, unit, 65_535), name) for name, unit in WORST.items()), reverse=True)
    print("worst texts of 64 kB, secrets+personal")
    for milliseconds, name in slowest[:8]:
        print(f"  {name:<32} {milliseconds:7.1f} ms")
    print(
        f"worst text of 1 MB                 {max(worst(redactor, unit, 1_000_000) for unit in WORST.values()):7.3f} ms"
    )
    print(f"import and first text              {import_milliseconds():7.1f} ms")


if __name__ == "__main__":
    main()
