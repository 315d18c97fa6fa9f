"""What an answer means for a destination, beyond its status: by the errors of its service, and by what its body must be."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from forwarder.core.answer_words import json_object
from forwarder.core.delivery import Answered, Outcome
from forwarder.core.destinations.service_errors import concerns_every_event, new_chat_of
from forwarder.core.matching.bodies import Body, BodyCondition

_WITH_OK = frozenset({"telegram", "slack"})
"""Services whose JSON says whether a request succeeded (core.telegram.org/bots/api#making-requests). Compatible servers may do so with 200."""
_REFUSED = 'it says "ok": false'


class AnswerRules(msgspec.Struct, frozen=True, kw_only=True):
    """Reads the answers to the requests of one destination."""

    service: str | None = None
    """The service whose errors are known; `None` also where the address is another one for each event."""

    success: BodyCondition | None = None
    """What the body of a 2xx must be; `None`: anything."""

    def read(self, outcome: Outcome, *, now: datetime) -> Outcome:
        """Return the outcome of a request with what its answer means; `now` is for conditions on the age of a value."""
        if not isinstance(outcome, Answered):
            return outcome
        if outcome.is_success:
            if self.success is not None:
                mismatch = _mismatch(self.success, outcome, now)
            else:
                mismatch = _REFUSED if self.service in _WITH_OK and _says_refused(outcome.body) else ""
            return replace(outcome, mismatch=mismatch) if mismatch else outcome
        if self.service is not None and concerns_every_event(self.service, outcome.status, outcome.body):
            moved_to = new_chat_of(outcome.body) if self.service == "telegram" else ""
            return replace(
                outcome, is_of_destination=True, note=f"it is chat {moved_to} now" if moved_to else outcome.note
            )
        return outcome


def _says_refused(body: bytes) -> bool:
    return b'"ok"' in body and json_object(body).get("ok") is False


def _mismatch(success: BodyCondition, answer: Answered, now: datetime) -> str:
    """Return why the body is not that of a success, or nothing. JSON says itself where it ends; of a text the end must have come."""
    body = Body(answer.body, now)
    if not body.text:
        return "its body is empty" if answer.is_complete else "its body did not come"
    if not answer.is_complete and not body.is_json:
        return "its body is not complete"
    if success.condition.matches(body):
        return ""
    if success.has_paths and not success.has_texts and not body.is_json:
        return "its body is not JSON"
    return "its body is not that of a success"


BY_STATUS = AnswerRules()
"""Only the status counts."""
