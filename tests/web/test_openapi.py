"""The description in OpenAPI, and whether the server keeps to it for requests that nobody would think of."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from forwarder.web.api import PREFIX
from tests.support.web import TOKEN, Served

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
)
_EXAMPLES = "5"


async def test_every_operation_says_what_it_takes_and_returns(served: Served) -> None:
    document = await served.get("/openapi.json")
    assert document["openapi"] == "3.1.0"
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert len({each["operationId"] for each in operations}) == len(operations) > 20
    for operation in operations:
        assert operation["summary"]
        assert {"200", "400", "403", "421", "503"} <= operation["responses"].keys()
    pause = document["paths"][f"{PREFIX}/destinations/{{destination}}/pause"]["post"]
    assert pause["security"] == [{"token": []}, {"session": []}]
    assert [each["name"] for each in pause["parameters"]] == ["destination", "X-Forwarder"]
    events = document["paths"][f"{PREFIX}/events"]["get"]
    assert "security" not in events
    limit = next(each for each in events["parameters"] if each["name"] == "limit")
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 500, "default": 50, "description": "The most records of a page."}  # fmt: skip


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_the_server_keeps_to_its_description(served: Served, tmp_path: Path) -> None:
    base = served.url.removesuffix(PREFIX)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/openapi.json", "--url", base),
        *("--checks", ",".join(CHECKS), "--max-examples", _EXAMPLES, "--seed", "1", "--no-color"),
        *("--phases", "examples,coverage,fuzzing", "--exclude-path", f"{PREFIX}/live"),
        *("--header", f"Authorization: Bearer {TOKEN}", "--suppress-health-check", "all"),
        *("--request-timeout", "20", "--max-failures", "60"),
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_REPORT": "false"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()[-8000:]
