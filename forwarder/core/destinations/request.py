"""Renders a delivery as the HTTP request of one attempt. `forwarder/destinations` sends it."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from forwarder import __version__
from forwarder.core.capacity import NOT_KEPT
from forwarder.core.cut_frame import HAS_ID, is_cut_body
from forwarder.core.delivery import Delivery, Trigger
from forwarder.core.destinations.content import CannotFormatError, Content, Editable, Format, raw
from forwarder.core.destinations.signing import ID, SIGNATURE, TIMESTAMP, Signing
from forwarder.core.dispatch.retry import RetryPolicy

USER_AGENT = f"forwarder/{__version__}"
_RESERVED = frozenset({ID, TIMESTAMP, SIGNATURE})
_NONE: Mapping[str, str] = {}
_OF_ALL_ATTEMPTS = frozenset({Trigger.CANARY, Trigger.FALLBACK})


FixedHeaders = dict[str, str]
"""Headers that many requests share. They are the same object each time, so that the sender formats them once."""


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request: its body and all headers that depend on the delivery or the config."""

    fixed: FixedHeaders
    id: str
    """The `webhook-id`."""
    timestamp: int
    """The `webhook-timestamp`."""
    more: Mapping[str, str] = {}
    """The other headers of this request only; none of the names is in `fixed`."""
    body: bytes
    method: str = "POST"
    target: str | None = None
    """Path and query that replace those of the URL."""
    needs_body: bool = False
    """Whether the body of a 2xx is needed. Otherwise it is kept if it comes with the headers or right after them."""

    def __repr__(self) -> str:  # headers may contain secrets
        return f"WebhookRequest({len(self.body)} bytes)"

    @property
    def own(self) -> dict[str, str]:
        """The headers of this request only."""
        return {ID: self.id, TIMESTAMP: str(self.timestamp), **self.more}

    @property
    def headers(self) -> dict[str, str]:
        """All headers."""
        return {**self.fixed, **self.own}


class Renderer:
    """Renders the requests of one destination.

    The user's `headers` replace forwarder's own in any case of letters, but not the `webhook-*` headers and the signature.
    """

    def __init__(
        self,
        *,
        headers: Mapping[str, str],
        signing: Signing | None,
        policy: RetryPolicy,
        format_: Format = raw,
        needs_body: bool = False,
    ) -> None:
        """`needs_body`: the body of every response is needed, whatever the format."""
        reserved = _RESERVED | (signing.header_names if signing is not None else frozenset())
        self._headers = {name: value for name, value in headers.items() if name.lower() not in reserved}
        self._taken = reserved | {name.lower() for name in self._headers}
        self._signing = signing
        self._policy = policy
        self._format = format_
        self._needs_body = needs_body or isinstance(format_, Editable)
        """Whether the body of a response says if it is a success, or which message was made."""
        self._fixed: dict[tuple[int, Trigger, str, bool, bool, tuple[str, ...]], FixedHeaders] = {}

    @property
    def format_(self) -> Format:
        """The format of the requests."""
        return self._format

    def with_format(self, format_: Format) -> "Renderer":
        """Return a renderer that differs only in the format."""
        return Renderer(
            headers=self._headers,
            signing=self._signing,
            policy=self._policy,
            format_=format_,
            needs_body=self._needs_body,
        )

    def render(
        self, delivery: Delivery, *, now: datetime, receipt: str | None = None, content: Content | None = None
    ) -> WebhookRequest:
        """Return the request of the next attempt of `delivery`, as of `now`. Raises what a format raises, unless there is `content`.

        `content` is what was rendered elsewhere. With a `receipt` the request edits the message of that receipt. The id is the same for
        all attempts; timestamp and signature are those of this attempt.
        """
        attempt = delivery.attempts + 1
        trigger = delivery.trigger if attempt == 1 or delivery.trigger in _OF_ALL_ATTEMPTS else Trigger.RETRY
        if not delivery.body:
            raise CannotFormatError(NOT_KEPT)
        if content is None:
            content = self._format(delivery)
        if receipt is not None and isinstance(self._format, Editable):
            content = self._format.edit(content, receipt)
        is_truncated = HAS_ID not in delivery.body and is_cut_body(delivery.body)
        key = (
            attempt,
            trigger,
            content.content_type,
            delivery.is_recovered,
            is_truncated,
            tuple(content.headers) if content.headers else (),
        )
        fixed = self._fixed.get(key) or self._fix(*key)
        id_, timestamp, more = delivery.id, int(now.timestamp()), _NONE
        if self._signing is not None:
            more = self._signing.headers(message_id=id_, timestamp=timestamp, body=content.body)
        if content.headers:
            more = {**more, **self._untaken(content.headers)}
        return WebhookRequest(
            fixed=fixed,
            id=id_,
            timestamp=timestamp,
            more=more,
            body=content.body,
            method=content.method,
            target=content.target,
            needs_body=self._needs_body,
        )

    def _untaken(self, ours: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in ours.items() if name.lower() not in self._taken}

    def _fix(  # noqa: PLR0917 - what the headers depend on, in the order of their key
        self,
        attempt: int,
        trigger: Trigger,
        content_type: str,
        is_recovered: bool,
        is_truncated: bool,
        own: tuple[str, ...],
    ) -> FixedHeaders:
        """Return the headers that all attempts of this number share, without those that each request has of its `own`.

        `x-forwarder-retry-in` is the wait (before jitter) after a failure; it is absent on the last attempt.
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
        if is_truncated:
            ours["x-forwarder-truncated"] = "true"
        replaced = {name.lower() for name in own}
        ours = {name: value for name, value in self._untaken(ours).items() if name.lower() not in replaced}
        fixed = self._fixed[attempt, trigger, content_type, is_recovered, is_truncated, own] = ours | self._headers
        return fixed
