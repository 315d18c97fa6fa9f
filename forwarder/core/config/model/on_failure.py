"""Notices about failures: `on_failure` of a destination, a stream or an expectation."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from forwarder.core.config.values.scalars import WrongValueError
from forwarder.core.config.values.section import Name, Section, duration, left_out, whole_number


class OnFailureConfig(Section):
    """Which destination gets a notice about a failure, and another one about the recovery."""

    to: Name = Field(description="The destination that gets the notices.", examples=["alerts"])
    after: Annotated[timedelta, duration("0s", "7d")] = Field(
        default=timedelta(minutes=5), description="How long the failure must last, without a success, before a notice."
    )


class BacklogConfig(Section):
    """What is a backlog: more events than this wait, or one of them for longer than this."""

    count: Annotated[int, whole_number(1, 10_000_000)] | None = Field(
        default=None, description="A notice when more events wait.", json_schema_extra=left_out("any number")
    )
    age: Annotated[timedelta, duration("1s", "30d")] | None = Field(
        default=None, description="A notice when an event has waited longer.", json_schema_extra=left_out("any age")
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.count is None and self.age is None:
            raise WrongValueError("backlog needs count, age or both; write one, such as {count: 1000}")
        return self


class DestinationFailureConfig(OnFailureConfig):
    """Which destination gets a notice about a failure or a backlog, and another one about its end."""

    backlog: BacklogConfig | None = Field(
        default=None,
        description="Also sends a notice when too much waits, whatever the reason, and one when that is over.",
        examples=[{"count": 1000, "age": "10m"}],
    )
