"""How fast a destination may be sent to, and when it is left alone for a while, as the config says it."""

import re
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field, PlainValidator, model_validator

from forwarder.core.breaker import BreakerPolicy
from forwarder.core.config.fields import Section, Switch, duration, meaning_of
from forwarder.core.config.scalars import WrongValueError, parse_duration, parse_int, show, text_of
from forwarder.core.rate import Rate
from forwarder.core.tree import Scalar

_RATE = re.compile(r"(?P<count>[1-9][0-9]{0,5})/(?P<unit>[smh])")
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}
_BURST_S = 0.1
"""Left out, the burst is what the rate allows in a tenth of a second, at least one."""
_PERCENT = re.compile(r"(?P<number>[1-9][0-9]?|100)%")


def _parse_rate(value: object) -> tuple[int, timedelta]:
    text = text_of(value, "a rate such as 50/s")
    found = _RATE.fullmatch(text)
    if found is None:
        raise WrongValueError(f"{show(value)} is not a rate; write one such as 50/s, 20/m or 1000/h")
    return int(found["count"]), _UNITS[found["unit"]]


def _parse_percent(value: object) -> float:
    text = text_of(value, "a share such as 70%")
    found = _PERCENT.fullmatch(text)
    if found is None:
        raise WrongValueError(f"{show(value)} is not a share; write one from 1% to 100%")
    return int(found["number"]) / 100


def _parse_pause_after(value: object) -> timedelta | None:
    return None if value is None or value == "never" else parse_duration(value, low="1m", high="365d")


class RateLimitConfig(Section):
    """A rate, and how much may come at once after a pause."""

    rate: Annotated[tuple[int, timedelta], PlainValidator(_parse_rate, json_schema_input_type=str)] = Field(
        description="How many attempts in a second, a minute or an hour: 50/s, 20/m, 1000/h."
    )
    burst: Annotated[int, PlainValidator(partial(parse_int, low=1, high=10_000), json_schema_input_type=int)] | None = (
        Field(default=None, description="How many may go at once after a pause; left out, a tenth of a second's worth.")
    )

    short_form: ClassVar[dict[str, Any] | None] = {
        "type": "string",
        "description": "How many in how much time, such as 50/s.",
    }

    @model_validator(mode="before")
    @classmethod
    def _read_plain(cls, data: object) -> object:
        return {"rate": data} if isinstance(data, Scalar) else data

    def value(self) -> Rate:
        """Return what it means."""
        count, per = self.rate
        burst = max(1, round(count / per.total_seconds() * _BURST_S)) if self.burst is None else self.burst
        return Rate(count=count, per=per, burst=burst)


class BreakerConfig(Section):
    """When the circuit breaker opens."""

    enabled: Switch = Field(default=True, description="false: every delivery is tried when it is due, whatever fails.")
    failures_in_a_row: Annotated[
        int, PlainValidator(partial(parse_int, low=1, high=10_000), json_schema_input_type=int)
    ] = Field(default=5, description="It opens after so many failures without a success.")
    failure_ratio: Annotated[float, PlainValidator(_parse_percent, json_schema_input_type=str)] = Field(
        default=0.7, description="It opens when so large a share of the window's attempts failed, such as 70%."
    )
    min_attempts: Annotated[
        int, PlainValidator(partial(parse_int, low=1, high=100_000), json_schema_input_type=int)
    ] = Field(default=10, description="The share is not looked at before so many attempts are in the window.")
    window: Annotated[timedelta, duration("1s", "24h")] = Field(
        default=timedelta(minutes=5), description="How far back the share looks."
    )

    def value(self) -> BreakerPolicy:
        """Return what it means."""
        return BreakerPolicy(
            is_on=self.enabled,
            in_a_row=self.failures_in_a_row,
            ratio=self.failure_ratio,
            min_attempts=self.min_attempts,
            window=self.window,
        )


RateField = Annotated[Rate, meaning_of(RateLimitConfig, Rate)]
BreakerField = Annotated[BreakerPolicy, meaning_of(BreakerConfig, BreakerPolicy)]
PauseAfter = Annotated[timedelta | None, PlainValidator(_parse_pause_after, json_schema_input_type=str)]
