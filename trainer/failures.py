"""The kinds of failure: what each means, how often it is tried again, and what becomes of its attempt and its runs."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FailureKind:
    """A kind of failure; a new one is an entry of FAILURE_KINDS, here or from outside."""

    name: str
    meaning: str  # a sentence for users
    tries: Literal["once", "retries", "progress", "always"]  # `limits.retries` more, or while the job comes forward
    attempt: Literal["failed", "preempted", "lost"] = "failed"  # the state of the attempt
    run: Literal["failed", "diverged"] = "failed"  # the state of its runs, once it isn't tried again
    makes_origin_again: bool = False  # before it is tried again: the checkpoint that the job began from is damaged


FAILURE_KINDS = {
    kind.name: kind
    for kind in (
        FailureKind("user_error", "The job raised an error.", "once"),
        FailureKind("bad_config", "The job can't use what it was given, such as a file that changed.", "once"),
        FailureKind("nonfinite", "A loss, a gradient norm or an evaluation is not finite.", "once", run="diverged"),
        FailureKind("out_of_memory", "The job or its worker ran out of memory.", "retries"),
        FailureKind("stalled", "The job reported nothing for too long, and was killed.", "retries", attempt="lost"),
        FailureKind("slot_lost", "The slot left the cluster, or no worker starts there.", "always", attempt="lost"),
        FailureKind("no_capacity", "No worker came up on its slot in time.", "retries"),
        FailureKind(
            "checkpoint_corrupt",
            "The checkpoint at which the job begins is damaged.",
            "retries",
            makes_origin_again=True,
        ),
        FailureKind("preempted", "The machine is being taken away.", "progress", attempt="preempted"),
        FailureKind("node_lost", "The worker or its node died.", "progress", attempt="lost"),
    )
}
