"""Values and specs as JSON with one spelling: what identities and metrics are known by."""

import json
import math
from dataclasses import fields, is_dataclass
from typing import Any


def canonical_json(value: Any) -> str:
    """`value` as JSON with one spelling per value; raises ValueError where there is none."""
    return _ENCODER.encode(_plain(value))


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f"keys of {value!r} are not all text")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value!r} has no stable serialisation")
        return value
    if value is None or isinstance(value, bool | int | str):
        return value
    raise ValueError(f"{value!r} has no stable serialisation")


def science(spec: Any) -> dict[str, Any]:
    """A spec as plain values, without places and settings that came later and say what was done before."""
    values = {}
    for declared in fields(spec):
        value = getattr(spec, declared.name)
        if declared.compare and (value != declared.default or "later" not in declared.metadata):
            values[declared.name] = science(value) if is_dataclass(value) else value
    return values
