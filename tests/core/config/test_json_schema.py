"""The JSON Schema takes what the program takes, and says what each key is for."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from forwarder.core.config.json_schema import config_schema, written
from tests.support.paths import ROOT

SCHEMA = config_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def said_of(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def properties(schema: object, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key that the schema describes."""
    if isinstance(schema, dict):
        for name, below in schema.get("properties", {}).items() if isinstance(schema.get("properties"), dict) else ():
            yield f"{path}.{name}", below
        for name, below in schema.items():
            yield from properties(below, f"{path}.{name}")
    elif isinstance(schema, list):
        for below in schema:
            yield from properties(below, path)


def test_it_is_a_schema_and_the_committed_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert (ROOT / "config.schema.json").read_text(encoding="utf-8") == written(SCHEMA), (
        "run: forwarder schema > config.schema.json"
    )


def test_every_key_has_a_description() -> None:
    described = dict(properties(SCHEMA))
    assert len(described) > 100
    assert [path for path, below in described.items() if not below.get("description")] == []


def test_defaults_are_written_as_the_file_writes_them() -> None:
    destination = SCHEMA["$defs"]["DestinationConfig"]["properties"]
    assert destination["timeout"]["default"] == "5s"
    assert destination["enabled"]["default"] is True
    assert "P" not in {str(below.get("default", ""))[:1] for _, below in properties(SCHEMA)}


def examples() -> Iterator[tuple[str, str]]:
    yield "config.yaml", (ROOT / "config.yaml").read_text(encoding="utf-8")
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for number, found in enumerate(re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)):
            yield f"{page.name} {number}", found


@pytest.mark.parametrize("example", [pytest.param(text, id=name) for name, text in examples()])
def test_what_the_documentation_shows_passes(example: str) -> None:
    tree = yaml.safe_load(example)
    assert isinstance(tree, dict)
    whole: dict[str, Any] = {
        "streams": [{"api_key": "k"}],
        "destinations": {"bot": {"url": "http://a"}},
        "routes": [{"to": "bot"}],
    }
    if "match" in tree or "to" in tree:
        whole["routes"] = [{"to": "bot", **tree}]
    elif set(tree) <= set(SCHEMA["$defs"]["DestinationConfig"]["properties"]):
        whole["destinations"]["bot"] |= tree
    elif set(tree) & set(SCHEMA["properties"]):
        whole |= tree
    else:
        whole["destinations"] = {name: {"url": "http://a", **below} for name, below in tree.items()}
    assert [error.message for error in VALIDATOR.iter_errors(whole)] == []


GOOD = "streams: [{api_key: k}]\ndestinations: {bot: {url: http://a}}\n"


@pytest.mark.parametrize(
    "text",
    [
        "streams: [{}]\ndestinations: {bot: {url: http://a}}\nroutes: [{to: bot}]",
        "streams: [{api_key: k}]\ndestinations: {bot: {timeout: 5s}}\nroutes: [{to: bot}]",
        GOOD + "routes: [{to: bot, stopp: true}]",
        GOOD + "routes: [{to: bot, stop: maybe}]",
        GOOD + "routes: [{to: bot, match: {txt: a}}]",
        GOOD + "routes: [{to: bot, match: {text: {contians: a}}}]",
        GOOD + "routes: [{to: bot, match: {not: {any: [{text: {length: {more: 3}}}]}}}]",
        GOOD + "routes: [{to: bot, prefer: last}]",
        GOOD + "routs: [{to: bot}]",
    ],
)
def test_a_mistake_is_seen_in_the_editor(text: str) -> None:
    assert said_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "streams: [{api_key_file: /k}]\ndestinations: {bot: {url_file: /u, concurrency: '${N}'}}\nroutes: [{to: bot}]",
        "x-usual: {anything: [1]}\n" + GOOD + "routes: [{to: [bot], match: {sid: 12, 'payload.\"a.b\"': {gt: 5}}}]",
        GOOD + "routes: [{to: bot, match: [{kind: [post, reply]}, {has_media: true, author: {list: whales}}]}]",
        GOOD
        + "routes: [{to: bot, match: {now: {hours: 22:00-07:00, days: [mon-fri]}, 'payload.m': {where: {type: video}}}}]",
    ],
)
def test_what_the_program_takes_passes(text: str) -> None:
    assert said_of(text) == []
