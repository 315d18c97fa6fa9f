"""Rules that are tried, as values."""

import msgspec

from forwarder.web import rule_trials


def test_every_value_can_be_described_and_written_as_json() -> None:
    values = [
        each for each in vars(rule_trials).values() if isinstance(each, type) and issubclass(each, msgspec.Struct)
    ]
    assert len(values) > 4
    schemas, _ = msgspec.json.schema_components(values)
    assert len(schemas) == len(values)
