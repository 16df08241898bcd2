"""``track_changes``: what SQLAlchemy's sessions do to entities. The only file of this room that imports SQLAlchemy.

A flush says what changes, and the end of its transaction whether it lasted. Nothing is loaded for that: where the program sets a
field that it has never read, the old value is not known.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from otel_kit import _guard
from otel_kit.errors import ArgumentError, MissingExtraError
from otel_kit.toolkit.data.changes import (
    COMMITTED,
    CREATE,
    DELETE,
    MOST_FIELDS,
    ROLLED_BACK,
    UPDATE,
    Audit,
    Change,
    Changes,
    listed,
    shown,
)
from otel_kit.toolkit.data.figures import data

VALID = "a sessionmaker, a scoped_session, a Session, their asyncio kinds, or one of those classes"
_lock = threading.Lock()
_trackings: WeakKeyDictionary[Any, Tracking] = WeakKeyDictionary()


def track_changes(
    sessions: Any,
    *,
    models: Iterable[type] | None = None,
    exclude: Iterable[Any] = (),
    audit: Audit | None = None,
) -> Tracking:
    """Tell of each entity that sessions create, update or delete, once that is committed, or that it was rolled back.

    Emits a log record ``otel_kit.change`` with entity, key, fields before and after, and what is related now or no longer, and
    counts in ``otel_kit.changes``. The ids are those that held when the session was flushed. ORM-enabled ``update``, ``delete``
    and ``insert``, and the legacy bulk methods, are one record each. Called again for the same sessions it replaces
    what was said before.

    Args:
        sessions: a ``sessionmaker``, ``scoped_session``, ``Session`` or session class, or those of asyncio.
        models: only these mapped classes and their subclasses.
        exclude: mapped classes, attributes such as ``User.password``, or names of fields such as ``updated_at``.
        audit: is called for each committed change with actor, action, target, and ``before``, ``after`` and ``reason`` by
            name: ``otel_kit.audit``. What it raises is told, but not raised: the transaction is over by then.

    Returns:
        What ends it: ``.stop()``.

    Raises:
        MissingExtraError: SQLAlchemy is not installed.
        ArgumentError: these are no sessions, or no models.
    """
    try:
        import sqlalchemy.orm  # noqa: F401
    except ImportError:
        raise MissingExtraError("sqlalchemy", "sqlalchemy") from None
    tracking = Tracking(_target_of(sessions), Choice(models, exclude), audit)
    with _lock:
        former = _trackings.pop(tracking.target, None)
        _trackings[tracking.target] = tracking
    if former is not None:
        former.stop()
    tracking.start()
    return tracking


def _target_of(sessions: Any) -> Any:
    """What SQLAlchemy's events can listen to."""
    from sqlalchemy.orm import Session, scoped_session, sessionmaker

    # Whoever has such a session has imported it; without greenlet, which SQLAlchemy does not require, nobody can.
    asyncio = sys.modules.get("sqlalchemy.ext.asyncio")
    if asyncio is not None and (behind := _behind(sessions, asyncio)) is not None:
        return behind
    if isinstance(sessions, scoped_session):
        sessions = sessions.session_factory
    if isinstance(sessions, sessionmaker):
        return sessions.class_
    if isinstance(sessions, Session) or (isinstance(sessions, type) and issubclass(sessions, Session)):
        return sessions
    raise ArgumentError("track_changes(sessions)", type(sessions).__qualname__, VALID)


def _behind(sessions: Any, asyncio: Any) -> Any:
    """The sync session, or class of them, behind one of asyncio; None for others."""
    if isinstance(sessions, asyncio.async_scoped_session):
        sessions = sessions.session_factory
    if isinstance(sessions, asyncio.AsyncSession):
        return sessions.sync_session
    if isinstance(sessions, asyncio.async_sessionmaker):
        return _own_class(sessions)
    if isinstance(sessions, type) and issubclass(sessions, asyncio.AsyncSession):
        return sessions.sync_session_class  # type: ignore[attr-defined]
    return None


def _own_class(factory: Any) -> type:
    """The sync session class of one async factory alone, so that sessions of other factories are not listened to."""
    current: type = factory.kw.get("sync_session_class") or factory.class_.sync_session_class
    if "_otel_kit_own" not in current.__dict__:
        current = type(
            current.__name__, (current,), {"_otel_kit_own": True, "__module__": current.__module__}
        )
        factory.configure(sync_session_class=current)
    return current


class Choice:
    """Which entities and fields are told of.

    Args:
        models: mapped classes, None for all.
        exclude: mapped classes, attributes, or names of fields.
    """

    def __init__(self, models: Iterable[type] | None, exclude: Iterable[Any]) -> None:
        self._models = None if models is None else tuple(models)
        for model in self._models or ():
            if not isinstance(model, type):
                raise ArgumentError("track_changes(models)", model, "mapped classes")
        given = list(exclude)
        self._classes = tuple(each for each in given if isinstance(each, type))
        self._names = {each for each in given if isinstance(each, str)}
        attributes = [each for each in given if hasattr(each, "class_") and hasattr(each, "key")]
        self._attributes = [(each.class_, each.key) for each in attributes]
        if len(self._classes) + len(attributes) + sum(isinstance(each, str) for each in given) != len(given):
            raise ArgumentError(
                "track_changes(exclude)", given, "mapped classes, attributes of them, names of fields"
            )

    def wants(self, kind: type) -> bool:
        """Whether entities of a class are told of."""
        if self._classes and issubclass(kind, self._classes):
            return False
        return self._models is None or issubclass(kind, self._models)

    def wants_field(self, kind: type, key: str) -> bool:
        """Whether a field of theirs is."""
        if key in self._names or f"{kind.__name__}.{key}" in self._names:
            return False
        return not any(key == name and issubclass(kind, owner) for owner, name in self._attributes)


class Tracking:
    """What listens to sessions; :func:`track_changes` makes it.

    Args:
        target: the class or the session that is listened to.
        choice: what is told of.
        audit: the audit trail, or None.
    """

    def __init__(self, target: Any, choice: Choice, audit: Audit | None) -> None:
        self.target, self._choice, self._audit = target, choice, audit
        self._open: WeakKeyDictionary[Any, dict[Any, Changes]] = WeakKeyDictionary()
        self._listeners: dict[str, Callable[..., Any]] = {
            "after_flush": self._flushed,
            "after_commit": self._committed,
            "after_transaction_end": self._ended,
            "do_orm_execute": self._executing,
        }

    def start(self) -> None:
        """Begin to listen."""
        from sqlalchemy import event

        for name, listener in self._listeners.items():
            event.listen(self.target, name, listener)
        _watch_bulk_methods()

    def stop(self) -> None:
        """Listen no more; what is not committed yet is not told of."""
        from sqlalchemy import event

        for name, listener in self._listeners.items():
            if event.contains(self.target, name, listener):
                event.remove(self.target, name, listener)
        with _lock:
            if _trackings.get(self.target) is self:
                del _trackings[self.target]

    # -- what happens

    def _flushed(self, session: Any, context: Any) -> None:
        if not data.on:
            return
        try:
            for state, operation in _states(session, context):
                if self._choice.wants(state.class_):
                    change = _change_of(state, operation, self._choice)
                    if change is not None:
                        self.add(session, change)
        except Exception as error:
            _guard.contained("data.changes", error)

    def _executing(self, state: Any) -> Any:
        if not data.on or not (state.is_update or state.is_delete or state.is_insert):
            return None
        mapper = state.bind_mapper
        if mapper is None or not self._choice.wants(mapper.class_):
            return None
        result = state.invoke_statement()
        try:
            self.add(state.session, _change_by(state, mapper, result, self._choice))
        except Exception as error:
            _guard.contained("data.changes", error)
        return result

    def add(self, session: Any, change: Change) -> None:
        """Keep a change until its transaction is over."""
        transaction = _transaction_of(session)
        self._open.setdefault(session, {}).setdefault(transaction, Changes()).add(change)

    def add_bulk(self, session: Any, operation: str, kind: type, rows: int) -> None:
        """Keep what a bulk method did."""
        if self._choice.wants(kind):
            change = Change(operation, kind.__name__)
            change.is_bulk, change.rows = True, rows
            self.add(session, change)

    def _committed(self, session: Any) -> None:
        changes = self._taken(session, session.get_nested_transaction() or session.get_transaction())
        if changes is None:
            return
        nested = session.get_nested_transaction()
        if nested is not None:
            outer = _outermost(nested.parent)
            self._open.setdefault(session, {}).setdefault(outer, Changes()).join(changes)
        else:
            changes.tell(COMMITTED, self._audit)

    def _ended(self, session: Any, transaction: Any) -> None:
        """A transaction ends; what it had and was not committed is gone."""
        changes = self._taken(session, transaction)
        if changes is not None:
            changes.tell(ROLLED_BACK, None)

    def _taken(self, session: Any, transaction: Any) -> Changes | None:
        opened = self._open.get(session)
        return opened.pop(transaction, None) if opened else None


def _transaction_of(session: Any) -> Any:
    return session.get_nested_transaction() or session.get_transaction()


def _outermost(transaction: Any) -> Any:
    """The savepoint or transaction that a step of SQLAlchemy's own, such as a flush, belongs to."""
    while transaction.parent is not None and not transaction.nested:
        transaction = transaction.parent
    return transaction


# -- what a flush changes


def _states(session: Any, context: Any) -> Iterable[tuple[Any, str]]:
    """Each entity of a flush with what becomes of it."""
    from sqlalchemy import inspect

    new = {inspect(entity) for entity in session.new}
    states = getattr(context, "states", None)
    if states is None:  # an SQLAlchemy that we do not know: orphans that are deleted look like updates
        dirty = [(inspect(entity), UPDATE) for entity in session.dirty]
        return (
            [(state, CREATE) for state in new] + dirty + [(inspect(each), DELETE) for each in session.deleted]
        )
    return [
        (state, DELETE if is_delete else CREATE if state in new else UPDATE)
        for state, (is_delete, is_only_listed) in list(states.items())
        if not is_only_listed or state in new
    ]


def _change_of(state: Any, operation: str, choice: Choice) -> Change | None:
    """What became of an entity; None where it was saved as it was."""
    mapper, kind = state.mapper, state.class_
    change = Change(operation, kind.__name__, _key_of(state))
    for attribute in mapper.column_attrs:
        if len(change.after) + len(change.before) < MOST_FIELDS and choice.wants_field(kind, attribute.key):
            _compare(change, state, attribute.key, operation)
    for relationship in mapper.relationships:
        if not relationship.viewonly and choice.wants_field(kind, relationship.key):
            _relate(change, state, relationship.key)
    return change if operation != UPDATE or change.fields() else None


def _compare(change: Change, state: Any, key: str, operation: str) -> None:
    history = state.attrs[key].history
    if operation == DELETE:
        old = history.deleted or history.unchanged
        if old:
            change.before[key] = shown(old[0])
    elif operation == CREATE:
        new = history.added or history.unchanged
        if new and new[0] is not None:
            change.after[key] = shown(new[0])
    elif history.has_changes():
        if history.deleted:
            change.before[key] = shown(history.deleted[0])
        change.after[key] = shown(history.added[0]) if history.added else None


def _relate(change: Change, state: Any, key: str) -> None:
    history = state.attrs[key].history
    if history.added and (added := listed(map(_name_of, _real(history.added)))):
        change.added[key] = added
    if history.deleted and (removed := listed(map(_name_of, _real(history.deleted)))):
        change.removed[key] = removed


def _real(related: Collection[Any]) -> list[Any]:
    return [entity for entity in related if entity is not None]


def _name_of(entity: Any) -> str:
    from sqlalchemy import inspect

    state = inspect(entity, raiseerr=False)
    return type(entity).__name__ if state is None else f"{type(entity).__name__} {_key_of(state)}".rstrip()


def _key_of(state: Any) -> str:
    """The primary key; during the flush that inserts it, it is on the entity, but not yet its identity."""
    identity = state.identity or tuple(
        state.dict.get(state.mapper.get_property_by_column(column).key) for column in state.mapper.primary_key
    )
    return ", ".join(str(shown(part)) for part in identity if part is not None)


# -- statements


def _change_by(state: Any, mapper: Any, result: Any, choice: Choice) -> Change:
    operation = UPDATE if state.is_update else DELETE if state.is_delete else CREATE
    change = Change(operation, mapper.class_.__name__)
    change.is_bulk, statement = True, state.statement
    parameters = state.parameters
    if isinstance(parameters, list) and not state.is_delete:
        change.rows = len(parameters)
    else:
        count = getattr(result, "rowcount", -1)
        change.rows = count if isinstance(count, int) and count >= 0 else 1 if state.is_insert else None
        change.after = _values_of(statement, mapper, parameters, choice)
    where = getattr(statement, "whereclause", None)
    change.condition = "" if where is None else str(shown(str(where)))
    return change


def _values_of(statement: Any, mapper: Any, parameters: Any, choice: Choice) -> dict[str, Any]:
    """What a statement sets: values, or the expression where it computes them."""
    given = dict(parameters) if isinstance(parameters, dict) else {}
    for column, value in (getattr(statement, "_values", None) or {}).items():
        key = getattr(column, "key", None) or str(column)
        given[str(key)] = value.value if hasattr(value, "value") and hasattr(value, "unique") else value
    wanted = {key: value for key, value in given.items() if choice.wants_field(mapper.class_, key)}
    return {key: shown(value) for key, value in list(wanted.items())[:MOST_FIELDS]}


# -- the legacy bulk methods, which neither flush nor execute as far as listeners can see

_bulk_watched = False


def _watch_bulk_methods() -> None:
    """Put a step around the one method that ``bulk_save_objects`` and its kind end in; once in a process."""
    global _bulk_watched
    from functools import wraps

    from sqlalchemy.orm import Session

    original: Any = getattr(Session, "_bulk_save_mappings", None)
    if _bulk_watched or original is None:
        return
    _bulk_watched = True

    @wraps(original)
    def bulk(self: Any, mapper: Any, mappings: Any, *args: Any, **kwargs: Any) -> Any:
        trackings = [each for each in list(_trackings.values()) if data.on and _listens(each, self)]
        if not trackings:
            return original(self, mapper, mappings, *args, **kwargs)
        given = list(mappings)
        result = original(self, mapper, given, *args, **kwargs)
        try:
            kind = getattr(mapper, "class_", mapper)
            is_update = kwargs["isupdate"] if "isupdate" in kwargs else bool(args and args[0])
            for tracking in trackings:
                tracking.add_bulk(self, UPDATE if is_update else CREATE, kind, len(given))
        except Exception as error:
            _guard.contained("data.changes", error)
        return result

    setattr(Session, "_bulk_save_mappings", bulk)  # noqa: B010


def _listens(tracking: Tracking, session: Any) -> bool:
    target = tracking.target
    return isinstance(session, target) if isinstance(target, type) else session is target
