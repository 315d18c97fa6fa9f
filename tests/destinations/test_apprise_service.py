"""The library Apprise against a real receiver: what is sent, what a refusal means, and which URLs are wrong."""

import asyncio
import io
import json
import logging
import sys

import pytest

from forwarder.core.delivery import Answered, Fault, Outcome, Unanswered
from forwarder.destinations.apprise_service import AppriseService, problem_of
from forwarder.emulator.receiver import Action, Answer, Receiver

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Apprise imports what Python 3.13 has no more


REFUSED = "Apprise does not accept this URL of {}:// (it is not shown, because it is a secret){}; its form is at https://appriseit.com/services/"


PORT = ": its port is not in the range from 1 to 65535"


def url_of(receiver: Receiver, path: str = "magpie-token") -> str:
    return f"json://{receiver.url.removeprefix('http://').removesuffix('hook')}{path}"


async def notify(url: str, title: str = "Nova Desk", text: str = "hello", kind: str = "text/plain") -> Outcome:
    return await asyncio.to_thread(AppriseService(url).notify, title, text, kind)


async def test_a_message_arrives_with_its_title_and_its_text() -> None:
    async with Receiver() as receiver:
        outcome = await notify(url_of(receiver), text="a < b & \N{FIRE}")
    assert isinstance(outcome, Answered)
    assert outcome.is_success
    (request,) = receiver.requests
    message = json.loads(request.body)
    assert (message["title"], message["message"]) == ("Nova Desk", "a < b & \N{FIRE}")
    assert request.path == "/magpie-token"
    assert request.headers["User-Agent"] == "forwarder"


async def test_html_is_converted_for_a_service_that_shows_text() -> None:
    async with Receiver() as receiver:
        await notify(url_of(receiver, "x?format=text"), text="<b>hello</b> &amp; more", kind="text/html; charset=utf-8")
    assert json.loads(receiver.requests[0].body)["message"] == "hello & more"


async def test_a_refusal_has_the_status_and_the_words_of_the_service_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(log)])
    monkeypatch.setattr(logging.getLogger(), "level", logging.DEBUG)
    async with Receiver(respond=lambda _: Answer(status=403, body=b'{"message":"magpie-token is no key"}')) as receiver:
        outcome = await notify(url_of(receiver))
    assert isinstance(outcome, Answered)
    assert outcome.reason == "HTTP 403: *** is no key"
    assert "magpie" not in log.getvalue()


async def test_a_connection_that_is_refused_or_ends_is_no_answer() -> None:
    async with Receiver() as receiver:
        url = url_of(receiver)
        receiver.respond = lambda _: Answer(action=Action.CLOSE)
        broken = await notify(url)
        await receiver.stop_listening()
        refused = await notify(url)
    assert isinstance(broken, Unanswered)
    assert isinstance(refused, Unanswered)
    assert broken.fault is Fault.NETWORK
    assert refused.fault is Fault.REFUSED
    assert not refused.is_local_fault
    assert "magpie" not in broken.reason + refused.reason


async def test_an_empty_text_is_never_sent() -> None:
    outcome = await notify("json://127.0.0.1:9/x", title="", text=" ")
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is Fault.FORMAT


def test_a_fault_of_a_plugin_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bool:
        raise RuntimeError("magpie")

    monkeypatch.setattr("forwarder.destinations.apprise_service._send", fail)
    outcome = AppriseService("json://127.0.0.1:9/x").notify("a", "b", "text/plain")
    assert outcome.reason == "Apprise failed with RuntimeError"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("pover://user@token", None),
        ("json://127.0.0.1:9/x?overflow=split", None),
        ("povr://magpie@magpie", 'Apprise knows no service povr://; did you mean "pover"?'),
        ("qqqqqqqq://magpie", "Apprise knows no service qqqqqqqq://; see https://appriseit.com/services/ for those that it knows"),
        ("slack://magpie", REFUSED.format("slack", ": An invalid Slack Token was specified")),
        ("json://127.0.0.1:65535/x", None),
        ("tgram://123456789:AAabcdefghijklmnopqrstuvwxyz012345678/12345", None),
        *[(f"{kind}:{port}/magpie", REFUSED.format(kind.partition(":")[0], PORT)) for kind in ("json://magpie", "mailtos://user:magpie@magpie.example", "ntfys://magpie", "gotify://[::1]") for port in (70_000, 65_536)],
        ("json://magpie:0/magpie", REFUSED.format("json", PORT)),
        ("https://magpie.example/x", REFUSED.format("https", "")),
    ],
)  # fmt: skip
def test_a_wrong_url_is_named_without_showing_it(url: str, said: str | None) -> None:
    assert problem_of(url) == said


def test_without_the_library_both_say_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    said = problem_of("pover://user@token")
    assert said is not None
    assert said.endswith("-m pip install 'apprise>=2.3,<3'")
    outcome = AppriseService("pover://user@token").notify("a", "b", "text/plain")
    assert isinstance(outcome, Unanswered)
    assert outcome.is_local_fault
    assert outcome.detail == said
