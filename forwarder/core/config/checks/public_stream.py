"""Warnings about the public stream: what its events lack, and rules that none of them can meet."""

from collections.abc import Iterator

from forwarder.core.config.model.root import Config
from forwarder.core.matching import Condition, FieldTest
from forwarder.core.matching.implications import parts_of
from forwarder.core.matching.texts import Equals
from forwarder.core.yaml.problems import quote
from forwarder.core.yaml.remarks import Remark

_SOURCES = frozenset({"fast-x", "telegram", "discord"})
_MISSING = (
    "public: this stream is for trying forwarder out. It has fast-x, telegram and discord, and no x events. Of each event only the first "
    "100 characters come: a rule cannot match what is after them, which mostly includes the author and the link. There is no sid, and "
    "gaps are not repaired. Whole events need an api_key"
)


def warnings_of_public(config: Config) -> Iterator[str]:
    """Yield what is missing on the public stream, and the routes that get nothing from it."""
    public = [index for index, stream in enumerate(config.streams) if stream.is_public]
    for index in public:
        yield Remark(("streams", index, "transport"), _MISSING)
    if not public:
        return
    if len(public) < len(config.streams):
        name = next(stream.name for stream in config.streams if not stream.is_public)
        yield Remark(
            ("streams", public[0], "transport"),
            f"public: a post that {quote(name)} brings too comes twice, whole and cut; add truncated: false to the routes that should send "
            "whole events only",
        )
    elif not config.outbox.dedupe_window:
        yield Remark(
            ("outbox", "dedupe_window"),
            "0s: the public stream repeats its last five events on each new connection, and they are delivered again; write 30m",
        )
    if len(public) == len(config.streams):
        for index, route in enumerate(config.routes):
            if route.enabled and (why := _why_never(route.match)):
                shown = f"{config.sources.element('routes', index)} {quote(route.name)}"
                yield Remark(("routes", index), f"it gets no event: {why}", shown=shown)


def _why_never(condition: Condition) -> str:
    """Return why no event of the public stream meets a condition; an empty text if no reason is found."""
    for part in parts_of(condition):
        if not isinstance(part, FieldTest):
            continue
        for test in part.of_element:
            if part.field.name == "source" and isinstance(test, Equals) and _SOURCES.isdisjoint(test.texts):
                return "the only stream is the public one, which has fast-x, telegram and discord only"
        if part.field.name == "sid":
            return "the only stream is the public one, whose events have no sid"
        if part.field.name == "truncated" and any(
            isinstance(test, Equals) and test.texts == {"false"} for test in part.of_element
        ):
            return "the only stream is the public one, whose events are all truncated"
    return ""
