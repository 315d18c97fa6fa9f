"""`forwarder test`: what passes, what fails and why, and what CI reads of it."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from forwarder.cli import main
from forwarder.configfile.rule_tests import failures_of
from tests.core.config.support import load

CONFIG = r"""
streams: [{api_key: key}]
destinations:
  bot: {url: http://127.0.0.1:9/}
  alerts: {url: "https://discord.com/api/webhooks/1/x", format: discord}
lists: {coins: {file: coins.txt}}
routes:
  - name: contract addresses
    match: {source: [x, fast-x], text: {regex: '\b0x[0-9a-fA-F]{40}\b'}}
    to: [bot, alerts]
    stop: true
  - {name: night, match: {now: {hours: "22:00-06:00"}}, to: alerts}
  - {name: coins, match: {text: {word: {list: coins}}}, to: bot}
"""
PASSING = r"""
tests:
  - name: a contract address reaches both
    event: {payload: {text: "buy 0x52908400098527886E0F7030069857D2E4169EE7"}}
    expect: {bot: [contract addresses], alerts: contract addresses}
    body:
      alerts: [0x5290840, '"embeds"']
      bot: {payload.text: {prefix: buy}, source: x}
  - {name: at night, event: {source: telegram, payload: {message: gm}}, at: "2026-01-05T23:30:00+01:00", expect: [alerts]}
  - {name: by day, event: {source: telegram}, expect: nowhere}
  - {name: a file, event: {file: event.json, payload: {text: long BTC}}, expect: {bot: }}
  - {name: values, event: {sid: 12, mid: 9007199254740993, payload: {text: "5", n: 1.5, yes: true, no: null, q: "true"}}, expect: []}
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coins.txt").write_text("btc\n# comment\neth\n")
    event = {"source": "x", "sid": 1, "mid": 2, "timestamp": 3, "payload": {"text": "gm", "lang": "en"}}
    (tmp_path / "event.json").write_text(json.dumps(event))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["test", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_what_passes(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "config.yaml").write_text(CONFIG + PASSING)
    assert run(capsys) == (0, "5 passed, 0 failed\n", "")
    code, out, _ = run(capsys, "-v", "-k", "by*d")
    assert (code, out) == (0, "ok   config.yaml:23: by day\n1 passed, 0 failed\n")


def test_values_come_as_json(files: Path) -> None:
    config = load((CONFIG + PASSING).replace("{file: coins.txt}", "[btc]").replace("{file: event.json, ", "{"))
    event = {test.name: test.event for test in config.tests}["values"]
    assert (event.sid, event.mid) == ("12", "9007199254740993")
    assert event.payload == {"text": "5", "n": 1.5, "yes": True, "no": None, "q": "true"}


FAILING = r"""
tests:
  - name: not this one
    event: {payload: {text: gm}}
    expect: {bot: [contract addresses, coins]}
  - name: too much
    event: {payload: {text: "btc 0x52908400098527886E0F7030069857D2E4169EE7"}}
    expect: {bot: [contract addresses, coins]}
  - name: the wrong body
    event: {payload: {text: eth}}
    expect: bot
    body: {bot: [btc]}
"""


def test_a_failure_says_what_came_and_why(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "config.yaml").write_text(CONFIG + FAILING)
    code, out, _ = run(capsys)
    assert code == 1
    for line in (
        "FAIL config.yaml:16: not this one",
        "  - bot  by contract addresses, coins",
        '  "contract addresses" does not match',
        "      ✗ text has the regex",
        "FAIL config.yaml:19: too much",
        "  + alerts  by contract addresses",
        '  alerts also gets it, by "contract addresses"',
        '  "coins" is not reached, because "contract addresses" matches and has stop: true',
        "  the body for bot does not contain 'btc': ",
        "0 passed, 3 failed",
    ):
        assert line in out, out
    sentences = failures_of(load((CONFIG + FAILING).replace("{file: coins.txt}", "[btc, eth]")))
    assert sentences[0] == 'tests: "not this one" (line 16): bot does not get it by "contract addresses", "coins"'


def test_files_of_tests_next_to_the_config_are_run_too(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "config.yaml").write_text(CONFIG)
    assert run(capsys)[1].startswith('no tests; write them under "tests:"')
    (files / "tests").mkdir()
    (files / "tests" / "coins_test.yaml").write_text("tests:\n  - {event: {file: ../event.json}, expect: nowhere}\n")
    (files / "more_test.yml").write_text("tests:\n  - {event: {payload: {text: eth}}, expect: {bot: coins}}\n")
    assert run(capsys)[:2] == (0, "2 passed, 0 failed\n")
    assert run(capsys, "more_test.yml")[:2] == (0, "1 passed, 0 failed\n")
    (files / "more_test.yml").write_text("tests:\n  - {event: {}, expect: [bott]}\n  - {evnt: {}}\ntest: []\n")
    code, out, err = run(capsys)
    assert (code, out) == (78, "")
    assert err == (
        'more_test.yml:2:26: tests[0].expect[0]: "bott" is not a destination; did you mean "bot"?\n'
        'more_test.yml:3:5: tests[1]: the key "event" is missing\n'
        'more_test.yml:3:5: tests[1]: the key "expect" is missing\n'
        'more_test.yml:3:6: tests[1].evnt: unknown key; did you mean "event"?\n'
        'more_test.yml:4:1: test: unknown key; did you mean "tests"?\n'
    )
    assert main(["check"]) == 1
    assert 'more_test.yml:2:26: tests[0].expect[0]: "bott"' in capsys.readouterr().err


def test_the_reports_for_scripts(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "config.yaml").write_text(CONFIG + FAILING.replace("not this one", '"<a> & \\u0007 b"'))
    code, out, _ = run(capsys, "--json", "--junit", "report.xml")
    found = json.loads(out)
    assert [(each["name"], each["line"], each["passed"]) for each in found] == [
        ("<a> & \a b", 16, False), ("too much", 19, False), ("the wrong body", 22, False),
    ]  # fmt: skip
    assert found[1]["got"] == {"bot": ["contract addresses"], "alerts": ["contract addresses"]}
    suite = ET.parse(files / "report.xml").getroot().find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("name")) == ("3", "3", "config.yaml")
    cases = suite.findall("testcase")
    assert [(case.get("name"), case.get("line")) for case in cases][:2] == [
        ("<a> & \ufffd b", "16"),
        ("too much", "19"),
    ]
    assert code == 1
    assert run(capsys, "--junit", "missing/report.xml")[2].startswith("missing/report.xml: cannot be written")


def test_a_bad_config_is_reported_as_ever(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "config.yaml").write_text(CONFIG.replace("to: alerts", "to: alert"))
    code, _, err = run(capsys)
    assert code == 78
    assert 'did you mean "alerts"?' in err


def test_the_tests_of_included_files_are_reported_with_their_files(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "config.yaml").write_text("include: more.yaml\n" + CONFIG)
    (files / "more.yaml").write_text("tests:\n  - {name: m, event: {payload: {text: eth}}, expect: nowhere}\n")
    code, out, _ = run(capsys, "-k", "m", "--json")
    assert code == 1
    assert [(each["file"], each["line"]) for each in json.loads(out)] == [("more.yaml", 2)]
    assert run(capsys)[1].startswith("FAIL more.yaml:2: m\n")
