"""A delivery as the HTTP request of one attempt. Pure; sending is the destination's business."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from forwarder import __version__
from forwarder.core.delivery import Delivery, Trigger
from forwarder.core.retry import RetryPolicy
from forwarder.core.signing import sign

USER_AGENT = f"forwarder/{__version__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """One POST: the received bytes, verbatim, and every header we decide on."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def render(
    delivery: Delivery,
    *,
    headers: Mapping[str, str],
    signing_keys: Sequence[bytes],
    policy: RetryPolicy,
    now: datetime,
) -> WebhookRequest:
    """Return the request of the next attempt of `delivery`, as of `now`.

    The user's `headers` stand above ours, whatever their case, but not above the `webhook-*` ones. The id is the same
    over all attempts; timestamp and signature belong to this one. `x-forwarder-retry-in` is the wait, before jitter,
    that would follow a failure; it is absent on the last attempt.
    """
    attempt = delivery.attempts + 1
    ours = {"Content-Type": "application/json", "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    ours["x-forwarder-attempt"] = str(attempt)
    ours["x-forwarder-trigger"] = delivery.trigger if attempt == 1 else Trigger.RETRY
    if attempt < policy.max_attempts:
        ours["x-forwarder-retry-in"] = f"{policy.delays[attempt - 1].total_seconds():g}"
    overridden = {name.lower() for name in headers}
    merged = {name: value for name, value in ours.items() if name.lower() not in overridden} | dict(headers)
    timestamp = int(now.timestamp())
    merged["webhook-id"] = delivery.id
    merged["webhook-timestamp"] = str(timestamp)
    if signing_keys:
        merged["webhook-signature"] = sign(
            signing_keys, message_id=delivery.id, timestamp=timestamp, body=delivery.body
        )
    return WebhookRequest(headers=merged, body=delivery.body)
