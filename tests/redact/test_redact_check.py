"""``otel-kit redact-check``: what it shows, and its exit status."""

# ruff: noqa: E501  (an example, or a line of a page, is a line)

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from otel_kit.cli import redact_check


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    redact_check.add(parser.add_subparsers())
    options = parser.parse_args(["redact-check", *arguments])
    status: int = options.run(options)
    return status


def test_lines_are_shown_as_they_would_leave(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A text line or a JSON line shows its secret, or not the rule that hid it."""
    file = tmp_path / "app.log"
    file.write_text('user=ann password=Hunter2x9Q\n{"token": "q7AbCdEfGhIjKlMn99", "n": 1}\nall is well\n')
    assert run(str(file)) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "user=ann password=[redacted:password]  # password"
    assert json.loads(second.partition("  # ")[0]) == {"token": "[redacted:token]", "n": 1}
    assert third == "all is well"


def test_a_corpus_is_scored_and_its_failures_are_the_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A corpus with a leak passes, or its score is wrong."""
    rows = [
        {"kind": "good", "where": "attr", "input": {"key": "password", "value": "Hunter2x9Q"}, "must_not_contain": "Hunter2x9Q"},
        {"kind": "bad", "where": "body", "input": "the word is Hunter2x9Q", "must_not_contain": "Hunter2x9Q"},
        {"kind": "fine", "where": "sql", "input": {"statement": "SELECT 1", "parameters": None}, "must_not_contain": None, "must_contain": "SELECT 1"},
    ]  # fmt: skip
    file = tmp_path / "corpus.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    assert run(str(file), "--score") == 1
    scores = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert scores["good"] == ["1", "100.0%", "–", "–"]
    assert scores["bad"] == ["1", "0.0%", "–", "–"]
    assert scores["all"] == ["3", "50.0%", "0.0%", "–"]
    assert run(str(file)) == 1
    assert "LEAK; bad" in capsys.readouterr().out


def test_a_missing_file_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there ends in a traceback."""
    assert run("/nowhere/at/all.log") == 2
    assert "all.log" in capsys.readouterr().err
