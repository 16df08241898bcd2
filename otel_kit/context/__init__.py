"""WHO: the ids that follow the work, through tasks, threads and services.

- ``ids``: bind ids, read them by their users' names or by their names on the wire
- ``threads``: carry them into threads and executors
- ``propagation``: take chosen ones to the next service as W3C baggage
- ``request_ids``: the ids of a request, in its headers and in those of outgoing calls
- ``reported``: which exceptions have been told already
- ``described``: what is said about an exception beside its traceback
- ``tally``: what is counted within a piece of work
- ``debugging``: what is recorded on request only
- ``parts``: which parts of the toolkit are on
- ``wrapped``: something around each call of a function; ``stand``: the same for other callables · ``headroom``: room on the
  stack for that · ``before``: the context to go back to, for what ends in another thread than it began in
- ``calls``: the call of a model that the program tells of itself · ``place``: whose line of code it was
- ``within``: the run that this process is in
- ``redacted``, ``files``: values without secrets, and where files are, for helpers that write files of their own
"""

from __future__ import annotations

from otel_kit.context.ids import (
    attributes,
    bind,
    bind_context,
    clear_context,
    current_context,
    unbind_context,
)
from otel_kit.context.propagation import Baggage
from otel_kit.context.threads import carry, carry_threads

__all__ = [
    "Baggage",
    "attributes",
    "bind",
    "bind_context",
    "carry",
    "carry_threads",
    "clear_context",
    "current_context",
    "unbind_context",
]
