"""The base class of all sections of the config, and the kinds of fields that many sections have.

Each kind reads the value and describes itself in the JSON Schema: `x-kind` names it for people, `x-range` holds its bounds as the file
writes them.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetPydanticSchema,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import core_schema

from forwarder.core.config.values.quantities import parse_duration, parse_size
from forwarder.core.config.values.scalars import (
    is_null,
    parse_bool,
    parse_choice,
    parse_file_path,
    parse_int,
    parse_name,
)
from forwarder.core.config.values.secret import Secret


def _listed(value: object) -> object:
    """Return a single value as a list with one element."""
    return [value] if isinstance(value, str | Secret) else value


def _described(parse: Callable[[Any], object], schema: dict[str, Any]) -> PlainValidator:
    return PlainValidator(parse, json_schema_input_type=Annotated[object, WithJsonSchema(schema)])


def scalar(parse: Callable[[object], object], kind: str) -> PlainValidator:
    """Read a text with `parse`; `kind` says in a word or two what it must be."""
    return _described(parse, {"type": "string", "x-kind": kind})


def one_or_more(kind: str) -> BeforeValidator:
    """Read a list, or a single value as a list with one element."""
    one = {"type": "string", "x-kind": kind}
    schema = {"anyOf": [one, {"type": "array", "items": one}]}
    return BeforeValidator(_listed, json_schema_input_type=Annotated[object, WithJsonSchema(schema)])


def duration(low: str, high: str) -> PlainValidator:
    """Read a duration within these bounds."""
    parse = partial(parse_duration, low=low, high=high)
    return _described(parse, {"type": "string", "x-kind": "duration", "x-range": [low, high]})


def size(low: str, high: str) -> PlainValidator:
    """Read a size in bytes within these bounds."""
    parse = partial(parse_size, low=low, high=high)
    return _described(parse, {"type": "string", "x-kind": "size", "x-range": [low, high]})


def whole_number(low: int, high: int) -> PlainValidator:
    """Read a whole number within these bounds."""
    return _described(partial(parse_int, low=low, high=high), {"type": "integer", "minimum": low, "maximum": high})


def choice(*allowed: str) -> PlainValidator:
    """Read one of these words."""

    def parse(value: object) -> str:
        return parse_choice(value, *allowed)

    return PlainValidator(parse, json_schema_input_type=Literal[allowed])


def left_out(meaning: str) -> dict[str, Any]:
    """Return what the schema says of a field without a fixed default: what holds where the key is left out."""
    return {"x-default": meaning}


Name = Annotated[str, scalar(parse_name, "name")]
Switch = Annotated[bool, PlainValidator(parse_bool, json_schema_input_type=bool)]
FilePath = Annotated[str, scalar(parse_file_path, "file path")]


@cache
def keys_of(section: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the fields of a section by the keys that the file uses."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


class Section(BaseModel):
    """A mapping in the file with a fixed set of keys."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", arbitrary_types_allowed=True)
    short_form: ClassVar[dict[str, Any] | None] = None
    """The JSON Schema of the value that may replace the mapping; `None` where only the mapping is accepted."""

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, data: object) -> object:
        """Drop known keys without a value (`timeout:`): their default applies, or they are reported as missing."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if key not in keys_of(cls) or not is_null(value)}


def meaning_of(section: type[Section], result: type) -> GetPydanticSchema:
    """Read a field as this section, and store the value that the section stands for (its `value()`)."""

    def schema(_source: object, handler: Any) -> core_schema.CoreSchema:  # noqa: ANN401 - pydantic's own type is private
        def resolve(value: object, read: core_schema.ValidatorFunctionWrapHandler) -> object:
            return value if isinstance(value, result) else read(value).value()

        return core_schema.no_info_wrap_validator_function(resolve, handler(section))

    return GetPydanticSchema(schema)
