"""Secrets in prose: "the password is …", "your code: 123456", "with token …", and the logins of old protocols."""

# ruff: noqa: E501  (a row of a table, or a branch of an expression, is a line)

from __future__ import annotations

import re

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.expression import expression
from otel_kit.pipeline.redact.finding import Finding, Findings
from otel_kit.pipeline.redact.vocabulary import PASSWORDS

_NOUNS = "|".join(
    sorted(
        (
            re.escape(word)
            for word in PASSWORDS
            if len(word) > 2 and word.isascii() and word not in ("pass", "parole")
        ),
        key=len,
        reverse=True,
    )
)
_SECRET_NOUN = expression(
    rf"""(?<![\w.\-])(?P<noun>(?:{_NOUNS}|pass|pw|pw|creds?|credentials?|secret(?:[ ]key|[ ]access[ ]key)?|api[ _-]?key|access[ _-]?key|
      private[ _-]?key|signing[ _-]?key|encryption[ _-]?key|pass[ ]?phrase|mot[ ]de[ ]passe|contraseña|contrasena|lösenord|hasło|пароль|
      (?:[a-z]+[ ])?(?:token|jwt)|seed|session[ ](?:id|key|cookie)|pass[ ]code))
      (?:[ ](?:for|of|fuer|für|pour|para|de|von|per|voor)[ ](?:the[ ]|der[ ]|your[ ]|new[ ]|user[ ]|account[ ]|database[ ]|host[ ]|service[ ]){{0,3}}['"`]?[\w.@+\-]{{1,40}}['"`]?)?
      (?P<copula>[ ]{{1,2}}(?:(?:is|was|are|will[ ]be|has[ ]been|set|changed|reset|updated|lautet|ist|jetzt|war|wurde|est|es|era|fue|nu|är|to|now|as|equals?|temporarily|currently|zu|auf|en|in|a|à|e|è|eh|é|und|and|value|being|from)[ ]{{1,2}}){{1,4}}
        |[ ]{{0,2}}[=:–—→][ ]{{0,2}}|[ ]-{{1,2}}>?[ ]|[ ]{{1,2}})
      (?P<value>[^\s<>]{{3,512}})""",
    re.VERBOSE,
)
_CODE_NOUN = expression(
    r"""(?<![\w.\-])(?:(?:verification|security|login|log-in|sign-in|auth\w*|one[ -]time|2fa|two[ -]factor|mfa|sms|confirmation|reset|access|activation|backup|recovery|door|
      bestätigungs|sicherheits|verifizierungs|anmelde|unlock|pairing|temporary|otp)[ -]?(?:code|pin|password|passcode|passwort)s?|otp|passcode|pin(?:[ ]code|[ ]number)?|tan|cvv2?|cvc2?|
      code[ ]de[ ](?:vérification|verification|sécurité|securite)|código(?:[ ]de[ ]\w+)?)
      (?:[ ](?:for|of)[ ][\w.@\-]{1,40})?
      (?:[ ]{0,2}(?:is|was|=|:|lautet|ist|est|es|–|-|→|[#])[ ]{0,2}|[ ]{1,2})(?:now[ ]|set[ ]to[ ])?['"`]?(?P<value>\d{3,4}(?:[ -]?\d{2,4}){0,2})(?![\w-]|[.,]\d)""",
    re.VERBOSE,
)
_CODE_FIRST = expression(
    r"(?<![\w.])(?<!\d-)(?:[a-z]-)?(?P<value>\d{3,4}(?:[ -]?\d{2,4}){0,1}) (?:is|ist|est|es|as) (?:your|the|a|ihr|dein|votre|su|tu)[\w ]{0,30}"
    r"(?:code|otp|pin|passcode|password|tan)\b"
)
_CODE_ABROAD = expression(
    r"\b(?:cod(?:e|ice|igo|igos)|kod\w{0,2}|koodi|код\w{0,2})[ ](?:(?:di|de|do|da)[ ])?(?:verif|weryf|podtw|подтв|провер|sicher|bestat|segur|secur|secr|acces|auten|autoryz|confirm|conferm|jednoraz|einmal)\w{0,16}[ ]?(?:e|is|est|es|to|:|=|-)?[ ]{0,2}(?P<value>\d{4,8})(?![\w-]|[.,]\d)"
    r"|(?:验证码|驗證碼|校验码|動態碼|認証コード|確認コード|認証番号|인증번호|인증코드|확인코드)[^\d\n]{0,6}(?P<joined>\d{4,8})(?!\d)"
)
_CODE_USED = expression(
    r"\b(?:use|enter|type|input|submit|your|ihr|dein|votre|ton|su|tu|il tuo|uw|je|seu|din|twoj|vas|ваш)[ ](?:new[ ]|login[ ])?(?:code|kod|codigo|codice|код)(?:[ ](?:is|ist|lautet|est|es|e|ar|er|to|jest))?[ :]{1,2}['\"`]?(?P<value>\d{4,8})(?![\w-]|[.,]\d)"
)
_USER_SLASH = expression(
    r"(?:credentials?|creds|login|logged in(?: as| with)?|log ?in (?:as|with)|auth(?:enticated)?(?: as| with)?|using)(?: is| are|:|=)?[ ]+['\"`]?[\w.@+\-]{1,64}[/:](?P<value>[^\s'\"`/]{4,128})"
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
    r"pass|pwd|passwort|kennwort|sudo|login|log in|auth|credential|create_user|adduser|add_user|useradd|contras|mdp|\bpw\b"
)
_MIXED = expression(
    r"(?<![\w.:/@&?=$\\#%{<\-])(?:[\w.@\-]{1,32}[:/,])?(?P<value>(?=[\w@\-.]{0,40}[!#$%^*?+])[\w!#$%^*?+@\-.]{8,48})(?![\w/=(<{}])"
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


def sentences(text: str, lower: str) -> Findings:
    """Secrets that a sentence names."""
    for match in _SECRET_NOUN.finditer(lower):
        yield from _named(text, match)
    for pattern in (_CODE_NOUN, _CODE_FIRST, _CODE_USED):
        for match in pattern.finditer(lower):
            if not _UNITS.match(lower, match.end()):
                yield Finding(match.start("value"), match.end("value"), "otp")
    for match in _CODE_ABROAD.finditer(lower):
        group = match.lastgroup or "value"
        yield Finding(match.start(group), match.end(group), "otp")
    for match in _USER_SLASH.finditer(lower):
        value = trimmed(text[match.start("value") : match.end("value")])
        if looks.strong(value):
            yield Finding(match.start("value"), match.start("value") + len(value), "password")


def _named(text: str, match: re.Match[str]) -> Findings:
    start = match.start("value")
    raw = text[start : match.end("value")]
    opened = raw[0] if raw[0] in "\"'`(<[«„“‘" else ""
    value = trimmed(raw[1:] if opened else raw)
    start += len(opened)
    rule = (
        "password" if _PASSWORDISH.search(match.group("noun")) else match.group("noun").split()[-1].strip("s")
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
            (len(value) >= 8 and looks.strong(value))
            or looks.opaque(value, 12, digests=len(copula) > 0 and rule != "id")
        ) and not looks.wordy(value)
    if not copula:
        return looks.strong(value)
    if opened and copula not in ("in", "from", "and", "as", "to"):
        return not looks.status_word(value) and len(value) >= 3
    if copula in ("-", "in", "and", "as"):
        return looks.strong(value)
    return looks.secretish(value)


def trimmed(value: str) -> str:
    """A word of prose without the punctuation behind it."""
    while value and value[-1] in _TRAILING and not (value[-1] in ")]}!" and _paired(value)):
        value = value[:-1]
    return value


def _paired(value: str) -> bool:
    opening = {")": "(", "]": "[", "}": "{"}.get(value[-1])
    return opening is not None and opening in value


def _mixed(text: str, lower: str) -> Findings:
    for match in _MIXED.finditer(text):
        start = lower.rfind("\n", 0, match.start()) + 1
        end = lower.find("\n", match.end())
        value = match.group("value").rstrip(".,;:!?")
        kinds = sum(1 for kind in looks.CLASSES if kind.search(value))
        if (
            kinds >= 3
            and looks.strong(value)
            and not looks.wordy(value.strip("!?*#"))
            and _SPOKEN_OF.search(
                lower,
                max(start, match.start() - 120),
                min(end if end >= 0 else len(lower), match.end() + 120),
            )
        ):
            yield Finding(match.start("value"), match.start("value") + len(value), "password")


def protocols(text: str, lower: str) -> Findings:
    """Logins of protocols and files that name no key: ``PASS …``, ``.netrc``, ``.pgpass``, ``user:password@host``."""
    for match in _PROTOCOL.finditer(text):
        value = match.group("value")
        if (
            not looks.placeholder(value)
            and not (looks.wordy(value) and "/" in value)
            and (not looks.wordy(value) or "PASS" in match.group() or "requirepass" in match.group())
        ):
            yield Finding(match.start("value"), match.end("value"), "password")
    for match in _CONFIGURED.finditer(text):
        if looks.strong(match.group("value")) or (
            match.group("value").isalnum() and len(match.group("value")) >= 16
        ):
            yield Finding(match.start("value"), match.end("value"), "password")
    for match in _SHORT_LOGIN.finditer(text):
        if looks.strong(match.group("value")):
            yield Finding(match.start("value"), match.end("value"), "password")
    if _SPOKEN_OF.search(lower):
        yield from _mixed(text, lower)
    for match in _SPOKEN_LOGIN.finditer(text):
        if looks.strong(match.group("value")):
            yield Finding(match.start("value"), match.end("value"), "password")
    if "login" in lower:
        for match in _NETRC.finditer(text):
            yield Finding(match.start("value"), match.end("value"), "password")
    if ":" in text:
        for match in _PGPASS.finditer(text):
            if not looks.numeric(match.group("value")):
                yield Finding(match.start("value"), match.end("value"), "password")
    if "@" in text:
        for match in _USERINFO.finditer(text):
            if looks.strong(match.group("value")):
                yield Finding(match.start("value"), match.end("value"), "dsn")
