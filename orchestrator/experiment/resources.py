"""The keys of experiments.yaml that say where jobs run and what a launch may spend; no run's identity knows them."""

from collections.abc import Mapping
from typing import Literal

from scalectl.orchestrator.experiment.rules import Rule, Section, key
from scalectl.orchestrator.experiment.values import Fraction, Natural, NonNegative, Positive, Real, Types

Device = Literal["auto", "cpu", "gpu", "tpu"]


class Place(Section):
    """Where a job runs, and what is known of it before the first run."""

    device: Device = key("auto takes the GPUs and TPU slices that are there, or else CPU workers.", "auto")
    type: Types | None = key("Type of a slot, or a list of types that will do.", None)
    devices: Positive | None = key(
        "Devices of a slot, as JAX counts them; what its type says, or 1, when left out.", None
    )
    peak_flops: Positive | None = key("Peak FLOPs a second of one device; known of common types when left out.", None)
    mfu: Fraction | None = key(
        "Share of the peak that training reaches, until a first run was measured; by the model's size when left out.",
        None,
    )
    price_per_device_hour: NonNegative | None = key("Price of a device for an hour, in your currency.", None)
    priority: Real = key("Jobs of a higher priority are placed first.", 0.0)
    workers: Natural | None = key(
        "Processes of each job that read pictures ahead; when left out none on a CPU, where a thread does, and"
        " elsewhere one for each core that belongs to the slot, but one.",
        None,
    )


class Where(Section):
    """A place for the jobs of some runs."""

    when: Rule = key("Runs whose jobs go there, by any setting but their steps and cooldown.")
    use: Place = key(
        "Where they run; keys left out are those of resources.default, but for device, type and devices where a rule"
        " names another device or type."
    )


class Resources(Section):
    """Where jobs run; never part of a run's identity."""

    default: Place = key("Where every job runs that no rule names.", Place())
    rules: tuple[Where, ...] = key("Places of some runs; the first rule that holds counts.", ())

    def place(self, settings: Mapping[str, str | float]) -> Place:
        """The place of the jobs of a run with these settings."""
        for rule in self.rules:
            if rule.when.holds(settings):
                return self.laid_over(rule.use)
        return self.default

    def laid_over(self, use: Place) -> Place:
        """The place of a rule, with what it leaves out from the default: one slot's number of devices is no other's."""
        base = self.default
        if any(getattr(use, name) != getattr(base, name) for name in use.model_fields_set & {"device", "type"}):
            base = base.model_copy(update={"device": "auto", "type": None, "devices": None})
        return base.model_copy(update=use.model_dump(exclude_unset=True))


class Limits(Section):
    """Bounds on what a launch may spend, and on how long it waits."""

    retries: Natural = key("Attempts after the first that a failing job gets.", 3)
    max_flops: Positive | None = key("Most training FLOPs that a launch spends; no bound when left out.", None)
    max_device_hours: Positive | None = key("Most hours on devices that a launch spends; no bound when left out.", None)
    stall: Positive = key(
        "Seconds that a job may tell nothing, beyond what such a phase takes, until it is lost.", 600.0
    )
    acquire: Positive = key("Seconds that a slot may be waited for.", 600.0)
