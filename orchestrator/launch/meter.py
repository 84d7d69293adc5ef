"""What a launch has spent so far, beside its caps."""

import time
from collections.abc import Callable

from scalectl.orchestrator.format import flops, hours
from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.plan.limits import Caps
from scalectl.trainer.events import Checkpoint, Done, Progress
from scalectl.trainer.flops import training_flops


class Meter:
    """What the jobs of a launch have spent: device-hours by the clock, and FLOPs by the steps that they reported."""

    def __init__(self, caps: Caps, clock: Callable[[], float] = time.monotonic) -> None:
        self.caps, self._clock = caps, clock
        self._began: dict[str, tuple[float, float]] = {}  # slot -> when its job began, devices
        self._steps: dict[str, int] = {}  # slot -> the last step that its job reported
        self._flops, self._device_seconds = 0.0, 0.0

    def take(self, news: News) -> None:
        """Count the steps of a batch, and the time of a job from its placement to its end."""
        slot, trunk = news.slot, news.job.job.trunk
        if not news.events:
            self._began[slot] = (self._clock(), news.job.fit.devices_on(news.slot_type))
            self._steps.pop(slot, None)
        for event in news.events:
            before = self._steps.get(slot, event.step)  # the first event says where the job goes on from
            if isinstance(event, Progress | Checkpoint | Done):
                self._flops += training_flops(trunk, max(0, event.step - before))
            self._steps[slot] = max(before, event.step)
        if news.ended:
            began, devices = self._began.pop(slot)
            self._device_seconds += (self._clock() - began) * devices

    @property
    def flops(self) -> float:
        """The training FLOPs of all steps so far, those that were done again included."""
        return self._flops

    @property
    def device_hours(self) -> float:
        """The hours on devices so far, those of running jobs included."""
        now = self._clock()
        running = sum((now - began) * devices for began, devices in self._began.values())
        return (self._device_seconds + running) / 3600

    def reached(self) -> str:
        """The cap that is reached, in the words that runs are stopped with; empty while there is none."""
        if self.flops >= self.caps.max_flops:
            return f"limits.max_flops is reached: {flops(self.caps.max_flops)} FLOPs"
        if self.device_hours >= self.caps.max_device_hours:
            return f"{self.caps.hours_key} is reached: {hours(self.caps.max_device_hours)} device-hours"
        return ""
