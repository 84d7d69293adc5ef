"""The values that the trainer keeps in 32 bits: seeds as uint32, steps as int32, biases and rates as float32."""

from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from scalectl.orchestrator.experiment.values import count, count_json, real

Seed = Annotated[int, PlainValidator(count(0, 32)), WithJsonSchema(count_json(0, 32))]
Steps = Annotated[int, PlainValidator(count(1, 31)), WithJsonSchema(count_json(1, 31))]
_LARGEST = (2 - 2**-23) * 2.0**127  # of float32, about 3.4e38
Bias = Annotated[
    float,
    PlainValidator(real(-_LARGEST, above=False, most=_LARGEST)),
    WithJsonSchema({"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST}),
]
Rate = Annotated[
    float,
    PlainValidator(real(0, above=True, most=_LARGEST)),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": _LARGEST}),
]
Strength = Annotated[
    float,
    PlainValidator(real(0, above=False, most=_LARGEST)),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": _LARGEST}),
]
