"""The JSON Schema of the config, for editors: they complete its keys, say what each is for, and check it while it is written.

It is made of the same models that read the file. Where the file may say things in ways that a schema cannot know (`${NAME}` in the place of
a number), the schema lets them pass; `forwarder check` is the judge.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from forwarder.core.common_fields import COMMON_FIELDS
from forwarder.core.config.fields import Section, keys_of
from forwarder.core.config.model import Config, RouteConfig
from forwarder.core.durations import write_duration
from forwarder.core.matching.compile import ALL_TESTS
from forwarder.core.matching.values import TYPES

Schema = dict[str, Any]

_VARIABLE: Schema = {"type": "string", "pattern": r"\$\{"}
_SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}
_REFERENCE: Schema = {
    "type": "object",
    "properties": {
        "list": {"description": "Values that stand under a name in lists."},
        "file": {"description": "A text file of values, one a line."},
    },
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
_NUMBER: Schema = {"anyOf": [{"type": "number"}, _VARIABLE]}
_NUMBERS: dict[str, Schema] = {
    "gt": {**_NUMBER, "description": "A number greater than this."},
    "gte": {**_NUMBER, "description": "A number of at least this."},
    "lt": {**_NUMBER, "description": "A number less than this."},
    "lte": {**_NUMBER, "description": "A number of at most this."},
    "between": {
        "type": "array",
        "items": _NUMBER,
        "minItems": 2,
        "maxItems": 2,
        "description": "A number from the first to the second, both included.",
    },
}
_OF_VALUES = {
    "equals": "One of these values.",
    "contains": "A text that has one of these in it.",
    "word": "A text that has one of these in it as a word of its own.",
    "prefix": "A text that begins with one of these.",
    "suffix": "A text that ends with one of these.",
    "wildcard": "The whole text has one of these shapes; * stands for anything.",
    "regex": "A text in which one of these regexes (RE2) is found.",
    "list": "One of the values that stand under this name in lists.",
    "file": "One of the values in this text file, one a line.",
    "hours": "A span of the day such as 09:00-17:30, or over midnight 22:00-07:00.",
    "days": "Weekdays: mon, tue, …, or a span such as mon-fri.",
}
_TESTS: dict[str, Schema] = {
    **{name: {"$ref": "#/$defs/values", "description": said} for name, said in _OF_VALUES.items()},
    **_NUMBERS,
    "length": {
        "anyOf": [_NUMBER, {"type": "object", "properties": _NUMBERS, "additionalProperties": False}],
        "description": "How many characters a text has, elements an array, keys an object.",
    },
    "type": {
        "anyOf": [{"enum": [*TYPES, None]}, {"type": "array", "items": {"enum": [*TYPES, None]}}],
        "description": "The JSON type of the value.",
    },
    "within": {"type": "string", "description": "A time at most so long ago, such as 5m."},
    "older_than": {"type": "string", "description": "A time longer ago than this."},
    "exists": {"type": "boolean", "description": "true: there is a value other than null; false: there is none."},
    "where": {
        "type": ["object", "array"],
        "description": "A condition that holds within one element; its paths begin there.",
    },
    "timezone": {"type": "string", "description": "Of hours and days, such as Europe/Berlin; left out, UTC."},
    "ignore_case": {"type": "boolean", "description": "Whether case counts; for texts, handles and tags it does not."},
}
_ENVELOPE = {
    "source": "Where the event is from: x, fast-x, telegram, discord, …",
    "sid": "The id of the account or channel at its source, as text.",
    "mid": "The id of the post or message, as text.",
    "timestamp": "When the event happened, as the stream says.",
    "now": "When the event arrived: {hours: …, days: …, timezone: …}.",
}
_BLOCKS = {
    "any": "At least one of these conditions holds.",
    "all": "All of these conditions hold.",
    "not": "This condition does not hold.",
}


def config_schema() -> Schema:
    """Return the JSON Schema (2020-12) of a config file."""
    schema = Config.model_json_schema(mode="validation")
    definitions: dict[str, Schema] = schema.pop("$defs")
    sections = list(dict.fromkeys(_sections(Section)))
    for section in sections:
        if (found := definitions.get(section.__name__, schema if section is Config else None)) is not None:
            _mend(found, section)
    for section in sections:
        if section.short_form is not None and section.__name__ in definitions:
            definitions[section.__name__] = {"anyOf": [section.short_form, definitions[section.__name__]]}
    definitions |= _conditions()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The config of forwarder",
        **{key: value for key, value in schema.items() if key != "title"},
        "patternProperties": {"^x-": {"description": "Holds anchors; not read."}},
        "$defs": dict(sorted(definitions.items())),
    }


def written(schema: Schema) -> str:
    """Return the schema as a file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _sections(base: type[Section]) -> Iterator[type[Section]]:
    for section in base.__subclasses__():
        yield section
        yield from _sections(section)


def _mend(schema: Schema, section: type[Section]) -> None:
    """Have a section's schema say what the file may say."""
    schema.pop("title", None)
    schema["description"] = " ".join(str(schema.get("description", "")).split("\n\n")[0].split())
    properties: dict[str, Schema] = schema.get("properties", {})
    required: list[str] = schema.pop("required", [])
    if section is RouteConfig:
        required.remove("name")  # the loader gives it one
    for name, field in keys_of(section).items():
        described = properties[name]
        described.pop("title", None)
        default = described.pop("default", None)
        if field.is_required():
            properties[name] = _widened(described)
            continue
        properties[name] = _or_nothing(_widened(described))
        if shown := _shown(field.get_default(call_default_factory=True), default):
            properties[name]["default"] = shown[0]
    alone = [name for name in required if f"{name}_file" not in properties]
    if alone:
        schema["required"] = alone
    pairs = [
        {"anyOf": [{"required": [name]}, {"required": [f"{name}_file"]}]} for name in required if name not in alone
    ]
    if pairs:
        schema["allOf"] = pairs


def _or_nothing(schema: Schema) -> Schema:
    """Return a schema that also takes a key with nothing after it, which is as good as absent."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    if isinstance(types := schema.get("type"), str | list):
        return {**schema, "type": [*([types] if isinstance(types, str) else types), "null"]}
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    return {"anyOf": [{"$ref": schema["$ref"]}, {"type": "null"}], **rest}


def _shown(value: object, as_json: object) -> list[object]:
    """Return a default as the file writes it, or nothing where it takes more than a word."""
    if isinstance(value, timedelta):
        return [write_duration(value)]
    if isinstance(as_json, str | bool | int | float) and not isinstance(as_json, float):
        return [as_json]
    return []


def _widened(schema: Schema) -> Schema:
    """Return a schema that also takes a variable, and an unquoted number where a text is meant."""
    if (meant := schema.get("x-ref")) is not None:
        return {"$ref": f"#/$defs/{meant}", **{key: value for key, value in schema.items() if key != "x-ref"}}
    if "anyOf" in schema:
        parts = [_widened(each) for each in schema["anyOf"] if each != {"type": "null"}]
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**(parts[0] if len(parts) == 1 else {"anyOf": parts}), **rest}
    if schema.get("type") in {"integer", "number", "boolean"} or "enum" in schema:
        kept = {key: value for key, value in schema.items() if key in {"type", "enum"}}
        rest = {key: value for key, value in schema.items() if key not in kept}
        return {"anyOf": [kept, _VARIABLE], **rest}
    if schema.get("type") == "string":
        return {**schema, "type": ["string", "number"]}
    if schema.get("type") == "array":
        return {**schema, "items": _widened(schema["items"])}
    if schema.get("type") == "object" and isinstance(below := schema.get("additionalProperties"), dict):
        return {**schema, "additionalProperties": _widened(below)}
    return schema


def _conditions() -> dict[str, Schema]:
    assert set(_TESTS) == {*ALL_TESTS, "ignore_case"}  # noqa: S101 - a test that is added here is described here
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
    for each in COMMON_FIELDS.values():
        if each.values:
            literal = {"enum": [True, False] if each.values == ("true", "false") else list(each.values)}
            fields[each.name] = {
                "anyOf": [literal, {"type": "array", "items": literal}, {"$ref": "#/$defs/tests"}],
                "description": each.description,
            }
    blocks: dict[str, Schema] = {
        name: {"$ref": "#/$defs/condition", "description": said} for name, said in _BLOCKS.items()
    }
    matcher: Schema = {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "description": "A condition that stands under this name in matchers; of several, any.",
    }
    condition: Schema = {
        "anyOf": [
            {
                "type": "object",
                "properties": {**fields, **blocks, "matcher": matcher},
                "patternProperties": {
                    r"^payload\.": {"$ref": "#/$defs/tests", "description": "A path into the payload."}
                },
                "additionalProperties": False,
            },
            {"type": "array", "items": {"$ref": "#/$defs/condition"}, "minItems": 1},
        ]
    }
    return {"condition": condition, "tests": tests, "values": values, "rule_tests": _rule_tests()}


def _rule_tests() -> Schema:
    event = {
        "file": {"type": "string", "description": "A file with an event as JSON; what stands beside it changes it."},
        **{name: {"description": said} for name, said in _ENVELOPE.items() if name != "now"},
        "payload": {"type": "object", "description": "What its source sends of it."},
    }
    names: Schema = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    test = {
        "name": {"type": ["string", "number"], "description": "Shown where the test fails."},
        "event": {
            "type": "object",
            "properties": event,
            "additionalProperties": False,
            "description": "The event; what is left out is filled in.",
        },
        "expect": {
            "anyOf": [
                names,
                {"type": "object", "additionalProperties": {"anyOf": [*names["anyOf"], {"type": "null"}]}},
            ],
            "description": "nowhere, or the destinations that get it, or each of them with the routes that choose it.",
        },
        "at": {
            "type": "string",
            "description": "When it arrives, such as 2026-01-05T09:00:00+01:00; left out, Thursday noon, UTC.",
        },
        "body": {
            "type": "object",
            "additionalProperties": {"anyOf": [*names["anyOf"], {"type": "object"}]},
            "description": "For a destination, texts that its body has in it, or a condition on its JSON.",
        },
    }
    required = ["event", "expect"]
    return {
        "type": "array",
        "items": {"type": "object", "properties": test, "required": required, "additionalProperties": False},
    }
