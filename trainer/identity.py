"""The identities of runs and trunks: hashes of all that can change their numbers."""

import hashlib
from typing import Any

from scalectl.trainer.canonical import canonical_json, science
from scalectl.trainer.spec import SEMANTICS, DataSpec, ModelSpec, RecipeSpec, RunSpec, TrunkSpec


def identity(spec: TrunkSpec | RunSpec) -> str:
    """12 hexadecimal digits of the sha256 of the spec and of the trainer's semantics version."""
    return Identities().of(spec)


class Identities:
    """The identities of the runs of a study: what many of them share is written as text once."""

    def __init__(self) -> None:
        # by id() of an object, which is held; equal ones may differ in text
        self._texts: dict[int, tuple[Any, str]] = {}

    def of(self, spec: TrunkSpec | RunSpec) -> str:
        """What `identity` says of a spec."""
        document = f'{{"kind":"{type(spec).__name__}","semantics":{SEMANTICS},"spec":{self._text(spec)}}}'
        return hashlib.sha256(document.encode()).hexdigest()[:12]

    def _text(self, spec: TrunkSpec | RunSpec) -> str:
        """Its science as canonical JSON, put together from that of its parts; each key in its place."""
        if isinstance(spec, RunSpec):
            return f'{{"cooldown":{spec.cooldown},"steps":{spec.steps},"trunk":{self._text(spec.trunk)}}}'
        data, model, recipe = (self._shared(part) for part in (spec.data, spec.model, spec.recipe))
        return f'{{"data":{data},"model":{model},"recipe":{recipe},"seed":{spec.seed}}}'

    def _shared(self, part: ModelSpec | DataSpec | RecipeSpec) -> str:
        if id(part) not in self._texts:
            self._texts[id(part)] = (part, canonical_json(science(part)))
        return self._texts[id(part)][1]
