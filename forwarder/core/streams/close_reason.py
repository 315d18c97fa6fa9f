"""What a close frame means: its code, and the reason that the server sent with it. Pure.

No server that we know documents its reasons, so they are read with care. A single word decides nothing ("limit" can mean memory, time or
connections), and if a reason is ambiguous the reading is chosen that loses less. After a routine end the stream reconnects at once, and
waiting without need would lose every event of that time. So only a reason that clearly names another connection of the same user means
that ours was replaced.
"""

import re
from enum import StrEnum

_REPLACED_CODE = 4409
"""Like HTTP 409, a conflict; among the codes for applications it is used for nothing else."""
_RATE_LIMITED_CODE = 4429
"""Like HTTP 429."""
_CODES_OF_THE_SERVER = frozenset({1001, 1012, 1013, 1014})
"""The server goes away, restarts, is busy, or has a bad gateway. With these codes only an unambiguous reason means another connection."""

_ONE = (
    "(?:connection|session|client|log ?in|sign ?in|device|tab|window|browser|consumer|subscriber|socket|websocket|stream|user|"
    "location|place|listener)"
)
_ONES = f"{_ONE}s?"
_OTHER = (
    "(?:another|(?:(?:an|the|some|your) )?other|(?:(?:a|the|your) )?(?:new|newer|newest|different|second|later|latest|fresh|"
    "more recent|duplicate))"
)
_OTHER_ONE = f"{_OTHER} (?:[a-z]+ ){{0,2}}?{_ONE}"
_HAPPENED = (
    "(?:connected|opened|logged|signed|established|started|took|taken|using|active|made|detected|exists|present|joined|arrived|"
    "registered|authenticated|created)"
)
_COUNTED = "(?:connections|sessions|clients|logins|devices|consumers|subscribers|sockets|websockets|streams|listeners)"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(rf"\b(?:{pattern})\b" for pattern in patterns))


_AUX = "(?:(?:has|have|had|is|was|were|being|been|got|gets|will|be|already) )*"
_GONE = "(?:replaced|superseded|displaced|taken over)"
_OF_THE_SERVER = "(?:deployment|release|node|worker|instance|server|version|process|host|pod|replica|shard|cluster|proxy|gateway|container|machine|(?:load )?balancer)s?"
_BEHIND = (
    "(?:upstream|back ?end|database|db|internal|redis|kafka|sql|postgres\\w*|mysql|pool\\w*|origin|broker|replication)"
)
_OWNED = "(?:key|token|account|user|login|subscription|plan|customer|credentials?|licen[cs]e|ip|address)"

_SERVERS_OWN = _any(
    rf"(?:(?:the|{_OTHER}) )?{_BEHIND} {_ONES}(?: {_AUX}(?:{_GONE}|{_HAPPENED}))?",
    rf"(?:{_ONES} )?{_AUX}(?:\w+ed|taken over|{_HAPPENED}) (?:by|with|in favou?r of|because of|due to) "
    rf"(?:(?:an?|the|{_OTHER}) )?(?:(?!{_ONES}\b)\w+ )?{_OF_THE_SERVER}(?! (?:with|using|of|for) (?:the same|same|this|your|a|an|the)\b)",
    rf"{_OTHER_ONE} {_AUX}{_HAPPENED} by (?:(?:the|our|an?) )?(?:\w+ )?{_OF_THE_SERVER}",
    rf"{_OF_THE_SERVER} {_AUX}(?:open|start|establish|creat|ma[dk])\w* {_OTHER_ONE}",
    rf"{_OTHER_ONE} attempts?",
    rf"(?:logged|signed|log|sign) ?out (?:(?:from|in|on|at) )+{_OTHER_ONE}",
)
"""What happened to parts of the server and to its own connections. It says nothing about another program."""
_SURELY_REPLACED = _any(
    rf"(?:\w+ed|taken over) (?:by|with|in favou?r of|because of|due to) {_OTHER_ONE}",
    rf"{_OTHER_ONE}(?: instance)? {_AUX}{_HAPPENED}",
    rf"(?:connection|session|stream|client)s? {_AUX}{_GONE}(?! (?:after|every|each|during|daily|hourly|periodically)\b)",
    rf"(?:connected|logged|signed|login|active|opened|open|started|used|detected)(?: (?:in|on|from|at|by))* {_OTHER_ONE}",
    r"(?:connected|logged in|signed in|login|active|opened|started|used|in use)(?: on| from)? elsewhere",
    r"(?:logged|signed) in (?:from|on|at) (?:another|(?:a )?different|other) [a-z]+",
    rf"already (?:connected|logged in|signed in|has an? (?:\w+ )?{_ONE})",
    r"(?:key|token|account|connection|session|stream) (?:is )?(?:already in use|in use (?:already|elsewhere))"
    r"(?! (?:of|(?:\w+ ){0,2}?(?:too long|expired))\b)",
    rf"(?:in use|used) by (?:another|(?:an)?other|(?:a )?different) \w+ (?:with|using) (?:the same|this|your) (?:api )?{_OWNED}",
    r"duplicated? (?:\w+ )?(?:connection|session|client|login|consumer|subscriber)s?"
    r"(?! (?:ids?|names?|keys?|numbers?|data|events?|messages?|errors?|state|entry|entries)\b)",
)
"""Sentences in which another connection came, regardless of the rest."""
_SERVER_SHORTAGE = _any(
    r"slow (?:consumer|client|reader|receiver)",
    r"(?:buffer|queue|backlog|pending|queued|buffered)",
    r"(?:memory|disk|cpu|heap|file descriptors?|open files)",
    r"up ?stream|back ?end|data ?cent(?:er|re)",
    r"too (?:large|big|long)|(?:size|payload|length) limit",
)
"""The server lacks some resource, or its own supplier limits it. It does not ask us to send less."""
_RATE_LIMITED = _any(
    r"rate ?limit\w*",
    r"limit\w* rate",
    r"rate (?:\w+ )?(?:too high|exceeded)",
    r"too many (?:\w+ ){0,2}?(?:requests?|messages?|commands?|calls?|pings?|frames?|attempts?|retries|reconnects|reconnections|events|queries)",
    r"throttl\w*",
    r"slow down",
    r"too (?:fast|often|frequent\w*|quickly)",
    r"flood\w*(?! in\b)",
    r"quota",
    r"(?:request|message|event|command|bandwidth|traffic|usage|api|plan|data|daily|hourly|monthly) (?:\w+ )?limit",
)
_PER_TIME = _any(r"(?<!once )per (?:second|minute|hour|day)")
_UNIT = "(?:s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)"
_ROUTINE = _any(
    r"re ?start\w*|re ?boot\w*|re ?deploy\w*|deploy\w*|recycl\w*|rotat\w*|rolling|roll ?out",
    r"shut(?:s|ting)? ?down|maintenance|going away|go ?away|drain\w*|migrat\w*|re ?balanc\w*|fail ?over|upgrading",
    r"life ?times?|life ?span|aged?|too old|duration|up ?time|(?:time|hour|day) limit|limit\w* (?:of|on|in) time",
    r"max(?:imum)? (?:\w+ )?(?:time|duration|age)",
    rf"\d+ ?{_UNIT} (?:\w+ )?(?:limit|max\w*|passed|elapsed|reached|exceeded|old)",
    rf"(?:limit(?: exceeded| reached)?|max\w*|(?<!retry )(?<!again )after|older than) (?:of )?\d+ ?{_UNIT}",
    r"expir\w*|idle|inactiv\w*|time ?out\w*|timed out|renew\w*|refresh\w*",
    r"over ?load\w*|(?:load )?shed\w*|capacity|unavailable|(?:internal|server) error",
    r"(?:server|node|instance|pod|host|worker|proxy|container|certificate|cert|config\w*|key|token|version)"
    r" (?:(?:has|have|is|was|been|being|will|be|gets) )*(?:replac|supersed)\w*",
)
"""Ends because of a time limit, an operator, or a fault of the server."""
_ASKED_FOR = re.compile(
    r"\b(?:open|opening|start|starting|create|creating|establish|establishing|make|use|using|request|obtain|get|begin|initiate|try|with|"
    r"requires?|required(?: for)?|needs?|needed(?: for)?|accept\w*|allow\w*|refus\w*|no|connect to|reconnect to|move to|moved to|switch to|"
    r"up(?:grade|date) to|wait for|await|expect\w*) "
    rf"{_OTHER_ONE}\b"
)
"""A new connection that we should open, and not one that somebody has opened."""
_REPLACED = re.compile(
    rf"^(?:(?:you|this|it|closed|error) )?{_AUX}(?:replaced|superseded|displaced|supplanted)$"
    rf"|\b{_OTHER} (?:[a-z]+ )?(?:connection|session|client|log ?in|sign ?in|device|tab|consumer|subscriber|socket|websocket)"
    r"(?= ?$| (?:with|for|from|using) )"
    rf"|(?<!write )(?<!lock )(?<!merge )\b{_ONE} conflict ?$"
)
"""Another connection is named, and the sentence says nothing more."""
_TOO_MANY = _any(
    rf"too many (?:\w+ ){{0,3}}?{_COUNTED}",
    rf"(?:number|count) of (?:\w+ )?{_COUNTED}",
    rf"max(?:imum)? (?:\w+ ){{0,2}}?{_COUNTED}",
    rf"(?:limit of|at most) (?:a |an )?(?:two|\d+) (?:\w+ )?{_ONES}",
    rf"(?:concurrent|simultaneous|parallel) {_ONES}",
    rf"{_COUNTED} limit",
)
_JUST_ONE = _any(
    rf"(?:more than|only|limit of|at most) (?:a |an )?(?:one|single|1) (?:\w+ )?{_ONE}(?! per (?!(?:\w+ )?{_OWNED}))",
    rf"(?:one|single|1) (?:\w+ )?{_ONE} (?:\w+ )?(?:at a time|only|allowed|per (?:\w+ )?{_OWNED})",
)
"""A limit of one connection must be one per key: no server can serve only one."""
_OF_A_KEY = _any(
    rf"(?:this|that|your|same|one|each|per|an?) (?:api )?{_OWNED}",
    r"you (?:have|ve|reached|exceeded|are using)",
)
"""The count is that of a key, an account or a user."""
_NEAR_A_KEY = _any(_OWNED, rf"you|your(?! {_ONES}\b)")
_OF_A_SERVER = _any(_OF_THE_SERVER, r"load|shed\w*|(?<!not )reconnect\w*")
"""The count is that of a part of the server, or we are asked to reconnect."""
_SOME_LIMIT = _any(rf"(?:{_ONE}|concurrency) (?:count )?limit", rf"limit (?:of|on|for) (?:\w+ )?{_ONES}")
"""A limit of time or of number; the reason does not say which."""


class CloseMeaning(StrEnum):
    """Says what a close frame means for the next connection."""

    REPLACED = "replaced"
    """Another connection with the same key has replaced ours, or there are too many: reconnecting at once would end that one."""
    RATE_LIMITED = "rate_limited"
    """The server asks for fewer messages or connections for a while."""
    ROUTINE = "routine"
    """A lifetime is over, or the server restarts: the next connection may be opened at once."""
    UNKNOWN = "unknown"
    """The reason is missing or unknown."""


def close_meaning(code: int, reason: str) -> CloseMeaning:
    """Return what a close frame with this code and reason means."""
    if code == _REPLACED_CODE:
        return CloseMeaning.REPLACED
    words = _plain_words(reason)
    if _is_surely_replaced(words):
        return CloseMeaning.REPLACED
    meaning = _likely_meaning(words)
    if meaning is CloseMeaning.REPLACED and code in _CODES_OF_THE_SERVER:
        return CloseMeaning.ROUTINE
    if meaning is CloseMeaning.UNKNOWN and code == _RATE_LIMITED_CODE:
        return CloseMeaning.RATE_LIMITED
    return meaning


def _is_surely_replaced(words: str) -> bool:
    if _SURELY_REPLACED.search(_ASKED_FOR.sub(" ", _SERVERS_OWN.sub(" ", words))):
        return True
    is_counted = _TOO_MANY.search(words) or _JUST_ONE.search(words)
    asks_for_less = _SERVER_SHORTAGE.search(words) or _RATE_LIMITED.search(words) or _PER_TIME.search(words)
    return bool(is_counted and _OF_A_KEY.search(words) and not asks_for_less)


def _likely_meaning(words: str) -> CloseMeaning:
    if _SERVER_SHORTAGE.search(words):
        return CloseMeaning.ROUTINE
    if _RATE_LIMITED.search(words):
        return CloseMeaning.RATE_LIMITED
    if _ROUTINE.search(words):
        return CloseMeaning.ROUTINE
    if _PER_TIME.search(words):
        return CloseMeaning.RATE_LIMITED
    if _TOO_MANY.search(words) or _JUST_ONE.search(words):
        return _meaning_of_a_count(words)
    without = _ASKED_FOR.sub(" ", _SERVERS_OWN.sub(" ", words)).strip()
    if _REPLACED.search(without):
        return CloseMeaning.REPLACED
    if _SOME_LIMIT.search(words):
        return CloseMeaning.RATE_LIMITED
    return CloseMeaning.ROUTINE if _SERVERS_OWN.search(words) else CloseMeaning.UNKNOWN


def _meaning_of_a_count(words: str) -> CloseMeaning:
    if _OF_A_SERVER.search(words):
        return CloseMeaning.ROUTINE
    if _JUST_ONE.search(words) or _NEAR_A_KEY.search(words):
        return CloseMeaning.REPLACED
    return CloseMeaning.RATE_LIMITED


def _plain_words(reason: str) -> str:
    """Return the words in lower case with single spaces: `ConnectionReplaced` and `CONNECTION_REPLACED` are two words."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", reason)
    return re.sub(r"[^a-z0-9]+", " ", apart.lower()).strip()
