"""What was said: body text and attributes out of a template and its arguments, or out of an event that is no string."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_kit import semconv
from otel_kit.signals.logs.values import is_a, text, true

BODY_KEYS = ("event", "message", "msg")


def formatted(template: str, arguments: Any) -> tuple[str, dict[str, Any]]:
    """The text of ``template % arguments`` and the template as an attribute, so that equal messages can be grouped.

    Arguments are as in ``logging``: several, or one mapping for ``%(name)s``. Where they do not fit, the text says so and
    they are kept as an attribute.
    """
    if isinstance(arguments, tuple) and len(arguments) == 1 and isinstance(arguments[0], Mapping):
        arguments = arguments[0] or arguments
    try:
        return template % arguments, {semconv.LOG_TEMPLATE: template}
    except Exception as error:
        return misfit(template, arguments, error)


def misfit(template: str, arguments: Any, error: Exception) -> tuple[str, dict[str, Any]]:
    """The text and attributes of a message whose arguments do not fit its template."""
    body = f"{template} [arguments {text(arguments)} do not fit: {text(error)}]"
    return body, {semconv.LOG_TEMPLATE: template, semconv.LOG_ARGUMENTS: arguments}


def said(event: object) -> tuple[str, dict[str, Any]]:
    """The text of an event that is no string, and the attributes that it holds: those of a dict are its items."""
    if not is_a(event, Mapping):
        return text(event), {}
    try:
        attributes: dict[Any, Any] = dict(event)  # type: ignore[call-overload]
    except Exception:  # a mapping that cannot be read
        return text(event), {}
    for key in BODY_KEYS:
        if isinstance(attributes.get(key), str):
            return attributes.pop(key), attributes
    return text(event), attributes


def exception_of(exc_info: object, current: BaseException | None) -> BaseException | None:
    """The exception instance behind ``exc_info=``: an instance, a tuple of three, or the current one for any other truth."""
    if isinstance(exc_info, tuple) and len(exc_info) == 3:
        exc_info = exc_info[1]
        return exc_info if isinstance(exc_info, BaseException) else None
    if isinstance(exc_info, BaseException):
        return exc_info
    return current if true(exc_info) else None
