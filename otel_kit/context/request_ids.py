"""``x-request-id`` and ``x-correlation-id``: taken from a request where they are harmless, made where not, sent on.

The request id names one request; the correlation id names all that belongs together, so it is the request id of the
first service that had neither.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable

from opentelemetry.context import Context, get_current
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

from otel_kit import _guard
from otel_kit.context import ids

REQUEST_HEADER = "x-request-id"
CORRELATION_HEADER = "x-correlation-id"
LONGEST_ID = 128

# A generator of our own: the program may have seeded that of the module. Asking the system each time costs many times as much.
_random = random.Random()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)

# Letters, digits and what UUIDs, ULIDs, W3C ids, base64 and the usual gateways add: nothing that ends a header or a line.
_HARMLESS = re.compile(r"[A-Za-z0-9._~:/+=@\-]{1,%d}" % LONGEST_ID)  # noqa: UP031  (braces mean something here)


def random_bits(count: int) -> int:
    """A random number of so many bits, never zero."""
    return _random.getrandbits(count) or 1


def is_harmless(value: str) -> bool:
    """Whether a value that a stranger sent may be used as an id: 1 to 128 letters, digits and ``._~:/+=@-``."""
    return _HARMLESS.fullmatch(value) is not None


def request_ids(header: Callable[[str], str]) -> dict[str, str]:
    """The request's ids, by the names under which they are bound.

    Args:
        header: gives a header of the request by its lower-case name, empty where it has none.
    """
    request, correlation = header(REQUEST_HEADER), header(CORRELATION_HEADER)
    if not request or not is_harmless(request):
        request = f"{random_bits(128):032x}"
    if not correlation or not is_harmless(correlation):
        correlation = request
    return {"request_id": request, "correlation_id": correlation}


class RequestIds(TextMapPropagator):
    """Writes both headers on outgoing calls. It reads none: whoever serves a request binds what came with it."""

    @property
    def fields(self) -> set[str]:
        """The headers that :meth:`inject` writes."""
        return {REQUEST_HEADER, CORRELATION_HEADER}

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Write the ids that are bound here, where they are harmless. Never raises."""
        try:
            bound = ids.attributes(context)
            for name, header in _HEADERS if bound else ():
                value = str(bound.get(name, ""))
                if value and is_harmless(value):
                    setter.set(carrier, header, value)
        except Exception as error:
            _guard.contained("context.request_ids", error)

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """Return the context as it is."""
        return get_current() if context is None else context


_HEADERS = (
    (ids.WIRE_NAMES["request_id"], REQUEST_HEADER),
    (ids.WIRE_NAMES["correlation_id"], CORRELATION_HEADER),
)
