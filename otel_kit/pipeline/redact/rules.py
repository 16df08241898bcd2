"""What to redact, and what a user adds to it or takes out of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from otel_kit.errors import SettingError
from otel_kit.pipeline.redact.patterns import checked
from otel_kit.pipeline.redact.secret import Secret, revealed

MODES = ("secrets", "secrets+personal", "off")
ACTIONS = ("replace", "hash", "mask", "drop", "keep")


@dataclass(frozen=True)
class Rules:
    """What to redact.

    Args:
        mode: ``secrets`` (default), ``secrets+personal``, or ``off``.
        keys: what to do with the values of keys, by the key's words in any spelling: ``{"customer ref": "hash"}`` is
            also ``customerRef`` and ``customer_ref``. ``replace`` puts ``[redacted:custom]`` in its place, ``hash``
            ``[hash:…]``, equal for equal values under the same ``hash_key``, ``mask`` ``****1234``, ``drop`` takes the
            attribute out, ``keep`` exempts the key from the rules that go by keys; credentials of known form in its
            value are still found.
        patterns: regular expressions by the rule's name; what one matches, or its first group where it has one,
            is replaced everywhere. One that may backtrack for seconds is refused.
        exempt_values: values, and parts of texts, that are never redacted, such as the password of a test database.
        hash_key: the key of ``hash``, text or bytes; by default a random one per process, so that hashes can be
            compared within one run only.

    Raises:
        SettingError: a mode, an action or a pattern that cannot be.
    """

    mode: str = "secrets"
    keys: Mapping[str, str] = field(default_factory=dict)
    patterns: Mapping[str, str | re.Pattern[str]] = field(default_factory=dict)
    exempt_values: Collection[str] = ()
    hash_key: str | bytes | Secret[Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise SettingError("redact", "argument", self.mode, "secrets, secrets+personal or off")
        for key, action in self.keys.items():
            if action not in ACTIONS:
                raise SettingError(f"redact_rules.keys[{key!r}]", "argument", action, ", ".join(ACTIONS))
        compiled = {name: checked(name, pattern) for name, pattern in self.patterns.items()}
        object.__setattr__(self, "patterns", compiled)
        object.__setattr__(self, "exempt_values", frozenset(self.exempt_values))

    @property
    def personal(self) -> bool:
        """Whether personal data is redacted too."""
        return self.mode == "secrets+personal"

    def hashing_key(self) -> bytes | None:
        """The key of ``hash`` as bytes, at most 64 of them."""
        key = revealed(self.hash_key)
        if key is None:
            return None
        return (key if isinstance(key, bytes) else str(key).encode())[:64]
