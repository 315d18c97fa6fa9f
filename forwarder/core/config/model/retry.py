"""`retry` of a destination: when a failed delivery is tried again."""

import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from forwarder.core.config.values.scalars import WrongValueError, parse_choice, show, text_of
from forwarder.core.config.values.section import Section, choice, duration, left_out, meaning_of, scalar
from forwarder.core.dispatch.retry import NAMED_POLICIES, OnExpiry, RetryPolicy, Rule
from forwarder.core.yaml.problems import did_you_mean
from forwarder.core.yaml.tree import Expanded, Scalar
from forwarder.core.yaml.words import known_word

_STATUS = re.compile(r"[1-5][0-9]{2}|[1-5]xx")
_DEFAULT = "live"


def _parse_status(value: object) -> str:
    text = text_of(value, "a status code such as 404, or a class such as 5xx")
    if not _STATUS.fullmatch(text):
        hint = f"; write {text.lower()}" if _STATUS.fullmatch(text.lower()) and not isinstance(value, Expanded) else ""
        raise WrongValueError(f"expected a status code such as 404, or a class such as 5xx, got {show(value)}{hint}")
    return str(text)


def _parse_rule(value: object) -> Rule:
    return Rule(parse_choice(value, *Rule))


StatusField = Annotated[str, scalar(_parse_status, "status code or class")]
RuleField = Annotated[Rule, PlainValidator(_parse_rule, json_schema_input_type=Literal[tuple(Rule)])]


class RetrySchedule(Section):
    """When a failed delivery is tried again, and when it becomes a dead letter."""

    schedule: Annotated[str, choice(*NAMED_POLICIES)] = Field(
        default=_DEFAULT, description="The name of a schedule. To write your own schedule, use delays instead."
    )
    delays: list[Annotated[timedelta, duration("0s", "7d")]] | None = Field(
        default=None,
        min_length=1,
        max_length=50,
        description="The wait after each failed attempt, 1 to 50 durations. After the last one the delivery is a dead letter.",
        json_schema_extra=left_out("the delays of schedule"),
        examples=[["1s", "10s", "5m"]],
    )
    statuses: dict[StatusField, RuleField] = Field(
        default={},
        description="What a response with this status code or class means: delivered, retry (the whole schedule), slow (three slow tries), dead (no further try) or pause (keeps the delivery and pauses the destination).",
        examples=[{"404": "dead", "5xx": "retry"}],
    )
    max_age: Annotated[timedelta, duration("1s", "3650d")] | None = Field(
        default=None,
        description="Deliveries older than this are not sent. They become dead letters (expired).",
        json_schema_extra=left_out("no limit"),
        examples=["1h"],
    )
    on_expiry: Annotated[OnExpiry, choice(*OnExpiry)] = Field(
        default=OnExpiry.KEEP,
        description="digest sends one message with a summary of the expired deliveries, keep sends nothing.",
    )

    def value(self) -> RetryPolicy:
        """Return the policy that the section stands for."""
        known = NAMED_POLICIES[self.schedule]
        return RetryPolicy(
            delays=known.delays if self.delays is None else tuple(self.delays),
            statuses=dict(self.statuses),
            max_age=self.max_age,
            on_expiry=OnExpiry(self.on_expiry),
        )

    @model_validator(mode="after")
    def _something_expires(self) -> Self:
        if self.on_expiry == OnExpiry.DIGEST and self.max_age is None:
            raise WrongValueError("on_expiry: digest summarizes what is older than max_age; add a max_age")
        return self

    short_form: ClassVar[dict[str, Any] | None] = {
        "enum": list(NAMED_POLICIES),
        "description": "The name of a schedule.",
    }

    @model_validator(mode="before")
    @classmethod
    def _resolve_name(cls, data: object) -> object:
        if not isinstance(data, Scalar):
            return data
        if (word := known_word(data, NAMED_POLICIES)) is not None:
            return {"schedule": word}
        names = ", ".join(NAMED_POLICIES)
        hint = did_you_mean(data, NAMED_POLICIES) if not isinstance(data, Expanded) else ""
        raise WrongValueError(f"expected {names}, or {{delays: [5s, 1m, …]}}, got {show(data)}{hint}")

    @model_validator(mode="after")
    def _one_of_two(self) -> "RetrySchedule":
        if self.delays is not None and "schedule" in self.model_fields_set:
            raise WrongValueError('"schedule" and "delays" exclude each other; remove one of them')
        return self


RetryField = Annotated[RetryPolicy, meaning_of(RetrySchedule, RetryPolicy)]
