"""Posts and fields of events that a test writes down."""

import json
from typing import cast

from forwarder.core.event import JSONValue
from forwarder.core.posts import Post, read_post
from forwarder.core.posts.common_fields import COMMON_FIELDS, Facts


def post(source: str, **payload: object) -> Post:
    event = {"mid": "1", "sid": "2", "source": source, "timestamp": 1767225600000, "payload": payload}
    return read_post(json.dumps(event).encode())


def read(name: str, source: str, **payload: object) -> tuple[JSONValue, ...]:
    return COMMON_FIELDS[name].read(Facts(source, cast("JSONValue", payload), 1767225600000))
