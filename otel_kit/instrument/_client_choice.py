"""How calls of this program to other services are watched: one choice for all HTTP clients, made by the settings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field


def _pattern(parts: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{part})" for part in parts) or r"(?!)", re.IGNORECASE)


def _globs(hosts: tuple[str, ...]) -> Iterable[str]:
    return (re.escape(host).replace(r"\*", ".*") for host in hosts)


@dataclass(frozen=True)
class Client:
    """What is sent along and recorded besides the call itself.

    Args:
        propagate_to: hosts that are sent the trace and the ids: ``api.example.com``, ``*.example.com``,
            ``localhost:8080``; ``*`` stands for any characters, so ``*`` alone for every host.
        request_headers, response_headers: regular expressions; headers whose whole name matches are recorded.
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
        object.__setattr__(self, "_hosts", _pattern(_globs(self.propagate_to)))
        object.__setattr__(self, "_request", _pattern(self.request_headers))
        object.__setattr__(self, "_response", _pattern(self.response_headers))

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
