"""`forwarder schema` prints the schema that is in the repository."""

import json

from tests.support.paths import ROOT
from tests.support.process import command


async def test_it_prints_the_schema_of_the_config() -> None:
    code, out, err = await command("schema")
    assert (code, err) == (0, "")
    assert out == (ROOT / "config.schema.json").read_text(encoding="utf-8")
    assert json.loads(out)["type"] == "object"
