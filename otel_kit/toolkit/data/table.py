"""Rows, in whatever they are kept: how many there are, and what is wrong with a column.

pandas and polars are not imported: whoever has a table of theirs has imported them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from otel_kit.errors import ArgumentError
from otel_kit.signals.logs.values import text

VALID = "a list of dicts, a dict of lists, a DataFrame of pandas or polars"


class Table(Protocol):
    """What is asked of a table."""

    def rows(self) -> int:
        """How many rows there are."""

    def nulls(self, column: str) -> int:
        """How many rows have no value there."""

    def duplicates(self, columns: Sequence[str]) -> int:
        """How many rows were there before, by these columns or by all."""

    def outside(self, column: str, low: Any, high: Any) -> int:
        """How many values are below the one or above the other, or cannot be compared with them."""

    def newest(self, column: str) -> Any:
        """The greatest value; None where there is none."""


def table_of(rows: Any) -> Table:
    """The table that these rows are.

    Raises:
        ArgumentError: they are none.
    """
    library = type(rows).__module__.partition(".")[0]
    if library == "polars" and hasattr(rows, "collect"):
        rows = rows.collect()
    if library in ("pandas", "polars") and hasattr(rows, "columns"):
        return PandasTable(rows) if library == "pandas" else PolarsTable(rows)
    if isinstance(rows, Mapping):
        length = {len(column) for column in rows.values()}
        if len(length) > 1:
            raise ArgumentError(
                "checks(rows)", f"columns of {sorted(length)} values", "columns of one length"
            )
        return Rows([dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)])
    if (
        isinstance(rows, Sequence)
        and not isinstance(rows, str | bytes)
        and all(isinstance(row, Mapping) for row in rows)
    ):
        return Rows(rows)
    raise ArgumentError("checks(rows)", type(rows).__qualname__, VALID)


def _is_null(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except Exception:  # a value that refuses to be compared is one
        return False


class Rows:
    """A list of dicts."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows

    def rows(self) -> int:
        """See :class:`Table`."""
        return len(self._rows)

    def _known(self, column: str) -> list[Any]:
        if self._rows and not any(column in row for row in self._rows):
            known = {name for row in self._rows[:100] for name in row}
            raise ArgumentError("column", column, ", ".join(sorted(map(text, known))), map(text, known))
        return [row[column] for row in self._rows if column in row and not _is_null(row[column])]

    def nulls(self, column: str) -> int:
        """See :class:`Table`."""
        return len(self._rows) - len(self._known(column))

    def duplicates(self, columns: Sequence[str]) -> int:
        """See :class:`Table`."""
        for column in columns:
            self._known(column)
        names = list(columns) or list({name: None for row in self._rows for name in row})
        return len(self._rows) - len({tuple(_key(row.get(name)) for name in names) for row in self._rows})

    def outside(self, column: str, low: Any, high: Any) -> int:
        """See :class:`Table`."""
        values = self._known(column)
        return sum(_is_outside(value, low, high) for value in values)

    def newest(self, column: str) -> Any:
        """See :class:`Table`."""
        return _newest(self._known(column))


def _is_outside(value: Any, low: Any, high: Any) -> bool:
    """Whether it is beyond a limit; what cannot be compared is within none."""
    try:
        return bool((low is not None and value < low) or (high is not None and value > high))
    except Exception:  # a text among numbers, a signalling NaN, whatever a stranger's type does
        return True


def _newest(values: Sequence[Any]) -> Any:
    """The greatest of them; None where they cannot be compared, which no limit lets pass."""
    try:
        return max(values, default=None)
    except Exception:
        return None


def _key(value: Any) -> Any:
    """A value that can be looked up: the value itself, or its text."""
    try:
        hash(value)
    except Exception:  # a list, or a signalling NaN
        return text(value)
    return value


class PandasTable:
    """A DataFrame of pandas."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def _column(self, column: str) -> Any:
        if column not in self._frame.columns:
            known = list(map(str, self._frame.columns))
            raise ArgumentError("column", column, ", ".join(known), known)
        return self._frame[column]

    def rows(self) -> int:
        """See :class:`Table`."""
        return len(self._frame)

    def nulls(self, column: str) -> int:
        """See :class:`Table`."""
        return int(self._column(column).isna().sum())

    def duplicates(self, columns: Sequence[str]) -> int:
        """See :class:`Table`."""
        for column in columns:
            self._column(column)
        return int(self._frame.duplicated(subset=list(columns) or None).sum())

    def outside(self, column: str, low: Any, high: Any) -> int:
        """See :class:`Table`."""
        return _outside(self._column(column).dropna(), low, high)

    def newest(self, column: str) -> Any:
        """See :class:`Table`."""
        values = self._column(column).dropna()
        if values.dtype == object:
            return _plain(_newest(values))
        return _plain(values.max()) if len(values) else None


class PolarsTable:
    """A DataFrame of polars."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def _column(self, column: str) -> Any:
        if column not in self._frame.columns:
            known = list(self._frame.columns)
            raise ArgumentError("column", column, ", ".join(known), known)
        values = self._frame[column]
        return values.fill_nan(None) if values.dtype.is_float() else values

    def rows(self) -> int:
        """See :class:`Table`."""
        return int(self._frame.height)

    def nulls(self, column: str) -> int:
        """See :class:`Table`."""
        return int(self._column(column).null_count())

    def duplicates(self, columns: Sequence[str]) -> int:
        """See :class:`Table`."""
        for column in columns:
            self._column(column)
        return int(self._frame.height - self._frame.n_unique(subset=list(columns) or None))

    def outside(self, column: str, low: Any, high: Any) -> int:
        """See :class:`Table`."""
        return _outside(self._column(column).drop_nulls(), low, high)

    def newest(self, column: str) -> Any:
        """See :class:`Table`."""
        return self._column(column).max()


def _outside(values: Any, low: Any, high: Any) -> int:
    """How many of a column are beyond a limit. It counts by itself where all of it can be compared."""
    try:
        below = 0 if low is None else int((values < low).sum())
        return below + (0 if high is None else int((values > high).sum()))
    except Exception:  # they are of another kind than the limits, or one of them is
        return sum(_is_outside(value, low, high) for value in values)


def _plain(value: Any) -> Any:
    return value.to_pydatetime() if hasattr(value, "to_pydatetime") else value
