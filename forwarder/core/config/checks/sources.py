"""Warnings about conditions on `source` that no known source meets, and the names that people give the sources."""

import re
from collections.abc import Iterator

from forwarder.core.config.model.root import Config
from forwarder.core.config.values.scalars import show
from forwarder.core.event import KNOWN_SOURCES
from forwarder.core.matching import Condition, FieldTest
from forwarder.core.matching.conditions import AllOf, AnyOf, Matcher, Not
from forwarder.core.matching.texts import Equals
from forwarder.core.yaml.problems import did_you_mean, quote
from forwarder.core.yaml.remarks import Remark
from forwarder.core.yaml.tree import Expanded, Path, Scalar
from forwarder.core.yaml.words import known_word

_OTHER_NAMES = {
    "twitter": "x",
    "tweet": "x",
    "tweets": "x",
    "x.com": "x",
    "twitter.com": "x",
    "fastx": "fast-x",
    "fast_x": "fast-x",
    "fast x": "fast-x",
    "x-fast": "fast-x",
    "tg": "telegram",
    "t.me": "telegram",
    "dc": "discord",
    "feed": "rss",
    "website": "web",
}
"""What people call the sources."""


def warnings_of_sources(config: Config) -> Iterator[str]:
    """Yield a sentence for each value of `source` that no known source has. scrape.st may add sources, so it is no mistake for sure."""
    named: list[tuple[Path, str, Condition]] = [
        (("routes", index), f"{config.sources.element('routes', index)} {quote(route.name)}", route.match)
        for index, route in enumerate(config.routes)
        if route.enabled
    ]
    named += [
        (("expect", index), f"expect[{index}] {quote(each.name)}", each.match)
        for index, each in enumerate(config.expect)
    ]
    for path, place, condition in named:
        for value in dict.fromkeys(_values(condition)):
            if known_word(value, KNOWN_SOURCES) is None:
                hint = "" if isinstance(value, Expanded) else hint_of_source(value)
                message = f"{show(value)} is not a known source{hint or f'; the known ones are {_LISTED}'}"
                yield Remark(path, message, shown=place)


_LISTED = ", ".join(KNOWN_SOURCES)
ALL_SOURCES = frozenset({"*", "all", "any", "every"})
"""What people write for all sources."""


def hint_of_source(value: str) -> str:
    """Return `; did you mean "x"?` for the source that a name means, or is near; an empty text where there is none."""
    if value.strip().casefold() in ALL_SOURCES:
        return "; for all of them leave out source"
    parts = [known_word(part.strip(), KNOWN_SOURCES) for part in re.split(r"[,;|]", value)]
    if len(parts) > 1 and None not in parts:
        return f"; write a list: [{', '.join(filter(None, parts))}]"
    meant = _OTHER_NAMES.get(value.strip().casefold())
    return did_you_mean(value, KNOWN_SOURCES) if meant is None else f"; did you mean {quote(meant)}?"


def _values(condition: Condition) -> Iterator[Scalar]:
    """Yield the values that a condition compares `source` with, anywhere in it."""
    match condition:
        case AllOf(conditions=parts) | AnyOf(conditions=parts):
            for part in parts:
                yield from _values(part)
        case Not(condition=below) | Matcher(condition=below):
            yield from _values(below)
        case FieldTest(field=field, of_element=tests) if field.name == "source":
            for test in tests:
                yield from test.written if isinstance(test, Equals) else ()
