"""What a launch may spend, and what it has spent so far."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.resources import Limits
from scalectl.orchestrator.format import flops, hours
from scalectl.orchestrator.plan.plan import Plan, PlannedJob
from scalectl.trainer.events import Checkpoint, Done, Event, Progress
from scalectl.trainer.flops import training_flops

ASK_DEVICE_HOURS = 24.0  # an estimate above this is asked about before anything starts


@dataclass(frozen=True)
class Caps:
    """The most that a launch may spend; `hours_key` is what the cap on device-hours was typed as."""

    max_flops: float = math.inf
    max_device_hours: float = math.inf
    hours_key: str = "limits.max_device_hours"

    @classmethod
    def of(cls, limits: Limits, max_device_hours: float | None = None) -> "Caps":
        """Return the caps of a file, with what the command line says in place of its device-hours."""
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


class Meter:
    """What the jobs of a launch have spent: device-hours by the clock, and FLOPs by the steps that they told."""

    def __init__(self, caps: Caps, clock: Callable[[], float] = time.monotonic) -> None:
        self.caps, self._clock = caps, clock
        self._began: dict[str, tuple[float, float]] = {}  # slot -> when its job began, devices
        self._steps: dict[str, int] = {}  # slot -> the last step that its job told
        self._flops, self._device_seconds = 0.0, 0.0

    def begin(self, slot: str, slot_type: str, job: PlannedJob) -> None:
        """Note that a job was placed."""
        self._began[slot] = (self._clock(), job.fit.devices_on(slot_type))
        self._steps.pop(slot, None)

    def take(self, slot: str, job: PlannedJob, events: Sequence[Event], *, ended: bool) -> None:
        """Note what a job told, and whether that was its end."""
        for event in events:
            before = self._steps.get(slot, event.step)  # the first event says where the job goes on from
            if isinstance(event, Progress | Checkpoint | Done):
                self._flops += training_flops(job.job.trunk, max(0, event.step - before))
            self._steps[slot] = max(before, event.step)
        if ended:
            began, devices = self._began.pop(slot)
            self._device_seconds += (self._clock() - began) * devices

    @property
    def flops(self) -> float:
        """Return the training FLOPs of all steps so far, those that were done again included."""
        return self._flops

    @property
    def device_hours(self) -> float:
        """Return the hours on devices so far, those of running jobs included."""
        now = self._clock()
        return (self._device_seconds + sum((now - at) * devices for at, devices in self._began.values())) / 3600

    def reached(self) -> str:
        """Return which cap is reached, in the words that runs are stopped with, or nothing."""
        if self.flops >= self.caps.max_flops:
            return f"limits.max_flops is reached: {flops(self.caps.max_flops)} FLOPs"
        if self.device_hours >= self.caps.max_device_hours:
            return f"{self.caps.hours_key} is reached: {hours(self.caps.max_device_hours)} device-hours"
        return ""
