"""Conditions: compiled once from the config, then evaluated for each event.

Mappings are AND, lists are OR, `any` / `all` / `not` nest. No JSON value makes a condition raise: a field that is missing or of another
type simply does not match.
"""

from forwarder.core.matching.compile import Names, compile_condition
from forwarder.core.matching.conditions import (
    EVERYTHING,
    NOTHING,
    AllOf,
    AnyOf,
    Condition,
    FieldTest,
    Matcher,
    Not,
    Where,
)
from forwarder.core.matching.subject import Subject

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "AllOf",
    "AnyOf",
    "Condition",
    "FieldTest",
    "Matcher",
    "Names",
    "Not",
    "Subject",
    "Where",
    "compile_condition",
]
