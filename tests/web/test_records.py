"""What the history keeps, as it is shown."""

import msgspec

from forwarder.web import records


def test_every_value_can_be_described_and_written_as_json() -> None:
    values = [each for each in vars(records).values() if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    assert len(values) > 7
    schemas, _ = msgspec.json.schema_components(values)
    assert len(schemas) == len(values)
