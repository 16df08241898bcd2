"""How calls of this program to other services are watched: one choice for all HTTP clients, made by the settings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    parts = (re.escape(name.lower()).replace(r"\*", ".*") for name in names)
    return re.compile("|".join(f"(?:{part})" for part in parts) or r"(?!)", re.IGNORECASE)


@dataclass(frozen=True)
class Client:
    """What is sent along and recorded besides the call itself.

    Args:
        propagate_to: hosts that are sent the trace and the ids: ``api.example.com``, ``*.example.com``,
            ``localhost:8080``; ``*`` stands for any characters, so ``*`` alone for every host.
        request_headers, response_headers: names of headers that are recorded; ``*`` stands for any characters.
    """

    propagate_to: tuple[str, ...] = ("*",)
    request_headers: tuple[str, ...] = ()
    response_headers: tuple[str, ...] = ()
    everywhere: bool = field(init=False, repr=False, compare=False, default=True)
    _hosts: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _request: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _response: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "everywhere", "*" in self.propagate_to)
        object.__setattr__(self, "_hosts", _pattern(self.propagate_to))
        for side in ("request", "response"):
            names = tuple(name.replace("_", "-") for name in getattr(self, f"{side}_headers"))
            object.__setattr__(self, f"_{side}", _pattern(names))

    def allows(self, address: str, port: int | None) -> bool:
        """Whether trace and ids may go to that host."""
        if self.everywhere:
            return True
        return bool(self._hosts.fullmatch(address) or self._hosts.fullmatch(f"{address}:{port}"))

    def records(self, side: str, name: str) -> bool:
        """Whether a header is recorded; ``side`` is ``request`` or ``response``."""
        return bool((self._request if side == "request" else self._response).fullmatch(name))


class _State:
    client = Client()


def current() -> Client:
    """The choice that holds now."""
    return _State.client


def use(client: Client) -> None:
    """Let another choice hold from the next call on."""
    _State.client = client
