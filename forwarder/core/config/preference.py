"""What becomes of the two events of one X post: `prefer` of a route, and `on_full` of a destination."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import PlainValidator

from forwarder.core.config.format import FormatConfig
from forwarder.core.config.scalars import WrongValueError, parse_choice
from forwarder.core.config.secret import Secret
from forwarder.core.preference import OnFull, Prefer
from forwarder.core.url import is_url_template

_EDITABLE = frozenset({"discord", "telegram"})


def _parse_prefer(value: object) -> Prefer:
    return Prefer(parse_choice(value, *Prefer))


def _parse_on_full(value: object) -> OnFull:
    return OnFull(parse_choice(value, *OnFull))


PreferField = Annotated[Prefer, PlainValidator(_parse_prefer, json_schema_input_type=Literal["all", "first", "full"])]
OnFullField = Annotated[
    OnFull, PlainValidator(_parse_on_full, json_schema_input_type=Literal["ignore", "edit", "send"])
]


def check_wait(wait: timedelta, others: Mapping[str, Any]) -> timedelta:
    """Return it if the route's `prefer`, which comes before it, gives it a meaning. Raises `WrongValueError`."""
    prefer = others.get("prefer")
    if prefer not in {None, Prefer.FULL}:  # `None`: it is wrong itself
        raise WrongValueError(f"only prefer: full waits, not {prefer}; write prefer: full beside it, or leave wait out")
    return wait


def check_on_full(on_full: OnFull, others: Mapping[str, Any]) -> OnFull:
    """Return it if the destination's other settings, which come before it, allow it. Raises `WrongValueError`."""
    format_, url = others.get("format"), others.get("url")
    if on_full is not OnFull.EDIT or not isinstance(format_, FormatConfig):
        return on_full
    if format_.type not in _EDITABLE:
        raise WrongValueError(
            f"messages of Discord and Telegram can be edited, not what goes out as {format_.type}; write ignore or send"
        )
    if isinstance(url, Secret) and is_url_template(url.reveal()):
        raise WrongValueError(
            "a message can be edited only where every event goes to the same URL; write one without {{ … }}, or ignore or send"
        )
    return on_full
