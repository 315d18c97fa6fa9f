"""The canary of a destination: a test event that is sent on a schedule."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from forwarder.core.config.values.scalars import WrongValueError
from forwarder.core.config.values.section import Section, duration, left_out
from forwarder.core.destinations.destination import CanaryPolicy

_USUAL_WITHIN = timedelta(minutes=1)


class CanaryConfig(Section):
    """How often a canary (a test event) is sent, and how soon it must arrive."""

    every: Annotated[timedelta, duration("5s", "7d")] = Field(
        description="How often a canary is sent.", examples=["10m"]
    )
    within: Annotated[timedelta, duration("100ms", "1d")] | None = Field(
        default=None,
        description="How soon the canary must arrive. Must be shorter than every.",
        json_schema_extra=left_out("1m, or half of every where that is shorter"),
    )

    @model_validator(mode="after")
    def _ends_before_the_next(self) -> Self:
        if self.within is not None and self.within >= self.every:
            raise WrongValueError("within must be shorter than every, so that each canary arrives before the next one")
        return self

    def value(self) -> CanaryPolicy:
        """Return the policy that the section stands for."""
        within = min(_USUAL_WITHIN, self.every / 2) if self.within is None else self.within
        return CanaryPolicy(every=self.every, within=within)
