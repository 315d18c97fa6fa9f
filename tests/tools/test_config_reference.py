"""The page `docs/config.md`: it has every key, as the schema describes it, and its examples load."""

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from forwarder.core.config import Config, load_config
from forwarder.core.config.json_schema import config_schema
from tools.config_reference import MARKER, PAGE, with_reference

TEXT = PAGE.read_text(encoding="utf-8")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRONMENT = {
    "SCRAPEST_API_KEY": "key",
    "BOT_TOKEN": "token",
    "BOT_PASSWORD": "password",
    "BOT_SECRET": SECRET,
    "FORWARDER_TOKEN": "0123456789abcdef",
    "OTLP_TOKEN": "token",
    "HEARTBEAT_URL": "https://hc-ping.com/id",
    "ALERTS_URL": "https://example.invalid/hook",
}
FILES = {
    "more-coins.txt": "sol\n",
    "/etc/forwarder/ca.pem": "-----BEGIN CERTIFICATE-----\n",
    "/etc/forwarder/cert.pem": "-----BEGIN CERTIFICATE-----\n",
    "/etc/forwarder/key.pem": "-----BEGIN PRIVATE KEY-----\n",
    "/etc/forwarder/token": "0123456789abcdef\n",
}


def load(text: str) -> Config:
    def read_file(name: str) -> str:
        if name in FILES:
            return FILES[name]
        raise FileNotFoundError(2, os.strerror(2), name)

    return load_config(
        text.encode(), name="config.yaml", env=ENVIRONMENT, read_file=read_file, find_files=lambda *_: []
    )


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the path of each section on the page with each row of its table: the key, and the rest."""
    section = ""
    for line in TEXT[TEXT.index(MARKER) :].splitlines():
        if (heading := re.fullmatch(r"##+ (.+)", line)) is not None:
            section = heading[1]
        elif (row := re.match(r"\| `([^`]+)` \| (.+) \|$", line)) is not None:
            yield section, row[1], row[2]


def examples() -> Iterator[tuple[str, str]]:
    """Yield the path of each key that has examples, with each of them."""
    for section, key, rest in rows():
        path = key if section.startswith("Keys at") else f"{section}.{key}"
        for found in re.findall(r"Example: (`.+`)\.$", rest):
            yield from ((path, example) for example in re.findall(r"`([^`]+)`", found))


def with_example(path: str, example: object) -> str:
    """A small config that has the example at its place."""
    destination: dict[str, Any] = {"url": "https://example.com/hook"}
    whole: dict[str, Any] = {
        "streams": [{"api_key": "${SCRAPEST_API_KEY}"}],
        "destinations": {"bot": destination, "alerts": {"url": "https://example.com/alerts"}},
        "routes": [{"to": "bot"}],
    }
    needed: dict[str, dict[str, object]] = {
        "destinations.NAME.auth.basic.password": {"username": "bot"},
        "destinations.NAME.canary.within": {"every": "10m"},
        "streams.on_failure.after": {"to": "alerts"},
        "destinations.NAME.fallback.after": {"to": "alerts"},
        "destinations.NAME.on_failure.backlog": {"to": "alerts"},
        "destinations.NAME.limit.per": {"count": 5},
        "destinations.NAME.limit.by": {"count": 5, "per": "10m"},
        "destinations.NAME.quiet.days": {"hours": "23:00-07:00"},
        "destinations.NAME.quiet.timezone": {"hours": "23:00-07:00"},
        **{f"heartbeat.{key}": {"url": "https://hc-ping.com/id"} for key in ("fail_url", "proxy", "tls")},
        **{f"tracing.{key}": {"endpoint": "http://127.0.0.1:4318/v1/traces"} for key in ("headers", "sample")},
        "routes.limit.per": {"count": 5},
        "routes.limit.by": {"count": 5, "per": "10m"},
        "expect.match": {"name": "a", "within": "1h"},
        "expect.name": {"within": "1h"},
        "expect.within": {"name": "a"},
        "expect.on_failure": {"name": "a", "within": "1h"},
    }
    at: dict[str, Any] = whole
    *sections, key = path.split(".")
    for step in sections:
        if step == "NAME":
            at = at["bot"]
        elif step in {"streams", "routes", "expect"}:
            at = at.setdefault(step, [{}])[0]
        else:
            at = at.setdefault(step, {})
    at.update({**needed.get(path, {}), key: example})
    if key == "apprise":  # in place of a URL
        del at["url"]
    return yaml.safe_dump(whole)


def test_the_page_is_the_one_of_the_schema() -> None:
    assert with_reference(TEXT, config_schema()) == TEXT, "run: python -m tools.config_reference"


def test_every_key_of_the_schema_is_on_the_page() -> None:
    schema = config_schema()
    named: set[str] = set(schema["properties"])
    for definition in schema["$defs"].values():
        for each in (definition, *definition.get("anyOf", ())):
            named |= set(each.get("properties", {}))
    listed = {key for _, key, _ in rows()}
    assert named <= listed
    assert listed - named <= {
        "payload.…",
        "event",
        "expect",
        "at",
        "body",
        "name",
        "file",
        "source",
        "sid",
        "mid",
        "timestamp",
        "payload",
    }


def test_the_whole_example_loads_and_has_every_section() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
    config = load(example)
    assert len(config.routes) == 3
    assert set(yaml.safe_load(example)) == set(config_schema()["properties"])


@pytest.mark.parametrize(("path", "example"), [pytest.param(*each, id=f"{each[0]} {each[1]}") for each in examples()])
def test_every_example_of_a_key_loads(path: str, example: str) -> None:
    assert load(with_example(path, yaml.safe_load(example))).routes


def test_the_examples_are_found() -> None:
    assert len(list(examples())) >= 40
    assert len(list(rows())) >= 150


def test_every_link_within_the_page_has_its_heading() -> None:
    headings = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    }
    links = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert links
    assert links <= headings
