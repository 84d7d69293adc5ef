"""The words that all rooms say: states of runs, jobs and attempts, kinds of jobs, and slots with their types."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


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


ENDED = (RunState.DONE, RunState.DIVERGED)  # of which a launch trains nothing more


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


class JobKind(StrEnum):
    """What a job does for its runs."""

    TRUNK = "trunk"  # a stretch of the steps that runs may share
    COOLDOWN = "cooldown"  # the end of a run, from where it leaves its trunk
    TRAINING = "training"  # a whole run that shares no step
    EVALUATION = "evaluation"  # of a run that is trained already


def job_name(kind: JobKind, run_name: str, start: int, stop: int) -> str:
    """The name of a job on screens; nothing reads it again."""
    if kind is JobKind.TRUNK:
        return f"{run_name} trunk {start:,} to {stop:,}"
    return f"{run_name} {kind}"


WAITING = "waiting"  # the event that says what a launch waits for, or with no text that it waits no longer


CPU, GPU, TPU = "cpu", "gpu", "tpu"  # the types of slots of CPU workers, and of any device of a kind
AUTO = "auto"  # of jobs that any slot will do for


# A number after one of these words belongs to the name of a product, as in rtx-6000 and intel-gpu-max-1550.
_PRODUCT = re.compile(r"(.*-)?(rtx|gtx|gt|rx|hd|pro|max|quadro)-[0-9]+")
_COUNTED = re.compile(r"(.+)-([1-9][0-9]*)")


@lru_cache(maxsize=256)
def parted(slot_type: str) -> tuple[str, float]:
    """The two parts of a type of slot: v5e and 16 of v5e-16, rtx-6000 and 1 of rtx-6000."""
    match = _COUNTED.fullmatch(slot_type)
    if match is None or _PRODUCT.fullmatch(slot_type.lower()):
        return slot_type, 1.0
    return match[1], float(match[2])


@dataclass(frozen=True, order=True)
class Slot:
    """A place for one job at a time: a CPU worker, a GPU, or a whole slice such as v5e-16."""

    name: str
    type: str = CPU
