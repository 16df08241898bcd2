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
from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk._logs import ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from otel_kit.pipeline.redact import Redactor, Rules
from otel_kit.setup.config import read
from otel_kit.setup.redaction import Redaction

# A batch stays in the cache of the processor, as a span does that the program has just filled.
REPEATS, ROUNDS = 400, 50
RESOURCE, SCOPE = Resource({"service.name": "bench"}), InstrumentationScope("bench")
Step = Callable[[Any], object]


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
        SpanContext(number + 1, number + 1, is_remote=False),
        attributes=BoundedAttributes(attributes=attributes, immutable=False),
        resource=RESOURCE,
        instrumentation_scope=SCOPE,
    )


def record(number: int) -> ReadWriteLogRecord:
    """An event with a constant message, two facts, one of them new each time, and where it was logged."""
    return _record("card charged", amount=12.5, order_id=f"ORD-2026-{number:06d}")


def formatted(number: int) -> ReadWriteLogRecord:
    """A record of the standard library: each message is new."""
    return _record(f"order {number} placed by user {number % 977} in {number % 50}.5 ms")


def _record(body: str, **facts: Any) -> ReadWriteLogRecord:
    where: dict[str, Any] = {
        "code.function.name": "place",
        "code.file.path": "/srv/shop/orders.py",
        "code.line.number": 42,
    }
    return ReadWriteLogRecord(LogRecord(body=body, attributes={**facts, **where}), RESOURCE, SCOPE)


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


def step(make: Callable[[int], Any], off: Step, on: Step) -> tuple[float, float]:
    """Microseconds of one call with redaction off and on, taking turns; the making of its argument is not counted."""
    counter = itertools.count()
    best = [float("inf"), float("inf")]
    for _ in range(REPEATS):
        items = [make(next(counter)) for _ in range(ROUNDS)]
        for which, act in enumerate((off, on)):
            start = time.thread_time()
            for item in items:
                act(item)
            best[which] = min(best[which], time.thread_time() - start)
    return best[0] / ROUNDS * 1e6, best[1] / ROUNDS * 1e6


def steps(mode: str) -> dict[str, tuple[float, float]]:
    """What the pipeline's step costs with redaction off, and in a mode, by the kind of item."""
    off, on = (Redaction(read(None, {"redact": chosen})) for chosen in ("off", mode))
    return {
        "span": step(span, off.span, on.span),
        "log": step(record, off.on_emit, on.on_emit),
        "formatted": step(formatted, off.on_emit, on.on_emit),
    }


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
        print(f"redact={mode!r}")
        for name, (off, on) in steps(mode).items():
            print(f"  {name:<32} {on - off:7.2f} µs")
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
