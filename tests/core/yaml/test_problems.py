"""How paths and texts are written in messages."""

from forwarder.core.yaml.problems import quote, render_path


def test_a_path_is_written_as_people_write_it() -> None:
    assert render_path(("routes", 2, "to", 0)) == "routes[2].to[0]"
    assert render_path(("destinations", "my bot", "url")) == 'destinations."my bot".url'
    assert render_path(()) == ""


def test_a_quoted_text_is_short_and_harmless() -> None:
    assert quote('a"b\\\x1b\u202e\n') == '"a\\"b\\\\\\u001b\\u202e\\n"'
    assert len(quote("x" * 10_000)) <= 62
