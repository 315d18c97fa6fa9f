"""An exchange is shown without the secrets of its destination, even if the receiver repeats them."""

from datetime import timedelta

from forwarder.cli.transcript import SHOWN_CHARACTERS, Exchange
from forwarder.core.delivery import Answered, Fault, Outcome, Unanswered
from forwarder.destinations.build import destinations_of
from forwarder.destinations.sender import Transcript
from tests.core.config.support import config_text, load

SIGNATURE = "v1," + "Q" * 40 + "="
SENT = (
    b"POST /api/canary-canary-path HTTP/1.1\r\nHost: a.example\r\nX-Key: canary-header\r\n"
    b"webhook-signature: " + SIGNATURE.encode() + b"\r\n\r\n"
)


def exchange(outcome: Outcome, *, sent: bytes = SENT) -> Exchange:
    text = config_text(destination="headers: {X-Key: canary-header}").replace(
        "http://127.0.0.1:9000/hook", "http://a.example/api/canary-canary-path"
    )
    (destination,) = destinations_of(load(text))
    came = [(b"Set-Cookie", b"canary-cookie"), (b"X-Echo", b"canary-header and /api/canary-canary-path")]
    transcript = Transcript(sent=sent, body=b"{}", came=came)
    return Exchange(destination, transcript, outcome=outcome, duration=timedelta(milliseconds=12))


def test_secrets_are_hidden_in_what_was_sent_and_in_what_came() -> None:
    body = b"you sent canary-header and " + SIGNATURE.encode()
    shown = exchange(Answered(status=418, body=body))
    text = "\n".join(shown.lines())
    assert not shown.is_delivered
    for each in (text, str(shown.record())):
        assert "canary" not in each
        assert SIGNATURE not in each
        assert "QQQQQQ…" in each
    assert "> POST http://a.example/… HTTP/1.1" in text
    assert "> X-Key: ***" in text
    assert text.endswith("not delivered: HTTP 418 (after 12 ms)")


def test_without_an_answer_there_is_the_fault() -> None:
    shown = exchange(Unanswered(fault=Fault.REFUSED, detail="nothing listens there"), sent=b"")
    record = shown.record()
    assert (record["answer"], record["request"], record["fault"]) == (None, None, "refused")
    assert list(shown.lines()) == ["\nnot delivered: nothing listens there (after 12 ms)"]


def test_a_long_body_is_cut_and_its_length_said() -> None:
    shown = exchange(Answered(status=200, body=b"x" * (SHOWN_CHARACTERS + 1)))
    assert shown.is_delivered
    assert "(4,001 characters in all)" in "\n".join(shown.lines())
