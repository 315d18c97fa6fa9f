"""`sample` and `limit` of a route, and `limit` of a destination: how many of the matching posts are sent."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field, PlainValidator, model_validator

from forwarder.core.config.values.scalars import WrongValueError, is_null, parse_name, show, text_of
from forwarder.core.config.values.section import Section, duration, left_out, one_or_more, scalar, whole_number
from forwarder.core.delivery import DestinationName
from forwarder.core.matching.fields import NAMED_FIELDS, NOW, field_of
from forwarder.core.matching.subject import Field as EventField
from forwarder.core.routing.limiter import RouteLimit
from forwarder.core.routing.sampling import WHOLE
from forwarder.core.yaml.problems import did_you_mean
from forwarder.core.yaml.tree import Expanded, Path, Scalar, Tree

_SHARE = re.compile(r"(?P<whole>[0-9]{1,3})(?:\.(?P<part>[0-9]{1,2}))?%")
_SHORT = re.compile(r"(?P<count>[0-9]+)/(?P<per>[0-9a-z]+)")
_UNITS = ("s", "m", "h", "d")
_SWITCH = {"true": True, "false": False}


def _parse_share(value: object) -> int:
    """Return a percentage in hundredths of a percent, as a part of `WHOLE`."""
    if isinstance(value, int):
        return value
    found = _SHARE.fullmatch(text := text_of(value, "a percentage such as 10%"))
    if found is None:
        hint = "; it has no %" if text.replace(".", "").isdecimal() else ""
        raise WrongValueError(f"{show(value)} is not a percentage{hint}; write one such as 10% or 0.25%")
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
            f"{show(value)} is not a field{hint or '; the fields are ' + ', '.join(known) + ' and payload.…'}"
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
    return _SWITCH[text.lower()] if text.lower() in _SWITCH else parse_name(value)


SampleField = Annotated[int, scalar(_parse_share, "percentage")]


class LimitConfig(Section):
    """How many posts a route sends, or a destination gets over all routes, at most in a span of time."""

    count: Annotated[int, whole_number(1, 10_000)] = Field(
        description="The highest number of posts. The two events of an X post (fast-x, x) count as one."
    )
    per: Annotated[timedelta, duration("1s", "7d")] = Field(
        description="The span of time. count applies to every span of this length.", examples=["10m"]
    )
    by: Annotated[
        list[Annotated[EventField, scalar(_parse_field, "field")]],
        one_or_more("field"),
    ] = Field(
        default=[],
        min_length=1,
        max_length=5,
        description="One to five fields of the event. Each of their values is counted separately. A post without an author counts for its channel, else for its source.",
        json_schema_extra=left_out("one count for all"),
        examples=["author", ["source", "channel"]],
    )
    summary: Annotated[bool | str, PlainValidator(_parse_summary, json_schema_input_type=bool | str)] = Field(
        default=True,
        description="Who gets a summary of the posts that were not sent. true: the destinations of the route, or the limited destination itself. false: nobody. "
        "Or the name of a destination.",
    )

    short_form: ClassVar[dict[str, Any] | None] = {
        "type": "string",
        "description": "A number of posts in a span of time, such as 5/10m.",
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

    def value(self, to: Sequence[str]) -> RouteLimit:
        """Return the limit of a route to these destinations, or of this destination."""
        match self.summary:
            case bool(is_sent):
                summary_to = list(to) if is_sent else []
            case name:
                summary_to = [name]
        return RouteLimit(
            count=self.count,
            per=self.per,
            by=tuple(self.by),
            summary_to=tuple(DestinationName(name) for name in summary_to),
        )


def _part(text: str, of: Scalar) -> Scalar:
    return Expanded(text, quoted=of.quoted, written=of.written) if isinstance(of, Expanded) else Scalar(text)


def named_in_limit(owner: dict[str, Tree], path: Path) -> Iterator[tuple[Path, Scalar]]:
    """Yield the destination in `summary` of the limit of a route or a destination with its place, where one is named."""
    limit = owner.get("limit")
    summary = limit.get("summary") if isinstance(limit, dict) else None
    if isinstance(summary, Scalar) and not is_null(summary) and summary.lower() not in _SWITCH:
        yield (*path, "limit", "summary"), summary
