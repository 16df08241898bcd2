"""Every exception that otel_kit raises into a program: at set-up time, and where the program asked for it.

::

    OtelKitError
    ├── SettingError        also a ValueError: a setting has a value that it cannot have
    ├── UnknownSettingError also a TypeError: no setting has that name
    ├── ArgumentError       also a ValueError: a helper was given what it cannot take
    ├── MissingExtraError   also an ImportError: a feature needs a library that is not installed
    ├── AuditError          also an OSError: an entry of the audit trail could not be written
    ├── CheckError          also a ValueError: data failed a check that was to raise
    └── JobError            also a RuntimeError: a batch cannot begin, or ends because an item failed
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

LONGEST = 500  # characters of a value in a message


class OtelKitError(Exception):
    """The base of all errors of otel_kit."""


class SettingError(OtelKitError, ValueError):
    """A setting has a value that it cannot have.

    Args:
        setting: the setting's name as a keyword argument, such as ``console``.
        source: where the value was found, such as ``argument``, ``OTEL_KIT_CONSOLE`` or ``pyproject.toml``.
        given: the value.
        valid: what would be valid, as words: ``auto, pretty, json or off``.
        used: the value that is used instead, where one is.
        hint: what may have been meant, as words.
    """

    def __init__(
        self, setting: str, source: str, given: object, valid: str, used: object = None, hint: str = ""
    ) -> None:
        rest = (f"; {hint}" if hint else "") + ("" if used is None else f"; using {used!r}")
        super().__init__(f"{setting} (from {source}) is {_shown(given)}; valid: {valid}{rest}")
        self.setting, self.source, self.given, self.valid, self.used = setting, source, given, valid, used
        self._hint = hint

    def raised(self) -> SettingError:
        """The same where nothing is used instead, because it is raised."""
        return SettingError(self.setting, self.source, self.given, self.valid, hint=self._hint)


class UnknownSettingError(OtelKitError, TypeError):
    """No setting has that name; the message suggests the nearest one.

    Args:
        setting: the name that was given.
        source: where it was found.
        known: all valid names.
    """

    def __init__(self, setting: str, source: str, known: Iterable[str]) -> None:
        from difflib import get_close_matches  # only here: a program without mistakes need not load it

        names = sorted(known)
        near = get_close_matches(setting, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"valid: {', '.join(names)}"
        super().__init__(f"no setting is named {setting!r} (from {source}); {hint}")
        self.setting, self.source = setting, source


class ArgumentError(OtelKitError, ValueError):
    """A helper was given what it cannot take.

    Args:
        argument: what it is called, such as ``cost(amount)``.
        given: the value.
        valid: what would be valid, as words.
        known: where it must be one of certain names, these; the message suggests the nearest one.
    """

    def __init__(self, argument: str, given: object, valid: str, known: Iterable[str] = ()) -> None:
        from difflib import get_close_matches  # only here: a program without mistakes need not load it

        near = get_close_matches(_text(given), sorted(known), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        super().__init__(f"{argument} is {_shown(given)}; valid: {valid}{hint}"[:2000])
        self.argument, self.given, self.valid = argument, given, valid


class MissingExtraError(OtelKitError, ImportError):
    """A feature needs a library that is not installed.

    Args:
        library: the import name of the library.
        extra: the extra of otel-kit that installs it.
    """

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed; run: pip install 'otel-kit[{extra}]'", name=library)


class AuditError(OtelKitError, OSError):
    """An entry of the audit trail could not be written, so what it tells is not on record.

    Args:
        path: the trail's file.
        reason: what went wrong.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"the audit trail {path} cannot be written: {reason}")
        self.path, self.reason = path, reason


class CheckError(OtelKitError, ValueError):
    """Data failed a check that was to raise.

    Args:
        sentences: what failed, a sentence each.
    """

    def __init__(self, sentences: Iterable[str]) -> None:
        self.sentences = tuple(sentences)
        super().__init__("; ".join(self.sentences))


class JobError(OtelKitError, RuntimeError):
    """A batch cannot begin, or it ends because an item failed and that was to end it.

    Args:
        message: what is wrong.
        result: what the batch had done until then, where it had begun.
    """

    def __init__(self, message: str, result: object = None) -> None:
        super().__init__(message)
        self.result = result


def _shown(value: object, show: Callable[[object], str] = repr) -> str:
    """A value in a message. A message is made whatever its value does when it is shown."""
    try:
        return show(value)[:LONGEST]
    except Exception as error:
        return f"<{type(value).__name__}: showing it raised {type(error).__name__}>"


def _text(value: object) -> str:
    return _shown(value, str)
