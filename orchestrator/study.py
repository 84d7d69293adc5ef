"""One launch from a checked experiment to its outcome: plan, lock, place, show, and stop when asked."""

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cluster import Cluster, Here, OnRay
from orchestrator.exits import Exit, Refusal
from orchestrator.experiment import Experiment
from orchestrator.launch import launch
from orchestrator.plan import Known, Plan, plan
from orchestrator.progress import screen
from orchestrator.quantities import duration, flops
from orchestrator.records import Records, known


@dataclass(frozen=True)
class Outcome:
    """What a launch came to."""

    exit: Exit
    seconds: float
    runs: int
    done: int
    worked: bool
    states: tuple[tuple[str, int], ...]  # of the runs that aren't done

    def text(self, file: Path) -> str:
        """Return the last lines of the launch, with the next command."""
        others = "".join(f", {number} {state}" for state, number in self.states)
        took = f" in {duration(self.seconds)}" if self.worked else "; nothing was missing"
        line = f"{self.done} of {self.runs} runs done{took}{others}"
        if self.exit is Exit.INTERRUPTED:
            return f"{line}\nStopped; checkpoints are kept. Next: scalectl launch {file}"
        if self.exit is Exit.FAILED:
            return f"{line}\nNext: scalectl status"
        return f"{line}\nNext: scalectl status --runs"


def cores() -> int:
    """Return how many CPU cores this process may use: the slots of an embedded cluster."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def planned(experiment: Experiment) -> tuple[Plan, Known]:
    """Return the plan of an experiment and what its store knows; nothing is written."""
    record = known(experiment.store)
    return plan(experiment, record), record


def carry_out(experiment: Experiment, *, slots: int | None, address: str | None, here: bool) -> Outcome:
    """Run what is missing and return what came of it.

    Raises Refusal when a limit forbids it, or when another launcher holds the store.
    """
    began = time.monotonic()
    found, _ = planned(experiment)
    _admit(found, experiment)
    with Records(experiment.store) as records:
        found, record = planned(experiment)  # again: the lock was taken only now
        records.plan(found, experiment.document)
        if not found.jobs:
            return _outcome(found, time.monotonic() - began, Counter(), interrupted=False)
        count = 1 if here else slots or cores()
        _say(
            f"{found.study} · {len(found.missing)} of {len(found.runs)} runs on {found.shared} trunks"
            f" · {flops(found.flops)} FLOPs · about {duration(found.seconds(count))} on {count} slots"
        )
        stopping = threading.Event()
        cluster = Here(stopping) if here else OnRay(slots, address)
        with closing(cluster), _interruptible(stopping):
            states = _run(found, record, records, cluster, experiment.limits.retries, stopping)
        interrupted = stopping.is_set()
    return _outcome(found, time.monotonic() - began, states, interrupted=interrupted)


def _run(
    found: Plan, record: Known, records: Records, cluster: Cluster, max_retries: int, stopping: threading.Event
) -> Counter[str]:
    """Return the last state of each run that was worked on, counted."""
    states: dict[str, str] = {run.id: "planned" for run in found.missing}
    with screen(found) as shown:
        for news in launch(
            found,
            records,
            cluster,
            checkpoints=record.checkpoints,
            max_retries=max_retries,
            stopping=stopping,
        ):
            shown.show(news)
            if news.state in ("failed", "diverged", "stopped") or (news.state == "done" and news.job.job.run):
                states |= dict.fromkeys(news.job.runs, news.state)
    return Counter(states.values())


def _outcome(found: Plan, seconds: float, states: Counter[str], *, interrupted: bool) -> Outcome:
    before = len(found.runs) - len(found.missing)
    done = before + states["done"]
    code = Exit.FAILED if states["failed"] else Exit.DONE
    if interrupted and done < len(found.runs):  # else the stop came when there was nothing left to stop
        code = Exit.INTERRUPTED
    others = tuple((state, number) for state, number in sorted(states.items()) if state != "done")
    return Outcome(code, seconds, len(found.runs), done, bool(found.jobs), others)


def _admit(found: Plan, experiment: Experiment) -> None:
    cap = experiment.limits.max_flops
    if cap is not None and found.flops > cap:
        raise Refusal(
            f"refused: the plan needs {flops(found.flops)} FLOPs and limits.max_flops is {flops(cap)}."
            " Raise limits.max_flops, or take sizes or budgets out of the grid."
        )


@contextmanager
def _interruptible(stopping: threading.Event) -> Iterator[None]:
    """Have `stopping` set by the first Ctrl-C or SIGTERM; the second one ends the process's work at once."""

    def interrupt(number: int, frame: object) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()
        _say("Stopping at the next checkpoint; press Ctrl-C again to stop at once.")

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
