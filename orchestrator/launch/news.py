"""What happens in a launch, and whoever follows it."""

from dataclasses import dataclass
from typing import Protocol

from scalectl.orchestrator.plan.plan import PlannedJob
from scalectl.orchestrator.vocabulary import CPU, JobState
from scalectl.trainer.events import Event

ASKED, INTERRUPTED = "asked to stop", "interrupted"  # why runs are stopped


@dataclass(frozen=True)
class News:
    """A job that was placed, which has no events yet, or a batch of its events and what the job became with it."""

    slot: str
    job: PlannedJob
    events: tuple[Event, ...] = ()
    state: JobState = JobState.RUNNING
    pause: str = ""  # what is no longer placed from now on, and why
    stop_reason: str = ""  # why its runs are stopped, where they are
    slot_type: str = CPU

    @property
    def ended(self) -> bool:
        """Whether the job has left its slot."""
        return self.state is not JobState.RUNNING


class Listener(Protocol):
    """Follows a launch."""

    def take(self, news: News) -> None:
        """Take in the next piece of news; all of them come, each once, in the order in which they happened."""
