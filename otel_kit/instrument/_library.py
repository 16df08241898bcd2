"""The files of this folder are called like functions: ``otel_kit.instrument.flask(app)`` is ``flask.instrument(app)``."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from otel_kit.errors import MissingExtraError

# Of the libraries that our exporters use, too: those that the program itself has used.
used: set[str] = set()


class Library(ModuleType):
    """A file that serves one library. Calling it is calling its ``instrument``."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Turn the library on; see the file's ``instrument``.

        Raises:
            MissingExtraError: the library is not installed; the message has the pip line.
        """
        try:
            return self.instrument(*arguments, **options)
        except ModuleNotFoundError as error:
            library = self.__name__.rpartition(".")[2]
            if isinstance(error, MissingExtraError) or (error.name or "").partition(".")[0] != library:
                raise
            raise MissingExtraError(library, library) from error


def callable_file(module: ModuleType) -> Library:
    """Make the module of such a file callable."""
    if not isinstance(module, Library):
        module.__class__ = Library
    assert isinstance(module, Library)
    return module
