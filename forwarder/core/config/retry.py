"""When a delivery is tried again, as the config says it."""

import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, PlainValidator, model_validator

from forwarder.core.config.fields import Section, choice, duration, meaning_of
from forwarder.core.config.problems import did_you_mean
from forwarder.core.config.scalars import WrongValueError, parse_choice, show, text_of
from forwarder.core.retry import NAMED_POLICIES, OnExpiry, RetryPolicy, Rule
from forwarder.core.tree import Expanded, Scalar

_STATUS = re.compile(r"[1-5][0-9]{2}|[1-5]xx")
_DEFAULT = "live"


def _parse_status(value: object) -> str:
    text = text_of(value, "a status such as 404, or a class such as 5xx")
    if not _STATUS.fullmatch(text):
        raise WrongValueError(f"expected a status such as 404, or a class such as 5xx, got {show(value)}")
    return str(text)


def _parse_rule(value: object) -> Rule:
    return Rule(parse_choice(value, *Rule))


Status = Annotated[str, PlainValidator(_parse_status, json_schema_input_type=str)]
RuleField = Annotated[Rule, PlainValidator(_parse_rule, json_schema_input_type=str)]


class RetrySchedule(Section):
    """A schedule of its own, or the name of a known one, and what goes with it."""

    schedule: Annotated[str, choice(*NAMED_POLICIES)] = Field(
        default=_DEFAULT, description="The name of a known schedule: live, standard or svix. Or list delays."
    )
    delays: list[Annotated[timedelta, duration("0s", "7d")]] | None = Field(
        default=None,
        min_length=1,
        max_length=50,
        description="The wait after each failure; after the last one it is given up.",
    )
    statuses: dict[Status, RuleField] = Field(
        default={}, description="What a status means: delivered, retry, slow, dead or pause, by status or class (5xx)."
    )
    max_age: Annotated[timedelta, duration("1s", "3650d")] | None = Field(
        default=None, description="What is older is not sent any more; it becomes a dead letter (expired)."
    )
    on_expiry: Annotated[OnExpiry, choice(*OnExpiry)] = Field(
        default=OnExpiry.KEEP, description="digest: one message tells of all that expired."
    )

    def value(self) -> RetryPolicy:
        """Return what it means."""
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
            raise WrongValueError("on_expiry: digest tells of what is older than max_age; write a max_age beside it")
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
        if data in NAMED_POLICIES:
            return {"schedule": data}
        names = ", ".join(NAMED_POLICIES)
        hint = did_you_mean(data, NAMED_POLICIES) if not isinstance(data, Expanded) else ""
        raise WrongValueError(f"expected {names} or {{delays: [5s, 1m, …]}}, got {show(data)}{hint}")

    @model_validator(mode="after")
    def _one_of_two(self) -> "RetrySchedule":
        if self.delays is not None and "schedule" in self.model_fields_set:
            raise WrongValueError('"schedule" and "delays" exclude each other; leave one of them out')
        return self


RetryField = Annotated[RetryPolicy, meaning_of(RetrySchedule, RetryPolicy)]
