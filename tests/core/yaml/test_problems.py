"""How paths and texts are written in messages."""

from forwarder.core.yaml.problems import did_you_mean, quote, render_path


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
