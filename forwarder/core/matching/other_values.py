"""What is probably meant by a value that a test cannot read: a number with a unit, a regex of another library, a time zone by its distance. Only mistakes need it.

Each function returns what to write after a semicolon, or an empty text where nothing is known.
"""

import re

from forwarder.core.yaml.tree import Scalar, Tree

_KINDS = {
    "repost": "retweet retweets retweeted rt forward forwarded",
    "post": "original originals tweet status message new",
    "reply": "comment comments answer replied",
    "quote": "quoted quote_tweet qrt",
    "edit": "edited update updated",
}
_KIND_OF = {other: ours for ours, others in _KINDS.items() for other in others.split()}
_ESCAPES = {
    r"\Z": r"write \z for the end of the text",
    r"\h": r"write [ \t] for a space or a tab",
    r"\R": r"write \r?\n for a line break",
    r"\u": r"write \x{0041} for a character by its number",
    r"\U": r"write \x{1F680} for a character by its number",
    r"\N": r"write the character itself",
    r"\e": r"write \x1b",
    r"\G": "remove it",
    r"\K": "remove it",
    r"\<": "use the test word, for a whole word",
    r"\>": "use the test word, for a whole word",
}
"""Escapes of other libraries. RE2 lists its own: https://github.com/google/re2/wiki/Syntax."""
_SAID = {
    "no argument for repetition operator": "* and + repeat what is before them: for any text write .*, or use the test wildcard",
    "bad repetition operator": "one * or + is enough",
    "missing )": r"write \( for the bracket itself",
    "unexpected )": r"write \) for the bracket itself",
    "missing ]": r"write \[ for the bracket itself",
    "invalid repetition size": "at most 1000 repetitions are possible",
    "trailing \\": r"write \\ for the character itself",
}
_FACTORS = {"k": 10**3, "m": 10**6, "b": 10**9}
_WITH_UNIT = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[kmb])", re.IGNORECASE)
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:[,_' ][0-9]{3})+")
COMPARED = re.compile(r"(?P<sign>[<>]=?|[=!]?=)\s*(?P<number>-?[0-9]+(?:\.[0-9]+)?)")
"""A comparison as other programs write it."""
TEST_OF_SIGN = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_SIGNS_OF_NUMBERS = TEST_OF_SIGN | {"=": "equals"}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*")
_SPANS = {
    "weekday": "mon-fri",
    "weekdays": "mon-fri",
    "workdays": "mon-fri",
    "weekend": "sat-sun",
    "weekends": "sat-sun",
}
_ALWAYS = frozenset({"daily", "every day", "everyday", "all", "any", "*"})
_DISTANCE = re.compile(r"(?:utc|gmt)?\s*(?P<sign>[+-])(?P<hours>[01]?[0-9])(?::?00)?", re.IGNORECASE)
_PLACES = {
    "pst": "America/Los_Angeles",
    "pdt": "America/Los_Angeles",
    "mdt": "America/Denver",
    "cst": "America/Chicago",
    "cdt": "America/Chicago",
    "edt": "America/New_York",
    "est": "America/New_York",
    "mst": "America/Denver",
    "hst": "Pacific/Honolulu",
    "bst": "Europe/London",
    "cest": "Europe/Berlin",
    "eest": "Europe/Athens",
    "msk": "Europe/Moscow",
    "jst": "Asia/Tokyo",
    "kst": "Asia/Seoul",
    "hkt": "Asia/Hong_Kong",
    "sgt": "Asia/Singapore",
    "aest": "Australia/Sydney",
    "aedt": "Australia/Sydney",
}
_FIXED = {"EST": "UTC-5", "MST": "UTC-7"}
"""Zones that exist, and have no daylight saving time."""


def kind_meant(value: str) -> str:
    """For a `kind` that there is not."""
    ours = _KIND_OF.get(value.strip().casefold())
    return f"; did you mean {ours}?" if ours else ""


def regex_meant(said: str) -> str:
    """For a regex that RE2 refuses, from what it says about it."""
    what, _, rest = said.partition(": ")
    hint = _ESCAPES.get(rest[:2], "") if what == "invalid escape sequence" else _SAID.get(what, "")
    return hint and f"; {hint}"


def number_meant(tree: Tree) -> str:
    """For what is no number."""
    if not isinstance(tree, Scalar):
        return ""
    value = tree.strip()
    if found := _WITH_UNIT.fullmatch(value):
        return f"; write {float(found['number']) * _FACTORS[found['unit'].lower()]:.0f}"
    if _THOUSANDS.fullmatch(value):
        return f"; write {re.sub('[^0-9]', '', value)}"
    if (found := COMPARED.fullmatch(value)) and (ours := _SIGNS_OF_NUMBERS.get(found["sign"])) is not None:
        return f"; write {ours}: {found['number']}"
    if _DATE.fullmatch(value):
        return "; for the age of a time write within: 5m or older_than: 5m"
    return ""


def days_meant(word: str) -> str:
    """For what is no weekday."""
    word = word.casefold()
    if word in _ALWAYS:
        return "; for every day leave out days"
    return f"; write {_SPANS[word]}" if word in _SPANS else ""


def zone_meant(name: str) -> str:
    """For what is no time zone."""
    if found := _DISTANCE.fullmatch(name.strip()):
        hours = int(found["hours"])
        if hours == 0:
            return "; write UTC"
        opposite = "-" if found["sign"] == "+" else "+"
        return f"; write a place, such as Europe/Berlin, which has daylight saving time, or Etc/GMT{opposite}{hours} (its sign is the opposite one)"
    place = _PLACES.get(name.strip().casefold())
    return f"; write {place}" if place else ""


def zone_without_summer(name: str) -> str | None:
    """Return what to write for a time zone that exists and has no daylight saving time, where its name suggests one; else `None`."""
    distance = _FIXED.get(name)
    return (
        f"{name} is {distance} the whole year, without daylight saving time; write {_PLACES[name.lower()]}"
        if distance
        else None
    )
