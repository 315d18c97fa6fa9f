"""Secrets that are none."""

import pytest

from forwarder.core.config.hints.secrets import hints_of_secrets
from forwarder.core.yaml.tree import Scalar, Tree


def said(key: str) -> list[str]:
    streams: list[Tree] = [{"api_key": Scalar(key)}]
    return [message for _, message in hints_of_secrets({"streams": streams})]


@pytest.mark.parametrize(
    "key",
    [
        "put-your-key-here",
        "changeme",
        "CHANGE_ME",
        "<your-key>",
        "<key>",
        "xxx",
        "XXXX-XXXX",
        "your_api_key",
        "YOUR-SCRAPEST-API-KEY",
        "insert.token.here",
        "[token]",
        "***",
        "...",
        "todo",
        "{your_key}",
    ],
)
def test_a_placeholder_is_found(key: str) -> None:
    assert said(key) == ["this is the placeholder of an example; write the API key"]


@pytest.mark.parametrize(
    "key",
    [
        "key",
        "secret",
        "a",
        "xx",
        "sk_live_9f3",
        "st-yourself-42",
        "SGVsbG8gd29ybGQ=",
        "QUJDREVGRw==",
        "AB_CD==",
        "eyJhbGciOi.eyJzdWIi.c2ln",
        "p$ssword",
        "100%sure",
        "here",
        "",
    ],
)
def test_a_key_is_none(key: str) -> None:
    assert said(key) == []


def test_values_of_another_kind_are_left_to_the_models() -> None:
    tree: dict[str, Tree] = {
        "destinations": {"a": {"auth": Scalar("a"), "headers": Scalar("a"), "signing": {"secret": []}}},
        "defaults": {"headers": {"X": []}, "auth": {"basic": Scalar("a")}},
    }
    assert list(hints_of_secrets(tree)) == []
