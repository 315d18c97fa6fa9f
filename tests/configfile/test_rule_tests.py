"""The tests in a config are run with its rules and the request bodies of its formats."""

from pathlib import Path

import pytest

from forwarder.configfile.rule_tests import failures_of, run_tests
from forwarder.configfile.snapshot import Files
from tests.core.config.support import load

CONFIG = """
streams: [{{api_key: key}}]
destinations:
  bot: {{url: 'http://127.0.0.1:9/', compression: gzip}}
  chat: {{url: 'https://discord.com/api/webhooks/1/x', format: discord}}
routes: [{{name: all, to: [bot, chat], {route}}}]
tests:
  - name: everything
    event: {{payload: {{text: gm}}}}
    expect: {expect}
    body: {body}
"""


def failures(*, route: str = "match: {source: x}", expect: str = "[bot, chat]", body: str = "{}") -> list[str]:
    return failures_of(load(CONFIG.format(route=route, expect=expect, body=body)))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{chat: [gm, embeds]}", None),
        ("{bot: {payload.text: gm}}", None),  # compression is left out
        ("{bot: [btc]}", "the body for bot does not contain 'btc': "),
        ("{bot: {payload.text: btc}}", "the body for bot is not as expected: "),
    ],
)
def test_a_body_contains_texts_or_fulfils_a_condition(body: str, said: str | None) -> None:
    found = failures(body=body)
    if said is None:
        assert found == []
    else:
        assert [said in each and each.startswith('tests: "everything" (line ') for each in found] == [True]


def test_a_sample_and_a_limit_do_not_decide_a_test() -> None:
    assert failures(route="sample: 1%") == []
    text = CONFIG.format(route="match: {source: x}", expect="[bot, chat]", body="{}") + "defaults: {limit: 1/7d}\n"
    again = "  - {name: again, event: {mid: '2', payload: {text: gm}}, expect: [bot, chat]}\n"
    assert failures_of(load(text.replace("defaults:", f"{again}defaults:"))) == []
    assert failures(route="limit: 1/h") == []


def test_a_test_whose_event_goes_elsewhere_is_a_sentence() -> None:
    (sentence,) = failures(expect="[bot]")
    assert sentence.endswith('chat also gets it, by "all"')


def test_each_result_has_what_came() -> None:
    config = load(CONFIG.format(route="match: {source: x}", expect="[bot, chat]", body="{}"))
    (result,) = run_tests(config, config.tests)
    assert (result.got, result.differences) == ({"bot": ("all",), "chat": ("all",)}, ())


def test_the_tests_of_files_next_to_the_config_are_run_with_it(tmp_path: Path) -> None:
    config, file = (
        load(CONFIG.format(route="match: {source: x}", expect="[bot, chat]", body="{}")),
        tmp_path / "config.yaml",
    )
    assert failures_of(config, file) == []
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a_test.yaml").write_bytes(b"\xef\xbb\xbftests:\r\n  - {event: {}, expect: bot}\r\n")
    (tmp_path / "b_test.yaml").write_text("tests: [{event: {}, expect: bott}]")
    (tmp_path / "c_test.yaml").mkdir()
    files = Files()
    assert failures_of(config, file, files) == [
        f'{tmp_path}/b_test.yaml:1:29: tests[0].expect: "bott" is not a destination; did you mean "bot"?',
        f"{tmp_path}/c_test.yaml: cannot be read: Is a directory",
        'tests/a_test.yaml: "test 1" (line 2): chat also gets it, by "all"',
    ]
    assert len(files.digests) == 3


def test_a_list_of_destinations_has_the_reasons_too() -> None:
    first, *_, last = failures(route="match: {text: {word: btc}}")
    assert first.endswith("bot does not get it")
    assert last.endswith('"all" does not match')
