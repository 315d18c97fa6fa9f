"""Makes one request of several: their bodies as a JSON array, with an id and a signature of the whole."""

from collections.abc import Sequence

from forwarder.core.delivery import Answered, Outcome
from forwarder.core.destinations.request import FixedHeaders, WebhookRequest
from forwarder.core.destinations.signing import Signing
from forwarder.core.event import fingerprint

COUNT = "x-forwarder-batch"
IDS = "x-forwarder-batch-ids"
_OF_ONE_EVENT = frozenset(
    {"x-forwarder-attempt", "x-forwarder-trigger", "x-forwarder-retry-in", "x-forwarder-recovered"}
)
_MAY_BE_OF_ONE_EVENT = frozenset({400, 413, 422})
"""Statuses by which a receiver refuses what it got, perhaps because of one event in it."""


def fixed_of(request: WebhookRequest) -> FixedHeaders:
    """Return the headers of a request that also hold for one with other events."""
    return {name: value for name, value in request.fixed.items() if name.lower() not in _OF_ONE_EVENT}


def body_of(bodies: Sequence[bytes]) -> bytes:
    """Return the body of a request with events that have these bodies."""
    return b"[" + b",".join(bodies) + b"]"


def batch_of(requests: Sequence[WebhookRequest], fixed: FixedHeaders, signing: Signing | None) -> WebhookRequest:
    """Return the request with all of these, in their order; equal ids for equal events."""
    first = requests[0]
    ids = [each.id for each in requests]
    id_ = f"msg_{fingerprint(' '.join(ids))}"
    body = body_of([each.body for each in requests])
    timestamp = max(each.timestamp for each in requests)
    signature = {} if signing is None else signing.headers(message_id=id_, timestamp=timestamp, body=body)
    return WebhookRequest(
        fixed=fixed,
        id=id_,
        timestamp=timestamp,
        more={**signature, COUNT: str(len(requests)), IDS: ",".join(ids)},
        body=body,
        method=first.method,
        needs_body=any(each.needs_body for each in requests),
    )


def is_to_be_split(outcome: Outcome) -> bool:
    """Return whether a request was refused in a way that one of its events alone may have caused."""
    return isinstance(outcome, Answered) and outcome.status in _MAY_BE_OF_ONE_EVENT
