"""The JSON Schema of the config. Editors use it to complete keys, to describe them, and to check the file while it is written.

It is made from the models that read the file. It accepts what a schema cannot judge, such as `${NAME}` in place of a number;
`forwarder check` has the last word.

Besides the keywords of JSON Schema, a key can have `x-kind` (what a text must be), `x-range` (the bounds of a duration or a size) and
`x-default` (what holds where the key is left out, in words). `facts_of` says them in words at the end of each description.
"""

import json
from collections.abc import Iterator
from datetime import timedelta

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from forwarder.core.config.condition_schema import VARIABLE, Schema, conditions_schema
from forwarder.core.config.model.destination import DestinationConfig
from forwarder.core.config.model.root import Config
from forwarder.core.config.model.route import RouteConfig
from forwarder.core.config.model.stream import StreamConfig
from forwarder.core.config.values.quantities import write_size
from forwarder.core.config.values.section import Section, keys_of
from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.retry import NAMED_POLICIES, RetryPolicy
from forwarder.core.durations import write_duration

_RECEIVERS: dict[type[Section], tuple[str, ...]] = {DestinationConfig: ("url", "apprise")}
"""Keys of which a section needs one."""
_PUBLIC: Schema = {"const": "public", "description": "The public stream needs no key."}


class _Generator(GenerateJsonSchema):
    """Makes the schema and says nothing of defaults that are no JSON: they are described in words, by `facts_of`."""

    ignored_warning_kinds = GenerateJsonSchema.ignored_warning_kinds | {"non-serializable-default"}


def config_schema() -> Schema:
    """Return the JSON Schema (2020-12) of a config file."""
    schema = Config.model_json_schema(mode="validation", schema_generator=_Generator)
    definitions: dict[str, Schema] = schema.pop("$defs")
    sections = list(dict.fromkeys(_sections(Section)))
    for section in sections:
        if (found := definitions.get(section.__name__, schema if section is Config else None)) is not None:
            _adapt(found, section)
    for section in sections:
        if section.short_form is not None and section.__name__ in definitions:
            definitions[section.__name__] = {"anyOf": [section.short_form, definitions[section.__name__]]}
    definitions |= conditions_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The config of forwarder",
        **{key: value for key, value in schema.items() if key != "title"},
        "patternProperties": {"^x-": {"description": "A place for anchors. The program does not read it."}},
        "$defs": dict(sorted(definitions.items())),
    }


def written(schema: Schema) -> str:
    """Return the schema as a file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _sections(base: type[Section]) -> Iterator[type[Section]]:
    for section in base.__subclasses__():
        yield section
        yield from _sections(section)


def facts_of(described: Schema) -> str:
    """Return the range and the default of a key in words: the end of its description."""
    facts = []
    if (range_ := range_of(described)) is not None:
        facts.append(f"Range: {range_}.")
    if (default := default_of(described)) is not None:
        facts.append(f"Default: {default}.")
    return " ".join(facts)


def range_of(described: Schema) -> str | None:
    """Return the range of a key's values in words; `None` where it has none."""
    for part in (described, *described.get("anyOf", ())):
        if "x-range" in part:
            return " to ".join(part["x-range"])
        if "minimum" in part:
            return f"{part['minimum']} to {part['maximum']}"
        if "items" in part and (range_ := range_of(part["items"])) is not None:
            return f"{range_} each"
    return None


def default_of(described: Schema) -> str | None:
    """Return the default of a key in words; `None` where it is required, or where each key of its section has its own."""
    if "default" in described:
        default = described["default"]
        return str(default).lower() if isinstance(default, bool) else str(default)
    words: str | None = described.get("x-default")
    return words


def _adapt(schema: Schema, section: type[Section]) -> None:
    """Change the schema of a model to that of its section in the file."""
    schema.pop("title", None)
    schema["description"] = " ".join(str(schema.get("description", "")).split("\n\n")[0].split())
    properties: dict[str, Schema] = schema.get("properties", {})
    required: list[str] = schema.pop("required", [])
    if section is RouteConfig:
        required.remove("name")  # the loader gives it one
    for name, field in keys_of(section).items():
        described = _widened(properties[name])
        described.pop("title", None)
        as_json = described.pop("default", None)
        if not field.is_required() and name not in _RECEIVERS.get(section, ()):
            described = _or_nothing(described) | _default(
                field.get_default(call_default_factory=True), as_json, described
            )
        # Both from the field: pydantic sorts the keys of an example, and leaves out a description that is also the docstring of the section.
        described["description"] = " ".join(filter(None, (field.description, facts_of(described))))
        if field.examples:
            described["examples"] = field.examples
        properties[name] = described
    alone = [name for name in required if f"{name}_file" not in properties]
    if alone:
        schema["required"] = alone
    pairs: list[Schema] = [
        {"anyOf": [{"required": [name]}, {"required": [f"{name}_file"]}]} for name in required if name not in alone
    ]
    if (receivers := _RECEIVERS.get(section)) is not None:
        pairs.append({"anyOf": [{"required": [f"{name}{end}"]} for name in receivers for end in ("", "_file")]})
    if section is StreamConfig:
        is_public: Schema = {"required": ["transport"], "properties": {"transport": _PUBLIC}}
        pairs.append({"anyOf": [{"required": ["api_key"]}, {"required": ["api_key_file"]}, is_public]})
    if pairs:
        schema["allOf"] = pairs


def _or_nothing(schema: Schema) -> Schema:
    """Return a schema that also accepts a key without a value, which means the same as no key."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    if isinstance(types := schema.get("type"), str | list):
        return {**schema, "type": [*([types] if isinstance(types, str) else types), "null"]}
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    return {"anyOf": [{"$ref": schema["$ref"]}, {"type": "null"}], **rest}


def _default(value: object, as_json: object, described: Schema) -> Schema:
    """Return the keywords for a default value, written as in the file; none where each key of a section has its own."""
    if "x-default" in described or isinstance(value, BaseModel | BreakerPolicy):
        return {}
    if isinstance(value, timedelta):
        return {"default": write_duration(value)}
    if isinstance(value, RetryPolicy):
        return {"default": next(name for name, policy in NAMED_POLICIES.items() if policy == value)}
    if described.get("x-kind") == "size":
        return {"default": write_size(as_json)} if isinstance(as_json, int) else {}
    if isinstance(value, float):
        return {"default": f"{value:.0%}"}
    if not as_json and not isinstance(as_json, bool):
        return {"x-default": "none"}
    return {"default": as_json}


def _widened(schema: Schema) -> Schema:
    """Return a schema that also accepts a variable, and an unquoted number in place of a text."""
    if (meant := schema.get("x-ref")) is not None:
        return {"$ref": f"#/$defs/{meant}", **{key: value for key, value in schema.items() if key != "x-ref"}}
    if "anyOf" in schema:
        parts = [_widened(each) for each in schema["anyOf"] if each != {"type": "null"}]
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**(parts[0] if len(parts) == 1 else {"anyOf": parts}), **rest}
    if schema.get("type") in {"integer", "number", "boolean"} or "enum" in schema:
        kept = {key: value for key, value in schema.items() if key in {"type", "enum", "minimum", "maximum"}}
        rest = {key: value for key, value in schema.items() if key not in kept}
        return {"anyOf": [kept, VARIABLE], **rest}
    if schema.get("type") == "string":
        return {**schema, "type": ["string", "number"]}
    if schema.get("type") == "array":
        return {**schema, "items": _widened(schema["items"])}
    if schema.get("type") == "object" and isinstance(below := schema.get("additionalProperties"), dict):
        return {**schema, "additionalProperties": _widened(below)}
    return schema
