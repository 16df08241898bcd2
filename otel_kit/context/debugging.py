"""What is recorded on request only, to find an error: set-up and the toolkit say so here, whoever can tell more looks here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from otel_kit import _guard
from otel_kit.context.reported import report_of

# Names of environments, in small letters, in which nobody debugs by accident, and in which somebody sits in front of it.
PRODUCTION = ("production", "prod", "live")
DEVELOPMENT = ("development", "dev", "local")


class Debugging:
    """What is wanted at the moment.

    Attributes:
        environment: the name of the deployment environment, in small letters; empty where it is not known.
        exception_locals: exceptions carry the local variables of their frames.
        sql: statements carry their parameters, and transactions are spans.
        body_bytes: so much of the bodies of requests and responses.
        tell_locals: gives an exception's local variables as attributes; registered by who knows how.
        begin: debugs these packages; registered by who knows how.
        end: undoes that.
    """

    environment = ""
    exception_locals = False
    sql = False
    body_bytes = 0
    tell_locals: Callable[[BaseException], Mapping[str, Any]] | None = None
    begin: Callable[[tuple[str, ...]], None] | None = None
    end: Callable[[], None] | None = None


debugging = Debugging()


def locals_of(exception: BaseException) -> Mapping[str, Any]:
    """The local variables of an exception's frames as attributes, where they are wanted and it was not told before."""
    tell = debugging.tell_locals
    if not debugging.exception_locals or tell is None or report_of(exception) is not None:
        return {}
    try:
        return tell(exception)
    except Exception as error:
        _guard.contained("exception_locals", error)
        return {}


def debug(packages: tuple[str, ...]) -> None:
    """Begin what the setting ``debug`` asks for. Never raises: it is an operator's setting."""
    if packages and debugging.begin is not None:
        try:
            debugging.begin(packages)
        except Exception as error:
            _guard.say(f"nothing is debugged: {error}")


def end_debugging() -> None:
    """Undo whatever is being debugged."""
    if debugging.end is not None:
        debugging.end()
