"""What an answer means for a destination."""

import json
from datetime import UTC, datetime

import pytest

from forwarder.core.delivery import Answered, Fault, Unanswered
from forwarder.core.destinations.answers import BY_STATUS, AnswerRules
from forwarder.core.matching.bodies import BodyCondition, compile_body
from forwarder.core.matching.compile import Names
from tests.support.conditions import tree

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHAT_GONE = b'{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}'


def test_an_error_of_the_service_that_concerns_every_event_is_marked() -> None:
    read = AnswerRules(service="telegram").read(Answered(status=400, body=CHAT_GONE), now=NOW)
    assert read == Answered(status=400, body=CHAT_GONE, is_of_destination=True)


def test_everything_else_stays_as_it_is() -> None:
    rules = AnswerRules(service="telegram")
    for outcome in (
        Answered(status=200, body=b'{"ok":true,"result":{"text":"false"}}'),
        Answered(status=400, body=b"chat not found"),
        Unanswered(fault=Fault.TIMEOUT, detail="no answer within 5 s"),
    ):
        assert rules.read(outcome, now=NOW) is outcome
    outcome = Answered(status=400, body=CHAT_GONE)
    assert BY_STATUS.read(outcome, now=NOW) is outcome


@pytest.mark.parametrize("service", ["telegram", "slack"])
def test_a_2xx_of_a_service_whose_body_says_that_it_refused_is_no_success(service: str) -> None:
    read = AnswerRules(service=service).read(Answered(status=200, body=CHAT_GONE, excerpt=CHAT_GONE.decode()), now=NOW)
    assert isinstance(read, Answered)
    assert not read.is_success
    assert read.reason == 'HTTP 200, but it says "ok": false: Bad Request: chat not found'
    for answer in (
        Answered(status=200),
        Answered(status=200, body=b'{"ok": "false"}'),
        Answered(status=200, body=b"ok"),
    ):
        assert AnswerRules(service=service).read(answer, now=NOW) is answer
    other = Answered(status=200, body=CHAT_GONE)
    assert AnswerRules(service="discord").read(other, now=NOW) is other


def success(written: str) -> BodyCondition:
    return compile_body(tree(written), lambda _path, _said: None, Names())


@pytest.mark.parametrize(
    ("written", "body", "is_complete", "reason"),
    [
        ("{errcode: 0}", b'{"errcode":0}', True, None),
        ("{errcode: 0}", b'{"errcode":0}', False, None),  # JSON says itself where it ends
        ("ok", b"ok", True, None),
        ("ok", b"ok", False, "HTTP 200, but its body is not complete: ok"),
        ("{errcode: 0}", b'{"errcode":', False, 'HTTP 200, but its body is not complete: {"errcode":'),
        ("{errcode: 0}", b"", True, "HTTP 200, but its body is empty"),
        ("{errcode: 0}", b" \n", True, "HTTP 200, but its body is empty"),
        ("{not: {contains: no}}", b"", True, "HTTP 200, but its body is empty"),
        ("{errcode: 0}", b"", False, "HTTP 200, but its body did not come"),
        ("{errcode: 0}", b"<p>hello", True, "HTTP 200, but its body is not JSON: <p>hello"),
        ("[{errcode: 0}, ok]", b"hello", True, "HTTP 200, but its body is not that of a success: hello"),
        (
            "{errcode: 0}",
            b'{"errcode":310000,"errmsg":"keywords not in content"}',
            True,
            "HTTP 200, but its body is not that of a success: keywords not in content (310000)",
        ),
    ],
)
def test_a_body_that_is_not_that_of_a_success_is_a_failure_and_says_so(
    written: str, body: bytes, is_complete: bool, reason: str | None
) -> None:
    answer = Answered(status=200, body=body, excerpt=body.decode().strip(), is_complete=is_complete)
    read = AnswerRules(success=success(written)).read(answer, now=NOW)
    assert isinstance(read, Answered)
    assert read.is_success is (reason is None)
    assert read.is_fault is (reason is not None)
    assert read.reason == (reason or "HTTP 200")


def test_other_statuses_do_not_depend_on_the_body() -> None:
    rules = AnswerRules(success=success("ok"))
    for status in (302, 400, 429, 503):
        outcome = Answered(status=status, body=b"no")
        assert rules.read(outcome, now=NOW) is outcome


@pytest.mark.parametrize(("new", "note"), [(-1001234567890, "it is chat -1001234567890 now"), (True, ""), ("-5", "")])
def test_a_group_that_moved_is_named_where_it_is_not_followed(new: object, note: str) -> None:
    said = {"ok": False, "description": "Bad Request: group chat was upgraded to a supergroup chat", "parameters": {"migrate_to_chat_id": new}}  # fmt: skip
    read = AnswerRules(service="telegram").read(Answered(status=400, body=json.dumps(said).encode()), now=NOW)
    assert isinstance(read, Answered)
    assert (read.is_of_destination, read.note) == (True, note)


def test_what_is_noted_of_an_attempt_is_kept() -> None:
    said = Answered(status=403, body=b'{"ok":false,"description":"Forbidden: bot was kicked"}', note="sent twice")
    read = AnswerRules(service="telegram").read(said, now=NOW)
    assert isinstance(read, Answered)
    assert (read.is_of_destination, read.note) == (True, "sent twice")
