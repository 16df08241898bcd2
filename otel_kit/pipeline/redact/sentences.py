"""Secrets in prose: "the password is …", "your code: 123456", "with token …", and the logins of old protocols."""

# ruff: noqa: E501  (a row of a table, or a branch of an expression, is a line)

from __future__ import annotations

import re

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.expression import expression, holds, longest_of
from otel_kit.pipeline.redact.finding import MOST_MATCHES, Finding, Findings, TooMuchWork, bounded
from otel_kit.pipeline.redact.keys import judge
from otel_kit.pipeline.redact.prefilter import has_digit
from otel_kit.pipeline.redact.values import PROSE
from otel_kit.pipeline.redact.vocabulary import PASSWORDS

_NOUNS = longest_of(
    word for word in PASSWORDS if len(word) > 2 and word.isascii() and word not in ("pass", "parole")
)
_SECRET_NOUN = expression(
    rf"""(?<![\w\-])(?P<noun>(?:{_NOUNS}|pass|pw|pw|creds?|credentials?|secret(?:[ ]key|[ ]access[ ]key)?|api[ _-]?key|access[ _-]?key|
      private[ _-]?key|signing[ _-]?key|encryption[ _-]?key|pass[ ]?phrase|mot[ ]de[ ]passe|contraseña|contrasena|lösenord|hasło|пароль|
      (?:[a-z]+[ ])?(?:token|jwt)|seed|session[ ](?:id|key|cookie)|pass[ ]code))
      (?:[ ](?:for|of|fuer|für|pour|para|de|von|per|voor)[ ](?:the[ ]|der[ ]|your[ ]|new[ ]|user[ ]|account[ ]|database[ ]|host[ ]|service[ ]){{0,3}}['"`]?[\w.@+\-]{{1,40}}['"`]?)?
      (?P<copula>[ ]{{1,2}}(?:(?:is|was|are|will[ ]be|has[ ]been|set|changed|reset|updated|lautet|ist|jetzt|war|wurde|est|es|era|fue|nu|är|to|now|as|equals?|temporarily|currently|zu|auf|en|in|a|à|e|è|eh|é|und|and|value|being|from)[ ]{{1,2}}){{1,4}}
        |[ ]{{0,2}}[=:–—→][ ]{{0,2}}|[ ]-{{1,2}}>?[ ]|[ ]{{1,2}})
      (?P<value>[^\s<>]{{3,512}})""",
    re.VERBOSE,
)
_CODE_NOUN = expression(
    r"""(?<![\w.\-/])(?:(?:verification|security|login|log-in|sign-in|auth\w*|one[ -]time|2fa|two[ -]factor|mfa|sms|confirmation|reset|access|activation|backup|recovery|door|
      bestätigungs|sicherheits|verifizierungs|anmelde|unlock|pairing|temporary|otp)[ -]?(?:code|pin|password|passcode|passwort|token)s?|otp|passcode|pin(?:[ ]code|[ ]number)?|tan|cvv2?|cvc2?|
      code[ ]de[ ](?:vérification|verification|sécurité|securite)|código(?:[ ]de[ ]\w+)?)
      (?:[ ](?:for|of)[ ][\w.@\-]{1,40})?(?:[ ](?:entered|typed|generated|received|submitted|supplied|provided|given))?
      (?:[ ]{0,2}(?:is|was|=|:|lautet|ist|est|es|–|-|→|[#])[ ]{0,2}|[ ]{1,2})(?:now[ ]|set[ ]to[ ])?['"`]?(?P<value>\d{3,4}(?:[ -]?\d{2,4}){0,2})(?![\w-]|[.,]\d)""",
    re.VERBOSE,
)
_CODE_FIRST = expression(
    r"(?<![\w.])(?<!\d-)(?:[a-z]-)?(?P<value>\d{3,4}(?:[ -]?\d{2,4}){0,1})[\])\"']? (?:is|ist|est|es|as) (?:your|the|a|ihr|dein|votre|su|tu)[\w \-]{0,30}"
    r"(?:code|otp|pin|passcode|password|tan)\b"
)
_CODE_ABROAD = expression(
    r"\b(?:cod(?:e|ice|igo|igos)|kod\w{0,2}|koodi|код\w{0,2})[ ](?:(?:di|de|do|da)[ ])?(?:verif|weryf|podtw|подтв|провер|sicher|bestat|segur|secur|secr|acces|auten|autoryz|confirm|conferm|jednoraz|einmal)\w{0,16}[ ]?(?:e|is|est|es|to|:|=|-)?[ ]{0,2}(?P<value>\d{4,8})(?![\w-]|[.,]\d)"
    r"|(?:验证码|驗證碼|校验码|動態碼|認証コード|確認コード|認証番号|인증번호|인증코드|확인코드)[^\d\n]{0,6}(?P<joined>\d{4,8})(?!\d)"
)
_CODE_USED = expression(
    r"\b(?:use|enter|type|input|submit|your|ihr|dein|votre|ton|su|tu|il tuo|uw|je|seu|din|twoj|vas|ваш)[ ](?:(?!zip|post|area|country|dial|error|status|exit|return|promo|order|product|track|book|sort|branch|bank|item|event|color|response)[a-z][\w&\-]{1,20}[ ]){0,2}(?:code|kod|codigo|codice|код)(?:[ ](?:is|ist|lautet|est|es|e|ar|er|to|jest))?[ :]{1,2}['\"`]?(?P<value>\d{4,8})(?![\w-]|[.,]\d)"
)
_USER_SLASH = expression(
    r"(?:credentials?|creds|login|logged in(?: as| with)?|log ?in (?:as|with)|auth(?:enticated)?(?: as| with)?|using)(?: attempt| failed| failure| denied| error)?(?: is| are| for|:|=)?[ ]+['\"`]?[\w.@+\-]{1,64}(?:[/:]| / )(?P<value>[^\s'\"`/]{4,128})"
)
# Telnet-like protocols: FTP and POP say PASS, IMAP LOGIN, Redis AUTH, SMTP AUTH PLAIN.
_PROTOCOL = expression(
    r"""(?m)^[ \t>\-*C:<]{0,6}(?:[\w.]{1,8}[ ])?(?:PASS|LOGIN[ ]["']?[\w.@\-]+["']?|AUTH(?:[ ](?:PLAIN|LOGIN))?|AUTH[ ][\w.@\-]+|CONFIG[ ]SET[ ](?:requirepass|masterauth)|HELLO[ ]\d[ ]AUTH[ ][\w\-]+|
      requirepass|masterauth|identify|IDENTIFY|NICKSERV[ ]IDENTIFY)[ ]+["']?(?P<value>[^\s"']{3,512})["']?[ \t]*$""",
    re.VERBOSE,
)
_NETRC = expression(r"\blogin[ \t]+\S{1,128}\s+password[ \t]+(?P<value>\S{1,512})")
_PGPASS = expression(
    r"(?m)^(?:[\w.\-]{1,253}|\*):(?:\d{2,5}|\*):(?:[\w\-]{1,64}|\*):(?:[\w.\-]{1,64}|\*):(?P<value>(?:[^:\s\\]|\\.){3,256})$"
)
_USERINFO = expression(
    r"(?<![\w/:@.%+\-])(?!mailto:|[Tt]o:|[Cc]c:|[Ff]rom:|sip:)[\w.+\-]{1,64}:(?P<value>[^\s:@/\"'<>,;]{4,128})@[A-Za-z0-9][\w.\-]*"
)
# Configuration files of routers, proxies and Redis: the word, perhaps the kind of its encryption, the value.
_CONFIGURED = expression(
    r"(?m)(?:(?<=-)password|\bcommunity|\b(?:password|secret|key)[ ]\d|\b(?:ACL[ ]SETUSER|user)[ ][\w\-]{1,40}[ ](?:[\w~&+@*\-]{1,40}[ ]){0,6}(?=>))(?:[ ]>?|>)(?P<value>[^\s>]{6,128})"
)
_SHORT_LOGIN = expression(
    r"(?<![\w.])u(?:ser|sr)?[:=][ ]?[\w.@\-]{1,40}[ ,;/|]{1,3}p(?:w|ass)?[:=][ ]?(?P<value>[^\s,;]{4,128})"
)
# A word of letters, digits and signs as no other text has, in a line that speaks of passwords.
_SPOKEN_OF = expression(
    r"pass|pwd|passwort|kennwort|sudo|login|log in|auth|credential|create_user|adduser|add_user|useradd|http-basic|contras|mdp|\bpw\b"
)
_MIXED = expression(
    r"(?<![\w.:/@&?$\\#%{<\-])((?:[\w.\-]{1,32}[:/,])?)((?=[\w@.\-]{0,40}[!#$%^*?+])[\w!#$%^*?+@.\-]++)(?![\w/=({}]|<(?!/))"
)
_LOGIN = expression(r"[\w.@+\-]{1,64}[/:]([^\s/:]{4,128})")
_SPOKEN_LOGIN = expression(
    r"(?m)(?<![\w.\-])(?:PASS|LOGIN[ ]\S{1,64}|AUTH(?:[ ]\S{1,64})?|IDENTIFY(?:[ ]\S{1,64})?)[ ]['\"]?(?P<value>[^\s'\"]{6,128})['\"]?[ ]*$"
)
_TRAILING = ".,;:!?)]}\"'`"
_UNITS = expression(
    r"[ ]{1,2}(?:chars?|characters?|bits?|bytes?|times?|tokens?|days?|hours?|minutes?|seconds?|secs?|ms|s|words?|digits?|attempts?|users?|years?|months?|weeks?|zeichen|tage|of|more|or|out)\b",
    re.I,
)
_PASSWORDISH = expression(
    r"pass|pw|kenn|contras|clave|senha|wacht|mot|mdp|lösen|losen|has[lł]o|парол|cred|heslo|parol|adgang|salas"
)


STEMS_OF_NOUNS = (
    *(
        "pass",
        "pwd",
        "psw",
        "pw",
        "cred",
        "secret",
        "key",
        "token",
        "jwt",
        "seed",
        "session",
        "kenn",
        "clave",
        "contra",
        "senha",
    ),
    *(
        "wacht",
        "toegang",
        "mdp",
        "mot",
        "los",
        "adgang",
        "kode",
        "salas",
        "has",
        "hes",
        "parol",
        "sifre",
        "jelsz",
        "gesl",
    ),
    *("lozink", "slap", "zugang", "пар", "лоз", "сиф"),
)
_CODE_STEMS = ("code", "tok", " to ", "otp", "pin", "tan", "cvv", "cvc", "pass", "cod", "kod", "код", "验", "驗", "校", "認", "確", "인증", "확인")  # fmt: skip
_CODE_DIGITS = expression(r"\d{3}")


_CODE_TO = expression(
    r"\b(?:enter|use|type|text|reply)[ ](?P<value>\d{4,8})[ ]to[ ](?:verify|confirm|log|sign|continue|unlock|finish|complete|activate)\b"
)


_AS = expression(
    r"(?<![^\s'\"`])['\"`]?(?P<value>[^\s'\"`]{6,128})['\"`]? (?:as|is) (?:the|your|my|our|a|an) (?:[a-z]{1,12} ){0,2}(?:password|passphrase|passcode|passwort|pwd)\b"
)


# The words of a wallet have three to eight letters and come in threes.
_WALLET = expression(
    r"\b(?:(?:recovery|seed|secret|backup|wallet)[ ](?:phrase|words?|mnemonic|seed)|mnemonic(?:[ ]\w{4,6})?)\b[^a-z\n]{0,4}(?:(?:is|was|are|of|for \w{1,20})[^a-z\n]{1,4})?"
    r"(?P<value>[a-z]{3,8}(?:[ ,]{1,2}[a-z]{3,8}){11,23})(?=[ ]{0,2}(?:$|[^\w ]))"
)
_DICED = expression(r"[a-z]{3,12}(?:-[a-z]{3,12}){3,9}")
# "login ann Tr0ub…" in a line of a log, "bind cn=app,dc=x with Tr0ub…", what a script of expect sends.
_BARE_LOGIN = expression(
    r"(?<![\w.\-/])(?:log(?:in|on)|signin|log in|sign in|logging in|bind(?:ing)?)[ ](?:as[ ]|user[ ]|for[ ])?['\"]?[\w.@+\-=,]{2,120}['\"]?[ ](?:with[ ]|using[ ])?['\"]?(?P<value>[^\s'\"]{8,128})"
)
_SENT = expression(r"\bsend(?:[ ]--)?[ ]\"(?P<value>[^\"\s\\]{6,128})\\{1,2}[rn]")
_MONITORED = expression(r"\"(?:AUTH|auth)\"[ ](?:\"[^\"\s]{1,64}\"[ ])?\"(?P<value>[^\"\s]{3,512})\"")


def _logins(text: str, lower: str) -> Findings:
    for match in bounded(_BARE_LOGIN, lower):
        value = trimmed(text[match.start("value") : match.end("value")])
        if _of_a_login(value):
            yield Finding(match.start("value"), match.start("value") + len(value), "password")


def _of_a_login(value: str) -> bool:
    """A chosen password, letters that no word has side by side, or a compound that ends in "pass"."""
    if looks.placeholder(value) or "=" in value or "://" in value or len(value) < 8:
        return False
    if value.replace("-", "").isalpha():
        return not looks.wordy(value) or (
            value.endswith(("pass", "password", "pwd")) and judge(value).rule == "password"
        )
    return _chosen(value) and "/" not in value


def sentences(text: str, lower: str) -> Findings:
    """Secrets that a sentence names."""
    if "log" in lower or "sign" in lower or "bind" in lower:
        yield from _logins(text, lower)
    if "phrase" in lower or "mnemonic" in lower or " seed" in lower or " words" in lower:
        for match in bounded(_WALLET, lower):
            if len(match.group("value").replace(",", " ").split()) % 3 == 0:
                yield Finding(match.start("value"), match.end("value"), "private_key")
    if holds(lower, STEMS_OF_NOUNS):
        yield from _all_named(text, lower)
    if " pass" in lower or " pwd" in lower:
        for match in bounded(_AS, lower):
            value = text[match.start("value") : match.end("value")]
            if looks.secretish(value) and not looks.placeholder(value):
                yield Finding(match.start("value"), match.end("value"), "password")
    if holds(lower, _CODE_STEMS) and _CODE_DIGITS.search(lower):
        yield from _codes(lower)
    if holds(lower, ("cred", "login", "logged", "log in", "auth", "using")):
        for match in bounded(_USER_SLASH, lower):
            value = trimmed(text[match.start("value") : match.end("value")])
            said = match.group().startswith(("cred", "log"))
            if looks.strong(value) or (said and looks.humped(value)):
                yield Finding(match.start("value"), match.start("value") + len(value), "password")


def _codes(lower: str) -> Findings:
    for pattern in (_CODE_NOUN, _CODE_FIRST, _CODE_USED, _CODE_TO):
        for match in bounded(pattern, lower):
            if not _UNITS.match(lower, match.end()):
                yield Finding(match.start("value"), match.end("value"), "otp")
    for match in bounded(_CODE_ABROAD, lower):
        group = match.lastgroup or "value"
        yield Finding(match.start(group), match.end(group), "otp")


def _all_named(text: str, lower: str) -> Findings:
    """The same words again are decided once."""
    known: dict[str, list[Finding]] = {}
    for match in _SECRET_NOUN.finditer(lower):
        start = match.start()
        around = text[start : match.end() + 14]
        found = known.get(around)
        if found is None:
            if len(known) >= MOST_MATCHES:
                raise TooMuchWork
            found = known[around] = [
                f._replace(start=f.start - start, end=f.end - start) for f in _named(text, match)
            ]
        for finding in found:
            yield finding._replace(start=finding.start + start, end=finding.end + start)


def _named(text: str, match: re.Match[str]) -> Findings:
    start = match.start("value")
    raw = text[start : match.end("value")]
    opened = raw[0] if raw[0] in "\"'`(<[«„“‘" else ""
    value = trimmed(raw[1:] if opened else raw)
    start += len(opened)
    rule = (
        "password"
        if _PASSWORDISH.search(match.group("noun"))
        else match.group("noun").split()[-1].rstrip("s")
    )
    if rule == "cred" and (login := _LOGIN.fullmatch(value)):
        start, value = start + login.start(1), login.group(1)
    if _is_secret(text, match, value, start, bool(opened), rule):
        yield Finding(start, start + len(value), {"key": "api_key", "cred": "password"}.get(rule, rule))


def _is_secret(text: str, match: re.Match[str], value: str, start: int, opened: bool, rule: str) -> bool:
    copula = match.group("copula").strip()
    if looks.placeholder(value) or looks.uuid(value) or "://" in value or "=" in value.rstrip("="):
        return False
    # Directly behind the noun that is a pair, whose value ends by rules of its own.
    if copula in ("=", ":") and match.start("copula") == match.end("noun"):
        return False
    # "passphrase for key '/home/ann/.ssh/id'": a place.
    if value[:1] in "/~" and "/" in value[1:]:
        return False
    if _UNITS.match(text, start + len(value)):
        return False
    if rule != "password":
        # Tokens and keys are spoken of more than passwords are: only what a generator made counts.
        return (
            (len(value) >= 8 and looks.strong(value) and (bool(copula) or "-" not in value))
            or looks.opaque(value, 12, digests=len(copula) > 0 and rule != "id")
        ) and not looks.wordy(value)
    if not copula:
        return looks.strong(value) or _diced(value)
    if opened and copula not in ("in", "from", "and", "as", "to"):
        return not looks.status_word(value) and len(value) >= 3
    if copula in ("-", "in", "and", "as"):
        return looks.strong(value)
    return looks.secretish(value)


def _diced(value: str) -> bool:
    """Words with hyphens between them, none of which a sentence would have."""
    return _DICED.fullmatch(value) is not None and not PROSE.intersection(value.split("-"))


def trimmed(value: str) -> str:
    """A word of prose without the punctuation behind it."""
    while value and value[-1] in _TRAILING and not (value[-1] in ")]}!" and _paired(value)):
        value = value[:-1]
    return value


def _paired(value: str) -> bool:
    opening = {")": "(", "]": "[", "}": "{"}.get(value[-1])
    return opening is not None and opening in value


def _chosen(value: str) -> bool:
    """Whether somebody made the value up as a password: three kinds of characters, and no word."""
    kinds = sum(1 for kind in looks.CLASSES if kind.search(value))
    return kinds >= 3 and has_digit(value) and looks.strong(value) and not looks.wordy(value.strip("!?*#"))


def _mixed(text: str, lower: str) -> Findings:
    known: dict[str, bool] = {}
    for match in _MIXED.finditer(text):
        value = match.group(2).rstrip(".,;:!?")
        if value not in known:
            if len(known) >= MOST_MATCHES:
                raise TooMuchWork
            known[value] = 8 <= len(value) <= 48 and _chosen(value)
        if not known[value]:
            continue
        start = max(lower.rfind("\n", 0, match.start()) + 1, match.start() - 120)
        end = lower.find("\n", match.end(), match.end() + 120)
        if _SPOKEN_OF.search(lower, start, end if end >= 0 else match.end() + 120):
            yield Finding(match.start(2), match.start(2) + len(value), "password")


def protocols(text: str, lower: str) -> Findings:
    """Logins of protocols and files that name no key: ``PASS …``, ``.netrc``, ``.pgpass``, ``user:password@host``."""
    if holds(text, _VERBS):
        yield from _verbs(text)
    if '"auth"' in lower:
        for match in bounded(_MONITORED, text):
            if not looks.placeholder(match.group("value")):
                yield Finding(match.start("value"), match.end("value"), "password")
    if "send" in lower and "pass" in lower:
        for match in bounded(_SENT, text):
            if looks.strong(match.group("value")):
                yield Finding(match.start("value"), match.end("value"), "password")
    if holds(lower, ("-password", "community", "setuser", " on >")) or _ENCRYPTED.search(lower):
        for match in bounded(_CONFIGURED, text):
            value = match.group("value")
            if looks.strong(value) or (value.isalnum() and len(value) >= 16):
                yield Finding(match.start("value"), match.end("value"), "password")
    if holds(lower, _SHORT_KEYS):
        for match in bounded(_SHORT_LOGIN, text):
            if looks.strong(match.group("value")):
                yield Finding(match.start("value"), match.end("value"), "password")
    if _SPOKEN_OF.search(lower):
        yield from _mixed(text, lower)
    if "login" in lower:
        for match in bounded(_NETRC, text):
            yield Finding(match.start("value"), match.end("value"), "password")
    if lower.count(":") >= 4:
        for match in bounded(_PGPASS, text):
            if not looks.numeric(match.group("value")):
                yield Finding(match.start("value"), match.end("value"), "password")
    if "@" in text:
        for match in bounded(_USERINFO, text):
            value = match.group("value")
            if looks.strong(value) or looks.humped(value) or looks.humped(value.rstrip("0123456789")):
                yield Finding(match.start("value"), match.end("value"), "dsn")


_VERBS = ("PASS", "LOGIN", "AUTH", "CONFIG SET", "HELLO", "requirepass", "masterauth", "identify", "IDENTIFY")
_SHORT_KEYS = ("p:", "p=", "pw:", "pw=", "pass:", "pass=")
_ENCRYPTED = expression(r"(?:password|secret|key) \d")


def _verbs(text: str) -> Findings:
    """What follows the verb of a protocol."""
    for match in bounded(_PROTOCOL, text):
        value = match.group("value")
        if (
            not looks.placeholder(value)
            and not (looks.wordy(value) and "/" in value)
            and (
                not looks.wordy(value)
                or looks.humped(value)
                or "PASS" in match.group()
                or "requirepass" in match.group()
            )
        ):
            yield Finding(match.start("value"), match.end("value"), "password")
    for match in bounded(_SPOKEN_LOGIN, text):
        if looks.strong(match.group("value")):
            yield Finding(match.start("value"), match.end("value"), "password")
