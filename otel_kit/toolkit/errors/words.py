"""Categories by words: in the name of a class that nobody knows, and, last of all, in a message."""

from __future__ import annotations

import re

from otel_kit.toolkit.errors.categories import (
    AUTHENTICATION,
    AUTHORIZATION,
    CANCELLED,
    CONFIGURATION,
    CONFLICT,
    DATABASE,
    DEPENDENCY,
    NETWORK,
    NOT_FOUND,
    PROGRAMMING,
    RATE_LIMIT,
    RESOURCES,
    TIMEOUT,
    VALIDATION,
)

LONGEST = 1000  # characters of a message that are looked at

# In their order: the first that is found decides. Names are split at their capitals: "OrderNotFound" is "order not found".
_IN_NAMES = (
    (TIMEOUT, r"time ?out|timed out|deadline exceeded|time limit|too slow"),
    (RATE_LIMIT, r"rate ?limit|rate exceeded|too many requests|throttl|quota|slow down"),
    (NOT_FOUND, r"not found|does ?n[o']?t exist|no such|unknown (?:host|user|key|id)|gone$|no result"),
    (CONFLICT, r"conflict|already|duplicate|deadlock|stale|integrity|lock(?:ed)? (?:error|exception)|concurren"),
    (AUTHENTICATION, r"authenticat|unauthori[sz]ed|un ?authenticated|credential|log ?in|(?:in)?valid token|token expired|"
                     r"expired token|invalid client token|unrecognized client|invalid api key|signature"),
    (AUTHORIZATION, r"permission|forbidden|authori[sz]ation|access denied|not allowed|unauthori[sz]ed operation|privilege"),
    (RESOURCES, r"memory|exhausted|no space|disk full|too many open|capacity|insufficient (?:space|storage)"),
    (CANCELLED, r"cancel|interrupted"),
    (NETWORK, r"connection|connect |network|socket|unreachable|dns|ssl|tls|disconnect|broken pipe|proxy"),
    (DEPENDENCY, r"unavailable|bad gateway|internal server|upstream|circuit|service error|provider error|gateway|remote"),
    (DATABASE, r"database|sql|\bdb\b"),
    (CONFIGURATION, r"config|settings?\b|misconfigured|not installed|environment variable"),
    (VALIDATION, r"invalid|validat|malformed|pars(?:e|er|ing)\b|decod|bad request|schema|unprocessable|"
                 r"missing (?:field|parameter|argument)"),
    (PROGRAMMING, r"not implemented|unsupported|assertion|programming"),
)  # fmt: skip
# A message says many words in passing; these say what happened.
_IN_MESSAGES = (
    (TIMEOUT, r"\btimed? ?out\b|\btimeout\b|deadline exceeded|took too long"),
    (RATE_LIMIT, r"rate[ -]?limit|too many requests|throttl|quota exceeded|\b429\b"),
    (AUTHENTICATION, r"unauthori[sz]ed|not authenticated|authentication (?:failed|required|error)|(?:invalid|wrong|expired|bad) "
                     r"(?:api[ _-]?key|token|credentials?|password|signature)|(?:token|credentials?|signature|session) "
                     r"(?:has |have |is |are )?(?:expired|invalid)|login (?:failed|required)|\b401\b"),
    (AUTHORIZATION, r"forbidden|permission denied|access (?:is )?denied|not (?:allowed|permitted|authori[sz]ed)|insufficient "
                    r"(?:privileges?|permissions?|scope)|\b403\b"),
    (RESOURCES, r"out of memory|cannot allocate|no space left|disk (?:is )?full|too many open files|exhausted|"
                r"too many (?:connections|clients)|pool limit|limit of size"),
    (NETWORK, r"connection (?:was |is |has been )?(?:refused|reset|aborted|closed|lost|dropped|error)|"
              r"could not connect|cannot connect|failed to connect|unreachable|name (?:or service not known|resolution)|"
              r"broken pipe|\bdns\b|\bssl\b|\btls\b|disconnected"),
    (CONFLICT, r"already exists|already in use|duplicate|conflict|deadlock|(?:is|was) locked|"
               r"concurrent (?:update|modification)|\b409\b"),
    (NOT_FOUND, r"not found|no such|does not exist|doesn't exist|could not be found|\b404\b"),
    (CANCELLED, r"cancell?ed|aborted by"),
    (DEPENDENCY, r"unavailable|bad gateway|internal server error|upstream|service (?:is )?down|overloaded|\b50[0234]\b"),
    (CONFIGURATION, r"not installed|not configured|misconfigured|environment variable|missing (?:setting|configuration)|"
                    r"no module named"),
    (DATABASE, r"\bdatabase\b|\bsql\b|\btransaction\b"),
    (VALIDATION, r"invalid|malformed|must be|is required|required field|out of range|could not (?:parse|decode|convert)|"
                 r"failed to (?:parse|decode)|validation|expected .{1,40} (?:but )?got|not a valid"),
    (PROGRAMMING, r"not implemented|unsupported|should never|unexpected (?:state|type)|assertion"),
)  # fmt: skip
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def _compiled(table: tuple[tuple[str, str], ...]) -> list[tuple[str, re.Pattern[str]]]:
    return [(category, re.compile(pattern)) for category, pattern in table]


_names, _messages = _compiled(_IN_NAMES), _compiled(_IN_MESSAGES)


def category_of_name(name: str) -> str | None:
    """The category that the name of a class, or a code made of words, speaks of."""
    spoken = " ".join(_WORDS.findall(name[:200])).lower()
    return next((category for category, pattern in _names if pattern.search(spoken)), None)


def category_of_message(message: str) -> str | None:
    """The category that a message speaks of."""
    spoken = message[:LONGEST].lower()
    return next((category for category, pattern in _messages if pattern.search(spoken)), None)
