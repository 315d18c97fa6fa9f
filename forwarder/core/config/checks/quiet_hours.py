"""Warnings about quiet hours that keep what comes for longer than it may be old."""

from collections.abc import Iterator
from datetime import timedelta

from forwarder.core.config.model.root import Config
from forwarder.core.durations import spell
from forwarder.core.routing.quiet import QuietHours, Then
from forwarder.core.yaml.remarks import Remark


def warnings_of_quiet(config: Config) -> Iterator[str]:
    """Yield a warning for each quiet hours that last longer than `max_age` of a destination whose deliveries they keep."""
    for name, settings in config.destinations.items():
        if settings.quiet is not None:
            yield from _of(settings.quiet.value(), ("destinations", name), name, settings.retry.max_age)
    for index, route in enumerate(config.routes):
        for name in route.to if route.quiet is not None else ():
            assert route.quiet is not None  # noqa: S101 - looked at above
            max_age = config.destinations[name].retry.max_age
            yield from _of(route.quiet.value(), ("routes", index), name, max_age, shown=f"routes.{route.name}.quiet")


def _of(
    quiet: QuietHours, place: tuple[str | int, ...], name: str, max_age: timedelta | None, shown: str = ""
) -> Iterator[str]:
    if max_age is None or quiet.then is Then.DIGEST or (longest := quiet.longest()) <= max_age:
        return
    message = (
        f"they last up to {spell(longest)}: what is kept for longer than retry.max_age of {name} ({spell(max_age)}) "
        "expires there; write a longer max_age, or then: digest"
    )
    yield Remark((*place, "quiet"), message, shown=shown) if shown else Remark((*place, "quiet"), message)
