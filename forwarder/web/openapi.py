"""Describes the API in OpenAPI 3.1, from the types that it reads and writes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from forwarder import __version__
from forwarder.web.connection import Refusal
from forwarder.web.endpoints import JSON, Endpoint

_PLACE = "#/components/schemas/{name}"
_TOKEN: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]
_ERRORS = {
    "400": "The request does not fit.",
    "401": "The token is missing or wrong.",
    "403": "This client, or the page that it shows, may not do that.",
    "404": "There is nothing under this path.",
    "408": "The body did not come in time.",
    "409": "The daemon cannot do that now.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "421": "The request is by a name that is not that of the daemon.",
    "429": "There were too many wrong tokens.",
    "503": "The answer cannot be had now.",
}
_ALWAYS = ("400", "401", "403", "421", "503")

Document = dict[str, Any]


def document_of(endpoints: Sequence[Endpoint], *, prefix: str) -> Document:
    """Return the description of these endpoints."""
    types = dict.fromkeys([Refusal, *(each for endpoint in endpoints for each in _types_of(endpoint))])
    schemas, components = msgspec.json.schema_components(types, ref_template=_PLACE)
    of_type = dict(zip(types, schemas, strict=True))
    paths: dict[str, Document] = {}
    for endpoint in endpoints:
        paths.setdefault(prefix + endpoint.path, {})[endpoint.method.lower()] = _operation(
            endpoint, of_type, components
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "forwarder",
            "version": __version__,
            "description": "Reading needs nothing on the loopback interface. Changing needs the token of the config, and the header X-Forwarder: 1.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The token of admin.token_file."},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "forwarder-8787",
                    "description": "The cookie that /login sets; its name ends with the port.",
                },
            },
        },
    }


def _types_of(endpoint: Endpoint) -> Iterator[Any]:
    yield endpoint.result
    yield endpoint.query
    if endpoint.body is not None:
        yield endpoint.body


def _operation(endpoint: Endpoint, of_type: Mapping[Any, Document], components: Mapping[str, Document]) -> Document:
    operation: Document = {
        "summary": endpoint.summary,
        "operationId": _id_of(endpoint),
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint, components)],
        "responses": {
            "200": {
                "description": "Done." if endpoint.is_change else "The answer.",
                "content": {endpoint.media_type: {"schema": of_type[endpoint.result]}},
            },
            **{status: _error(status, of_type) for status in _statuses(endpoint)},
        },
    }
    if endpoint.method == "POST":
        operation["parameters"].append(
            {
                "name": "X-Forwarder",
                "in": "header",
                "required": True,
                "description": "A page of another site cannot send it.",
                "schema": {"const": "1"},
            }
        )
    if endpoint.body is not None:
        schema = of_type[endpoint.body]
        operation["requestBody"] = {
            "required": bool(components[endpoint.body.__name__].get("required")),
            "content": {JSON: {"schema": schema}},
        }
    if endpoint.is_change:
        operation["security"] = _TOKEN
    return operation


def _statuses(endpoint: Endpoint) -> list[str]:
    found = {*_ALWAYS}
    if endpoint.parts or endpoint.is_change:
        found.add("404")
    if endpoint.method == "POST":
        found |= {"408", "413", "415", "429"}
    if endpoint.may_refuse:
        found.add("409")
    return sorted(found)


def _error(status: str, of_type: Mapping[Any, Document]) -> Document:
    return {"description": _ERRORS[status], "content": {JSON: {"schema": of_type[Refusal]}}}


def _path_parameters(endpoint: Endpoint) -> Iterator[Document]:
    for name, kind in endpoint.parts.items():
        yield {"name": name, "in": "path", "required": True, "schema": msgspec.json.schema(kind)}


def _query_parameters(endpoint: Endpoint, components: Mapping[str, Document]) -> Iterator[Document]:
    shape = components[endpoint.query.__name__]
    for name, schema in shape.get("properties", {}).items():
        yield {
            "name": name,
            "in": "query",
            "required": name in shape.get("required", ()),
            "schema": _without_null(schema),
        }


def _without_null(schema: Document) -> Document:
    """Return the schema of a value that is given: a parameter of a query is left out, and never `null`."""
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf" and not (key == "default" and value is None)}
    if len(kinds) == 1:
        return {**rest, **kinds[0]}
    if "enum" in rest:
        return {**rest, "enum": [each for each in rest["enum"] if each is not None]}
    return rest | ({"anyOf": kinds} if kinds else {})


def _id_of(endpoint: Endpoint) -> str:
    words = re.sub(r"[{}]", "", endpoint.path).strip("/").replace("/", "_").replace("-", "_")
    return f"{endpoint.method.lower()}_{words}"
