"""`routes`: which events go to which destinations."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, ValidationInfo, field_validator, model_validator

from forwarder.core.config.model.compiled import ConditionField
from forwarder.core.config.model.prefer import PreferField, check_wait
from forwarder.core.config.model.quiet import QuietConfig
from forwarder.core.config.model.sample_and_limit import LimitConfig, SampleField
from forwarder.core.config.values.scalars import WrongValueError, is_null, parse_bool, parse_choice
from forwarder.core.config.values.section import Name, Section, Switch, duration, left_out, one_or_more
from forwarder.core.dispatch.priority import Priority
from forwarder.core.matching import EVERYTHING
from forwarder.core.routing.first_word import WAIT, Prefer
from forwarder.core.yaml.tree import Scalar


def _parse_priority(value: object) -> Priority:
    return Priority(parse_choice(value, *Priority))


Destinations = Annotated[list[Name], one_or_more("name"), Field(min_length=1)]
PriorityField = Annotated[Priority, PlainValidator(_parse_priority, json_schema_input_type=Literal["normal", "high"])]


class RouteConfig(Section):
    """A rule: the destinations that get the events that meet a condition."""

    name: Name = Field(
        description="The name of the route, shown where a match is explained. Each route needs its own name.",
        json_schema_extra=left_out('"route 1", "route 2", …'),
    )
    match: ConditionField = Field(
        default=EVERYTHING,
        description="The condition that an event must meet.",
        json_schema_extra=left_out("every event"),
        examples=[{"source": ["x", "fast-x"], "text": {"word": ["btc", "eth"]}}],
    )
    to: Destinations = Field(
        description="The destinations that get the event, or groups of destinations.",
        examples=["bot", ["bot", "alerts"]],
    )
    prefer: PreferField = Field(
        default=Prefer.ALL,
        description="Which of the two events of an X post (sources fast-x and x) is sent: all sends both, first the one that arrives "
        "first, full the one with the full text (x), or fast-x when x does not arrive within wait.",
    )
    wait: Annotated[timedelta, duration("100ms", "10m")] = Field(
        default=WAIT, description="With prefer: full, how long fast-x waits for x before it is sent."
    )
    priority: PriorityField = Field(
        default=Priority.NORMAL,
        description="high: of the deliveries that wait for a destination, those of this route go first. After 20 of them a normal one goes.",
    )
    quiet: QuietConfig | None = Field(
        default=None,
        description="Hours in which what this route chooses is kept, to be sent when they end.",
        json_schema_extra=left_out("no quiet hours"),
        examples=["23:00-07:00", {"hours": "23:00-07:00", "timezone": "Europe/Berlin", "then": "digest"}],
    )
    stop: Switch = Field(
        default=False, description="true: if an event matches this route, no later route is tried for it."
    )
    continue_: Switch | None = Field(
        default=None,
        alias="continue",
        description="The opposite of stop: continue: false means stop: true.",
        json_schema_extra=left_out("true"),
    )
    enabled: Switch = Field(default=True, description="false: the route is checked for mistakes, but matches nothing.")
    sample: SampleField | None = Field(
        default=None,
        description="Sends only this percentage of the matching posts, 0.01% to 100%. The choice depends on the id of the post alone.",
        json_schema_extra=left_out("all posts"),
        examples=["10%"],
    )
    limit: LimitConfig | None = Field(
        default=None,
        description="Sends at most this many of the matching posts in a span of time.",
        json_schema_extra=left_out("no limit"),
        examples=["5/10m", {"count": 5, "per": "10m", "by": "author"}],
    )

    @model_validator(mode="before")
    @classmethod
    def _continue_is_no_stop(cls, data: object) -> object:
        """Set `stop` from `continue` where only `continue` is given."""
        if not isinstance(data, dict) or "continue" not in data or not is_null(data.get("stop", Scalar(""))):
            return data
        try:
            return {**data, "stop": not parse_bool(data["continue"])}
        except WrongValueError:  # reported at its own field
            return data

    @field_validator("continue_", mode="after")
    @classmethod
    def _continue_fits(cls, goes_on: bool | None, info: ValidationInfo) -> bool | None:
        if goes_on is not None and goes_on == info.data.get("stop"):
            word = str(goes_on).lower()
            raise WrongValueError(f"stop: {word} and continue: {word} contradict each other; remove one of them")
        return goes_on

    @field_validator("wait", mode="after")
    @classmethod
    def _wait_has_a_meaning(cls, wait: timedelta, info: ValidationInfo) -> timedelta:
        return check_wait(wait, info.data)
