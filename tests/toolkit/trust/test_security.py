"""Events of security: typed, counted, and a flood of failures in one record."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import otel_kit
from otel_kit import security
from otel_kit.testing import capture
from otel_kit.toolkit.trust import repeated


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Failures of one test are not counted in the next."""
    security.repeated_failures()
    yield
    security.repeated_failures()


EVENTS = {
    "authn_login_success": lambda: security.authentication("success", "ann", method="passkey"),
    "authn_login_fail": lambda: security.authentication("failure", "ann", reason="wrong password"),
    "otel_kit.security.authorized": lambda: security.authorization("success", "ann", action="read", resource="x"),
    "authz_fail": lambda: security.authorization("failure", "ann", action="refund", resource="order/7"),
    "sensitive_read": lambda: security.data_access("patient/7", "ann"),
    "sensitive_delete": lambda: security.data_access("patient/7", "ann", action="delete", records=1),
    "otel_kit.security.data_exported": lambda: security.data_export("orders", "ann", destination="s3", records=9),
    "authn_password_change": lambda: security.password_changed("ann"),
    "authn_password_change_fail": lambda: security.password_changed("ann", outcome="failure", reason="too short"),
    "authn_token_created": lambda: security.token_issued("ann", token_id="t-1", scopes=["read"]),
    "authn_token_revoked": lambda: security.token_revoked("ann", token_id="t-1", reason="lost"),
    "privilege_permissions_changed": lambda: security.privilege_changed("ann", before="user", after="admin", actor="eve"),
    "session_created": lambda: security.session_started("ann", session_id="s-1"),
    "session_expired": lambda: security.session_ended("ann", session_id="s-1", expired=True),
    "otel_kit.security.session_ended": lambda: security.session_ended("ann", reason="logout"),
}  # fmt: skip


@pytest.mark.parametrize("name", EVENTS)
def test_each_event_is_a_record_and_a_count(name: str) -> None:
    """An event has another name, no outcome, no user, no place in the program, or is not counted."""
    with capture() as captured:
        EVENTS[name]()
        [record] = captured.logs
        [point] = captured.metrics["otel_kit.security.events"].data.data_points
    assert record.event_name == name
    assert record.attributes["user.id"] == "ann"
    failed = "fail" in name
    outcome = "failure" if failed else "success"
    assert record.attributes["otel_kit.security.outcome"] == outcome
    assert record.attributes["code.file.path"] == __file__
    assert record.severity_text == ("WARN" if failed or "privilege" in name else "INFO")
    assert (point.value, dict(point.attributes)) == (
        1,
        {"otel_kit.security.event": name, "otel_kit.security.outcome": outcome},
    )


def test_nothing_is_emitted_while_the_part_is_off() -> None:
    """An event is emitted although telemetry or the part is off."""
    for event in EVENTS.values():
        event()
    with capture(disabled_toolkit=["trust"]) as captured:
        for event in EVENTS.values():
            event()
        assert captured.logs == []


def test_every_function_is_tried_here() -> None:
    """A function of this room has no test."""
    functions = {
        name for name, value in vars(security).items() if inspect.isfunction(value) and name[0] != "_"
    }
    tried = "\n".join(inspect.getsource(event) for event in EVENTS.values())
    ours = {name for name in functions if getattr(security, name).__module__ == security.__name__}
    assert {name for name in ours if f"security.{name}(" not in tried} == {"repeated_failures"}


def test_the_bound_user_is_meant_where_none_is_given() -> None:
    """An event without a user is not that of the user whose id is bound."""
    with capture() as captured, otel_kit.bind(user_id="bob"):
        security.data_access("patient/7")
        assert captured.logs[0].attributes["user.id"] == "bob"


def test_a_wrong_outcome_is_named() -> None:
    """A misspelt outcome or action is taken in silence."""
    with pytest.raises(otel_kit.OtelKitError, match=r"outcome is .ok.; valid: success or failure"):
        security.authentication("ok", "ann")  # type: ignore[arg-type]
    with pytest.raises(otel_kit.OtelKitError, match=r"action is .look.; valid: create, read"):
        security.data_access("x", action="look")
    with pytest.raises(otel_kit.OtelKitError, match="after"):
        security.repeated_failures(after=0)


def test_values_of_any_kind_do_not_raise() -> None:
    """A hostile user, resource or reason raises into the program."""

    class Bad:
        def __str__(self) -> str:
            raise ValueError

    with capture() as captured:
        security.authorization("failure", Bad(), resource=Bad(), reason=Bad())
        security.privilege_changed(7, before=Bad(), after=[Bad()])
        assert len(captured.logs) == 2


def names(captured: object) -> list[str]:
    return [record.event_name for record in captured.logs]  # type: ignore[attr-defined]


def test_repeated_failures_of_a_user_become_one_record() -> None:
    """A flood of failures is a flood of records, is not counted whole, or nobody is told how many there were."""
    with capture() as captured:
        for number in range(100):
            security.authentication("failure", "ann", address=f"10.0.0.{number}")
        assert names(captured) == ["authn_login_fail"] * 4 + ["authn_login_fail_max"]
        told = captured.logs[-1]
        assert told.attributes["user.id"] == "ann"
        assert told.attributes["otel_kit.security.failures"] == 5
        assert "user ann, 5 addresses" in told.body
        assert told.severity_text == "ERROR"
        security.authentication("success", "ann")
        after = captured.logs[-1]
        [failed, _] = captured.metrics["otel_kit.security.events"].data.data_points
    assert (after.event_name, after.attributes["otel_kit.security.failures"]) == (
        "authn_login_successafterfail",
        100,
    )
    assert failed.value == 100


def test_repeated_failures_from_an_address_become_one_record() -> None:
    """Somebody who tries one user after the other from one address is not told of."""
    with capture() as captured:
        for number in range(30):
            security.authentication("failure", f"user-{number}", address="10.0.0.7")
        assert names(captured) == ["authn_login_fail"] * 4 + ["authn_login_fail_max"]
        assert captured.logs[-1].attributes["client.address"] == "10.0.0.7"
        assert "address 10.0.0.7, 5 users" in captured.logs[-1].body


def test_a_user_at_one_address_is_told_of_once() -> None:
    """The same failures are told of twice, by their user and by their address."""
    with capture() as captured:
        for _ in range(9):
            security.authorization("failure", "ann", address="10.0.0.7")
        assert names(captured) == ["authz_fail"] * 4 + ["otel_kit.security.repeated_failures"]
        assert captured.logs[-1].attributes["client.address"] == "10.0.0.7"
        assert captured.logs[-1].attributes["user.id"] == "ann"


def test_it_is_told_again_once_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attack that goes on is told of once for ever, or with another count than its own."""
    now = [1000.0]
    monkeypatch.setattr(repeated.time, "monotonic", lambda: now[0])
    failures = repeated.Failures(after=3, within=10.0)
    told = []
    for _ in range(60):
        _, found = failures.failed("login", "ann", "")
        told.append(found.failures if found else 0)
        now[0] += 1.0
    assert [count for count in told if count] == [3, 10, 10, 10, 10, 10]
    now[0] += 20.0
    assert failures.failed("login", "ann", "") == (False, None), "after a pause it begins anew"


def test_slow_failures_are_no_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures that are further apart than the window are told of as a repetition."""
    now = [1000.0]
    monkeypatch.setattr(repeated.time, "monotonic", lambda: now[0])
    failures = repeated.Failures(after=3, within=10.0)
    for _ in range(20):
        assert failures.failed("login", "ann", "") == (False, None)
        now[0] += 6.0


def test_memory_is_bounded() -> None:
    """Each user who ever failed is kept."""
    failures = repeated.Failures(after=3, within=10.0)
    for number in range(repeated.MOST + 100):
        failures.failed("login", f"user-{number}", "")
    assert len(failures._runs) == repeated.MOST


def test_odd_values() -> None:
    """A value that is None, or that raises when it is looked at, raises out of an event or loses it."""

    class Odd:
        def __bool__(self) -> bool:
            raise RuntimeError("no truth")

        def __iter__(self) -> Iterator[str]:
            raise RuntimeError("no items")

    odd: Any = Odd()
    with capture() as seen:
        security.token_issued("ann", scopes=None)
        security.token_issued("ann", scopes=odd)
        security.token_issued("ann", scopes=("read", odd))
        security.session_ended("ann", expired=odd)
    assert [log.event_name for log in seen.logs] == ["authn_token_created"] * 3 + ["session_expired"]
