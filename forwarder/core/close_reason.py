"""What a close frame means: its code, and the words that the server sent with it. Pure.

No server that we know documents its words, so they are weighed with care: a word alone decides nothing ("limit" is said of memory, of
time and of connections), and where the words allow two readings the one is chosen that loses less. A connection that a routine has
ended is made again at once; to wait without need would lose every event of that time.
"""

import re
from enum import StrEnum

_REPLACED_CODE = 4409
"""As HTTP 409, a conflict; of the codes that applications choose the one that is used for nothing else."""
_RATE_LIMITED_CODE = 4429
"""As HTTP 429."""

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


_SURELY_REPLACED = _any(
    rf"(?:\w+ed|taken over) (?:by|with|in favou?r of|because of|due to) {_OTHER_ONE}",
    rf"{_OTHER_ONE} (?:(?:has|have|had|was|is|got|been|already) )*{_HAPPENED}",
    r"(?:connection|session|stream|client)s? (?:(?:has|have|was|is|been|being|got) )*(?:replaced|superseded|displaced|taken over)",
    rf"(?:connected|logged|signed|login|active|opened|open|started|used|in use|detected)(?: (?:in|on|from|at|by))* {_OTHER_ONE}",
    r"(?:connected|logged in|signed in|login|active|opened|started|used|in use)(?: on| from)? elsewhere",
    rf"already (?:connected|logged in|signed in|has an? (?:\w+ )?{_ONE})",
    r"(?:key|token|account|connection|session|stream) (?:is )?(?:already )?in use",
)
"""Sentences in which another one came, whatever else they say."""
_OURS_TO_BEAR = _any(
    r"slow (?:consumer|client|reader|receiver)",
    r"(?:buffer|queue|backlog|pending|queued|buffered)",
    r"(?:memory|disk|cpu|heap|file descriptors?|open files)",
)
"""The server has too little of something: no wish that we ask for less."""
_RATE_LIMITED = _any(
    r"rate ?limit\w*",
    r"limit\w* rate",
    r"rate (?:\w+ )?(?:too high|exceeded)",
    r"too many (?:\w+ ){0,2}?(?:requests?|messages?|commands?|calls?|pings?|frames?|attempts?|retries|reconnects|reconnections|events|queries)",
    r"throttl\w*",
    r"slow down",
    r"too (?:fast|often|frequent\w*|quickly)",
    r"flood\w*",
    r"quota",
    r"(?:request|message|event|command|bandwidth|traffic|usage|api|plan|data|daily|hourly|monthly) (?:\w+ )?limit",
    r"per (?:second|minute|hour|day)",
)
_UNIT = "(?:s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)"
_ROUTINE = _any(
    r"re ?start\w*|re ?boot\w*|re ?deploy\w*|deploy\w*|recycl\w*|rotat\w*|rolling|roll ?out",
    r"shut(?:s|ting)? ?down|maintenance|going away|go ?away|drain\w*|migrat\w*|re ?balanc\w*|fail ?over|upgrading",
    r"life ?times?|life ?span|aged?|too old|duration|up ?time|(?:time|hour|day) limit|limit\w* (?:of|on|in) time",
    r"max(?:imum)? (?:\w+ )?(?:time|duration|age)",
    rf"\d+ ?{_UNIT} (?:\w+ )?(?:limit|max\w*|passed|elapsed|reached|exceeded|old)",
    rf"(?:limit|max\w*|after|older than) (?:of )?\d+ ?{_UNIT}",
    r"expir\w*|idle|inactiv\w*|time ?out\w*|timed out|renew\w*|refresh\w*",
    r"over ?load\w*|capacity|unavailable|upstream|back ?end|(?:internal|server) error",
    r"(?:server|node|instance|pod|host|worker|proxy|container|certificate|cert|config\w*|key|token|version)"
    r" (?:(?:has|have|is|was|been|being|will|be|gets) )*(?:replac|supersed)\w*",
)
"""Ends by the clock, by an operator's hand, or by the server's own trouble."""
_ASKED_FOR = re.compile(
    r"\b(?:open|opening|start|starting|create|creating|establish|establishing|make|use|using|request|obtain|get|begin|initiate|try|with|"
    r"requires?|required(?: for)?|needs?|needed(?: for)?|accept\w*|allow\w*|refus\w*|no|connect to|reconnect to|move to|moved to|switch to|wait for|await|expect\w*) "
    rf"{_OTHER_ONE}\b"
)
"""A new connection that we are to open, and not one that somebody has opened."""
_REPLACED = _any(
    r"(?:replac|supersed)(?:ed|ing)|displaced|supplanted",
    rf"{_OTHER_ONE}(?! (?:version|required|needed|pool))",
    r"duplicated? (?:\w+ )?" + _ONES,
    rf"(?:{_ONE}|stream) conflict|conflict\w* (?:with )?(?:\w+ )?{_ONES}",
)
_TOO_MANY = _any(
    rf"too many (?:\w+ ){{0,3}}?{_COUNTED}",
    rf"(?:number|count) of (?:\w+ )?{_COUNTED}",
    rf"max(?:imum)? (?:\w+ ){{0,2}}?{_COUNTED}",
    rf"(?:more than|only|limit of|at most) (?:a |an )?(?:one|single|two|\d+) (?:\w+ )?{_ONES}",
    rf"(?:concurrent|simultaneous|parallel) {_ONES}",
    rf"(?:one|single|1) (?:\w+ )?{_ONE} (?:\w+ )?(?:at a time|per|only|allowed)",
    rf"{_COUNTED} limit",
)
"""A count of connections is one of others that use the same key."""
_SOME_LIMIT = _any(rf"(?:{_ONE}|concurrency) (?:count )?limit", rf"limit (?:of|on|for) (?:\w+ )?{_ONES}")
"""Of time, or of number: it is not said."""


class CloseMeaning(StrEnum):
    """What a close frame says of the next connection."""

    REPLACED = "replaced"
    """Another connection with the same key has come, or one too many: to come back at once would push that one out."""
    RATE_LIMITED = "rate_limited"
    """The server wants to see less of us for a while."""
    ROUTINE = "routine"
    """A lifetime is over, the server restarts: the next connection may be made at once."""
    NOTHING = "nothing"
    """No words that we know."""


def close_meaning(code: int, reason: str) -> CloseMeaning:
    """Return what a close frame with this code and these words means."""
    if code == _REPLACED_CODE:
        return CloseMeaning.REPLACED
    meaning = _meaning_of_words(_plain_words(reason))
    if meaning is CloseMeaning.NOTHING and code == _RATE_LIMITED_CODE:
        return CloseMeaning.RATE_LIMITED
    return meaning


def _meaning_of_words(words: str) -> CloseMeaning:
    if _SURELY_REPLACED.search(_ASKED_FOR.sub(" ", words)):
        return CloseMeaning.REPLACED
    if _OURS_TO_BEAR.search(words):
        return CloseMeaning.ROUTINE
    if _RATE_LIMITED.search(words):
        return CloseMeaning.RATE_LIMITED
    if _ROUTINE.search(words):
        return CloseMeaning.ROUTINE
    if _TOO_MANY.search(words) or _REPLACED.search(_ASKED_FOR.sub(" ", words)):
        return CloseMeaning.REPLACED
    if _SOME_LIMIT.search(words):
        return CloseMeaning.RATE_LIMITED
    return CloseMeaning.NOTHING


def _plain_words(reason: str) -> str:
    """Return the words in lower case with single spaces: `ConnectionReplaced` and `CONNECTION_REPLACED` are two words."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", reason)
    return re.sub(r"[^a-z0-9]+", " ", apart.lower()).strip()
