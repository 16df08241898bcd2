"""Values made at run time from a description: a prefix, an alphabet, a length, a checksum. None is written out."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import string
import uuid

ALNUM = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"
URLSAFE = ALNUM + "-_"
BASE64 = ALNUM + "+/"

Rng = random.Random

# What each provider's documentation says: prefix, alphabet, length of the rest. "~" joins the parts so that no line of
# this file matches a scanner's pattern.
PROVIDERS: dict[str, tuple[str, str, int]] = {
    "github_classic": ("ghp" + "_", ALNUM, 36),
    "github_oauth": ("gho" + "_", ALNUM, 36),
    "github_server": ("ghs" + "_", ALNUM, 36),
    "github_fine": ("github" + "_pat_", ALNUM, 82),
    "gitlab": ("glpat" + "-", URLSAFE, 20),
    "gitlab_runner": ("glrt" + "-", URLSAFE, 20),
    "openai": ("sk" + "-proj-", ALNUM, 48),
    "anthropic": ("sk" + "-ant-api03-", URLSAFE, 93),
    "groq": ("gsk" + "_", ALNUM, 52),
    "huggingface": ("hf" + "_", string.ascii_letters, 34),
    "replicate": ("r8" + "_", ALNUM, 37),
    "stripe_secret": ("sk" + "_live_", ALNUM, 24),
    "stripe_restricted": ("rk" + "_live_", ALNUM, 24),
    "stripe_webhook": ("whsec" + "_", ALNUM, 32),
    "square": ("sq0atp" + "-", URLSAFE, 22),
    "shopify": ("shpat" + "_", HEX, 32),
    "slack_user": ("xoxp" + "-", string.digits, 40),
    "slack_app": ("xapp" + "-1-", UPPER, 60),
    "sendgrid": ("SG" + ".", URLSAFE, 66),
    "mailgun": ("key" + "-", HEX, 32),
    "npm": ("npm" + "_", ALNUM, 36),
    "pypi": ("pypi" + "-AgEIcHlwaS5vcmc", URLSAFE, 150),
    "rubygems": ("rubygems" + "_", HEX, 48),
    "docker": ("dckr" + "_pat_", URLSAFE, 27),
    "vault": ("hvs" + ".", URLSAFE, 90),
    "digitalocean": ("dop" + "_v1_", HEX, 64),
    "databricks": ("dapi", HEX, 32),
    "grafana": ("glsa" + "_", ALNUM, 32),
    "newrelic": ("NRAK" + "-", UPPER, 27),
    "linear": ("lin" + "_api_", ALNUM, 40),
    "notion": ("ntn" + "_", ALNUM, 46),
    "figma": ("figd" + "_", URLSAFE, 40),
    "google_api": ("AIza", URLSAFE, 35),
    "google_oauth": ("ya29" + ".", URLSAFE, 120),
    "google_client": ("GOCSPX" + "-", URLSAFE, 28),
    "aws_id": ("AKIA", UPPER[:26] + "234567", 16),
    "azure_storage": ("", BASE64, 86),
    "atlassian": ("ATATT3" + "xFfGF0", URLSAFE, 180),
    "telegram": ("", "", 0),
}


def text(rng: Rng, alphabet: str, size: int) -> str:
    return "".join(rng.choices(alphabet, k=size))


def provider(rng: Rng, name: str) -> str:
    prefix, alphabet, size = PROVIDERS[name]
    if name == "telegram":
        return f"{rng.randrange(10**9, 10**10)}:AA{text(rng, URLSAFE, 33)}"
    if name == "sendgrid":
        return f"{prefix}{text(rng, URLSAFE, 22)}.{text(rng, URLSAFE, 43)}"
    if name == "azure_storage":
        return base64.b64encode(rng.randbytes(64)).decode()
    return prefix + text(rng, alphabet, size)


def password(rng: Rng) -> str:
    """As people choose them: a word or two, digits and signs, or a manager's random text."""
    words = (
        "sunflower",
        "dragon",
        "winter",
        "Munich",
        "Bicycle",
        "espresso",
        "falcon",
        "Orchid",
        "thunder",
        "mango",
    )
    forms = (
        lambda: rng.choice(words).capitalize() + str(rng.randrange(10, 9999)) + rng.choice("!#$%*?"),
        lambda: rng.choice(words) + "-" + rng.choice(words) + text(rng, ALNUM, 5),
        lambda: text(rng, ALNUM, 12) + rng.choice("!$#*"),
        lambda: (
            rng.choice(words).replace("o", "0").replace("e", "3")
            + "@"
            + text(rng, string.digits, 3)
            + text(rng, ALNUM, 2)
        ),
        lambda: text(rng, ALNUM + "!#$*+-._", 16).strip(".-_") + "x9",
        lambda: rng.choice(words) + text(rng, string.digits, 4),
    )
    return rng.choice(forms)()


def plain_password(rng: Rng) -> str:
    """A password without characters that a URL or a shell would take for its own."""
    return "".join(c for c in password(rng) if c.isalnum() or c in "-_") + text(rng, ALNUM, 3)


def token(rng: Rng, size: int = 40) -> str:
    return text(rng, ALNUM, size)


def hexadecimal(rng: Rng, size: int = 64) -> str:
    return text(rng, HEX, size)


def jwt(rng: Rng) -> str:
    part = lambda data: base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")  # noqa: E731
    head, body = (
        part({"alg": "RS256", "kid": hexadecimal(rng, 8)}),
        part({"sub": text(rng, LOWER, 8), "exp": 1_795_300_000}),
    )
    return f"{head}.{body}.{text(rng, URLSAFE, 43)}"


def signature_of(value: str) -> str:
    """The last part of a JWT: the part that must not leave."""
    return value.rpartition(".")[2]


def pem(rng: Rng, kind: str = "RSA PRIVATE KEY") -> str:
    body = base64.b64encode(rng.randbytes(288)).decode()
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])


def luhn(digits: str) -> str:
    """The digits with Luhn's check digit."""
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def card(rng: Rng, prefix: str = "4", size: int = 16) -> str:
    return luhn(prefix + text(rng, string.digits, size - len(prefix) - 1))


def not_a_card(rng: Rng, prefix: str = "4", size: int = 16) -> str:
    good = card(rng, prefix, size)
    return good[:-1] + str((int(good[-1]) + rng.randrange(1, 9)) % 10)


def iban(rng: Rng, country: str = "DE", size: int = 18) -> str:
    body = text(rng, string.digits, size)
    turned = body + "".join(str(int(c, 36)) for c in country) + "00"
    return f"{country}{98 - int(turned) % 97:02d}{body}"


def basic(rng: Rng, secret: str, user: str = "svc") -> str:
    return base64.b64encode(f"{user}:{secret}".encode()).decode()


def guid(rng: Rng) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def bcrypt_like(rng: Rng) -> str:
    return "$2b" + "$12$" + text(rng, "./" + ALNUM, 53)


def signed(rng: Rng) -> str:
    return hmac.new(rng.randbytes(16), rng.randbytes(16), hashlib.sha256).hexdigest()


def digits(rng: Rng, size: int = 6) -> str:
    return str(rng.randrange(1, 10)) + text(rng, string.digits, size - 1)
