"""How long a slot may be silent, on a clock of its own."""

from dataclasses import dataclass

import pytest
from conftest import Study

from scalectl.orchestrator.cluster.watch import SLOW_SECONDS, Patience, Watch
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer.spec import Job


@dataclass
class Clock:
    now: float = 37.0

    def __call__(self) -> float:
        return self.now


class Listener:
    """Looks every second, as a launcher does."""

    def __init__(self, job: Job) -> None:
        self.clock = Clock()
        self.watch = Watch(Patience(stall=100, acquire=300), self.clock)
        self.watch.begin("cpu-0", job)

    def overdue_after(self, seconds: int) -> bool:
        """Whether the slot is overdue within so many seconds of silence, and not before."""
        for _ in range(seconds):
            self.clock.now += 1
            if self.watch.overdue():
                return False
        self.clock.now += 1
        return bool(self.watch.overdue())

    def waits(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.now += 1
            assert not self.watch.overdue()


@pytest.fixture
def listener(study: Study) -> Listener:
    return Listener(plan(read(study.write())).jobs[0].job)


def test_a_slot_that_never_comes_is_waited_for_as_long_as_it_may_take(listener):
    assert listener.overdue_after(300) and not listener.watch.acquired("cpu-0")


def test_a_job_that_begins_has_time_to_compile(listener):
    listener.watch.acquire("cpu-0")
    listener.watch.hear("cpu-0", 0, trains=False)
    assert listener.overdue_after(int(SLOW_SECONDS) + 100)


def test_a_job_that_trains_may_be_silent_for_the_limit_beyond_its_own_rhythm(listener):
    listener.watch.hear("cpu-0", 1, trains=True)
    listener.waits(17)
    listener.watch.hear("cpu-0", 2, trains=True)
    assert listener.overdue_after(117)


def test_a_job_at_its_last_step_has_time_to_evaluate(listener):
    listener.watch.hear("cpu-0", 1, trains=True)
    listener.watch.hear("cpu-0", 16, trains=True)
    assert listener.overdue_after(int(SLOW_SECONDS) + 100)


def test_a_launcher_that_was_asleep_blames_nobody(listener):
    listener.watch.hear("cpu-0", 1, trains=True)
    listener.clock.now += 10_000
    assert not listener.watch.overdue()
