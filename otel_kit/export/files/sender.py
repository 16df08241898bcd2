"""The far side of the queue for log files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from otel_kit.export.files.archive import Archive, Keeping
from otel_kit.export.files.layout import DAY, Layout
from otel_kit.export.files.lines import as_json_line, as_text_line
from otel_kit.export.files.logfile import Directory, OpenFile
from otel_kit.export.outcome import DELIVERED, UNENCODABLE, Outcome

TEND_EVERY = 3600.0  # seconds, so that age and size are seen to also where nothing is rotated


class _Batch(NamedTuple):
    """What goes into one file.

    Attributes:
        items: the records.
        lines: one for each; those that are written are taken away.
    """

    items: list[Any]
    lines: list[bytes]

    def without(self, written: Sequence[Any]) -> _Batch:
        """What is not in the file yet."""
        before = set(map(id, written))
        todo = [number for number, item in enumerate(self.items) if id(item) not in before]
        return _Batch([self.items[number] for number in todo], [self.lines[number] for number in todo])


class FileSender:
    """Writes log records into the files of a layout.

    Args:
        directory: where they are; made if need be.
        layout: which files, and what goes into them.
        most_bytes: the size from which on a file is rotated; 0 for never.
        keeping: what is kept of what was rotated away.
    """

    encoding = False

    def __init__(self, directory: str, layout: Layout, most_bytes: int, keeping: Keeping) -> None:
        self._directory = Directory(directory)
        self._layout, self._most_bytes = layout, most_bytes
        self._archive = Archive(Path(directory), keeping, layout)
        self._open: dict[Path, OpenFile] = {}
        self._tended = float("-inf")
        # What is in a file already, when the disk became full between two files: the next attempt has it again.
        self._written: dict[Path, list[Any]] = {}

    def send(self, items: Sequence[Any], timeout: float) -> Outcome:
        """Append the records to their files. Where that fails all are to be sent again; a file that has some of them
        already does not get these twice.
        """
        by_path, dropped = self._sorted(items)
        try:
            with self._directory.locked():
                rotated = [self._append(path, lines) for path, lines in by_path.items()]
        except OSError as error:
            # Like a port where nobody listens: a flush need not wait for the next attempt.
            return Outcome(retry=True, refused=True, trouble=error.strerror or type(error).__name__)
        self._written.clear()
        self._see_to_old_files(any(rotated))
        return Outcome({UNENCODABLE: dropped}, trouble="a record that has no text") if dropped else DELIVERED

    def _sorted(self, items: Sequence[Any]) -> tuple[dict[Path, _Batch], int]:
        """The records and lines for each file, and how many records could not be made into any."""
        batches, dropped = [_Batch([], []) for _ in self._layout.files], 0
        takers_of = self._layout.takers
        for item in items:
            try:
                record, scope = item.log_record, item.instrumentation_scope
                severity = record.severity_number.value if record.severity_number else 0
                takers = takers_of(severity, scope.name if scope else "", record.event_name)
                # Made once for all files of a kind.
                text = as_text_line(item) if takers.text else b""
                json = as_json_line(item) if takers.json else b""
            except Exception:
                dropped += 1
                continue
            for number in takers.text:
                batches[number].items.append(item)
                batches[number].lines.append(text)
            for number in takers.json:
                batches[number].items.append(item)
                batches[number].lines.append(json)
        day, path = time.strftime("%Y-%m-%d"), self._directory.path
        found = zip(self._layout.files, batches, strict=True)
        return {path / file.path.replace(DAY, day): batch for file, batch in found if batch.items}, dropped

    def _append(self, path: Path, batch: _Batch) -> bool:
        if path not in self._open:
            self._open[path] = OpenFile(path, self._most_bytes, daily=DAY not in path.name)
        written = self._written.setdefault(path, [])
        items, lines = batch.without(written) if written else batch
        many = len(lines)
        try:
            return self._open[path].append(lines)
        finally:
            written += items[: many - len(lines)]

    def _see_to_old_files(self, rotated: bool) -> None:
        if rotated or time.monotonic() - self._tended > TEND_EVERY:
            self._tended = time.monotonic()
            self._close_other_days()
            self._archive.tend()

    def _close_other_days(self) -> None:
        for path in [path for path in self._open if not path.exists()]:
            self._open.pop(path).close()

    def renew(self) -> None:
        """In a forked child: the files are opened anew, so that no lock is shared."""
        self.close()
        self._written.clear()
        self._archive.renew()

    def close(self) -> None:
        """Close all files; a later delivery opens them again."""
        for file in self._open.values():
            file.close()
        self._open.clear()
        self._directory.close()
