"""The states of runs, jobs and attempts, in the words of results.db."""

from enum import StrEnum


class RunState(StrEnum):
    """The state of a run; members stand in the order in which screens show them."""

    RUNNING = "running"
    PLANNED = "planned"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    DIVERGED = "diverged"  # a result, not an accident: a number was not finite

    def with_failure(self, kind: str) -> str:
        """The state as text with the kind of its failure: `failed (stalled)`."""
        if kind and self is RunState.FAILED:
            return f"{self} ({kind})"
        return self.value


class JobState(StrEnum):
    """The state of a job; the last two exist in a launch alone, and the store calls them failed."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    RETRIED = "retried"  # failed, and waits for its next attempt
    DIVERGED = "diverged"


class AttemptState(StrEnum):
    """The state of one attempt at a job."""

    STARTING = "starting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    PREEMPTED = "preempted"
    LOST = "lost"  # its worker or its launcher ended without a word, or was killed for telling nothing
