"""`batch` of a destination: several events in one request, as a JSON array."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from forwarder.core.config.model.format import FormatConfig
from forwarder.core.config.values.scalars import WrongValueError
from forwarder.core.config.values.section import Section, duration, whole_number
from forwarder.core.dispatch.ordering import Order
from forwarder.core.url import is_url_template


class BatchConfig(Section):
    """How many events one request may contain, and how long the first of them waits for others."""

    count: Annotated[int, whole_number(2, 100)] = Field(
        default=50, description="How many events one request contains at most."
    )
    within: Annotated[timedelta, duration("10ms", "1m")] = Field(
        default=timedelta(seconds=1),
        description="How long an event waits for others. A request that is full is sent at once.",
    )


def check_batch(settings: Mapping[str, Any]) -> None:
    """Raise `WrongValueError` where a destination has something that cannot hold for several events in one request."""
    format_, order, url = settings["format"], settings["order"], settings["url"]
    if not isinstance(format_, FormatConfig) or format_.type not in {"raw", "template"} or not format_.is_json:
        raise WrongValueError(
            f"batch makes a JSON array of events, so it needs format raw, or a template of JSON; "
            f"{getattr(format_, 'type', 'this format')} sends one message for each; remove batch"
        )
    if order is not Order.NONE:
        raise WrongValueError(
            f"batch sends events that came at the same time in one request, so order: {order} cannot hold; remove one of them"
        )
    if settings["compression"] is not None:
        raise WrongValueError("compression is not supported with batch; remove one of them")
    if url is not None and is_url_template(url.reveal()):
        raise WrongValueError("batch sends several events to one URL; write a URL without {{ … }}, or remove batch")
    if any(value.is_template for value in settings["headers"].values()):
        raise WrongValueError(
            "batch sends several events with one set of headers; write headers without {{ … }}, or remove batch"
        )
