"""How often each kind of failure is tried again, and what a run becomes when that is used up."""

from trainer.events import FailureKind

ONCE = 0
WITHOUT_END = 1_000  # the machine's doing, not the run's; a cap all the same, so that nothing spins for ever

_RETRIES: dict[FailureKind, int | None] = {  # None: `limits.retries` of the experiment
    "user_error": ONCE,  # deterministic: it would fail again
    "bad_config": ONCE,
    "nonfinite": ONCE,
    "checkpoint_corrupt": ONCE,  # the next launch trains what the lost checkpoint held
    "out_of_memory": None,  # another process may have held the memory
    "stalled": None,
    "no_capacity": None,
    "preempted": WITHOUT_END,
    "node_lost": None,  # a worker that dies again and again is killed by its own job
}


def retries(kind: FailureKind, limit: int) -> int:
    """Return how often a job that failed with `kind` is started again when the experiment allows `limit` retries."""
    own = _RETRIES[kind]
    return limit if own is None else own


def verdict(kind: FailureKind) -> str:
    """Return the state of a run whose job failed for good: a loss that is not finite is a result, not an accident."""
    return "diverged" if kind == "nonfinite" else "failed"
