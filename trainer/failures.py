"""The kinds of failure: how often each is tried again, and what becomes of its attempt and its runs."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FailureKind:
    """A kind of failure; a new one is an entry of FAILURE_KINDS, here or from outside."""

    name: str
    tries: Literal["once", "retries", "progress", "always"]  # `limits.retries` more, or while the job comes forward
    attempt: Literal["failed", "preempted", "lost"] = "failed"  # the state of the attempt
    run: Literal["failed", "diverged"] = "failed"  # the state of its runs, once it isn't tried again
    pauses: bool = False  # all of the launch at its first: any job would end so
    makes_origin_again: bool = False  # before it is tried again: the checkpoint that the job began from is damaged


FAILURE_KINDS = {
    kind.name: kind
    for kind in (
        FailureKind("user_error", "once"),  # the job raised an error
        FailureKind("bad_config", "once"),  # the job can't use what it was given, such as a file that changed
        FailureKind("disk_full", "once", pauses=True),  # no room for a checkpoint, or for what a job unpacks
        FailureKind("nonfinite", "once", run="diverged"),  # a loss, a gradient norm or an evaluation is not finite
        FailureKind("out_of_memory", "retries"),  # of the job or its worker
        FailureKind("stalled", "retries", attempt="lost"),  # the job reported nothing for too long, and was killed
        FailureKind("slot_lost", "always", attempt="lost"),  # it left the cluster, or no worker starts there
        FailureKind("no_capacity", "retries"),  # no worker came up on its slot in time
        FailureKind("checkpoint_corrupt", "retries", makes_origin_again=True),  # the one at which the job begins
        FailureKind("preempted", "progress", attempt="preempted"),  # the machine is being taken away
        FailureKind("node_lost", "progress", attempt="lost"),  # the worker or its node died
    )
}
