"""`fallback` of a destination: who gets what waits too long for it."""

from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from forwarder.core.config.values.section import Name, Section, duration
from forwarder.core.destinations.destination import Fallback


class FallbackConfig(Section):
    """Which destination also gets what has waited too long for this one."""

    to: Name = Field(description="The destination that also gets it.", examples=["alerts"])
    after: Annotated[timedelta, duration("1s", "7d")] = Field(
        default=timedelta(minutes=10), description="How long an event must have waited, whatever the reason."
    )

    short_form: ClassVar[dict[str, Any] | None] = {"type": "string", "description": "The name of a destination."}

    @model_validator(mode="before")
    @classmethod
    def _from_a_name(cls, data: object) -> object:
        return {"to": data} if isinstance(data, str) else data

    def value(self, name: str) -> Fallback:
        """Return the fallback of the destination of this name."""
        return Fallback(of=name, to=self.to, after=self.after)
