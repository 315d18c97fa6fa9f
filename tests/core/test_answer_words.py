"""What a receiver says about an error, as operators read it."""

import pytest

from forwarder.core.answer_words import MAX_WORDS, is_whole_json, json_object, words_of


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", ""),
        ("invalid_blocks", "invalid_blocks"),
        (" two\nlines\t of text ", "two lines of text"),
        (
            '{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}',
            "Bad Request: chat not found",
        ),
        ('{"message": "Unknown Webhook", "code": 10015}', "Unknown Webhook (10015)"),
        ('{"errcode":310000,"errmsg":"keywords not in content"}', "keywords not in content (310000)"),
        ('{"code":19021,"msg":"sign match fail","data":{}}', "sign match fail (19021)"),
        ('{"ok":false,"error":"invalid_auth"}', "invalid_auth"),
        ('{"error": {"code": 403, "message": "The caller has no permission"}}', "The caller has no permission"),
        ('{"detail":"Not found.","title":"x"}', "Not found."),
        ('{"message": " ", "error": "disk full"}', "disk full"),
        ('{"status": "down"}', '{"status": "down"}'),
        ('{"message": 5}', '{"message": 5}'),
        ('{"message": "cut of', '{"message": "cut of'),
        ('["a"]', '["a"]'),
        (
            '{"message": "Invalid Form Body", "code": 50035, "errors": {"username": {"_errors": [{"code": "x"}]}}}',
            '{"message": "Invalid Form Body", "code": 50035, "errors": {"username": {"_errors": [{"code": "x"}]}}}',
        ),
        ("<!DOCTYPE html><html><head><title>502 Bad\nGateway</title></head><body>…", "502 Bad Gateway"),
        ("<html><body>no title</body></html>", ""),
        ("a <b>text</b>", "a <b>text</b>"),
        ("\ufffd\ufffd\u001f\ufffd gzip", ""),
        ("f\ufffdr das Ungl\u00fcck gibt es keinen Grund", "f\ufffdr das Ungl\u00fcck gibt es keinen Grund"),
        ('{"message": "\u001b[31mred\u202e\u0085 \u2028end"}', '{"message": " [31mred end"}'),
        ("a\u001b[31mred\u202e\u0085 \u2028end", "a [31mred end"),
        ('{"message": "\\u001b[31mred\\u202eend"}', "[31mred end"),
    ],
)
def test_the_words_of_a_body(body: str, words: str) -> None:
    assert words_of(body) == words


def test_long_words_are_cut() -> None:
    assert words_of("x" * 500) == "x" * (MAX_WORDS - 1) + "…"
    assert len(words_of('{"message": "' + "word " * 90 + '"}')) <= MAX_WORDS


def test_a_body_that_is_nested_deeply_is_shown_as_it_is() -> None:
    assert words_of('{"a":' * 100_000).startswith('{"a":{"a":')


@pytest.mark.parametrize("answer", [b"", b"ok", b"[]", b'"text"', b"5", b"null", b"\xff", b'{"a":', b"[" * 100_000])
def test_an_answer_that_is_no_object_is_an_empty_one(answer: bytes) -> None:
    assert json_object(answer) == {}


def test_an_answer_that_is_an_object_is_read() -> None:
    assert json_object(b'{"id": "5", "more": {"a": [1]}}') == {"id": "5", "more": {"a": [1]}}


@pytest.mark.parametrize("body", [b"{}", b' {"a": [1]}\n', b"[]", b'[{"a": 1}]'])
def test_whole_json(body: bytes) -> None:
    assert is_whole_json(body)


@pytest.mark.parametrize(
    "body", [b"", b"ok", b"1", b'{"a": {}', b"[1]]", b"[" * 100_000 + b"]" * 100_000, b'{"\xff": 1}']
)
def test_what_may_go_on_is_not_whole(body: bytes) -> None:
    assert not is_whole_json(body)
