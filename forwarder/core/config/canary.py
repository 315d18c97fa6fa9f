"""A canary: an event of our own that is sent on schedule, to see that it arrives, as the config says it."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from forwarder.core.config.fields import Section, duration
from forwarder.core.config.scalars import WrongValueError
from forwarder.core.destination import CanaryPolicy

_USUAL_WITHIN = timedelta(minutes=1)


class CanaryConfig(Section):
    """How often, and how soon each must have arrived."""

    every: Annotated[timedelta, duration("5s", "7d")] = Field(description="How often a canary is sent, such as 10m.")
    within: Annotated[timedelta, duration("100ms", "1d")] | None = Field(
        default=None, description="How soon it must have arrived; left out, 1m, or half of a shorter `every`."
    )

    @model_validator(mode="after")
    def _ends_before_the_next(self) -> Self:
        if self.within is not None and self.within >= self.every:
            raise WrongValueError(
                "within must be shorter than every: a canary has to be in before the next one is sent"
            )
        return self

    def value(self) -> CanaryPolicy:
        """Return what it means."""
        within = min(_USUAL_WITHIN, self.every / 2) if self.within is None else self.within
        return CanaryPolicy(every=self.every, within=within)
