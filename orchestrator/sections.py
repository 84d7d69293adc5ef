"""What every section of experiments.yaml is made of: keys with their meaning, and rules that choose runs."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.conditions import Condition, Names, Numbers, Reals

SWEPT = ("batch_size", "head", "lr", "clip_norm", "weight_decay_head", "weight_decay_body", "warmup", "timescale")
SETTINGS = ("model", "data_size", "steps", "seed", "params", *SWEPT)


def key(meaning: str, default: Any = ...) -> Any:
    """Return the field of a key that means `meaning`; without a default the key is required."""
    return Field(default, description=meaning)


class Section(BaseModel):
    """Keys that belong together; none but these are allowed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


class Rule(Section):
    """Conditions that hold together."""

    model: Names | None = key("Name of a model, or a list of names.", None)
    data_size: Numbers | None = key('Training images: 350, [100, 350] or ">350" (>, >=, <, <=, =).', None)
    steps: Numbers | None = key("Steps of the run, in the same forms.", None)
    seed: Numbers | None = key("Seed of the run, in the same forms.", None)
    params: Numbers | None = key("Parameters of the model, in the same forms.", None)
    batch_size: Numbers | None = key("Images of one step, in the same forms.", None)
    head: Names | None = key("Pooling before the classifier, or a list of poolings.", None)
    lr: Reals | None = key('Peak learning rate: 0.001, [0.001, 0.01] or ">0.001".', None)
    clip_norm: Reals | None = key("Largest global norm of the gradient, in the same forms.", None)
    weight_decay_head: Reals | None = key("Weight decay of the head, in the same forms.", None)
    weight_decay_body: Reals | None = key("Weight decay of the body, in the same forms.", None)
    warmup: Numbers | None = key('Steps of linear warmup: 350, [100, 350] or ">350".', None)
    timescale: Numbers | None = key("Steps over which the schedule decays, in the same forms.", None)

    def conditions(self) -> dict[str, Condition]:
        """Return the conditions that were given, by setting."""
        return {name: condition for name in SETTINGS if (condition := getattr(self, name)) is not None}

    def holds(self, settings: Mapping[str, str | float]) -> bool:
        """Return whether the settings of a run satisfy every condition."""
        return all(condition.holds(settings[name]) for name, condition in self.conditions().items())

    def names(self) -> tuple[str, ...]:
        """Return the models that the rule names."""
        return tuple(str(name) for name in self.model.values) if self.model else ()

    def __str__(self) -> str:
        return " and ".join(f"{name} {condition}" for name, condition in self.conditions().items())
