"""The run that this process is in. Set-up registers what has the resource name it."""

from __future__ import annotations

from collections.abc import Callable

from otel_kit import _guard


class Within:
    """The run.

    Attributes:
        run: the id of the innermost run that is open, or of the one that started the process; None for none, or unknown.
        follow: called when it becomes another one.
    """

    run: str | None = None
    follow: Callable[[], object] = staticmethod(lambda: None)

    def now(self, run: str | None) -> None:
        """From now on the process is in that run, or in none."""
        self.run = run
        try:
            self.follow()
        except Exception as error:
            _guard.contained("context.within", error)


within = Within()
