"""The part of the JSON Schema that no model has: conditions, and tests of the rules."""

from typing import Any

from forwarder.core.matching.bodies import TEXT_TESTS
from forwarder.core.matching.compile import ALL_TESTS, OPTIONS
from forwarder.core.matching.compile_tests import NUMBER
from forwarder.core.matching.fields import NAMED_FIELDS
from forwarder.core.matching.values import TYPES
from forwarder.core.posts.common_fields import COMMON_FIELDS

Schema = dict[str, Any]

VARIABLE: Schema = {"type": "string", "pattern": r"\$\{"}
"""A variable of the environment, which may replace any value."""
_SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}
_REFERENCE: Schema = {
    "type": "object",
    "properties": {
        "list": {"description": "A list of this name in lists."},
        "file": {"description": "A text file with one value on each line."},
    },
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
_NUMBER: Schema = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{NUMBER}$"}, VARIABLE]}
"""A text too: for YAML 1.1, which some editors read, `1e3` is one."""
_NUMBERS: dict[str, Schema] = {
    "gt": {**_NUMBER, "description": "The value is a number greater than this."},
    "gte": {**_NUMBER, "description": "The value is a number of at least this."},
    "lt": {**_NUMBER, "description": "The value is a number less than this."},
    "lte": {**_NUMBER, "description": "The value is a number of at most this."},
    "between": {
        "type": "array",
        "items": _NUMBER,
        "minItems": 2,
        "maxItems": 2,
        "description": "The value is a number from the first to the second, both included.",
    },
}
_OF_VALUES = {
    "equals": "The value is one of these.",
    "contains": "The text contains one of these.",
    "word": "The text contains one of these as a whole word.",
    "prefix": "The text begins with one of these.",
    "suffix": "The text ends with one of these.",
    "wildcard": "The whole text matches one of these patterns; * stands for any characters.",
    "regex": "One of these regular expressions (RE2) matches somewhere in the text.",
    "list": "The value is in the list of this name in lists.",
    "file": "The value is in this text file, one value on each line.",
    "hours": "The time of day is in this span, such as 09:00-17:30, or 22:00-07:00 over midnight.",
    "days": "The day is one of these: mon, tue, …, or a span such as mon-fri.",
}
_TESTS: dict[str, Schema] = {
    **{name: {"$ref": "#/$defs/values", "description": said} for name, said in _OF_VALUES.items()},
    **_NUMBERS,
    "length": {
        "anyOf": [_NUMBER, {"type": "object", "properties": _NUMBERS, "additionalProperties": False}],
        "description": "The number of characters of a text, elements of an array or keys of an object is this, or meets these tests.",
    },
    "type": {
        "anyOf": [{"enum": [*TYPES, None]}, {"type": "array", "items": {"enum": [*TYPES, None]}}],
        "description": "The value has this JSON type, or one of these.",
    },
    "within": {"type": "string", "description": "The time is at most this long ago, such as 5m."},
    "older_than": {"type": "string", "description": "The time is longer ago than this."},
    "exists": {"type": "boolean", "description": "true: the field has a value other than null. false: it has none."},
    "where": {
        "type": ["object", "array"],
        "description": "A condition that one element of the value meets. Its paths begin at the element.",
    },
    "timezone": {
        "type": "string",
        "description": "The time zone of hours and days, such as Europe/Berlin. Default: UTC.",
    },
    "ignore_case": {
        "type": "boolean",
        "description": "true: upper and lower case are the same. Default: true for texts, handles and tags, false for other fields.",
    },
    "exact": {
        "type": "boolean",
        "description": "true: contains, word, prefix, suffix and wildcard find only what is the same text, except for case. false: also texts that look the same. Default: that of exact at the top of the file.",
    },
    "fold": {
        "type": "boolean",
        "description": "true: regex sees the folded text, in which texts that look the same are the same. Default: false.",
    },
}
_ENVELOPE = {
    "source": "The source of the event: x, fast-x, telegram, discord, …",
    "sid": "The id of the account or channel at the source, as text.",
    "mid": "The id of the post or message, as text.",
    "timestamp": "When the event happened, as given by the stream.",
    "truncated": "Whether the event is of the public stream, which cuts events after 100 characters.",
    "now": "When the event arrived, as {hours: …, days: …, timezone: …}.",
}
_BLOCKS = {
    "any": "At least one of these conditions is met.",
    "all": "All of these conditions are met.",
    "not": "This condition is not met.",
}


def conditions_schema() -> dict[str, Schema]:
    """Return the definitions that the fields of `model/compiled.py` refer to."""
    assert set(_TESTS) == {*ALL_TESTS, *OPTIONS}  # noqa: S101 - a new test needs a description here
    values: Schema = {"anyOf": [_SCALAR, {"type": "array", "items": {"anyOf": [_SCALAR, _REFERENCE]}}, _REFERENCE]}
    tests: Schema = {
        "anyOf": [
            _SCALAR,
            {"type": "array", "items": {"anyOf": [_SCALAR, _REFERENCE]}},
            {"type": "object", "properties": _TESTS, "additionalProperties": False},
        ]
    }
    fields: dict[str, Schema] = {
        name: {"$ref": "#/$defs/tests", "description": said}
        for name, said in {**_ENVELOPE, **{each.name: each.description for each in COMMON_FIELDS.values()}}.items()
    }
    for name, field in NAMED_FIELDS.items():
        if field.values:
            literal = {"enum": [True, False] if field.values == ("true", "false") else list(field.values)}
            fields[name] = {
                "anyOf": [literal, {"type": "array", "items": literal}, {"$ref": "#/$defs/tests"}],
                "description": fields[name]["description"],
            }
    blocks: dict[str, Schema] = {
        name: {"$ref": "#/$defs/condition", "description": said} for name, said in _BLOCKS.items()
    }
    matcher: Schema = {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "description": "The condition of this name in matchers is met, or one of several.",
    }
    condition: Schema = {
        "anyOf": [
            {
                "type": "object",
                "properties": {**fields, **blocks, "matcher": matcher},
                "patternProperties": {
                    r"^payload\.": {"$ref": "#/$defs/tests", "description": "A field of the payload, by its path."}
                },
                "additionalProperties": False,
            },
            {"type": "array", "items": {"$ref": "#/$defs/condition"}, "minItems": 1},
        ]
    }
    return {
        "condition": condition,
        "tests": tests,
        "values": values,
        "body_condition": _body_condition(),
        "rule_tests": _rule_tests(),
    }


def _body_condition() -> Schema:
    below: Schema = {"$ref": "#/$defs/body_condition"}
    blocks: dict[str, Schema] = {
        name: {"anyOf": [below, {"type": "array", "items": below}], "description": said}
        for name, said in _BLOCKS.items()
    }
    texts = {name: _TESTS[name] for name in (*TEXT_TESTS, "ignore_case")}
    return {
        "anyOf": [
            _SCALAR,
            {"type": "array", "items": below, "minItems": 1},
            {
                "type": "object",
                "properties": {**texts, **blocks},
                "additionalProperties": {"$ref": "#/$defs/tests"},
                "minProperties": 1,
            },
        ]
    }


def _optional(description: str, default: str, **schema: object) -> Schema:
    """Return the schema of a key that may be left out; its description ends with the default, as `facts_of` writes it."""
    return {**schema, "x-default": default, "description": f"{description} Default: {default}."}


def _rule_tests() -> Schema:
    text: Schema = {"type": ["string", "number"]}
    event = {
        "file": _optional(
            "A file with an event as JSON. The other keys replace its values.",
            "none",
            type="string",
            **{"x-kind": "file path"},
        ),
        "source": _optional(_ENVELOPE["source"], "x"),
        "sid": _optional(_ENVELOPE["sid"], "1"),
        "mid": _optional(_ENVELOPE["mid"], "1"),
        "timestamp": _optional(_ENVELOPE["timestamp"], "the time of arrival"),
        "payload": _optional("The payload, as the source sends it.", "empty", type="object"),
    }
    names: Schema = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    test = {
        "name": _optional("The name of the test, shown when it fails.", '"test 1", "test 2", …', **text),
        "event": {
            "type": "object",
            "properties": event,
            "additionalProperties": False,
            "description": "The event. Each of its keys has a default.",
        },
        "expect": {
            "anyOf": [
                names,
                {"type": "object", "additionalProperties": {"anyOf": [*names["anyOf"], {"type": "null"}]}},
            ],
            "description": "The destinations that must get the event: nowhere; one destination, or a list of them; or a mapping from each destination to its routes. The routes are one name, a list of names, or nothing for any routes.",
        },
        "at": _optional(
            "When the event arrives, such as 2026-01-05T09:00:00+01:00.",
            "Thursday, 1 January 2026, 12:00 UTC",
            type="string",
            **{"x-kind": "time"},
        ),
        "body": _optional(
            "For a destination, the texts that its request body must contain, or a condition on the JSON of the body.",
            "none",
            type="object",
            additionalProperties={"anyOf": [*names["anyOf"], {"type": "object"}]},
        ),
    }
    required = ["event", "expect"]
    return {
        "type": "array",
        "items": {"type": "object", "properties": test, "required": required, "additionalProperties": False},
    }
