"""The base of all sections: keys, empty values, and the kinds of fields."""

from datetime import timedelta
from typing import Annotated

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from forwarder.core.config import Config, DestinationConfig, OutboxConfig, RouteConfig, StreamConfig
from forwarder.core.config.values.section import (
    Section,
    Switch,
    choice,
    duration,
    keys_of,
    left_out,
    meaning_of,
    one_or_more,
    size,
    whole_number,
)
from forwarder.core.yaml.tree import Scalar
from tests.core.config.support import config_text, load


def test_a_key_that_holds_nothing_is_as_if_left_out() -> None:
    config = load(
        config_text(stream="name: ~", destination="timeout:\nsigning: null\nurl_file:", route="name:", rest="outbox:")
    )
    assert config.destinations["bot"].timeout == timedelta(seconds=5)
    assert config.routes[0].name == "route 1"
    assert config.outbox == OutboxConfig()


def test_every_key_has_a_description_for_editors() -> None:
    sections = [Section]
    for section in sections:
        sections += section.__subclasses__()
        for name, field in section.model_fields.items():
            assert field.description, name
    assert {Config, StreamConfig, OutboxConfig, DestinationConfig, RouteConfig} <= set(sections)


class Example(Section):
    """A section of tests."""

    wait: Annotated[timedelta, duration("1s", "1m")] = Field(default=timedelta(seconds=5), description="d")
    room: Annotated[int, size("1KiB", "1MiB")] = Field(default=1024, description="d")
    count: Annotated[int, whole_number(1, 9)] = Field(default=1, description="d")
    word: Annotated[str, choice("a", "b")] = Field(default="a", description="d")
    many: Annotated[list[str], one_or_more("text")] = Field(default=[], description="d")
    is_on: Switch = Field(default=True, description="d", alias="enabled")

    def value(self) -> timedelta:
        return self.wait


def read(**written: object) -> Example:
    return Example.model_validate(written)


def test_each_kind_of_field_reads_what_the_file_says() -> None:
    section = read(
        wait=Scalar("30s"),
        room=Scalar("2KiB"),
        count=Scalar("7"),
        word=Scalar("b"),
        many=Scalar("x"),
        enabled=Scalar("false"),
    )
    assert (section.wait, section.room, section.count) == (timedelta(seconds=30), 2048, 7)
    assert (section.word, section.many, section.is_on) == ("b", ["x"], False)


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("wait", "2m"),
        ("room", "2MiB"),
        ("count", "10"),
        ("word", "c"),
        ("enabled", "yes"),
        ("is_on", "true"),
        ("other", "a"),
    ],
)
def test_a_value_out_of_its_bounds_and_a_key_that_is_not_known_are_refused(key: str, written: str) -> None:
    with pytest.raises(ValidationError):
        read(**{key: Scalar(written)})


def test_each_kind_of_field_describes_itself_with_its_bounds_as_the_file_writes_them() -> None:
    described = Example.model_json_schema()["properties"]
    assert (described["wait"]["x-kind"], described["wait"]["x-range"]) == ("duration", ["1s", "1m"])
    assert (described["room"]["x-kind"], described["room"]["x-range"]) == ("size", ["1KiB", "1MiB"])
    assert (described["count"]["minimum"], described["count"]["maximum"]) == (1, 9)
    assert described["word"]["enum"] == ["a", "b"]
    assert [each["type"] for each in described["many"]["anyOf"]] == ["string", "array"]
    assert left_out("nothing") == {"x-default": "nothing"}


def test_keys_are_those_of_the_file() -> None:
    assert list(keys_of(Example)) == ["wait", "room", "count", "word", "many", "enabled"]


def test_a_known_key_without_a_value_has_its_default_and_an_unknown_one_is_still_unknown() -> None:
    assert read(wait=Scalar("")).wait == timedelta(seconds=5)
    with pytest.raises(ValidationError):
        read(other=Scalar(""))


def test_a_field_may_store_what_a_section_stands_for() -> None:
    stored: TypeAdapter[timedelta] = TypeAdapter(Annotated[timedelta, meaning_of(Example, timedelta)])
    assert stored.validate_python({"wait": Scalar("7s")}) == timedelta(seconds=7)
    assert stored.validate_python(timedelta(hours=1)) == timedelta(hours=1)
