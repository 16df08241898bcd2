"""Command lines: options whose value is a secret, by their name or, for the short ones, by their program."""

# ruff: noqa: E501  (a row of a table, or a branch of an expression, is a line)

from __future__ import annotations

import re
from collections.abc import Sequence

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.expression import expression
from otel_kit.pipeline.redact.finding import Finding, Findings, bounded
from otel_kit.pipeline.redact.keys import Asks, judge
from otel_kit.pipeline.redact.values import withheld

# What a short option of a program holds: "login" is user:password, "secret" is the password, "glued" may touch its letter.
_PROGRAMS: tuple[tuple[str, dict[str, str]], ...] = (
    (r"curl|http|https|xh|wget|httpie|wrk|ab|hey", {"-u": "login", "--user": "login", "-U": "login", "--proxy-user": "login", "-a": "login", "-A": "login", "--auth": "login"}),
    (r"mysql\w*|mariadb\w*|mycli|xtrabackup|mytop", {"-p": "glued"}),
    (r"sshpass|mongo\w*|docker|podman|nerdctl|helm|az|oc|skopeo|crane|buildah|rabbitmqadmin|7z|7za|sqlplus|clickhouse\w*|neo4j\w*|cypher-shell|svn|vncviewer|nmcli|useradd|usermod|cqlsh|ncftp\w*|easy_install|twine", {"-p": "secret"}),
    (r"sqlcmd|bcp|osql|isql|unzip|zip|zipcloak|tsql", {"-P": "secret"}),
    (r"redis-cli|valkey-cli|keydb-cli", {"-a": "secret"}),
    (r"ldap\w+|kinit|ipmitool|psexec|winexe", {"-w": "secret", "-P": "secret", "-p": "secret"}),
    (r"smbclient|rpcclient|mount\.cifs|net", {"-U": "percent"}),
    (r"mosquitto_\w+", {"-P": "secret"}),
    (r"openssl|gpg|gpg2", {"-k": "secret", "-K": "secret"}),
    (r"lftp", {"-u": "comma"}),
    (r"snmp\w+", {"-A": "secret", "-X": "secret", "-c": "secret"}),
    (r"etcdctl|influx|nats|arangosh", {"--user": "login", "--creds": "login"}),
    (r"ssh-keygen", {"-N": "secret", "-P": "secret"}),
    (r"signtool", {"/p": "secret"}),
    (r"xfreerdp|rdesktop", {"/p": "colon", "-p": "secret"}),
)  # fmt: skip
_BEGINS = expression(
    r"(?<![\w\-/.])(?:[\w./\\\-]{0,120}/)?("
    + "|".join(names for names, _ in _PROGRAMS)
    + r")(?:\.exe)?(?=[ \t\"'])[^\n|;]{2,2048}"
)
_DASH = expression(r"[ \t][\"']?[-/][-\w]")
_WORD = expression(r"\"((?:[^\"\\]|\\.)*+)\"|'([^']*+)'|[^\s\"']+")
# "echo … | docker login --password-stdin", "mc alias set NAME URL KEY SECRET".
_PIPED = expression(
    r"\b(?:echo|printf|print)[ ](?:-n[ ])?[\"']?([^\s\"'|$`]{4,256})[\"']?[ ]{0,2}\|[^\n]{0,200}?"
    r"(?:--?pass\w*-(?:stdin|fd)|sudo[ ][\w ]{0,20}-S\b|--with-token|chpasswd|--stdin|kinit|smbpasswd|cryptsetup|-stdin\b)"
)
_ALIAS = expression(
    r"\bmc(?:li)?[ ](?:alias[ ]set|config[ ]host[ ]add)[ ]\S{1,80}[ ]\S{1,200}[ ]\S{1,128}[ ](\S{8,128})"
)
_HTPASSWD = expression(
    r"\bhtpasswd[ ](?:-\w{1,8}[ ]){0,4}-\w{0,7}b\w{0,7}[ ](?:-\w{1,8}[ ]){0,4}(?:\S{1,200}[ ]){1,2}(\S{4,128})"
)
# "gh secret set NAME --body …": what a store of secrets is given.
_STORED = expression(
    r"\bsecrets?[ ](?:set|put|create|add|update)\b[^\n]{0,200}?[ ]--?(?:body|value|data|string|literal|b|v)(?:[ ]|=)[\"']?([^\s\"']{6,512})"
)
_NET_USE = expression(r"\bnet user? ?")
_PASSWORD_OF = expression(r"\bpass:(\S{1,256})")
_TABLE = [(expression(names), options) for names, options in _PROGRAMS]


def options_of(program: str) -> dict[str, str]:
    """What the short options of a program hold."""
    name = program.replace("\\", "/").rpartition("/")[2].removesuffix(".exe")
    return next((options for names, options in _TABLE if names.fullmatch(name)), {})


def commands(text: str) -> Findings:
    """Secrets behind the short options of programs that a text shows being called."""
    for match in _BEGINS.finditer(text) if _DASH.search(text) else ():
        options = options_of(match.group(1))
        waiting, last = "", 0
        # In a list that is printed each word has quotes, and a comma follows: "['curl', '-u', 'ann:…']".
        listed = text[match.end(1) : match.end(1) + 2] in ("',", '",')
        for word in _WORD.finditer(text, match.end(1) + listed, match.end()):
            if listed and word.group() == ",":
                continue
            # Most words are no options, and none waits for them.
            if not waiting and text[word.start()] not in "-/\"'":
                last = word.end()
                continue
            # -p'…' is one word to a shell.
            waiting = (
                "secret"
                if waiting == "glued" and word.start() == last
                else ""
                if waiting == "glued"
                else waiting
            )
            last = word.end()
            for start, end, rule, waits in _word(word, waiting, options):
                waiting = waits
                if start < end:
                    yield Finding(start, end, rule)
    for pattern in (
        _PIPED if "|" in text else None,
        _ALIAS if "mc" in text else None,
        _HTPASSWD if "htpasswd" in text else None,
        _STORED if "secret" in text and " -" in text else None,
    ):
        for match in bounded(pattern, text) if pattern else ():
            value = match.group(1)
            if not looks.placeholder(value) and (pattern is _PIPED or looks.strong(value)):
                first = match.start(1) + (value.find(":") + 1 if "chpasswd" in match.group() else 0)
                yield Finding(first, match.end(1), "password")
    if "net use" in text:
        for match in _NET_USE.finditer(text):
            for word in _WORD.finditer(text, match.end(), min(len(text), match.end() + 200)):
                if (
                    looks.strong(word.group().strip("\"'"))
                    and "\\" not in word.group()
                    and "/" not in word.group()
                ):
                    yield Finding(word.start(), word.end(), "password")
    if "pass:" in text and ("-pass" in text or "openssl" in text):
        for match in _PASSWORD_OF.finditer(text):
            yield Finding(match.start(1), match.end(1), "password")


def _word(word: re.Match[str], waiting: str, options: dict[str, str]) -> list[tuple[int, int, str, str]]:
    group = 1 if word.group(1) is not None else 2 if word.group(2) is not None else 0
    value, start = word.group(group), word.start(group)
    if waiting and not value.startswith("-"):
        first, last = secret_part(value, waiting)
        return [(start + first, start + last, "password", "")]
    if value in options:
        return [(0, 0, "", options[value])]
    for option, kind in options.items():
        if (
            kind in ("glued", "secret", "login")
            and len(option) == 2
            and value.startswith(option)
            and len(value) > 2
            and value[2] != "="
        ):
            first, last = secret_part(value[2:], "secret" if kind == "glued" else kind)
            if kind == "glued" or looks.strong(value[2 + first : 2 + last]):
                return [(start + 2 + first, start + 2 + last, "password", "")]
    return [(0, 0, "", "")]


def secret_part(value: str, kind: str) -> tuple[int, int]:
    """Where in an option's value the secret stands."""
    if kind in ("login", "percent", "comma"):
        separator = {"login": ":", "percent": "%"}.get(kind, ",")
        at = value.find(separator)
        secret = value[at + 1 :]
        if at < 0 or not secret or looks.placeholder(secret):
            return (0, len(value)) if kind == "login" and looks.opaque(value) else (0, 0)
        return at + 1, len(value)
    if kind == "colon":
        return min(1, len(value)), len(value)
    # "-p 8080:80" publishes a port, "-p" of mkdir takes a path.
    plain = (
        looks.placeholder(value)
        or "/" in value
        or not any(map(str.isalnum, value))
        or (":" in value and value.replace(":", "").replace(".", "").isdigit())
        or (value.isdigit() and len(value) < 6)
    )
    return (0, 0) if plain or kind in ("last", "glued") else (0, len(value))


def secret_arguments(arguments: Sequence[object]) -> dict[int, tuple[int, int, str]]:
    """Which elements of an argument list hold a secret: by index the part, and its rule."""
    found: dict[int, tuple[int, int, str]] = {}
    options = options_of(arguments[0]) if arguments and isinstance(arguments[0], str) else {}
    waiting = rule = ""
    for index, argument in enumerate(arguments):
        if not isinstance(argument, str):
            waiting = ""
            continue
        if (
            index
            and looks.strong(argument)
            and not waiting
            and "_" in str(arguments[index - 1])
            and judge(str(arguments[index - 1])).asks is Asks.NOTHING
        ):
            found[index] = (0, len(argument), "password")
        if waiting and not argument.startswith("--"):
            first, last = secret_part(argument, waiting) if waiting != "named" else (0, len(argument))
            if first < last:
                found[index] = (first, last, rule)
        waiting, rule = _waits(argument, options)
        for option, kind in options.items():
            if kind == "glued" and argument.startswith(option) and len(argument) > len(option):
                found[index] = (len(option), len(argument), "password")
    return {
        i: part for i, part in found.items() if not looks.placeholder(str(arguments[i])[part[0] : part[1]])
    }


def _waits(argument: str, options: dict[str, str]) -> tuple[str, str]:
    """What the next argument holds, as this one says."""
    if argument in options:
        return options[argument], "password"
    if argument.startswith(("-", "/")) and len(argument) > 3 and "=" not in argument:
        verdict = judge(argument.lstrip("-/"))
        if verdict.asks not in (Asks.TEXT, Asks.QUANTITY) and not withheld(verdict, ""):
            return "named", verdict.rule
    return "", ""
