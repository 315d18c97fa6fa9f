"""How messages show a key of a file. Where a space is missing after a colon, a value is a part of the key, and it may be a secret."""

import re

from forwarder.core.yaml.tree import Path

NOT_SHOWN = "(a key that is not shown)"

_LONGEST = 30
_LONGEST_OF_RULES = 60
_PLAIN = re.compile(r"[\w-]+")
_SIGNS = re.compile(r"[^\w\s]{1,3}")
"""A key such as `<<` or `==`."""
_BEFORE_VALUE = re.compile(r"[^:=\s]*")
"""What a key of a rule is up to a value: `payload.author.id`, `$.text`."""
_NAME = re.compile(r"[^:=]*")
_HAS_DIGIT = re.compile(r"\d")
_SHORT = 15
"""A key of a section with secrets that is longer than this and has a digit may be a secret itself."""
_OF_RULES = frozenset({"routes", "matchers", "expect", "lists", "tests"})
"""The sections that hold no secrets, and whose keys have dots and other signs."""
_NAMED = frozenset({"destinations", "groups", "matchers", "lists"})
"""The sections whose keys are names that people give."""
_WITH_SECRETS = frozenset({"headers", "auth", "signing", "heartbeat", "tracing", "admin", "streams"})


def shown_key(key: str, above: Path) -> str | None:
    """Return what is shown of the key below the path `above`, with `…` for the rest; `None` if nothing may be shown."""
    if _SIGNS.fullmatch(key):
        return key
    top = above[0] if above else ""
    if len(above) == 1 and top in _NAMED:
        return _cut(key, _NAME, _LONGEST_OF_RULES)
    if top in _OF_RULES:
        return _cut(key, _BEFORE_VALUE, _LONGEST_OF_RULES)
    if not _WITH_SECRETS.isdisjoint(above) and not _is_harmless(key):
        return None
    return _cut(key, _PLAIN, _LONGEST)


def may_hold_value(key: str) -> bool:
    """Return whether a value may be a part of the key, so that no suggestion repeats it."""
    return _BEFORE_VALUE.fullmatch(key) is None


def _is_harmless(key: str) -> bool:
    return (
        _PLAIN.fullmatch(key) is not None
        and len(key) <= _LONGEST
        and (len(key) <= _SHORT or _HAS_DIGIT.search(key) is None)
    )


def _cut(key: str, shown: re.Pattern[str], longest: int) -> str:
    found = shown.match(key)
    begin = "" if found is None else found[0]
    if len(begin) > longest:
        begin = begin[: longest - 1]
    return begin if len(begin) == len(key) else begin + "…"
