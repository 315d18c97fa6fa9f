"""The schema of conditions: every field, every test and every block, each with its description."""

import jsonschema
import pytest
import yaml

from forwarder.core.config.condition_schema import VARIABLE, conditions_schema
from forwarder.core.matching.compile import ALL_TESTS, BLOCKS, OPTIONS
from forwarder.core.matching.fields import NAMED_FIELDS
from forwarder.core.matching.values import TYPES

DEFINITIONS = conditions_schema()


def errors_of(text: str, definition: str = "condition") -> list[str]:
    schema = {"$ref": f"#/$defs/{definition}", "$defs": DEFINITIONS}
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(yaml.safe_load(text))]


def test_every_field_block_and_test_is_in_it() -> None:
    condition, _ = DEFINITIONS["condition"]["anyOf"]
    assert condition["properties"].keys() == {*NAMED_FIELDS, *BLOCKS, "matcher"}
    tests = DEFINITIONS["tests"]["anyOf"][-1]["properties"]
    assert tests.keys() == {*ALL_TESTS, *OPTIONS}
    assert all(each.get("description") for each in (*condition["properties"].values(), *tests.values()))


@pytest.mark.parametrize(
    "text",
    [
        "{source: x, sid: 12, text: [a, b]}",
        "[{kind: post}, {has_media: true}]",
        "{not: {any: [{author: {list: whales}}, {all: {sid: 1}}]}}",
        "{payload.a: {between: [1, '${N}'], length: {gte: 1}, type: [string, null], ignore_case: false}}",
        "{payload.a: {gt: 1e3, lt: '.5', between: [1e-6, 2E-6], length: {lte: 1e1}}}",
        "{matcher: [a, b], now: {hours: '09:00-17:00', days: mon-fri, timezone: Europe/Berlin}}",
        "{text: {contains: [a, {file: words.txt}]}}",
    ],
)
def test_a_condition_passes(text: str) -> None:
    assert errors_of(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "{txt: a}",
        "{payload: a}",
        "[]",
        "source",
        "{text: {contians: a}}",
        "{text: {gt: a}}",
        "{payload.a: {gt: 1e}}",
        "{payload.a: {between: [1]}}",
        "{payload.a: {type: strng}}",
        "{payload.a: {exists: maybe}}",
        "{text: {contains: {list: a, file: b}}}",
        "{matcher: {a: b}}",
    ],
)
def test_a_mistake_does_not_pass(text: str) -> None:
    assert errors_of(text)


def test_the_types_and_the_values_of_a_field_are_those_of_the_program() -> None:
    assert DEFINITIONS["tests"]["anyOf"][-1]["properties"]["type"]["anyOf"][0]["enum"] == [*TYPES, None]
    condition, _ = DEFINITIONS["condition"]["anyOf"]
    for name, field in NAMED_FIELDS.items():
        if field.values:
            allowed = condition["properties"][name]["anyOf"][0]["enum"]
            assert [str(each).lower() if isinstance(each, bool) else each for each in allowed] == list(field.values)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("[{event: {payload: {text: a}}, expect: nowhere}]", True),
        ("[{name: a, event: {source: x, sid: 1}, expect: {bot: [r], alerts: null}, body: {bot: hi}}]", True),
        ("[{event: {}}]", False),
        ("[{expect: nowhere}]", False),
        ("[{event: {txt: a}, expect: nowhere}]", False),
        ("[{event: {}, expect: nowhere, att: now}]", False),
    ],
)
def test_a_test_of_the_rules_has_an_event_and_what_is_expected(text: str, passes: bool) -> None:
    assert (errors_of(text, "rule_tests") == []) is passes


def test_a_default_is_in_the_description() -> None:
    name = DEFINITIONS["rule_tests"]["items"]["properties"]["event"]["properties"]["source"]
    assert name["x-default"] == "x"
    assert name["description"].endswith(" Default: x.")


def test_a_variable_may_replace_any_value() -> None:
    assert jsonschema.Draft202012Validator(VARIABLE).is_valid("${A}")
    assert not jsonschema.Draft202012Validator(VARIABLE).is_valid("A")
