"""How paths and texts are written in messages."""

import pytest

from forwarder.core.yaml.problems import did_you_mean, no_such, quote, render_path


def test_a_path_is_written_as_people_write_it() -> None:
    assert render_path(("routes", 2, "to", 0)) == "routes[2].to[0]"
    assert render_path(("destinations", "my bot", "url")) == 'destinations."my bot".url'
    assert render_path(()) == ""


def test_a_quoted_text_is_short_and_harmless() -> None:
    assert quote('a"b\\\x1b\u202e\n') == '"a\\"b\\\\\\u001b\\u202e\\n"'
    assert len(quote("x" * 10_000)) <= 62


def test_the_nearest_word_is_suggested_in_any_case() -> None:
    assert did_you_mean("contians", ["contains", "word"]) == '; did you mean "contains"?'
    assert did_you_mean("X", ["x", "telegram"]) == '; did you mean "x"?'
    assert did_you_mean("psot", ["POST", "post"]) == '; did you mean "POST"?'
    assert did_you_mean("zzz", ["contains", "word"]) == ""


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("bto", ["bot", "alerts"], 'no destination is called "bto"; did you mean "bot"? There are: bot, alerts'),
        ("zzz", ["bot"], 'no destination is called "zzz"; there are: bot'),
        ("zzz", [], 'no destination is called "zzz"; the config has none'),
        (
            "a\x1b[1m",
            ["b\x1b[2m"],
            r'no destination is called "a\u001b[1m"; did you mean "b\u001b[2m"? There are: b\u001b[2m',
        ),
        ("zzz", [f"n{number}" for number in range(22)], "n18, n19 and 2 more"),
    ],
)
def test_a_name_that_does_not_exist_is_answered_with_those_that_there_are(
    name: str, known: list[str], said: str
) -> None:
    assert no_such("destination", name, known).endswith(said)


def test_what_is_known_better_than_by_its_letters_is_suggested() -> None:
    assert no_such("source", "tg", ["x"], hint='; did you mean "telegram"?').startswith(
        'no source is called "tg"; did you mean "telegram"? There are: x'
    )
