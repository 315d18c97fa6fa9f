"""The requests of a traced event say to which span they belong."""

from forwarder.core.delivery import Answered, DestinationName, Outcome, delivery_id
from forwarder.core.destinations.request import WebhookRequest
from forwarder.core.routing.sampling import WHOLE
from forwarder.monitoring.traced_sender import TracedSender
from tests.monitoring.test_tracer import Sink, tracer
from tests.support.lanes import event

ID = delivery_id(event(1).id, DestinationName("bot"))


class Kept:
    """A sender that keeps its requests."""

    def __init__(self) -> None:
        self.requests: list[WebhookRequest] = []

    async def send(self, request: WebhookRequest) -> Outcome:
        self.requests.append(request)
        return Answered(status=200)

    async def knock(self) -> bool:
        return True


def request(id_: str = ID, **headers: str) -> WebhookRequest:
    return WebhookRequest(fixed=headers, id=id_, timestamp=1, more={"x-own": "1"}, body=b"{}")


async def test_the_header_is_added_to_what_the_request_has() -> None:
    kept = Kept()
    sender = TracedSender(kept, tracer(Sink()))
    outcome = await sender.send(request())
    assert isinstance(outcome, Answered)
    assert kept.requests[0].more == {"x-own": "1", "traceparent": f"00-{event(1).id}-{1:016x}-01"}
    assert await sender.knock()


async def test_a_header_of_the_config_stays_and_other_requests_have_none() -> None:
    kept = Kept()
    sender = TracedSender(kept, tracer(Sink()))
    await sender.send(request(Traceparent="00-of-the-operator"))
    await sender.send(request("heartbeat"))
    await TracedSender(kept, tracer(Sink(), share=0)).send(request())
    assert [each.more for each in kept.requests] == [{"x-own": "1"}] * 3


def test_the_sample_of_these_tests_is_whole() -> None:
    assert tracer(Sink())._share == WHOLE
