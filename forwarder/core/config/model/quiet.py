"""`quiet` of a route or a destination: hours in which nothing is sent, and what happens at their end with what came meanwhile."""

from collections.abc import Callable
from datetime import tzinfo
from typing import Annotated, Any, ClassVar, NamedTuple, Self, TypeVar

from pydantic import Field, model_validator

from forwarder.core.config.values.scalars import WrongValueError, text_of
from forwarder.core.config.values.section import Section, choice, left_out, one_or_more, scalar
from forwarder.core.matching.compile_clock import read_days, read_hours, read_zone
from forwarder.core.matching.literals import Report
from forwarder.core.matching.values import Hours, WallClock
from forwarder.core.routing.quiet import LONGEST, QuietHours, Then
from forwarder.core.yaml.tree import Scalar

_T = TypeVar("_T")


class Zone(NamedTuple):
    """A time zone with its name."""

    name: str
    zone: tzinfo


class Days(NamedTuple):
    """Weekdays, as one word or span of words says them; Monday is 0."""

    numbers: tuple[int, ...]


def _read(value: object, expected: str, read: Callable[[Scalar, Report], _T]) -> _T:
    """Return what `read` makes of a text. Raises `WrongValueError` with the first problem that it reports."""
    problems: list[str] = []
    text = text_of(value, expected)
    found = read(value if isinstance(value, Scalar) else Scalar(text), lambda _, problem: problems.append(problem))
    if problems:
        raise WrongValueError(problems[0])
    return found


def _parse_hours(value: object) -> Hours | None:
    if isinstance(value, Hours):
        return value
    return _read(value, "a span of the day such as 23:00-07:00", lambda text, report: read_hours(text, (), report))


def _parse_days(value: object) -> Days:
    if isinstance(value, Days):
        return value
    return Days(tuple(_read(value, "a weekday such as mon", lambda text, report: read_days(text, (), report))))


def _parse_zone(value: object) -> Zone:
    if isinstance(value, Zone):
        return value
    return _read(
        value,
        "a time zone such as Europe/Berlin",
        lambda text, report: Zone(str(text), read_zone(text, (), report)),
    )


class QuietConfig(Section):
    """Hours in which nothing is sent. What comes meanwhile is kept on disk and sent when they end."""

    hours: Annotated[
        list[Annotated[Hours, scalar(_parse_hours, "span of the day")]], one_or_more("span of the day")
    ] = Field(
        min_length=1,
        description="One or more spans of the day. One that ends before it begins goes over midnight; 00:00-24:00 is the whole day.",
        examples=["23:00-07:00", ["12:00-13:30", "22:00-07:00"]],
    )
    days: Annotated[list[Annotated[Days, scalar(_parse_days, "weekday")]], one_or_more("weekday")] = Field(
        default=[],
        min_length=1,
        description="The weekdays on which the hours begin.",
        json_schema_extra=left_out("every day"),
        examples=["mon-fri", ["sat", "sun"]],
    )
    timezone: Annotated[Zone, scalar(_parse_zone, "time zone")] | None = Field(
        default=None,
        description="The time zone of the hours and days.",
        json_schema_extra=left_out("UTC"),
        examples=["Europe/Berlin"],
    )
    then: Annotated[Then, choice("send", "digest")] = Field(
        default=Then.SEND,
        description="What happens at the end: send sends each event that was kept, digest sends one message that lists them.",
    )

    short_form: ClassVar[dict[str, Any] | None] = {
        "type": "string",
        "description": "A span of the day in UTC, such as 23:00-07:00.",
    }

    @model_validator(mode="before")
    @classmethod
    def _read_plain(cls, data: object) -> object:
        return {"hours": data} if isinstance(data, Scalar) else data

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.value().longest() >= LONGEST:
            raise WrongValueError("these hours never end; write shorter ones, or enabled: false")
        return self

    def value(self) -> QuietHours:
        """Return the quiet hours that the section stands for."""
        zone = self.timezone or _parse_zone(Scalar("UTC"))
        days = frozenset(day for each in self.days for day in each.numbers)
        clock = WallClock(
            hours=tuple(self.hours), days=days or frozenset(range(7)), zone=zone.zone, zone_name=zone.name
        )
        return QuietHours(clock, Then(self.then))
