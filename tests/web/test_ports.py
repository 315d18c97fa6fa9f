"""The values that go between the daemon and what is served."""

import msgspec

from forwarder.web import ports


def test_every_value_can_be_described_and_written_as_json() -> None:
    values = [each for each in vars(ports).values() if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    assert len(values) > 10
    schemas, _ = msgspec.json.schema_components(values)
    assert len(schemas) == len(values)
