"""How much of what a route matches it sends, as the config says it: `sample` and `limit`."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from forwarder.core.config.fields import Section, duration, listed
from forwarder.core.config.problems import did_you_mean
from forwarder.core.config.scalars import WrongValueError, is_null, parse_int, parse_name, show, text_of
from forwarder.core.delivery import DestinationName
from forwarder.core.limits import Limit
from forwarder.core.matching.fields import NAMED_FIELDS, NOW, field_of
from forwarder.core.matching.subject import Field as EventField
from forwarder.core.sampling import WHOLE
from forwarder.core.tree import Expanded, Path, Scalar, Tree

_SHARE = re.compile(r"(?P<whole>[0-9]{1,3})(?:\.(?P<part>[0-9]{1,2}))?%")
_SHORT = re.compile(r"(?P<count>[0-9]+)/(?P<per>[0-9a-z]+)")
_UNITS = ("s", "m", "h", "d")
_SWITCH = {"true": True, "false": False}


def _parse_share(value: object) -> int:
    """Return a share of `WHOLE`."""
    if isinstance(value, int):
        return value
    found = _SHARE.fullmatch(text := text_of(value, "a share such as 10%"))
    if found is None:
        hint = "; it has no %" if text.replace(".", "").isdecimal() else ""
        raise WrongValueError(f"{show(value)} is not a share{hint}; write one such as 10% or 0.25%")
    share = int(found["whole"]) * 100 + int((found["part"] or "").ljust(2, "0"))
    if not 1 <= share <= WHOLE:
        raise WrongValueError(f"{show(value)} is out of range; 0.01% to 100% are allowed")
    return share


def _parse_field(value: object) -> EventField:
    if isinstance(value, EventField):
        return value
    text = text_of(value, "the name of a field such as author")
    found = field_of(text)
    if found is None or found == NOW:
        known = [name for name in NAMED_FIELDS if name != NOW.name]
        hint = "" if isinstance(value, Expanded) else _hint(text, known)
        raise WrongValueError(
            f"{show(value)} is not a field{hint or '; fields are ' + ', '.join(known) + ' and payload.…'}"
        )
    return found


def _hint(name: str, known: Sequence[str]) -> str:
    if "." in name and not name.startswith("payload.") and field_of(f"payload.{name}") is not None:
        return f"; did you mean payload.{name}?"
    return did_you_mean(name, known)


def _parse_summary(value: object) -> bool | str:
    if isinstance(value, bool):
        return value
    text = text_of(value, "true, false or the name of a destination")
    return _SWITCH[text] if text in _SWITCH else parse_name(value)


SampleField = Annotated[int, PlainValidator(_parse_share, json_schema_input_type=str)]


class LimitConfig(Section):
    """How many posts a route sends in a span of time."""

    count: Annotated[int, PlainValidator(partial(parse_int, low=1, high=10_000), json_schema_input_type=int)] = Field(
        description="At most so many posts; the two events of an X post (fast-x, x) are one."
    )
    per: Annotated[timedelta, duration("1s", "7d")] = Field(description="In any span of this length, such as 10m.")
    by: Annotated[
        list[Annotated[EventField, PlainValidator(_parse_field, json_schema_input_type=str)]],
        BeforeValidator(listed, json_schema_input_type=str | list[str]),
    ] = Field(
        default=[],
        min_length=1,
        max_length=5,
        description="A field of conditions, such as author, or several: each value of them has a count of its own.",
    )
    summary: Annotated[bool | str, PlainValidator(_parse_summary, json_schema_input_type=bool | str)] = Field(
        default=True,
        description="What was held back is told to the route's destinations, or to the one named here; false: to nobody.",
    )

    short_form: ClassVar[dict[str, Any] | None] = {
        "type": "string",
        "description": "How many in how much time, such as 5/10m.",
    }

    @model_validator(mode="before")
    @classmethod
    def _read_plain(cls, data: object) -> object:
        if not isinstance(data, Scalar):
            return data
        found = _SHORT.fullmatch(text_of(data, "a limit such as 5/10m"))
        if found is None:
            raise WrongValueError(f"{show(data)} is not a limit; write one such as 5/10m, or {{count: 5, per: 10m}}")
        per = f"1{found['per']}" if found["per"] in _UNITS else found["per"]
        return {"count": _part(found["count"], data), "per": _part(per, data)}

    def value(self, to: Sequence[str]) -> Limit:
        """Return what it means for a route to these destinations."""
        match self.summary:
            case bool(is_told):
                tell = list(to) if is_told else []
            case name:
                tell = [name]
        return Limit(
            count=self.count, per=self.per, by=tuple(self.by), tell=tuple(DestinationName(name) for name in tell)
        )


def _part(text: str, of: Scalar) -> Scalar:
    return Expanded(text, quoted=of.quoted, written=of.written) if isinstance(of, Expanded) else Scalar(text)


def named_in_limit(route: dict[str, Tree], path: Path) -> Iterator[tuple[Path, Scalar]]:
    """Yield the destination that the summaries of a route's limit go to, if one is named, with its place."""
    limit = route.get("limit")
    summary = limit.get("summary") if isinstance(limit, dict) else None
    if isinstance(summary, Scalar) and not is_null(summary) and summary not in _SWITCH:
        yield (*path, "limit", "summary"), summary
