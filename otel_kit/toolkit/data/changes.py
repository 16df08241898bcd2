"""What became of an entity: collected while a transaction goes on, told when it is over.

Nothing here knows SQLAlchemy. What is lost here, and when: from the thousandth change of a transaction on, changes are told by
one record for each entity and operation that says how many more there were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from otel_kit import _guard, semconv
from otel_kit.context.ids import attributes as ids_here
from otel_kit.signals.logs import record
from otel_kit.signals.logs.levels import ERROR, INFO
from otel_kit.signals.logs.values import text
from otel_kit.toolkit.data.figures import SCOPE, data, figures

CREATE, UPDATE, DELETE = "create", "update", "delete"
COMMITTED, ROLLED_BACK = "committed", "rolled_back"
MOST = 1000
MOST_FIELDS = 64
MOST_RELATED = 20
LONGEST_TEXT = 1000
LONGEST_REPR = 200

Audit = Callable[..., Any]
_PLAIN = (str, int, float, bool, type(None))


class Change:
    """What became of one entity, or of many by one statement.

    Attributes:
        operation: ``create``, ``update`` or ``delete``.
        entity: the class's name.
        key: the primary key, as text; empty for a statement.
        before, after: values by field, of the fields that changed; a field whose old value was not loaded is in ``after`` only.
        added, removed: what is related now, and what is no longer, by relationship.
        rows: of a statement, how many; None where the database does not say.
        condition: of a statement, which rows, without values.
        is_bulk: whether it was a statement.
    """

    __slots__ = (
        "added", "after", "before", "condition", "entity", "ids", "is_bulk", "key", "operation", "removed", "rows",
    )  # fmt: skip

    def __init__(self, operation: str, entity: str, key: str = "") -> None:
        self.operation, self.entity, self.key = operation, entity, key
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self.added: dict[str, list[str]] = {}
        self.removed: dict[str, list[str]] = {}
        self.rows: int | None = None
        self.condition = ""
        self.is_bulk = False
        self.ids = (
            ids_here()
        )  # who did it is known now; at the end of the transaction it may be somebody else

    @property
    def target(self) -> str:
        """What was changed, in words."""
        if not self.is_bulk:
            return f"{self.entity} {self.key}".rstrip()
        return f"{self.entity}: {'an unknown number of' if self.rows is None else self.rows} rows"

    def fields(self) -> list[str]:
        """What changed."""
        return list(dict.fromkeys((*self.before, *self.after, *self.added, *self.removed)))


class Changes:
    """The changes of one transaction or savepoint."""

    def __init__(self) -> None:
        self.kept: list[Change] = []
        self.more: Counter[tuple[str, str]] = Counter()

    def add(self, change: Change) -> None:
        """One more."""
        if len(self.kept) < MOST:
            self.kept.append(change)
        else:
            self.more[change.operation, change.entity] += 1

    def join(self, others: Changes) -> None:
        """Take over those of a savepoint that is kept."""
        for change in others.kept:
            self.add(change)
        self.more.update(others.more)

    def tell(self, outcome: str, audit: Audit | None) -> None:
        """The transaction is over. Never raises."""
        for change in self.kept:
            _guarded(_tell, change, outcome)
            if audit is not None and outcome == COMMITTED:
                _audited(audit, change)
        for (operation, entity), count in self.more.items():
            rest = Change(operation, entity)
            rest.rows, rest.is_bulk = count, True
            _guarded(_tell, rest, outcome)
            if audit is not None and outcome == COMMITTED:
                _audited(audit, rest)


def _guarded(step: Callable[..., None], *arguments: Any) -> None:
    try:
        step(*arguments)
    except Exception as error:
        _guard.contained("data.changes", error)


def _tell(change: Change, outcome: str) -> None:
    if not data.on:
        return
    counter = figures.counter(
        semconv.METRIC_CHANGES, "{change}", "Changes of entities, by what became of them."
    )
    counter.add(
        1 if change.rows is None else change.rows,
        {
            semconv.CHANGE_ENTITY: change.entity,
            semconv.CHANGE_OPERATION: change.operation,
            semconv.CHANGE_OUTCOME: outcome,
        },
    )
    facts: dict[str, Any] = {
        **change.ids,
        semconv.CHANGE_OPERATION: change.operation,
        semconv.CHANGE_ENTITY: change.entity,
        semconv.CHANGE_OUTCOME: outcome,
        semconv.CHANGE_KEY: change.key,
        semconv.CHANGE_BEFORE: change.before,
        semconv.CHANGE_AFTER: change.after,
        semconv.CHANGE_ADDED: change.added,
        semconv.CHANGE_REMOVED: change.removed,
        semconv.CHANGE_ROWS: change.rows,
        semconv.CHANGE_CONDITION: change.condition,
    }
    given = {name: value for name, value in facts.items() if value not in ("", None, {})}
    if record.state.active:
        body = _sentence(change, outcome)
        record.guarded("data.changes", _emit, INFO, body, semconv.EVENT_CHANGE, given, later=True)


def _emit(level: int, body: str, event_name: str, facts: dict[str, Any]) -> None:
    record.emit(SCOPE, level, body, facts, event_name=event_name)


def _sentence(change: Change, outcome: str) -> str:
    fields = change.fields() if change.operation == UPDATE else []
    what = f": {', '.join(fields[:8])}{', …' if len(fields) > 8 else ''}" if fields else ""
    undone = " (rolled back)" if outcome == ROLLED_BACK else ""
    return f"{change.operation} {change.target}{what}{undone}"


def _audited(audit: Audit, change: Change) -> None:
    """Hand a change to the audit trail. The transaction is committed already: to raise now would say that it is not."""
    try:
        audit(
            change.ids.get(semconv.USER_ID),
            f"{change.entity.lower()}.{change.operation}",
            change.target,
            before=_side(change.before, change.removed),
            after=_side(change.after, change.added),
            reason=change.condition or None,
        )
    except Exception as error:
        _guard.say(f"a change is not in the audit trail: {change.operation} {change.target}")
        _guarded(_tell_unaudited, change, error)


def _tell_unaudited(change: Change, error: Exception) -> None:
    if data.on and record.state.active:
        body = f"not in the audit trail: {_sentence(change, COMMITTED)}: {text(error)}"
        facts = {semconv.CHANGE_ENTITY: change.entity, semconv.CHANGE_KEY: change.key}
        record.guarded("data.changes", _emit, ERROR, body, semconv.EVENT_CHANGE_UNAUDITED, facts, later=True)


def _side(fields: Mapping[str, Any], related: Mapping[str, Any]) -> dict[str, Any] | None:
    return {**fields, **related} or None


def shown(value: Any) -> Any:
    """A value as it may stand in a record: bounded, and never asked for anything but its text."""
    if type(value) is str:
        return value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT] + "…"
    if isinstance(value, _PLAIN):
        return value
    found = text(value)
    return found if len(found) <= LONGEST_REPR else found[:LONGEST_REPR] + "…"


def listed(items: Iterable[str]) -> list[str]:
    """A bounded list of names, which says how many more there are."""
    names = list(items)
    return (
        names
        if len(names) <= MOST_RELATED
        else [*names[:MOST_RELATED], f"… {len(names) - MOST_RELATED} more"]
    )
