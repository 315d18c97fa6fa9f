"""What the messages for Slack say."""

import json

from forwarder.destinations.formats import slack
from tests.destinations.formats.support import delivery, x_event


def test_slack_splits_a_long_text_over_sections_and_loses_no_word() -> None:
    message = json.loads(slack.SlackFormat()(delivery(x_event(text=" ".join(map(str, range(2000)))))).body)
    sections = [block["text"]["text"] for block in message["blocks"] if block["type"] == "section"]
    assert len(sections) == 4
    assert " ".join(sections).split() == [str(number) for number in range(2000)]


def test_slack_writes_links_out_and_makes_markup_harmless() -> None:
    assert slack.escape("a<b> & <!channel>") == "a&lt;b&gt; &amp; &lt;!channel&gt;"
    assert slack.escape("see https://a.example/?b=1&c=2.") == "see <https://a.example/?b=1&amp;c=2>."


def test_equal_settings_make_equal_formats() -> None:
    assert slack.SlackFormat() == slack.SlackFormat()
