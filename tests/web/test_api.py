"""The API as a whole: its description is current, and the server keeps to it."""

import json
from pathlib import Path

import aiohttp

from forwarder.web.api import PREFIX
from tests.support.paths import ROOT
from tests.support.web import TOKEN, Served

DOCUMENT = ROOT / "docs" / "openapi.json"


async def test_the_description_in_the_documentation_is_the_one_that_is_served(served: Served) -> None:
    """`python -m tools.openapi` writes it."""
    found = await served.get("/openapi.json")
    found["info"]["version"] = json.loads(DOCUMENT.read_text(encoding="utf-8"))["info"]["version"]
    assert json.loads(DOCUMENT.read_text(encoding="utf-8")) == found


async def test_every_path_is_answered_and_head_as_get(served: Served) -> None:
    document = await served.get("/openapi.json")
    assert len(document["paths"]) > 20
    for path, operations in document["paths"].items():
        url = served.url.removesuffix(PREFIX) + path.replace("{", "").replace("}", "")
        if "get" in operations and not path.endswith("/live"):
            async with served.session.head(url) as answer:
                assert answer.status in {200, 404}, path
                assert await answer.read() == b""


async def test_no_answer_has_a_secret(served: Served, tmp_path: Path) -> None:
    document = await served.get("/openapi.json")
    for path, operations in document["paths"].items():
        if "get" in operations and "{" not in path and not path.endswith("/live"):
            async with served.session.get(served.url.removesuffix(PREFIX) + path) as answer:
                text = await answer.text()
            assert TOKEN not in text
            assert "127.0.0.1:9/" not in text, path


async def test_without_a_token_in_the_config_everything_is_read_only(served: Served) -> None:
    assert (await served.get("/session"))["may_change"] is False
    async with served.session.post(f"{served.url}/reload", headers={"X-Forwarder": "1"}) as answer:
        assert answer.status == 401
        assert isinstance(answer, aiohttp.ClientResponse)
