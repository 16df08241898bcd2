"""What a value looks like: an ordinary word, an identifier, a digest, or something that a generator made up.

A key can ask for entropy ("token", "session", a cookie of unknown name); nothing here is asked without such a context,
because ids, digests and base64 pictures are as random as a secret is.
"""

from __future__ import annotations

import re

from otel_kit.pipeline.redact.expression import expression, word_set

# Letter pairs that (almost) no word of a European language has. Random text is full of them: of 676 pairs 251 are here.
_ODD_PAIRS = frozenset(
    first + second
    for first, seconds in {
        "a": "joq", "b": "fhkqvwxz", "c": "bgjqvwxz", "d": "hkqwxz", "f": "bghjkmpqvwxz", "g": "bdjkqvwxyz",
        "h": "bcfghjkpqvwxz", "i": "hijwy", "j": "bcdfghklmnpqrtvwxyz", "k": "bcdfhjkmqvxz", "l": "hjqwz",
        "m": "fghjqrvwxz", "n": "x", "o": "q", "p": "bjmqvxz", "q": "abcdefghijkmnopqrstvwxyz", "r": "hjqxz",
        "s": "jvxz", "t": "jkqx", "u": "hjkquvwy", "v": "bcdfghjklmnpqrstuvwxyz", "w": "bcfgjkmpqtuvwxyz",
        "x": "bfghjklnqruvwxyz", "y": "dhjkquvwxyz", "z": "bcdfghjklmnpqrstuvwxy",
    }.items()
    for second in seconds
)  # fmt: skip

# What stands where a secret would stand, and is none: a state, a placeholder, a reference.
STATES = word_set(
    """
    true false yes no on off none null nil undefined unknown empty unset set missing required optional present
    absent valid invalid incorrect correct wrong bad weak strong expired expiring changed unchanged reset updated
    created deleted revoked rotated rejected accepted verified unverified confirmed failed failure denied ok okay
    error mismatch matched enabled disabled hidden masked redacted filtered removed omitted default n/a na tbd todo
    anonymous unauthorized forbidden found provided given sent blank short long exists string str int bytes stored
    sensitive include same-origin saved ignored loaded refreshed issued generated available unavailable protected encrypted hashed
    argon2 argon2i argon2d argon2id bcrypt scrypt yescrypt pbkdf2 sha1 sha256 sha384 sha512 md5
    aes128 aes256 hs256 rs256 es256 ed25519
    """
)
_PLACEHOLDER = expression(
    r"""
    [*•xX.#_?\-]+                        # ****, xxxx, ?
    | \[(?:redacted|filtered|hidden|masked|removed|secret|too|cycle)[^\]]*\]
    | <[^<>]{0,60}>                      # <hidden>
    | [<>|][A-Z]\d{1,4}                  # <U20, a type of numpy's
    | \$?\{{1,2}[^{}]{0,80}\}{1,2}       # ${PASSWORD}, {{ password }}
    | \$(?-i:[A-Z_][A-Z_0-9]{0,60}|[a-z_]{1,60}|\d{1,3}|\(\w{1,60}\))  # $PASSWORD, $1
    | %(?:\(\w{1,60}\))?[srd]            # %s, %(password)s
    | %\w{1,60}%                         # %PASSWORD%
    | [:@](?-i:[a-z_]{1,60}\d{0,3}|[A-Z_]{1,60}\d{0,3}|\d{1,3})        # :password, @p1
    | \$\{\{.{0,80}\}\}
    | \$\([^()]{1,200}\)                  # $(cat /run/secrets/password)
    | !(?:vault|env|env_var|secret|ref|sub|getatt|importvalue|encrypted|include)(?:\s[|>][+\-]?)?  # !vault |
    | ENC\[[\w,:\s]{0,200}\]?           # ENC[AES256_GCM,…
    | (?-i:(?:env|file|vault|ssm|op|secretref|keyvault|sops|ref|keyring|doppler|infisical|secret|awssm|gcpsm|from_env|aws-sm)(?:://?|:)[A-Za-z_/][A-Za-z_\-./:#]*)
    | (?:os\.|process\.)?(?:environ|getenv|env|config|settings|secrets?|vault|var|params?|args|self|request|data|os)
      (?:\.\w+|\[["']?\w+["']?\]|\(["']?\w+["']?\))+
    """,
    re.VERBOSE | re.IGNORECASE,
)
_HUMP = expression(r"[a-z][A-Z]")
_SIGN = expression(r"\w[$#!%^*~§]|[$#!%^*~§]\w")
_UUID = expression(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_HEX = expression(r"(?:0x)?[0-9a-fA-F]+")
_NUMBER = expression(r"[+-]?[\d.,:_TZ /\-]+%?")
_SYMBOL_INSIDE = expression(r"\w[$#!%^*~§@&+=]+\w|[$#!%^*~§@]{2}|\w[$#%^*~§@]$")
# lower, Capital, UPPER, camelCase, PascalCase; "horselrwYMf" is none of them.
_CASED = expression(
    r"(?:[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]{2,}+|(?:By|Id|Of|To|In|On|Is|At|Or|No|Up|My|It|As|Db|Ip)|[A-Z](?=[A-Z][a-z]{2}))+s?"
)
_PIECES = expression(r"[\s_\-./:,;|+~@=()\[\]{}<>\\&?%]+")
CLASSES = (expression("[a-z]"), expression("[A-Z]"), expression(r"\d"), expression(r"[^\w\s]"))
_ALNUM_RUN = expression(r"[A-Za-z0-9]+")


def placeholder(value: str) -> bool:
    """Whether the value stands for a secret instead of being one: empty, ``****``, ``%s``, ``expired``."""
    stripped = value.strip().strip("\"'`").strip()
    return (
        not stripped
        or stripped.lower().rstrip(".!,;") in STATES
        or _PLACEHOLDER.fullmatch(stripped) is not None
    )


def uuid(value: str) -> bool:
    """Whether the value is a UUID."""
    return len(value) == 36 and _UUID.fullmatch(value) is not None


def hexadecimal(value: str) -> bool:
    """Whether the value is a number in base 16: a digest, a revision, a trace id."""
    return _HEX.fullmatch(value) is not None


def numeric(value: str) -> bool:
    """Whether the value is a number, a date, a time or a version."""
    return _NUMBER.fullmatch(value) is not None


def oddness(value: str) -> int:
    """How many neighbours in a value would not stand side by side in words, names and identifiers."""
    return sum(map(_odd_in_run, _ALNUM_RUN.findall(value[:256])))


def _odd_in_run(run: str) -> int:
    odd = 0
    for i in range(len(run) - 1):
        left, right = run[i], run[i + 1]
        if left.isdigit() != right.isdigit():
            odd += 1
        elif left.islower() and right.isupper():
            # "orderId" is a hump of camel case, "oRdr" is not.
            odd += not run[i + 2 : i + 4].islower()
        elif (left + right).lower() in _ODD_PAIRS:
            odd += 1
    return odd


def random_looking(value: str, share: float = 0.18) -> bool:
    """Whether a generator made the value up: too many neighbours that no word has.

    Args:
        value: one token, without whitespace.
        share: odd neighbours per character from which on it is called random.
    """
    return oddness(value) >= max(2, share * min(len(value), 256))


def wordy(value: str) -> bool:
    """Whether the value is made of words and short numbers: prose, an identifier, a path, a version."""
    pieces = [piece for piece in _PIECES.split(value.strip()) if piece]
    return all(_word(piece) for piece in pieces)


def _word(piece: str) -> bool:
    core = piece.strip("\"'`!?*$#")
    if core.isdigit():
        return len(core) <= 10
    letters = core.rstrip("0123456789")
    if len(letters) <= 3:
        return len(core) <= 6
    if not letters.isalpha() or len(core) - len(letters) > 4:
        return False
    return not letters.isascii() or (
        _CASED.fullmatch(letters) is not None and _odd_in_run(letters) <= len(letters) // 7
    )


def opaque(value: str, minimum: int = 16, *, digests: bool = False) -> bool:
    """Whether the value may be a credential: one long random token, and not a UUID, number, path or identifier.

    Args:
        value: the value.
        minimum: characters from which on a token is long.
        digests: whether hexadecimal numbers count too.
    """
    if (
        len(value) < minimum
        or any(map(str.isspace, value))
        or uuid(value)
        or numeric(value)
        or "://" in value
    ):
        return False
    if hexadecimal(value):
        return digests and len(value) >= 20
    return random_looking(value) and not wordy(value)


def strong(value: str) -> bool:
    """Whether the value looks like a chosen password: one token that mixes kinds of characters as no word does."""
    if not 6 <= len(value) <= 128 or any(map(str.isspace, value)) or uuid(value) or numeric(value):
        return False
    if hexadecimal(value) or (wordy(value) and not _SIGN.search(value)):
        return False
    kinds = sum(1 for kind in CLASSES if kind.search(value))
    return kinds >= 3 or (kinds == 2 and random_looking(value, 0.12))


def secretish(value: str) -> bool:
    """Whether a word after "the password is" is the password rather than the rest of the sentence."""
    if status_word(value) or len(value) < 3:
        return False
    letters, digits = any(map(str.isalpha, value)), any(map(str.isdigit, value))
    if not letters:
        return digits and len(value) >= 4
    return (
        digits
        or _SYMBOL_INSIDE.search(value) is not None
        or _HUMP.search(value) is not None
        or not wordy(value)
    )


def humped(value: str) -> bool:
    """Whether a word of eight letters and more changes to upper case inside: ``hunterNMSubj``, where a login is shown."""
    return len(value) >= 8 and value.isalpha() and _HUMP.search(value) is not None


# What a form says about a field: two of these words are a message, not a passphrase.
_OF_FORMS = word_set(
    """
    field fields required must least most characters letters digits too short long enter please match matches contain
    contains incorrect should cannot blank empty common similar numeric ensure invalid minimum maximum least entirely provide
    """
)


def message(value: str) -> bool:
    """Whether a text under a key tells what is wrong with it: ``This field is required.``"""
    return len(_OF_FORMS.intersection(value.lower().rstrip(".!").split())) >= 2 and wordy(value)


def status_word(value: str) -> bool:
    """Whether a word of prose tells a state: "required", "expired"."""
    return value.lower().strip("\"'`.,;:!?)") in STATES
