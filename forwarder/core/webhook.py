"""A delivery as the HTTP request of one attempt. Pure; sending is the destination's business."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from forwarder import __version__
from forwarder.core.capacity import NOT_KEPT
from forwarder.core.content import CannotFormatError, Editable, Format, raw
from forwarder.core.delivery import Delivery, Trigger
from forwarder.core.retry import RetryPolicy
from forwarder.core.signing import ID, SIGNATURE, TIMESTAMP, Signing

USER_AGENT = f"forwarder/{__version__}"
_RESERVED = frozenset({ID, TIMESTAMP, SIGNATURE})


FixedHeaders = dict[str, str]
"""Headers that many requests have in common: the same object each time, so that a sender writes them out once."""


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request: the bytes of its body, and every header we decide on."""

    fixed: FixedHeaders
    own: Mapping[str, str]
    """What only this request has; none of the names is in `fixed`."""
    body: bytes
    method: str = "POST"
    target: str | None = None
    """Path and query in place of the URL's own."""

    def __repr__(self) -> str:  # headers may be secret
        return f"WebhookRequest({len(self.body)} bytes)"

    @property
    def headers(self) -> dict[str, str]:
        """All of them."""
        return {**self.fixed, **self.own}


class Renderer:
    """Makes the requests of one destination.

    The user's `headers` stand above ours, whatever their case, but not above the `webhook-*` ones and the signature.
    """

    def __init__(
        self, *, headers: Mapping[str, str], signing: Signing | None, policy: RetryPolicy, format_: Format = raw
    ) -> None:
        reserved = _RESERVED | (signing.header_names if signing is not None else frozenset())
        self._headers = {name: value for name, value in headers.items() if name.lower() not in reserved}
        self._taken = reserved | {name.lower() for name in self._headers}
        self._signing = signing
        self._policy = policy
        self._format = format_
        self._fixed: dict[tuple[int, str, str, bool], FixedHeaders] = {}

    def render(self, delivery: Delivery, *, now: datetime, receipt: str | None = None) -> WebhookRequest:
        """Return the request of the next attempt of `delivery`, as of `now`. Raises `CannotFormatError`.

        With a `receipt` it is the edit of that message.

        The id is the same over all attempts; timestamp and signature belong to this one.
        """
        attempt = delivery.attempts + 1
        is_told_why = attempt == 1 or delivery.trigger is Trigger.CANARY
        trigger = delivery.trigger if is_told_why else Trigger.RETRY
        if not delivery.body:
            raise CannotFormatError(NOT_KEPT)
        content = self._format(delivery)
        if receipt is not None and isinstance(self._format, Editable):
            content = self._format.edit(content, receipt)
        key = attempt, trigger, content.content_type, delivery.is_recovered
        fixed = self._fixed.get(key) or self._fix(*key)
        id_, timestamp = delivery.id, int(now.timestamp())
        own = {ID: id_, TIMESTAMP: str(timestamp)}
        if self._signing is not None:
            own |= self._signing.headers(message_id=id_, timestamp=timestamp, body=content.body)
        if content.headers:
            own |= self._untaken(content.headers)
        return WebhookRequest(fixed=fixed, own=own, body=content.body, method=content.method, target=content.target)

    def _untaken(self, ours: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in ours.items() if name.lower() not in self._taken}

    def _fix(self, attempt: int, trigger: Trigger, content_type: str, is_recovered: bool) -> FixedHeaders:
        """Return what all attempts of this number share.

        `x-forwarder-retry-in` is the wait, before jitter, that would follow a failure; it is absent on the last attempt.
        """
        ours = {
            "Content-Type": content_type,
            "User-Agent": USER_AGENT,
            "Accept-Encoding": "identity",
            "x-forwarder-attempt": str(attempt),
            "x-forwarder-trigger": str(trigger),
        }
        if attempt < self._policy.max_attempts:
            ours["x-forwarder-retry-in"] = f"{self._policy.delays[attempt - 1].total_seconds():g}"
        if is_recovered:
            ours["x-forwarder-recovered"] = "true"
        fixed = self._untaken(ours) | self._headers
        self._fixed[attempt, trigger, content_type, is_recovered] = fixed
        return fixed
