"""The results of tests as text, as JSON and as JUnit XML."""

from xml.etree import ElementTree as ET

from msgspec.structs import replace

from forwarder.cli.rule_test_report import Suite, as_json, difference_text, junit
from forwarder.configfile.rule_tests import run_tests
from forwarder.core.config.rule_tests.run import Result
from tests.core.config.support import load

CONFIG = """
streams: [{api_key: key}]
destinations: {bot: {url: 'http://127.0.0.1:9/'}, desk: {url: 'http://127.0.0.1:9/'}}
routes: [{name: coins, match: {text: {word: btc}}, to: bot}]
tests:
  - {name: it passes, event: {payload: {text: btc}}, expect: bot}
  - {name: "<it> & \\u0007 fails", event: {payload: {text: gm}}, expect: {desk: [coins], bot: }}
"""


def results() -> list[Result]:
    config = load(CONFIG)
    return list(run_tests(config, config.tests))


def test_a_difference_shows_what_was_expected_what_came_and_why() -> None:
    passed, failed = results()
    assert difference_text(passed) == "  (-) expected, (+) result\n    bot  by coins"
    lines = difference_text(failed).splitlines()
    assert lines[:3] == ["  (-) expected, (+) result", "  - bot", "  - desk  by coins"]
    assert '  "coins" does not match' in lines


def test_scripts_get_the_place_and_the_result() -> None:
    passed, failed = (as_json("config.yaml", each) for each in results())
    assert (passed["passed"], passed["line"], passed["got"]) == (True, 6, {"bot": ["coins"]})
    assert (failed["passed"], failed["expected"], failed["got"]) == (False, {"desk": ["coins"], "bot": None}, {})


def test_a_report_for_ci_is_xml_whatever_a_name_holds() -> None:
    found = results()
    root = ET.fromstring(junit([Suite(file="config.yaml", results=found, took_s=0.5)]))  # noqa: S314 - our own
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("time")) == ("2", "1", "0.500000")
    assert [case.get("name") for case in suite] == ["it passes", "<it> & \ufffd fails"]
    assert [len(case) for case in suite] == [0, 1]
    assert replace(found[0]).differences == ()
