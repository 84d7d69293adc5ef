"""Conditions on the settings of a run, such as {model: nano, data_size: ">350"}: for skip rules and held-out runs."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from orchestrator.values import count, count_json, distinct, real, refusal, shown

_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}


@dataclass(frozen=True)
class Condition:
    """A test of one column: an operator and the values of which any may satisfy it."""

    operator: str
    values: tuple[str | float, ...]

    def holds(self, value: str | float) -> bool:
        """Return whether `value` satisfies the condition."""
        return any(_TESTS[self.operator](value, bound) for bound in self.values)

    def __str__(self) -> str:
        one = len(self.values) == 1
        return f"{self.operator} {self.values[0]!r}" if one else f"in {list(self.values)!r}"


def _condition(of: Callable[[Any, Any], float]) -> Callable[[Any], Condition]:
    """Return the validator of conditions on numbers that `of` reads; it is given the number and all that was typed."""

    def validate(value: Any) -> Condition:
        if isinstance(value, tuple):
            return Condition("==", distinct(tuple(of(item, item) for item in value)))
        match = re.fullmatch(r"(>=|<=|>|<|={1,2}) *(.*)", value) if isinstance(value, str) else None
        if match is None:
            return Condition("==", (of(value, value),))
        return Condition("==" if match[1] == "=" else match[1], (of(match[2], value),))

    return validate


def _count(value: Any, typed: Any) -> int:
    try:
        return count(0)(value)
    except PydanticCustomError:
        raise refusal(f"{shown(typed)} is not a condition", 'write 350, [100, 350] or ">350"') from None


def _real(value: Any, typed: Any) -> float:
    try:
        return real(0, above=False)(float(value) if isinstance(value, str) else value)
    except (PydanticCustomError, ValueError):
        raise refusal(f"{shown(typed)} is not a condition", 'write 0.001, [0.001, 0.01] or ">0.001"') from None


def _names(value: Any) -> Condition:
    values = value if isinstance(value, tuple) else (value,)
    for item in values:
        if not isinstance(item, str):
            raise refusal(f"{shown(item)} is not a name")
    return Condition("==", distinct(values))


_NUMBERS_JSON = {
    "anyOf": [
        *count_json(0)["anyOf"][:1],
        {"type": "string", "pattern": r"^(>=|<=|>|<|=|==)? *[0-9]+(\.[0-9]+)?[kMB]?$"},
        {"type": "array", "items": count_json(0), "minItems": 1},
    ]
}
_REALS_JSON = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": r"^(>=|<=|>|<|=|==) *[0-9.]+(e[+-]?[0-9]+)?$"},
        {"type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 1},
    ]
}
_NAMES_JSON = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
Numbers = Annotated[Condition, PlainValidator(_condition(_count)), WithJsonSchema(_NUMBERS_JSON)]
Reals = Annotated[Condition, PlainValidator(_condition(_real)), WithJsonSchema(_REALS_JSON)]
Names = Annotated[Condition, PlainValidator(_names), WithJsonSchema(_NAMES_JSON)]
