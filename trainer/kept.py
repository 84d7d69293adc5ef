"""The compiled programs that a process keeps: those of the models that it trained last, 60 to 100 MB each."""

from collections.abc import Hashable
from typing import Any

from scalectl.trainer.spec import ModelSpec

MODELS = 2  # between which a slot may go to and fro; other programs are in the cache of compiled programs
FIRST = "first"  # the program that draws first parameters: a third of a model's, and only needed where a trunk begins

Key = tuple[Hashable, ...]  # begins with a name
_kept: dict[ModelSpec, dict[Key, Any]] = {}  # the model used last at the end


def programs(model: ModelSpec) -> dict[Key, Any]:
    """The programs of a model that is used from now on, to be added to; those of the model not used longest go."""
    mine = _kept.pop(model, {})
    for others in _kept.values():
        for key in [key for key in others if key[0] == FIRST]:
            del others[key]
    if len(_kept) >= MODELS:
        del _kept[next(iter(_kept))]
    _kept[model] = mine
    return mine
