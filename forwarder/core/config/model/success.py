"""`success` of a destination: what the body of a 2xx must be."""

from typing import Annotated

from pydantic import Field, WithJsonSchema

from forwarder.core.config.model.compiled import AsCompiled
from forwarder.core.config.values.section import Section
from forwarder.core.matching.bodies import BodyCondition


class SuccessConfig(Section):
    """What a response with a 2xx must be to count as a success. Otherwise it is a failure, and the delivery is tried again."""

    body: Annotated[BodyCondition, AsCompiled, WithJsonSchema({"x-ref": "body_condition"})] = Field(
        description="A condition on the body, in the language of the rules: on the fields of its JSON ({errcode: 0}), on its whole text (ok), "
        "or on a part of it ({contains: ok}). A list means any of these. An empty or incomplete body is no success.",
        examples=[{"errcode": 0}, ["ok", "1"], {"not": {"contains": "failed"}}],
    )
