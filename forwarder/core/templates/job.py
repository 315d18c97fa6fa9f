"""One part of a request that is rendered from templates, as it is sent to the process that renders what may cost much."""

from collections.abc import Mapping
from typing import Literal

import msgspec

Part = Literal["json", "text", "url", "headers"]
"""What is rendered: a body that must be JSON, any other body, path and query of a URL, or headers."""

LENGTH_BYTES = 4
"""The length of a message between the two processes comes before it, in so many bytes, the highest first."""


class Templates(msgspec.Struct, frozen=True, kw_only=True):
    """The templates of one part of a request, by the config key that they are at."""

    part: Part
    sources: Mapping[str, str]

    def __repr__(self) -> str:  # they may contain secrets
        return f"Templates({self.part})"


class TemplateJob(msgspec.Struct, frozen=True, kw_only=True):
    """Templates, and the event that they are rendered for."""

    templates: Templates
    event: bytes
    id: str
    """The `webhook-id`."""

    def __repr__(self) -> str:  # not the event
        return f"TemplateJob({self.templates}, {self.id})"


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a job: a text for each template, in their order, or why there is none."""

    texts: list[str] = []
    error: str = ""

    def __repr__(self) -> str:  # neither: they may contain secrets
        return f"Rendered({len(self.texts)} texts)"
