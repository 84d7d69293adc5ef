"""What a launch may spend."""

import math
from dataclasses import dataclass

from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.resources import Limits
from scalectl.orchestrator.format import flops, hours
from scalectl.orchestrator.plan.plan import Plan

ASK_DEVICE_HOURS = 24.0  # an estimate above this is asked about before anything starts


@dataclass(frozen=True)
class Caps:
    """The most that a launch may spend; `hours_key` is what the cap on device-hours was typed as."""

    max_flops: float = math.inf
    max_device_hours: float = math.inf
    hours_key: str = "limits.max_device_hours"

    @classmethod
    def from_limits(cls, limits: Limits, max_device_hours: float | None = None) -> "Caps":
        """The caps of a file, with the device-hours of the command line in place of its own."""
        if max_device_hours is not None:
            return cls(limits.max_flops or math.inf, max_device_hours, "--max-device-hours")
        return cls(limits.max_flops or math.inf, limits.max_device_hours or math.inf)

    def admit(self, plan: Plan) -> None:
        """Raise a Refusal that names the cap which a plan exceeds."""
        for key, cap, needed, unit, shown in (
            ("limits.max_flops", self.max_flops, plan.flops, "FLOPs", flops),
            (self.hours_key, self.max_device_hours, plan.device_hours, "device-hours", hours),
        ):
            if needed > cap:
                raise Refusal(
                    f"refused: the plan needs {shown(needed)} {unit} and {key} is {shown(cap)}."
                    f" Raise {key}, or take sizes or budgets out of the grid."
                )
