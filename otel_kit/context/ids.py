"""The ids that follow the work: bound here, put on every span and log record by the pipeline.

They live in a ContextVar of their own, beside OpenTelemetry's context: ids that are bound inside a span
survive its end. Underneath them lie structlog's own contextvars, and underneath those the ids that came
with a request as baggage.
"""

from __future__ import annotations

import contextlib
import os
import reprlib
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_kit import semconv
from otel_kit.context.wrapped import Around, Run, wrap

_runtime = otel_context._RUNTIME_CONTEXT
IdValue = str | bool | int | float
Function = TypeVar("Function", bound=Callable[..., Any])

WIRE_NAMES: Mapping[str, str] = {
    "request_id": semconv.REQUEST_ID,
    "correlation_id": semconv.CORRELATION_ID,
    "run_id": semconv.RUN_ID,
    "workflow_id": semconv.WORKFLOW_ID,
    "user_id": semconv.USER_ID,
    "session_id": semconv.SESSION_ID,
}
LONGEST_NAME = 256
LONGEST_VALUE = 1024
MOST_IDS = 128

_EMPTY: Mapping[str, Any] = MappingProxyType({})
_REMOTE_KEY = otel_context.create_key("otel_kit.remote_ids")


class Bound:
    """Ids by both of their names; the mappings are never changed after it is made.

    Tasks and threads share it with the block that made it, so leaving the block does not touch it.
    """

    __slots__ = ("abandoned", "hidden", "ids", "outer", "owner", "token", "wire")

    def __init__(
        self,
        ids: Mapping[str, IdValue],
        outer: Bound | None = None,
        owner: object = None,
        hidden: Bound | None = None,
    ) -> None:
        self.ids = ids
        self.wire = {WIRE_NAMES.get(name, name): value for name, value in ids.items()}
        self.outer = outer  # what holds again when the block that made this ends
        self.owner = owner  # the block that made this
        self.hidden = hidden  # remote ids that no longer count, because some of them were unbound here
        self.token: Token[Bound] | None = None
        self.abandoned = False  # its block ended where the ids could not be taken back


_NOTHING = Bound(_EMPTY)
# A process that a run started belongs to it (toolkit/jobs/running.py).
_RUN = os.environ.get("OTEL_KIT_RUN_ID", "")[:LONGEST_VALUE]
_bound: ContextVar[Bound] = ContextVar("otel_kit.ids", default=Bound({"run_id": _RUN}) if _RUN else _NOTHING)
_gathered: ContextVar[dict[str, Any] | None] = ContextVar("otel_kit.gathered_ids", default=None)


def attributes(context: Context | None = None) -> Mapping[str, Any]:
    """The ids that hold here, by their names on the wire.

    Args:
        context: the OpenTelemetry context in which ids of a remote caller are looked for; by default the
            current one.

    Returns:
        A mapping that must not be changed. Nothing is copied unless ids of several origins meet.
    """
    # Called for each span and record: the usual cases cost two look-ups and copy nothing.
    local = _bound.get()
    if local.abandoned:
        local = _stepped_over(local)
    found = (_runtime.get_current() if context is None else context).get(_REMOTE_KEY)
    if found is None or found is local.hidden:
        foreign_home = sys.modules.get("structlog.contextvars")
        if foreign_home is None or not getattr(foreign_home, "_CONTEXT_VARS", True):
            return local.wire
    remote = _visible(local, found if isinstance(found, Bound) else None)
    foreign = _structlog_ids()
    if not foreign and remote is _NOTHING:
        return local.wire
    return {
        **remote.wire,
        **{WIRE_NAMES.get(name, name): value for name, value in foreign.items()},
        **local.wire,
    }


def current_context() -> dict[str, Any]:
    """The ids that hold here, by the names under which they were bound: ``{"request_id": "r-7"}``."""
    local = _local()
    return {**_visible(local, _remote(None)).ids, **_structlog_ids(), **local.ids}


def bind_context(**ids: object) -> None:
    """Bind ids from here on, until they are unbound or until the enclosing ``bind`` block ends.

    Args:
        ids: ``str``, ``int``, ``float`` and ``bool`` are kept, anything else becomes its ``str()``; strings
            are cut at 1,024 characters. ``None`` unbinds.
    """
    _replace(_local(), ids, owner=None)


def unbind_context(*names: str) -> None:
    """Forget single ids, wherever they were bound. Unknown names are ignored.

    Raises:
        TypeError: a name is no text; nothing is forgotten then.
    """
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"the name of an id is {name!r}; valid: text such as 'request_id'")
    _replace(_local(), dict.fromkeys(names), owner=None)


def clear_context() -> None:
    """Forget all ids, those of a remote caller too; structlog's own contextvars stay as they are.

    Inside a ``bind`` block this holds until the block ends.
    """
    local = _local()
    _in_place(local, _EMPTY, hidden=_remote(None))


class bind:
    """Bind ids for a block, or for each call of a function; after it the ids from before hold again.

    Use as ``with bind(request_id="r-7"):``, as ``async with``, or as a decorator of functions of all kinds;
    of a generator they hold in its steps, not in between. What is bound inside a block by :func:`bind_context` ends with it.

    Args:
        ids: as for :func:`bind_context`. ``None`` hides an id inside the block.
    """

    __slots__ = ("_ids",)

    def __init__(self, **ids: object) -> None:
        self._ids = ids

    def __enter__(self) -> bind:
        _replace(_local(), self._ids, owner=self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        current = bound = _bound.get()
        while bound.owner is not self or bound.abandoned:
            if bound.outer is None:
                return
            bound = bound.outer
        if bound is not current or not _taken_back(bound):
            # A generator that holds a block was closed by somebody else, an async one even in a foreign
            # context. The mark is all that can be left; whoever looks next steps over it.
            bound.abandoned = True

    async def __aenter__(self) -> bind:
        return self.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(exc_type, exc, traceback)

    def __call__(self, function: Function) -> Function:
        return self._around(function)  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[Any, ...]:
        return _bind, (self._ids,)

    def _around(self, function: Any) -> Any:
        return wrap(function, self._begin, self._around, by="bind(function)")

    def _begin(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, steps: bool) -> Run:
        return (_InSteps if steps else Around)(bind(**self._ids))


def _bind(ids: Mapping[str, object]) -> bind:
    return bind(**ids)


class _InSteps:
    """Ids that hold in the steps of a generator, not in between."""

    __slots__ = ("_block",)

    def __init__(self, block: bind) -> None:
        self._block = block

    def __enter__(self) -> None:
        self._block.__enter__()

    def __exit__(self, *exc: object) -> None:
        self._block.__exit__(None, None, None)

    def returned(self, result: object = None) -> None:
        """The last step was it."""

    def raised(self, error: BaseException) -> None:
        """The last step was it."""


class gather:
    """For a block: the ids that are bound inside, in whatever task or thread, by their names on the wire.

    For whoever serves a request: its span began before them. An id that is bound to different values inside is left
    out, because it does not name the whole request.
    """

    __slots__ = ("_found", "_token")

    def __enter__(self) -> gather:
        self._found: dict[str, Any] = {}
        self._token = _gathered.set(self._found)
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(ValueError):  # entered in another contextvars context
            _gathered.reset(self._token)

    def attributes(self) -> dict[str, Any]:
        """What was bound so far."""
        return {name: value for name, value in list(self._found.items()) if value is not None}


def with_remote(ids: Mapping[str, IdValue], context: Context) -> Context:
    """The context in which these ids of a remote caller hold; for propagators."""
    return otel_context.set_value(_REMOTE_KEY, Bound(dict(ids)), context)


def withdrawn(context: Context | None = None) -> frozenset[str]:
    """Wire names of the remote caller's ids that were unbound here, and so must not travel on."""
    local, remote = _local(), _remote(context)
    if remote is None or remote is not local.hidden:
        return frozenset()
    return frozenset(remote.wire) - frozenset(local.wire)


def capture() -> Bound:
    """What is bound here, to be handed to :func:`restore` in another thread."""
    return _local()


def restore(bound: Bound) -> None:
    """Let the captured ids hold here. They end with the contextvars context in which they were restored."""
    _bound.set(bound)


def _local() -> Bound:
    bound = _bound.get()
    return _stepped_over(bound) if bound.abandoned else bound


def _stepped_over(bound: Bound) -> Bound:
    while bound.abandoned:
        bound = bound.outer or _NOTHING
    _bound.set(bound)
    return bound


def _taken_back(bound: Bound) -> bool:
    token, bound.token = bound.token, None
    if token is None:
        return False
    try:
        _bound.reset(token)
    except ValueError:  # made in another contextvars context
        return False
    return True


def _remote(context: Context | None) -> Bound | None:
    value = (otel_context.get_current() if context is None else context).get(_REMOTE_KEY)
    return value if isinstance(value, Bound) else None


def _visible(local: Bound, remote: Bound | None) -> Bound:
    return _NOTHING if remote is None or remote is local.hidden else remote


def _replace(local: Bound, changes: Mapping[str, object], owner: object) -> None:
    """Make the changed ids current: as a new block of ``owner``, or in place of the current block's ids."""
    remote = _remote(None)
    ids, hidden = dict(local.ids), local.hidden
    if remote is not None and remote is not hidden and any(value is None for value in changes.values()):
        # Something of the remote ids may have to go: the rest of them become ids of ours.
        ids, hidden = {**remote.ids, **ids}, remote
    for name, value in changes.items():
        _change(ids, name[:LONGEST_NAME], value)
    gathered = _gathered.get()
    if gathered is not None:
        _gather(gathered, {name: ids[name] for name in changes if name in ids})
    if owner is None:
        _in_place(local, ids, hidden)
    else:
        bound = Bound(ids, local, owner, hidden)
        bound.token = _bound.set(bound)


def _gather(found: dict[str, Any], bound: Mapping[str, IdValue]) -> None:
    for name, value in bound.items():
        wire = WIRE_NAMES.get(name, name)
        if wire in found:
            found[wire] = value if found[wire] == value else None
        elif len(found) < MOST_IDS:
            found[wire] = value


def _in_place(local: Bound, ids: Mapping[str, IdValue], hidden: Bound | None) -> None:
    bound = Bound(ids, local.outer, local.owner, hidden)
    bound.token = local.token
    _bound.set(bound)


def _change(ids: dict[str, IdValue], name: str, value: object) -> None:
    if value is None:
        ids.pop(name, None)
    elif name in ids or len(ids) < MOST_IDS:
        ids[name] = _id_value(value)


def _id_value(value: object) -> IdValue:
    if type(value) is str and len(value) <= LONGEST_VALUE and value.isascii():
        return value
    kind = type(value)
    if kind is bool or kind is float:
        return value  # type: ignore[return-value]
    if kind is int and -(2**63) <= value < 2**63:  # type: ignore[operator]
        return value  # type: ignore[return-value]
    try:
        text = str.__str__(value) if isinstance(value, str) else _text(value)
        return text[:LONGEST_VALUE].encode("utf-8", "replace").decode("utf-8")
    except Exception:
        return f"<{kind.__name__} without a text>"


def _text(value: object) -> str:
    # The text of a container may be endless: one that holds one ten times, which holds one ten times, and so on.
    return reprlib.repr(value) if isinstance(value, list | tuple | dict | set | frozenset) else str(value)


def _structlog_ids() -> Mapping[str, Any]:
    # Only a program that imported structlog's contextvars can have bound anything there. The private dict
    # says for almost nothing that it did not; without it the public function still answers.
    module = sys.modules.get("structlog.contextvars")
    if module is None or not getattr(module, "_CONTEXT_VARS", True):
        return _EMPTY
    found = module.get_contextvars()
    return {name: _id_value(value) for name, value in found.items() if value is not None} if found else _EMPTY
