"""`rate_limit`, `breaker` and `pause_after` of a destination."""

import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from forwarder.core.config.values.quantities import parse_duration
from forwarder.core.config.values.scalars import WrongValueError, show, text_of
from forwarder.core.config.values.section import Section, Switch, duration, left_out, meaning_of, scalar, whole_number
from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.token_bucket import Rate
from forwarder.core.yaml.problems import did_you_mean
from forwarder.core.yaml.tree import Expanded, Scalar
from forwarder.core.yaml.words import known_word

_RATE = re.compile(r"(?P<count>[1-9][0-9]{0,5})/(?P<unit>[smh])")
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}
_BURST_S = 0.1
"""The default burst is what the rate allows in this time, at least one."""
_NEVER = "never"
_PERCENT = re.compile(r"(?P<number>[1-9][0-9]?|100)%")


def _parse_rate(value: object) -> tuple[int, timedelta]:
    text = text_of(value, "a rate such as 50/s")
    found = _RATE.fullmatch(text)
    if found is None:
        raise WrongValueError(f"{show(value)} is not a rate; write one such as 50/s, 20/m or 1000/h")
    return int(found["count"]), _UNITS[found["unit"]]


def _parse_percent(value: object) -> float:
    text = text_of(value, "a percentage such as 70%")
    found = _PERCENT.fullmatch(text)
    if found is None:
        raise WrongValueError(f"{show(value)} is not a percentage; write one from 1% to 100%")
    return int(found["number"]) / 100


def _parse_pause_after(value: object) -> timedelta | None:
    if value is None or (isinstance(value, str) and known_word(value, [_NEVER]) is not None):
        return None
    if isinstance(value, str) and not isinstance(value, Expanded) and (hint := did_you_mean(value, [_NEVER])):
        raise WrongValueError(f"expected a duration such as 5d, or never, got {show(value)}{hint}")
    return parse_duration(value, low="1m", high="365d")


class RateLimitConfig(Section):
    """The highest rate of attempts, and how many may follow each other at once after a pause."""

    rate: Annotated[tuple[int, timedelta], scalar(_parse_rate, "rate")] = Field(
        description="The number of attempts per second (s), minute (m) or hour (h).",
        examples=["50/s", "20/m", "1000/h"],
    )
    burst: Annotated[int, whole_number(1, 10_000)] | None = Field(
        default=None,
        description="How many attempts may be made at once after a pause.",
        json_schema_extra=left_out("what the rate allows in 0.1 s, at least 1"),
    )

    short_form: ClassVar[dict[str, Any] | None] = {
        "type": "string",
        "description": "A rate such as 50/s.",
    }

    @model_validator(mode="before")
    @classmethod
    def _read_plain(cls, data: object) -> object:
        return {"rate": data} if isinstance(data, Scalar) else data

    def value(self) -> Rate:
        """Return the rate that the section stands for."""
        count, per = self.rate
        burst = max(1, round(count / per.total_seconds() * _BURST_S)) if self.burst is None else self.burst
        return Rate(count=count, per=per, burst=burst)


class BreakerConfig(Section):
    """When the circuit breaker opens, so that only single probes are sent."""

    enabled: Switch = Field(
        default=True, description="false: the breaker never opens; every delivery is tried when it is due."
    )
    failures_in_a_row: Annotated[int, whole_number(1, 10_000)] = Field(
        default=5, description="The breaker opens after this many failures without a success in between."
    )
    failure_ratio: Annotated[float, scalar(_parse_percent, "percentage")] = Field(
        default=0.7,
        description="The breaker also opens when this percentage of the attempts in window failed, 1% to 100%.",
    )
    min_attempts: Annotated[int, whole_number(1, 100_000)] = Field(
        default=10, description="The number of attempts in window from which failure_ratio counts."
    )
    window: Annotated[timedelta, duration("1s", "24h")] = Field(
        default=timedelta(minutes=5), description="How far back failure_ratio looks."
    )

    def value(self) -> BreakerPolicy:
        """Return the policy that the section stands for."""
        return BreakerPolicy(
            is_on=self.enabled,
            in_a_row=self.failures_in_a_row,
            ratio=self.failure_ratio,
            min_attempts=self.min_attempts,
            window=self.window,
        )


RateField = Annotated[Rate, meaning_of(RateLimitConfig, Rate)]
BreakerField = Annotated[BreakerPolicy, meaning_of(BreakerConfig, BreakerPolicy)]
PauseAfter = Annotated[timedelta | None, scalar(_parse_pause_after, "duration or never")]
