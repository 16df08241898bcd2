"""Events of security: who logged in, what was refused, who saw which data, whose rights changed.

Each is one log record and one count in ``otel_kit.security.events``. Event names are those of OWASP's logging vocabulary
(https://cheatsheetseries.owasp.org/cheatsheets/Logging_Vocabulary_Cheat_Sheet.html) where it has one. Nothing here raises but
for a wrong outcome or action. Give ids, never the passwords or tokens themselves.

A user or an address that fails again and again is told of by one record, ``authn_login_fail_max`` for logins: from the fifth
failure within five minutes on, failures of that user or address have no record of their own; they are counted, and the
record comes again once a window for as long as it goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from opentelemetry.metrics import Counter, get_meter_provider

from otel_kit import _guard, semconv
from otel_kit.context.ids import attributes as ids_here
from otel_kit.errors import ArgumentError
from otel_kit.signals.logs.levels import ERROR, INFO, WARNING
from otel_kit.signals.logs.values import is_a, plain, text, true
from otel_kit.toolkit.trust.event import tell, trust
from otel_kit.toolkit.trust.repeated import Failures, Repetition

SCOPE = "otel_kit.security"
Outcome = Literal["success", "failure"]
SUCCESS, FAILURE = "success", "failure"
DATA_ACTIONS = ("create", "read", "update", "delete")


class _State:
    failures = Failures(after=5, within=300.0)


def repeated_failures(*, after: int = 5, within: float = 300.0) -> None:
    """Say when failures are a repetition. Begins to count anew.

    Args:
        after: how many failures of one user or one address.
        within: seconds in which they come.

    Raises:
        ArgumentError: a number is not above 0.
    """
    if not isinstance(after, int) or after < 1:
        raise ArgumentError("after", after, "a whole number, 1 or more")
    if not isinstance(within, int | float) or not within > 0:
        raise ArgumentError("within", within, "seconds, more than 0")
    _State.failures = Failures(after, within)


def authentication(
    outcome: Outcome,
    user: object = None,
    *,
    method: str | None = None,
    address: str | None = None,
    reason: object = None,
) -> None:
    """Somebody tried to log in. Emits ``authn_login_success``, ``authn_login_successafterfail`` or ``authn_login_fail``.

    Args:
        outcome: ``success`` or ``failure``.
        user: the id that was tried; None for the user whose id is bound here. As in all functions here.
        method: such as ``password``, ``passkey`` or ``oidc``.
        address: the client's address.
        reason: why it failed, such as ``wrong password``.

    Raises:
        ArgumentError: the outcome is none.
    """
    failed = _failed(outcome)
    facts = {semconv.SECURITY_METHOD: method}
    name = semconv.EVENT_AUTHN_LOGIN_FAIL if failed else semconv.EVENT_AUTHN_LOGIN_SUCCESS
    if trust.on:
        _event(name, "login", outcome, user, address, reason, facts, repeats=True)


def authorization(
    outcome: Outcome,
    user: object = None,
    *,
    action: str | None = None,
    resource: object = None,
    address: str | None = None,
    reason: object = None,
) -> None:
    """Somebody asked for leave to do something. Emits ``authz_fail`` or ``otel_kit.security.authorized``.

    Args:
        outcome: ``success`` where it was allowed, ``failure`` where not.
        user: as for :func:`authentication`.
        action: what was to be done.
        resource: to what.
        address: the client's address.
        reason: why, such as the missing role.

    Raises:
        ArgumentError: the outcome is none.
    """
    failed = _failed(outcome)
    facts = {semconv.SECURITY_ACTION: action, semconv.SECURITY_RESOURCE: _text(resource)}
    name = semconv.EVENT_AUTHZ_FAIL if failed else semconv.EVENT_SECURITY_AUTHORIZED
    if trust.on:
        _event(name, "authorization", outcome, user, address, reason, facts, repeats=True)


def data_access(
    resource: object,
    user: object = None,
    *,
    action: str = "read",
    outcome: Outcome = "success",
    records: int | None = None,
    address: str | None = None,
    reason: object = None,
) -> None:
    """Somebody saw or changed data that is worth protecting. Emits ``sensitive_read``, ``_create``, ``_update`` or ``_delete``.

    Args:
        resource: which data, such as ``patient/7``.
        user: as for :func:`authentication`.
        action: ``create``, ``read``, ``update`` or ``delete``.
        outcome: whether it came to that.
        records: how many records it were.
        address: the client's address.
        reason: what for, or why not.

    Raises:
        ArgumentError: the outcome or the action is none.
    """
    _failed(outcome)
    if not is_a(action, str) or action not in DATA_ACTIONS:
        raise ArgumentError("action", action, ", ".join(DATA_ACTIONS))
    facts = {semconv.SECURITY_RESOURCE: _text(resource), semconv.SECURITY_RECORDS: records}
    if trust.on:
        _event(
            semconv.EVENT_SENSITIVE + action,
            f"{action} {text(resource)}",
            outcome,
            user,
            address,
            reason,
            facts,
            repeats=True,
        )


def data_export(
    resource: object,
    user: object = None,
    *,
    destination: object = None,
    outcome: Outcome = "success",
    records: int | None = None,
    address: str | None = None,
    reason: object = None,
) -> None:
    """Data left the system. Emits ``otel_kit.security.data_exported``.

    Args:
        resource: which data.
        user: as for :func:`authentication`.
        destination: where to.
        outcome: whether it came to that.
        records: how many records it were.
        address: the client's address.
        reason: what for, or why not.

    Raises:
        ArgumentError: the outcome is none.
    """
    _failed(outcome)
    facts = {
        semconv.SECURITY_RESOURCE: _text(resource),
        semconv.SECURITY_DESTINATION: _text(destination),
        semconv.SECURITY_RECORDS: records,
    }
    name = semconv.EVENT_SECURITY_DATA_EXPORTED
    if trust.on:
        _event(name, f"export of {text(resource)}", outcome, user, address, reason, facts)


def password_changed(
    user: object = None,
    *,
    outcome: Outcome = "success",
    actor: object = None,
    address: str | None = None,
    reason: object = None,
) -> None:
    """A password was changed, or was to be. Emits ``authn_password_change`` or ``authn_password_change_fail``.

    Args:
        user: whose; as for :func:`authentication`.
        outcome: whether it came to that.
        actor: who did it, where that is somebody else.
        address: the client's address.
        reason: why, or why not.

    Raises:
        ArgumentError: the outcome is none.
    """
    failed = _failed(outcome)
    name = semconv.EVENT_AUTHN_PASSWORD_CHANGE_FAIL if failed else semconv.EVENT_AUTHN_PASSWORD_CHANGE
    if trust.on:
        facts = {semconv.SECURITY_ACTOR: _text(actor)}
        _event(name, "password change", outcome, user, address, reason, facts, repeats=True)


def token_issued(
    user: object = None,
    *,
    token_id: object = None,
    scopes: Sequence[str] | None = None,
    address: str | None = None,
    reason: object = None,
) -> None:
    """A token or key was made for somebody. Emits ``authn_token_created``.

    Args:
        user: whose it is; as for :func:`authentication`.
        token_id: its id, never the token.
        scopes: what it allows.
        address: the client's address.
        reason: what for.
    """
    if trust.on:
        facts = {
            semconv.SECURITY_TOKEN_ID: _text(token_id),
            semconv.SECURITY_SCOPES: _texts(scopes),
        }
        _event(semconv.EVENT_AUTHN_TOKEN_CREATED, "token issued", SUCCESS, user, address, reason, facts)


def token_revoked(
    user: object = None, *, token_id: object = None, address: str | None = None, reason: object = None
) -> None:
    """A token or key was taken back. Emits ``authn_token_revoked``.

    Args:
        user: whose it was; as for :func:`authentication`.
        token_id: its id, never the token.
        address: the client's address.
        reason: why.
    """
    if trust.on:
        facts = {semconv.SECURITY_TOKEN_ID: _text(token_id)}
        _event(semconv.EVENT_AUTHN_TOKEN_REVOKED, "token revoked", SUCCESS, user, address, reason, facts)


def privilege_changed(
    user: object = None,
    *,
    before: object = None,
    after: object = None,
    resource: object = None,
    actor: object = None,
    address: str | None = None,
    reason: object = None,
) -> None:
    """Somebody's rights changed. Emits ``privilege_permissions_changed``.

    Args:
        user: whose; as for :func:`authentication`.
        before: the role or rights from before.
        after: those from now on.
        resource: to what, where that is not everything.
        actor: who did it.
        address: the client's address.
        reason: why.
    """
    if trust.on:
        facts = {
            semconv.SECURITY_BEFORE: before,
            semconv.SECURITY_AFTER: after,
            semconv.SECURITY_RESOURCE: _text(resource),
            semconv.SECURITY_ACTOR: _text(actor),
        }
        name = semconv.EVENT_PRIVILEGE_PERMISSIONS_CHANGED
        _event(name, "privilege change", SUCCESS, user, address, reason, facts, level=WARNING)


def session_started(user: object = None, *, session_id: object = None, address: str | None = None) -> None:
    """A session began. Emits ``session_created``.

    Args:
        user: whose; as for :func:`authentication`.
        session_id: its id.
        address: the client's address.
    """
    if trust.on:
        facts = {semconv.SESSION_ID: _text(session_id)}
        _event(semconv.EVENT_SESSION_CREATED, "session started", SUCCESS, user, address, None, facts)


def session_ended(
    user: object = None,
    *,
    session_id: object = None,
    expired: bool = False,
    address: str | None = None,
    reason: object = None,
) -> None:
    """A session ended. Emits ``session_expired``, or ``otel_kit.security.session_ended`` for any other end.

    Args:
        user: whose; as for :func:`authentication`.
        session_id: its id.
        expired: whether its time was over.
        address: the client's address.
        reason: why, such as ``logout``.
    """
    if trust.on:
        name = semconv.EVENT_SESSION_EXPIRED if true(expired) else semconv.EVENT_SECURITY_SESSION_ENDED
        facts = {semconv.SESSION_ID: _text(session_id)}
        _event(name, "session ended", SUCCESS, user, address, reason, facts)


def _failed(outcome: str) -> bool:
    if not is_a(outcome, str) or outcome not in (SUCCESS, FAILURE):
        raise ArgumentError("outcome", outcome, "success or failure")
    return outcome == FAILURE


def _text(value: object) -> str | None:
    return None if value is None else text(value)


def _texts(values: object) -> list[str] | None:
    found = plain(values)
    several = found if is_a(found, list) else [] if found is None else [found]
    return [text(each) for each in several] or None


def _event(
    name: str,
    what: str,
    outcome: str,
    user: object,
    address: str | None,
    reason: object,
    facts: dict[str, Any],
    *,
    level: int = INFO,
    repeats: bool = False,
) -> None:
    try:
        given = ids_here().get(semconv.USER_ID) if user is None else user
        who, where = _text(given), _text(address)
        _counter(get_meter_provider()).add(
            1, {semconv.SECURITY_EVENT: name, semconv.SECURITY_OUTCOME: outcome}
        )
        common = {semconv.USER_ID: who, semconv.CLIENT_ADDRESS: where}
        if outcome == FAILURE and repeats and _repeated(name, what, common):
            return
        if name == semconv.EVENT_AUTHN_LOGIN_SUCCESS and (before := _failures_before(who)):
            name, facts = (
                semconv.EVENT_AUTHN_LOGIN_SUCCESS_AFTER_FAIL,
                {**facts, semconv.SECURITY_FAILURES: before},
            )
        told = {
            **common,
            semconv.SECURITY_OUTCOME: outcome,
            semconv.SECURITY_REASON: _text(reason),
            **facts,
        }
        why = "" if reason is None else f": {text(reason)}"
        body = (f"{what} failed" if outcome == FAILURE else what) + _of(who) + why
        tell(SCOPE, WARNING if outcome == FAILURE else level, name, body, told)
    except Exception as error:
        _guard.contained("trust.security", error)


def _of(who: str | None) -> str:
    return "" if who is None else f", user {who}"


def _failures_before(who: str | None) -> int:
    return (
        0
        if who is None
        else _State.failures.succeeded(_key(semconv.EVENT_AUTHN_LOGIN_FAIL, semconv.USER_ID), who)
    )


def _key(name: str, by: str) -> str:
    return f"{name} {by}"


def _repeated(name: str, what: str, common: dict[str, Any]) -> bool:
    """Count a failure by user and by address; whether either has failed so often that its record would say nothing new."""
    known, told = False, {}
    for by, other in ((semconv.USER_ID, semconv.CLIENT_ADDRESS), (semconv.CLIENT_ADDRESS, semconv.USER_ID)):
        if common[by] is not None:
            one_of_many, found = _State.failures.failed(_key(name, by), common[by], common[other] or "")
            known = known or one_of_many
            if found is not None:
                told[by] = found
    if told:
        _tell_repeated(name, what, {by: common[by] for by in told}, told)
    return known


def _within(seconds: float) -> str:
    return f"in {seconds:.0f} s" if seconds >= 1 else "within a second"


def _tell_repeated(name: str, what: str, who: dict[str, str], told: dict[str, Repetition]) -> None:
    most = max(told.values(), key=lambda each: each.failures)
    subjects = [f"{'user' if by == semconv.USER_ID else 'address'} {value}" for by, value in who.items()]
    body = f"{what} failed {most.failures} times {_within(most.seconds)}, {', '.join(subjects)}"
    if most.others > 1:
        body += f", {most.others} {'addresses' if told.get(semconv.USER_ID) is most else 'users'}"
    facts = {
        **who,
        semconv.SECURITY_EVENT: name,
        semconv.SECURITY_OUTCOME: FAILURE,
        semconv.SECURITY_FAILURES: most.failures,
        semconv.SECURITY_WINDOW: _State.failures.within,
    }
    of_login = name == semconv.EVENT_AUTHN_LOGIN_FAIL
    event_name = semconv.EVENT_AUTHN_LOGIN_FAIL_MAX if of_login else semconv.EVENT_SECURITY_REPEATED_FAILURES
    tell(SCOPE, ERROR, event_name, body, facts)


@lru_cache(maxsize=1)
def _counter(provider: Any) -> Counter:
    made: Counter = provider.get_meter(SCOPE).create_counter(
        semconv.METRIC_SECURITY_EVENTS, "{event}", "Events of security, by event and outcome."
    )
    return made
