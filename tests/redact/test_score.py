"""The corpus: recall, false positives, harmless context kept, on seeds that the score page does not use."""

from __future__ import annotations

import pytest

from otel_kit.pipeline.redact import Rules
from tests.corpus import benign_dev, held_out, secrets_dev
from tests.corpus.__main__ import DEVELOPED, HELD_OUT
from tests.corpus.score import Tally, rows, score, total

EACH = 2


def failures(tallies: dict[str, Tally]) -> str:
    return "\n".join(f"{kind}: {example}" for kind, tally in tallies.items() for example in tally.examples)


@pytest.mark.parametrize(("name", "kinds"), [("developed", DEVELOPED), ("held out", HELD_OUT)])
def test_secrets_stay_home_and_the_rest_survives(name: str, kinds: dict[str, object]) -> None:
    """With the default rules secrets leave, or harmless values are changed, more often than is promised."""
    tallies = score(rows(kinds, 4711, EACH), Rules())  # type: ignore[arg-type]
    whole = total(tallies.values())
    assert whole.recall >= 0.98, failures(tallies)
    assert whole.false_positives <= 0.005, failures(tallies)
    assert whole.context >= 0.95, failures(tallies)


def test_personal_data_stays_home_when_asked() -> None:
    """With secrets+personal, personal data leaves more often than is promised."""
    personal = {**secrets_dev.PERSONAL, **held_out.PERSONAL}
    tallies = score(rows(personal, 4711, 10, personal=True), Rules(mode="secrets+personal"))
    assert total(tallies.values()).recall >= 0.97, failures(tallies)


def test_personal_data_is_left_alone_by_default() -> None:
    """The default rules change a mail address or a phone number."""
    tallies = score(rows(benign_dev.PERSONAL, 4711, 10), Rules())
    assert total(tallies.values()).false_positives == 0, failures(tallies)


def test_no_kind_is_lost_as_a_whole() -> None:
    """There is a kind of secret that the rules find in no row."""
    tallies = score(rows({**DEVELOPED, **HELD_OUT}, 4711, EACH), Rules())
    assert [kind for kind, tally in tallies.items() if tally.secrets and not tally.found] == []


def test_redacting_again_changes_nothing() -> None:
    """What was redacted is redacted again, for instance by the collector's side of the same rules."""
    from otel_kit.pipeline.redact import Redactor
    from tests.corpus.score import redacted

    redactor, twice = Redactor(), []
    for row in rows({**secrets_dev.KINDS, **held_out.KINDS}, 99, 1):
        if row.where == "body":
            once = redacted(redactor, row)
            if redactor.text(once) != once:
                twice.append((row.kind, once, redactor.text(once)))
    assert len(twice) <= 2, twice
