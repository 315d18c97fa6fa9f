"""Fields for conditions and lists. `matchers.py` compiles them before the models check the rest."""

from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from forwarder.core.matching import Condition

AsCompiled = PlainValidator(lambda compiled: compiled)
ListField = Annotated[tuple[str, ...], AsCompiled, WithJsonSchema({"x-ref": "values"})]
ConditionField = Annotated[Condition, AsCompiled, WithJsonSchema({"x-ref": "condition"})]
