"""Kinds of rows, numbered as they are added: for the sets that were written in one go to be scored at first sight."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from tests.corpus import values as v
from tests.corpus.row import Make, Secret, benign, benign_key, filled, keyed


class Kinds:
    """A set of kinds.

    Args:
        prefix: in front of each name.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.made: dict[str, Make] = {}

    def text(
        self,
        template: str,
        secret: Secret = v.plain_password,
        context: str | None = None,
        where: str = "body",
        key: str = "url.full",
        part: Callable[[str], str] | None = None,
    ) -> None:
        """A text with a secret at ``{s}``."""
        self._add("text", filled(where, template, secret, context, key, part))

    def key(
        self,
        key: str,
        secret: Secret = v.password,
        where: str = "attr",
        wrap: Callable[[str], Any] | None = None,
        context: str | None = None,
    ) -> None:
        """A key with a secret as its value, or inside of it."""
        self._add(key, keyed(key, secret, where, wrap, context))

    def harmless(self, template: str, value: Secret | None = None) -> None:
        """A harmless text."""
        self._add("harmless", benign("url" if template.startswith("http") else "body", template, value))

    def harmless_key(self, key: str, value: Any) -> None:
        """A harmless key with its value."""
        where = "nested" if isinstance(value, dict | list) else "attr"
        self._add("harmless_" + key, benign_key(key, value, where))

    def _add(self, name: str, make: Make) -> None:
        self.made[f"{self._prefix}{len(self.made):03d}_{name}"] = make


def alnum(size: int) -> Secret:
    """Letters and digits."""
    return lambda rng: v.text(rng, v.ALNUM, size)


def lower(size: int) -> Secret:
    """Lower-case letters and digits."""
    return lambda rng: v.text(rng, v.LOWER, size)


def upper(size: int) -> Secret:
    """Upper-case letters and digits."""
    return lambda rng: v.text(rng, v.UPPER, size)


def hexes(size: int) -> Secret:
    """Hexadecimal digits."""
    return lambda rng: v.hexadecimal(rng, size)


def digits(size: int) -> Secret:
    """Decimal digits."""
    return lambda rng: v.digits(rng, size)


def base64_of(size: int) -> Secret:
    """Random bytes in base64."""
    return lambda rng: base64.b64encode(rng.randbytes(size)).decode()


def base32(size: int) -> Secret:
    """The alphabet of one-time-password seeds."""
    return lambda rng: v.text(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", size)


def issued(name: str) -> Secret:
    """A credential of a provider."""
    return lambda rng: v.provider(rng, name)


def prefixed(prefix: str, alphabet: str, size: int) -> Secret:
    """A prefix and random characters."""
    return lambda rng: prefix + v.text(rng, alphabet, size)


def strong(rng: v.Rng) -> str:
    """A chosen password with all kinds of characters."""
    return "Xk9!" + v.token(rng, 9)


def revision(rng: v.Rng) -> str:
    """A git revision."""
    return v.hexadecimal(rng, 40)


def short_revision(rng: v.Rng) -> str:
    """An abbreviated git revision."""
    return v.hexadecimal(rng, 7)


def ulid(rng: v.Rng) -> str:
    """A sortable id."""
    return "01" + v.text(rng, "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24)


def version(rng: v.Rng) -> str:
    """Three numbers."""
    return f"{rng.randrange(20)}.{rng.randrange(50)}.{rng.randrange(50)}"


def number(rng: v.Rng) -> str:
    """A number of six to nine digits."""
    return str(rng.randrange(10**5, 10**9))


def picture(rng: v.Rng) -> str:
    """The beginning of a PNG file in base64."""
    return base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + rng.randbytes(120)).decode()
