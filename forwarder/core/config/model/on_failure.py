"""Notices about failures: `on_failure` of a destination, a stream or an expectation."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from forwarder.core.config.values.section import Name, Section, duration


class OnFailureConfig(Section):
    """Which destination gets a notice about a failure, and another one about the recovery."""

    to: Name = Field(description="The destination that gets the notices.", examples=["alerts"])
    after: Annotated[timedelta, duration("0s", "7d")] = Field(
        default=timedelta(minutes=5), description="How long the failure must last, without a success, before a notice."
    )
