"""Several requests become one: a JSON array, with an id and a signature of the whole."""

import json

from forwarder.core.delivery import Answered, Fault, Unanswered
from forwarder.core.destinations.batch import COUNT, IDS, batch_of, fixed_of, is_to_be_split
from forwarder.core.destinations.request import WebhookRequest
from forwarder.core.destinations.signing import ID, SIGNATURE, SecretKey, StandardSigning

ATTEMPT = {"X-From": "desk", "x-forwarder-attempt": "2", "x-forwarder-trigger": "retry", "x-forwarder-retry-in": "5"}


def request(number: int, *, needs_body: bool = False) -> WebhookRequest:
    return WebhookRequest(
        fixed=ATTEMPT, id=f"msg_{number}", timestamp=100 + number, body=b'{"n": %d}' % number, needs_body=needs_body
    )


def test_the_bodies_are_an_array_and_the_headers_name_each_event() -> None:
    requests = [request(1), request(2, needs_body=True)]
    made = batch_of(requests, fixed_of(requests[0]), None)
    assert made.body == b'[{"n": 1},{"n": 2}]'
    assert json.loads(made.body) == [{"n": 1}, {"n": 2}]
    assert made.headers[COUNT] == "2"
    assert made.headers[IDS] == "msg_1,msg_2"
    assert made.fixed == {"X-From": "desk"}
    assert made.timestamp == 102
    assert made.needs_body
    assert not batch_of(requests[:1], {}, None).needs_body


def test_equal_events_have_equal_ids_and_others_do_not() -> None:
    one, two = request(1), request(2)
    assert batch_of([one, two], {}, None).id == batch_of([one, two], {}, None).id
    assert len({batch_of(each, {}, None).id for each in ([one, two], [two, one], [one])}) == 3


def test_the_whole_body_is_signed() -> None:
    signing = StandardSigning((SecretKey(b"0123456789012345678901234567890123"),))
    made = batch_of([request(1), request(2)], {}, signing)
    expected = signing.headers(message_id=made.headers[ID], timestamp=made.timestamp, body=made.body)
    assert made.headers[SIGNATURE] == expected[SIGNATURE]


def test_a_refusal_that_one_event_may_have_caused_is_split() -> None:
    assert [is_to_be_split(Answered(status=status)) for status in (200, 400, 401, 413, 422, 429, 500)] == [
        False, True, False, True, True, False, False,
    ]  # fmt: skip
    assert not is_to_be_split(Unanswered(fault=Fault.TIMEOUT, detail="late"))
