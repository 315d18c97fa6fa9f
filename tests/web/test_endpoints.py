"""How an endpoint answers."""

import msgspec
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from forwarder.web.endpoints import Endpoint, NoParameters


class Answer(msgspec.Struct):
    text: str


async def test_a_value_is_answered_as_json_and_an_answer_as_it_is() -> None:
    async def value(_request: web.Request) -> Answer:
        return Answer("<b>ü")

    async def whole(_request: web.Request) -> web.Response:
        return web.Response(status=204)

    request = make_mocked_request("GET", "/")
    answers = [
        await Endpoint(method="GET", path="/", summary="", answer=each, result=Answer).handle(request)
        for each in (value, whole)
    ]
    assert isinstance(answers[0], web.Response)
    assert (answers[0].text, answers[0].content_type) == ('{"text":"<b>ü"}\n', "application/json")
    assert answers[1].status == 204
    assert NoParameters.__struct_fields__ == ()
