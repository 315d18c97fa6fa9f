"""Writes the reference of every config key into `docs/config.md`, below its marker: `python -m tools.config_reference`.

All of it comes from the JSON Schema: names, types, ranges, defaults, descriptions and examples. What is above the marker is written
by hand.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from forwarder.core.config.condition_schema import VARIABLE, Schema
from forwarder.core.config.json_schema import config_schema, default_of, facts_of, range_of

PAGE = Path(__file__).parents[1] / "docs" / "config.md"
MARKER = "<!-- The rest of this page is written by: python -m tools.config_reference -->\n"

_PAGES = {
    "condition": "[condition](#conditions)",
    "tests": "[tests](#tests-of-a-value)",
    "values": "list of values",
    "body_condition": "[condition on a body](delivery.md#receivers-that-answer-errors-with-200)",
    "rule_tests": "list of [tests of the rules](#tests)",
}
"""How a key's type names a definition that is no section."""
_MORE = {
    "include": "[Several files](include.md)",
    "streams": "[Streams](streams.md), [connections](connections.md), [several streams](redundancy.md), [gaps](gaps.md)",
    "expect": "[Silence](silence.md)",
    "outbox": "[Outbox and durability](outbox.md)",
    "defaults": "[Reusable parts](reuse.md)",
    "destinations": "[Destinations](destinations.md), [delivery](delivery.md)",
    "destinations.NAME.format": "[Formats](formats.md)",
    "destinations.NAME.signing": "[Signatures](signing.md)",
    "destinations.NAME.retry": "[Delivery](delivery.md)",
    "destinations.NAME.breaker": "[Delivery](delivery.md)",
    "groups": "[Reusable parts](reuse.md)",
    "routes": "[Routing](routing.md)",
    "routes.limit": "[Samples and limits](thinning.md)",
    "tests": "[Rule tests](rule-tests.md)",
    "reload": "[Live edit](live-edit.md)",
    "networks": "[Destinations](destinations.md)",
}
"""The pages that explain a section at length."""


def reference(schema: Schema) -> str:
    """Return the generated part of the page."""
    return "\n".join(_Reference(schema).lines()) + "\n"


def with_reference(page: str, schema: Schema) -> str:
    """Return the page with its generated part renewed."""
    return page[: page.index(MARKER) + len(MARKER)] + "\n" + reference(schema)


class _Reference:
    """Walks over the schema in the order of the file: a table for each section, the sections in it after it."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._definitions: dict[str, Schema] = schema["$defs"]
        self._titles: dict[str, str] = {}
        """The heading of each section that has its table already."""

    def lines(self) -> Iterator[str]:
        """Yield the lines of the whole reference."""
        yield "## Keys at the top of the file"
        yield from self._table(self._schema, "")
        for key, described in self._schema["properties"].items():
            if key == "defaults":  # the keys of a destination
                yield from self._heading(
                    key, described, "Any key of a destination except `url`, `url_file` and `enabled`."
                )
            elif key == "tests":
                yield from self._heading(key, described, "A list of tests. Each test has these keys:")
                test = self._definitions["rule_tests"]["items"]
                yield from self._table(test, key)
                yield from self._heading("tests.event", test["properties"]["event"], "")
                yield from self._table(test["properties"]["event"], "tests.event")
            else:
                yield from self._section(key, described)
        yield from self._conditions()

    def _section(self, path: str, described: Schema) -> Iterator[str]:
        """Yield the table of a section, and of the sections in it; nothing for a key that is no section."""
        name = _section_of(described, self._definitions)
        if name is None or name in self._titles:
            return
        path += ".NAME" if "additionalProperties" in described else ""
        section = self._definitions[name]
        short = section.get("anyOf", [{}])[0].get("description", "")
        section = section.get("anyOf", [section])[-1]
        self._titles[name] = path
        yield from self._heading(path, described, f"{section['description']}{_short(short)}")
        yield from self._table(section, path)
        for key, below in section["properties"].items():
            yield from self._section(f"{path}.{key}", below)

    def _heading(self, path: str, described: Schema, text: str) -> Iterator[str]:
        yield from ("", f"{'##' if path.count('.') == path.count('.NAME') else '###'} {path}", "")
        yield text or described["description"]
        if (more := _MORE.get(path.removesuffix(".NAME"))) is not None:
            yield f"More: {more}."

    def _table(self, section: Schema, path: str) -> Iterator[str]:
        yield from ("", "| Key | Type | Default | Meaning |", "|---|---|---|---|")
        required = {*section.get("required", ()), *_either(section)}
        for key, described in section["properties"].items():
            description = described["description"].removesuffix(facts_of(described)).strip()
            examples = ", ".join(f"`{_written(each)}`" for each in described.get("examples", ()))
            if examples:
                description += f" Example: {examples}."
            default = (
                "**required**" if key in required else default_of(described) or "each key below has its own default"
            )
            cells = (f"`{key}`", self._type(described, path, key), _code(default, described), description)
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    def _type(self, described: Schema, path: str, key: str) -> str:
        if (name := _section_of(described, self._definitions)) is not None:
            below = self._titles.get(name) or ".".join(filter(None, (path, key)))
            below += ".NAME" if "additionalProperties" in described else ""
            below = "destinations.NAME" if key == "defaults" else below
            is_list = "items" in described
            link = f"[{'mappings' if is_list else 'mapping'}](#{below.lower().replace('.', '')})"
            many = "list of " if is_list else "mapping from name to " if "additionalProperties" in described else ""
            words = self._definitions[name].get("anyOf", [{}])[0]
            short = _choices(words["enum"]) if "enum" in words else "text" if words.get("type") == "string" else ""
            return f"{short} or {link}" if short else many + link
        words = _joined(self._types(described))
        range_ = range_of(described)
        return f"{words}, {range_}" if range_ is not None else words

    def _types(self, described: Schema) -> Iterator[str]:
        """Yield each type that a key accepts, in words."""
        if (name := described.get("$ref", "").removeprefix("#/$defs/")) in _PAGES:
            yield _PAGES[name]
        elif "anyOf" in described:
            for part in described["anyOf"]:
                if part not in (VARIABLE, {"type": "null"}):
                    yield from self._types(part)
        elif "enum" in described:
            yield _choices(described["enum"])
        elif "x-kind" in described:
            yield described["x-kind"]
        else:
            types = described.get("type", "any value")
            first = types if isinstance(types, str) else types[0]
            if first == "array":
                yield f"list of {_joined(self._types(described['items']))}"
            elif first == "object":
                values = described.get("additionalProperties")
                keys = described.get("propertyNames", {}).get("x-kind", "name")
                to = _joined(self._types(values)) if values else ""
                yield "mapping" if not to else f"mapping from {keys} to {f'({to})' if ', or ' in to else to}"
            else:
                yield {"string": "text", "integer": "whole number", "boolean": "`true` or `false`"}.get(first, first)

    def _conditions(self) -> Iterator[str]:
        """Yield the tables of what a condition consists of."""
        fields = self._definitions["condition"]["anyOf"][0]
        yield from ("", "## Conditions", "")
        yield "`match` of a route or an expectation, and each entry of `matchers`. A mapping means *and*, a list means *or*."
        yield "More: [Routing](routing.md), [fields](fields.md)."
        yield from ("", "| Key | Value | Meaning |", "|---|---|---|")
        for key, described in fields["properties"].items():
            yield f"| `{key}` | {_joined(self._types(described))} | {described['description']} |"
        (payload,) = fields["patternProperties"].values()
        yield f"| `payload.…` | {_PAGES['tests']} | {payload['description']} |"
        yield from ("", "### Tests of a value", "")
        yield "The value of a field in a condition: a value, a list of values (any of them), or a mapping of these tests (all of them)."
        yield "More: [Routing](routing.md#tests), with an example of each."
        yield from ("", "| Test | Meaning |", "|---|---|")
        for key, described in self._definitions["tests"]["anyOf"][-1]["properties"].items():
            yield f"| `{key}` | {described['description']} |"


def _section_of(described: Schema, definitions: dict[str, Schema]) -> str | None:
    """Return the name of the section that a key holds, of its own, in a list or by names."""
    for part in (described, *described.get("anyOf", ())):
        for below in (part, part.get("items", {}), part.get("additionalProperties", {})):
            name: str = below.get("$ref", "").removeprefix("#/$defs/") if isinstance(below, dict) else ""
            if name in definitions and name not in _PAGES:
                return name
    return None


def _joined(types: Iterable[str]) -> str:
    """Return types as words; a list of one that is there already is "a list of them"."""
    words: list[str] = []
    for each in types:
        text = "a list of them" if words and each == f"list of {words[-1]}" else each
        if text not in words:
            words.append(text)
    return ", or ".join(words)


def _either(section: Schema) -> Iterator[str]:
    """Yield the keys of which one must be given, `url` or `url_file`: the first of each."""
    for pair in section.get("allOf", ()):
        yield pair["anyOf"][0]["required"][0]


def _short(description: str) -> str:
    return f" In place of the mapping: {description[0].lower()}{description[1:]}" if description else ""


def _choices(words: list[str | bool | None]) -> str:
    return ", ".join(f"`{word if isinstance(word, str) else json.dumps(word)}`" for word in words)


def _code(default: str, described: Schema) -> str:
    return f"`{default}`" if "default" in described else default


def _written(example: object) -> str:
    """Return an example on one line, as the file would have it."""
    return (
        yaml.safe_dump(example, default_flow_style=True, width=1_000, sort_keys=False, allow_unicode=True)
        .removesuffix("...\n")
        .strip()
    )


if __name__ == "__main__":
    PAGE.write_text(with_reference(PAGE.read_text(encoding="utf-8"), config_schema()), encoding="utf-8")
