"""What the sections of the config are built of: a mapping with a fixed set of keys, and the kinds of fields many have."""

from collections.abc import Mapping
from functools import cache, partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, GetPydanticSchema, PlainValidator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import core_schema

from forwarder.core.config.scalars import (
    is_null,
    parse_bool,
    parse_choice,
    parse_duration,
    parse_file_path,
    parse_name,
)
from forwarder.core.config.secret import Secret


def listed(value: object) -> object:
    """Return a lone value as a list of one."""
    return [value] if isinstance(value, str | Secret) else value


Name = Annotated[str, PlainValidator(parse_name, json_schema_input_type=str)]
Switch = Annotated[bool, PlainValidator(parse_bool, json_schema_input_type=bool)]
FilePath = Annotated[str, PlainValidator(parse_file_path, json_schema_input_type=str)]


def duration(low: str, high: str) -> PlainValidator:
    """Read a duration within these bounds."""
    return PlainValidator(partial(parse_duration, low=low, high=high), json_schema_input_type=str)


def choice(*allowed: str) -> PlainValidator:
    """Read one of these words."""

    def parse(value: object) -> str:
        return parse_choice(value, *allowed)

    return PlainValidator(parse, json_schema_input_type=Literal[allowed])


@cache
def keys_of(section: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the keys of a mapping as the file has them, with their fields."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


class Section(BaseModel):
    """A mapping of the file with a fixed set of keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    short_form: ClassVar[dict[str, Any] | None] = None
    """The JSON Schema of what may stand in the place of the mapping, if anything may."""

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, data: object) -> object:
        """Drop known keys that hold nothing (`timeout:`), so that their default holds or their absence is told."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if key not in keys_of(cls) or not is_null(value)}


def meaning_of(section: type[Section], result: type) -> GetPydanticSchema:
    """Have a field hold what the section means (its `value()`), read as the file writes it."""

    def schema(_source: object, handler: Any) -> core_schema.CoreSchema:  # noqa: ANN401 - pydantic's own type is private
        def resolve(value: object, read: core_schema.ValidatorFunctionWrapHandler) -> object:
            return value if isinstance(value, result) else read(value).value()

        return core_schema.no_info_wrap_validator_function(resolve, handler(section))

    return GetPydanticSchema(schema)
