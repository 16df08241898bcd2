"""The prefilter: a memory of words that cannot begin a secret, so that an ordinary text costs a few look-ups."""

from __future__ import annotations

from otel_kit.pipeline.redact.expression import any_of, expression
from otel_kit.pipeline.redact.keys import flat
from otel_kit.pipeline.redact.pairs import STEMS

MOST_WORDS, MOST_SHAPES, LONGEST_SHAPE, MANY_WORDS = 16_384, 4_096, 512, 64
# What can begin a secret, in lower case.
_TRIGGER = expression(
    any_of(
        [
            *STEMS,
            *("://", "-----", "@", "$", "insert", "basic", "login", "crypt(", "private-lines", "{s"),
            *("identif", "net use", "sql(", "_user", "fernet(", "verif", "confirm", "q~"),
            *("codi", "kod", "код", "验证码", "驗證碼", "校验码", "認証", "確認コード", "인증"),
        ]
    )
)  # fmt: skip
_ENCODED = expression(r"%[0-9a-f]{2}")
_RUN = expression(r"[\w\-]{16}")
# "ann:Tr0ub4dor"; not "db1:5432/orders".
_LOGIN = expression(r"[A-Za-z][\w.@+\-]*:(?!\d+(?:[/?#]|$))(?=\S*\d)(?=\S*[A-Za-z])\S{8}")
_DIGITS_OF_A_CARD = expression(r"(?<!\d)\d(?:[ \-]?\d){11}")
_DIGITS, _NUMERIC = "0123456789", "0123456789.,:;-+/()[] "
_DIGIT_BYTES = b"0123456789"
# An option, a percent-encoding, a login: digits decide what these are.
_DEPENDS_ON_DIGITS = expression(r"(?:^|\s)-|%|[A-Za-z]:\S|\w{16}")
_DIGIT = expression(r"\d")


def has_digit(text: str) -> bool:
    """Whether there is a digit in a text."""
    return _DIGIT.search(text) is not None


def may_hold(text: str) -> bool:
    """Whether anything in a text can begin a secret."""
    return bool(_TRIGGER.search(text.lower()) or _RUN.search(text) or _DIGITS_OF_A_CARD.search(text))


class Prefilter:
    """Knows words that it has seen and that nothing can begin with."""

    def __init__(self) -> None:
        self._words: set[str] = set()
        self._shapes: set[bytes] = set()

    def familiar(self, text: str) -> bool:
        """Whether a text differs in a few digits alone from one that was harmless: ``order 17 placed``."""
        if not text.isascii() or len(text) > LONGEST_SHAPE:
            return False
        shape = text.encode().translate(None, _DIGIT_BYTES)
        # With fewer than twelve digits there is no card.
        return shape in self._shapes and len(text) - len(shape) < 12

    def _remember(self, text: str) -> None:
        """The shape of a harmless text, where digits in other places could not make it harmful."""
        shape = text.encode().translate(None, _DIGIT_BYTES)
        plain = shape.decode()
        if (
            len(plain) < len(text)
            and not _TRIGGER.search(plain.lower())
            and not _DEPENDS_ON_DIGITS.search(plain)
        ):
            if len(self._shapes) >= MOST_SHAPES:
                self._shapes.clear()
            self._shapes.add(shape)

    def harmless(self, text: str) -> bool:
        """Whether no word of a text, and no neighbourhood of new ones, can begin a secret."""
        if not self._harmless(text):
            return False
        if " " in text and len(text) <= LONGEST_SHAPE and text.isascii():
            self._remember(text)
        return True

    def _harmless(self, text: str) -> bool:
        known = self._words
        novel = [word for word in text.split() if word not in known]
        if not novel:
            return True
        joined = " ".join(novel)
        if joined.strip(_NUMERIC):
            unknown = [
                word
                for word in novel
                if word.strip(_NUMERIC) and (len(word) >= 16 or word.rstrip(_DIGITS) not in known)
            ]
            if unknown and not self._learnt(unknown):
                return False
        # What is left are numbers, alone or behind known words; the groups of a card stand side by side.
        return len(joined) < 12 or not _DIGITS_OF_A_CARD.search(joined)

    def _learnt(self, unknown: list[str]) -> bool:
        """Whether nothing in the words can begin a secret; if so they are known from now on, without digits at their end."""
        joined = " ".join(unknown)
        lower = joined.lower() if joined.isascii() else flat(joined)
        if _TRIGGER.search(lower) or ("%" in joined and _ENCODED.search(lower)):
            return False
        unknown = list(dict.fromkeys(unknown)) if len(unknown) > MANY_WORDS else unknown
        for word in unknown:
            if len(word) >= 16 and (_RUN.search(word) or word.count(":") >= 4):
                return False
            if ":" in word and _LOGIN.match(word):
                return False
            if word[0] == "-" and len(word) > 1 and not word[1].isdigit():
                return False
        known = self._words
        if len(known) > MOST_WORDS:
            known.clear()
        for word in unknown:
            front = word.rstrip(_DIGITS)
            # "ORD-2026-" comes again, "8d7f3a" does not.
            if (
                0 < len(front) <= 24
                and front[-1] not in "%$+"
                and (front[-1] in "-_/.:#=" or not has_digit(front))
            ):
                known.add(front)
        return True
