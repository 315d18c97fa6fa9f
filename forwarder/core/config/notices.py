"""Whom to tell when a destination fails, as the config says it."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from forwarder.core.config.fields import Name, Section, duration


class OnFailureConfig(Section):
    """Another destination that is told of failures of this one, once, and again when it works."""

    to: Name = Field(description="The destination that is told.")
    after: Annotated[timedelta, duration("0s", "7d")] = Field(
        default=timedelta(minutes=5), description="How long it must have failed without a success in between."
    )
