"""The values that experiments.yaml is made of: counts such as 10k, numbers, shares such as 20%, names and paths."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from scalectl.orchestrator.errors import did_you_mean
from scalectl.orchestrator.slot_types import NoSlotType, slot_type

T = TypeVar("T")

_SUFFIXES = {"": 1, "k": 10**3, "M": 10**6, "B": 10**9}
_COUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kMB]?)")


def refusal(message: str, hint: str = "", item: int | None = None) -> PydanticCustomError:
    """The error that pydantic reports for a value, or for one item of a list."""
    return PydanticCustomError("refusal", "{message}", {"message": message, "hint": hint, "item": item})


def shown(value: Any) -> str:
    """A value as a message names it, in YAML's words."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "an empty value"}[value]
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, tuple):
        return "a list"
    text = repr(value) if isinstance(value, str | float) else str(value)
    if len(text) > 60:
        return f"{text[:57]}..."
    return text


def count(least: int, power: int = 53) -> Callable[[Any], int]:
    """The validator of whole numbers from `least` up to 2^power, which is no longer one: 100, 1e3, 10k, 3B.

    Whole numbers up to 2^53 survive JSON and SQLite in every reader.
    """

    def validate(value: Any) -> int:
        number = value
        if isinstance(value, str) and (match := _COUNT.fullmatch(value)):
            number = Decimal(match[1]) * _SUFFIXES[match[2]]
        if isinstance(number, bool) or not isinstance(number, int | float | Decimal) or not _whole(number):
            raise refusal(f"{shown(value)} is not a whole number", "write 100, 10k, 30M or 3B")
        if number < least:
            raise refusal(f"{shown(value)} is below {least}")
        if number >= 2**power:
            raise refusal(f"{shown(value)} is not below 2^{power}")
        return int(number)

    return validate


def _whole(number: float | Decimal) -> bool:
    return math.isfinite(number) and number == int(number)


def real(least: float, *, above: bool, most: float = math.inf, tiny: float = 0.0) -> Callable[[Any], float]:
    """The validator of finite numbers from `least` up, or above it, to `most`, none between 0 and `tiny`."""

    def validate(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise refusal(f"{shown(value)} is not a number", "write 0.001 or 1e-3, without quotes")
        number = float(value) + 0.0 if abs(value) <= 1e300 else math.inf  # -0.0 becomes 0.0: one spelling per value
        if not math.isfinite(number):
            raise refusal(f"{shown(value)} is not a finite number")
        if above and number <= least:
            raise refusal(f"{shown(value)} is not above {least:g}")
        if number < least:
            raise refusal(f"{shown(value)} is below {least:g}")
        if number > most:
            known = ", the largest number that training knows" if most == _LARGEST else ""
            raise refusal(f"{shown(value)} is above {most:.4g}{known}")
        if 0 < number < tiny:
            raise refusal(f"{shown(value)} is 0 to training, which knows no number below {tiny:.4g}")
        return number

    return validate


def count_json(least: int, power: int = 53) -> dict[str, Any]:
    """The JSON Schema of the values that `count` accepts."""
    text = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?[kMB]?$"}
    return {"anyOf": [{"type": "integer", "minimum": least, "exclusiveMaximum": 2**power}, text]}


Count = Annotated[int, PlainValidator(count(1)), WithJsonSchema(count_json(1))]
Natural = Annotated[int, PlainValidator(count(0)), WithJsonSchema(count_json(0))]
Real = Annotated[float, PlainValidator(real(-math.inf, above=False)), WithJsonSchema({"type": "number"})]
Positive = Annotated[
    float, PlainValidator(real(0, above=True)), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})
]
NonNegative = Annotated[float, PlainValidator(real(0, above=False)), WithJsonSchema({"type": "number", "minimum": 0})]


# what the trainer keeps in 32 bits: seeds as uint32, steps as int32, biases and rates as float32
Seed = Annotated[int, PlainValidator(count(0, 32)), WithJsonSchema(count_json(0, 32))]
Steps = Annotated[int, PlainValidator(count(1, 31)), WithJsonSchema(count_json(1, 31))]
_LARGEST = (2 - 2**-23) * 2.0**127  # of float32, about 3.4e38
_SMALLEST = 2.0**-126  # about 1.2e-38; XLA takes float32 below it for 0
Bias = Annotated[
    float,
    PlainValidator(real(-_LARGEST, above=False, most=_LARGEST)),
    WithJsonSchema({"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST}),
]
Rate = Annotated[
    float,
    PlainValidator(real(0, above=True, most=_LARGEST, tiny=_SMALLEST)),
    WithJsonSchema({"type": "number", "minimum": _SMALLEST, "maximum": _LARGEST}),
]
Strength = Annotated[
    float,
    PlainValidator(real(0, above=False, most=_LARGEST, tiny=_SMALLEST)),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": _LARGEST}),
]


Fraction = Annotated[
    float,
    PlainValidator(real(0, above=True, most=1)),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
]
_CORRELATION_JSON = {"type": "number", "minimum": 0, "maximum": 1}
Correlation = Annotated[float, PlainValidator(real(0, above=False, most=1)), WithJsonSchema(_CORRELATION_JSON)]


def _decay(value: Any) -> float:
    number = real(0, above=True)(value)
    if number >= 1:
        raise refusal(f"{shown(value)} is not below 1", "the paper's averages have 0.9999")
    return number


_DECAY_JSON = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
Decay = Annotated[float, PlainValidator(_decay), WithJsonSchema(_DECAY_JSON)]


class Added:
    """The validator of a word that scalectl has, or that code of one's own has added by now, with what that means.

    Its JSON Schema has all that there are when it is written.
    """

    def __init__(self, words: Sequence[str], added: Callable[[], Mapping[str, str]]) -> None:
        self._words, self._added = words, added

    def __call__(self, value: Any, handler: Callable[[Any], Any]) -> Any:
        """What the word means; raises the refusal of another one."""
        mine = self._mine()
        if isinstance(value, str) and value in mine:
            return mine[value]
        if not mine or value in self._words:
            return handler(value)
        words = [*self._words, *mine]
        raise refusal(f"{shown(value)} is not one of {', '.join(words)}", did_you_mean(str(value), words))

    def _mine(self) -> Mapping[str, str]:
        return {word: meaning for word, meaning in self._added().items() if word not in self._words}

    def __get_pydantic_json_schema__(self, *_: Any) -> dict[str, Any]:
        return {"enum": [*self._words, *self._mine()]}


def distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    """The values as they are; raises the refusal of an empty list or of a value that comes twice."""
    if not values:
        raise refusal("an empty list", "give at least one value")
    for i, value in enumerate(values):
        if value in values[:i]:
            raise refusal(f"{shown(value)} is in the list twice", item=i)
    return values


Several = Annotated[tuple[T, ...], AfterValidator(distinct)]


@dataclass(frozen=True)
class Share:
    """A number of steps, or a percentage of a run's steps."""

    percent: Decimal | None = None
    steps: int = 0

    def in_steps(self, total: int) -> int:
        """The steps that this is of `total` steps, at least one."""
        if self.percent is None:
            return self.steps
        return max(1, int((total * self.percent / 100).to_integral_value(ROUND_HALF_EVEN)))


def _share(value: Any) -> Share:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?%", value) if isinstance(value, str) else None
    if match is None:
        if isinstance(value, float) and 0 < value < 1:
            raise refusal(f"{value} is not a whole number", f"write {100 * value:g}%, or a number of steps")
        return Share(steps=count(1)(value))
    if not 0 < Decimal(match[1]) <= 100:
        raise refusal(f"{shown(value)} is not above 0% and up to 100%")
    return Share(percent=Decimal(match[1]))


def _range(value: Any) -> tuple[float, float]:
    """Two different finite numbers."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise refusal(f"{shown(value)} is not a range", "write two numbers, [0, 4095]: what becomes black, and white")
    black, white = (real(-math.inf, above=False)(number) for number in value)
    if black == white:
        raise refusal(f"both ends are {black:g}")
    return black, white


_RANGE_JSON = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
Range = Annotated[tuple[float, float], PlainValidator(_range), WithJsonSchema(_RANGE_JSON)]


_SHARE_JSON = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^[0-9.]+([kMB]| ?%)?$"}]}
Cooldown = Annotated[Share, PlainValidator(_share), WithJsonSchema(_SHARE_JSON)]


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise refusal(f"{shown(value)} is neither true nor false")
    return value


Flag = Annotated[bool, PlainValidator(_flag), WithJsonSchema({"type": "boolean"})]


def _version(value: Any) -> int:
    if value != 1 or isinstance(value, bool):
        raise refusal(f"{shown(value)} is not a version that this scalectl reads", "write version: 1")
    return 1


Version = Annotated[int, PlainValidator(_version), WithJsonSchema({"const": 1})]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise refusal(f"{shown(value)} is not text", "put it in quotes")
    if not value or not value.isprintable() or value != value.strip() or len(value) > 60:
        raise refusal(f"{shown(value)} is not a plain name", "use 1 to 60 printable characters, no blanks around them")
    return value


Name = Annotated[str, PlainValidator(_text), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 60})]


def _types(value: Any) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return distinct(tuple(_slot_type(item, i) for i, item in enumerate(value)))
    return (_slot_type(value),)


def _slot_type(value: Any, item: int | None = None) -> str:
    """The one spelling of a type of slot."""
    try:
        return slot_type(_text(value))
    except NoSlotType as error:
        raise refusal(str(error), error.hint, item) from None


_NAME_JSON = {"type": "string", "minLength": 1, "maxLength": 60}
_TYPES_JSON = {"anyOf": [_NAME_JSON, {"type": "array", "items": _NAME_JSON, "minItems": 1}]}
Types = Annotated[tuple[str, ...], PlainValidator(_types), WithJsonSchema(_TYPES_JSON)]
