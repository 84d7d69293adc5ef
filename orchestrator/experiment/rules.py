"""Keys with their meaning, conditions such as `>350`, and rules of several that choose runs.

A rule is the grammar of `--where` and `--hold-out` in the form of keys: `{model: nano, data_size: ">350"}` chooses the
same runs as `"model == 'nano' and data_size > 350"`, which is its `str`. Rules know no `or`, no `!=` and no columns of
results, because they choose runs before these exist; a test holds the two to the same answers.
"""

import operator
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from scalectl.orchestrator.experiment.values import count, count_json, distinct, real, refusal, shown

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
        """Tell whether `value` satisfies the condition."""
        return any(_TESTS[self.operator](value, bound) for bound in self.values)

    def __str__(self) -> str:
        if len(self.values) > 1:
            return f"in {list(self.values)!r}"
        return f"{self.operator} {self.values[0]!r}"


def _condition(number: Callable[[Any, Any], float]) -> Callable[[Any], Condition]:
    """The validator of conditions on numbers, each read by `number` from its own text and all that was typed."""

    def validate(value: Any) -> Condition:
        if isinstance(value, tuple):
            return Condition("==", distinct(tuple(number(item, item) for item in value)))
        match = re.fullmatch(r"(>=|<=|>|<|={1,2}) *(.*)", value) if isinstance(value, str) else None
        if match is None:
            return Condition("==", (number(value, value),))
        return Condition({"=": "=="}.get(match[1], match[1]), (number(match[2], value),))

    return validate


def _count(value: Any, typed: Any) -> int:
    try:
        return count(0)(value)
    except PydanticCustomError:
        raise refusal(f"{shown(typed)} is not a condition", 'write 350, [100, 350] or ">350"') from None


def _real(value: Any, typed: Any) -> float:
    try:
        if isinstance(value, str):
            value = float(value)
        return real(0, above=False)(value)
    except (PydanticCustomError, ValueError):
        raise refusal(f"{shown(typed)} is not a condition", 'write 0.001, [0.001, 0.01] or ">0.001"') from None


def _names(value: Any) -> Condition:
    values = value
    if not isinstance(value, tuple):
        values = (value,)
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


def key(meaning: str, default: Any = ...) -> Any:
    """The field of a key that means `meaning`; without a default the key is required."""
    return Field(default, description=meaning)


class Unsound(Exception):  # noqa: N818 - an answer, not an error
    """A key that is wrong in the file, so that nothing which needs it can be said."""


class Section(BaseModel):
    """Keys that belong together; none but these are allowed.

    One of a file with mistakes, as `sound.document` makes it, lacks the keys that are wrong: each raises Unsound.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())

    if not TYPE_CHECKING:  # else every attribute would be one for mypy

        def __getattr__(self, name: str) -> Any:
            if name in type(self).model_fields:
                raise Unsound(name)
            return super().__getattr__(name)

    def __iter__(self) -> Generator[tuple[str, Any], None, None]:
        """Yield the keys with their values; raises Unsound where one is wrong."""
        if len(self.__dict__) < len(type(self).model_fields):
            raise Unsound(type(self).__name__)
        yield from self.__dict__.items()


class Rule(Section):
    """Conditions that hold together."""

    model: Names | None = key("Name of a model, or a list of names.", None)
    data_size: Numbers | None = key('Training images: 350, [100, 350] or ">350" (>, >=, <, <=, =).', None)
    steps: Numbers | None = key("Steps of the run, in the same forms.", None)
    cooldown: Numbers | None = key("Steps of its cooldown, in the same forms.", None)
    seed: Numbers | None = key("Seed of the run, in the same forms.", None)
    params: Numbers | None = key("Parameters of the model, in the same forms.", None)
    # settings of the recipe, by the names that it has
    batch_size: Numbers | None = key("Images of one step, in the same forms.", None)
    head: Names | None = key("Pooling before the classifier, or a list of poolings.", None)
    pre_logits: Names | None = key("none, tanh, or a list of both.", None)
    lr: Reals | None = key('Peak learning rate: 0.001, [0.001, 0.01] or ">0.001".', None)
    clip_norm: Reals | None = key("Largest global norm of the gradient, in the same forms.", None)
    weight_decay_head: Reals | None = key("Weight decay of the head, in the same forms.", None)
    weight_decay_body: Reals | None = key("Weight decay of the body, in the same forms.", None)
    warmup: Numbers | None = key('Steps of linear warmup: 350, [100, 350] or ">350".', None)
    timescale: Numbers | None = key("Steps over which the schedule decays, in the same forms.", None)

    def conditions(self) -> dict[str, Condition]:
        """The conditions that were given, by setting."""
        return {name: condition for name, condition in self if condition is not None}

    def holds(self, settings: Mapping[str, str | float]) -> bool:
        """Tell whether the settings of a run satisfy every condition."""
        return all(condition.holds(settings[name]) for name, condition in self.conditions().items())

    def names(self) -> tuple[str, ...]:
        """The models that the rule names."""
        if self.model is None:
            return ()
        return tuple(str(name) for name in self.model.values)

    def __str__(self) -> str:
        return " and ".join(f"{name} {condition}" for name, condition in self.conditions().items())


SETTINGS = tuple(Rule.model_fields)  # by which rules choose runs
