"""The two events of one X post (fast-x and x): `prefer` of a route, and `on_full` of a destination."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import PlainValidator

from forwarder.core.config.model.format import FormatConfig
from forwarder.core.config.values.scalars import WrongValueError, parse_choice
from forwarder.core.config.values.secret import Secret
from forwarder.core.routing.first_word import OnFull, Prefer
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
    """Return `wait` if the route has `prefer: full`. Raises `WrongValueError` where it has no effect."""
    prefer = others.get("prefer")
    if prefer not in {None, Prefer.FULL}:  # `None`: prefer is not valid, which is reported already
        raise WrongValueError(f"wait has no effect with prefer: {prefer}; add prefer: full, or remove wait")
    return wait


def check_on_full(on_full: OnFull, others: Mapping[str, Any]) -> OnFull:
    """Return `on_full` if the format and the URL of the destination allow it. Raises `WrongValueError`."""
    format_, url = others.get("format"), others.get("url")
    if on_full is not OnFull.EDIT or not isinstance(format_, FormatConfig):
        return on_full
    if format_.type not in _EDITABLE:
        raise WrongValueError(f"edit needs format discord or telegram, not {format_.type}; write ignore or send")
    if isinstance(url, Secret) and is_url_template(url.reveal()):
        raise WrongValueError(
            "edit needs the same URL for every event; write a URL without {{ … }}, or write ignore or send"
        )
    if any(value.is_template for value in others.get("headers", {}).values()):
        raise WrongValueError(
            "edit needs the same headers for every event; write headers without {{ … }}, or write ignore or send"
        )
    return on_full
