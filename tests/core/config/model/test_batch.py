"""`batch`: what it may be combined with."""

from datetime import timedelta

import pytest

from forwarder.core.config import ConfigError
from tests.core.config.support import config_text, load


@pytest.mark.parametrize(
    "more", ["", "format: {type: template, body: '{\"id\": {{ mid | tojson }}}'}", "method: PUT", "concurrency: 4"]
)
def test_a_batch_of_json_is_accepted(more: str) -> None:
    found = load(config_text(destination=f"batch: {{count: 20}}\n{more}")).destinations["bot"].batch
    assert found is not None
    assert (found.count, found.within) == (20, timedelta(seconds=1))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("format: slack", "so it needs format raw, or a template of JSON; slack sends one message for each; remove batch"),
        ("format: text", "text sends one message for each"),
        ("format: {type: template, body: x, content_type: text/plain}", "so it needs format raw"),
        ("order: sid", "so order: sid cannot hold; remove one of them"),
        ("order: strict", "so order: strict cannot hold"),
        ("compression: gzip", "compression is not supported with batch"),
        ("headers: {A: '{{ mid }}'}", "write headers without {{ … }}"),
        ("batch: {count: 1}", "2 to 100"),
        ("batch: {within: 2m}", "10ms to 1m are allowed"),
    ],
)  # fmt: skip
def test_what_cannot_hold_for_several_events_is_refused(more: str, said: str) -> None:
    written = more if more.startswith("batch") else f"batch: {{count: 20}}\n{more}"
    with pytest.raises(ConfigError) as error:
        load(config_text(destination=written))
    assert said in str(error.value)


def test_a_url_of_each_event_is_refused() -> None:
    text = config_text(destination="batch: {}").replace("9000/hook", "9000/{{ mid }}")
    with pytest.raises(ConfigError, match="write a URL without"):
        load(text)
