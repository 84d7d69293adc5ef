"""One launch from a checked experiment to its outcome: plan, lock, place, show, and stop when asked."""

import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from scalectl.orchestrator.cluster.base import Cluster, Here
from scalectl.orchestrator.cluster.ray_cluster import OnRay
from scalectl.orchestrator.cluster.watchdog import Patience
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.experiment.experiment import Experiment
from scalectl.orchestrator.format import counted, duration, flops, hours
from scalectl.orchestrator.goodput import summary
from scalectl.orchestrator.hints import command
from scalectl.orchestrator.launch.ledger import Ledger
from scalectl.orchestrator.launch.loop import launch
from scalectl.orchestrator.launch.progress import screen
from scalectl.orchestrator.plan.limits import ASK_DEVICE_HOURS, Caps, Meter
from scalectl.orchestrator.plan.plan import Known, Plan, wanted
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.slots import CPU
from scalectl.orchestrator.store.lock import working_in
from scalectl.orchestrator.store.records import Records, known

# What becomes of a run that was done before and has new evaluations, where they aren't done.
UNEVALUATED, EVALUATION_FAILED = "not evaluated", "evaluation failed"


@dataclass(frozen=True)
class Outcome:
    """What a launch came to."""

    exit: Exit
    seconds: float
    runs: int
    done: int
    worked: bool
    states: tuple[tuple[str, int], ...]  # of the runs that aren't done
    cap: str = ""  # what the launch was stopped by
    pause: str = ""  # what is paused, and why
    books: str = ""  # where the time of its slots went

    def text(self, file: Path, store: str, changes: Sequence[str] = ()) -> str:
        """Return the last lines of the launch, with the next command."""
        others = "".join(f", {number} {state}" for state, number in self.states)
        took = f" in {duration(self.seconds)}" if self.worked else "; nothing was missing"
        line = f"{self.done} of {counted(self.runs, 'run')} done{took}{others}"
        line += f"\n{self.books}" * bool(self.books)
        again = command("launch", file, changes=changes)
        if self.cap:
            return f"{line}\n{self.cap}; checkpoints are kept. Next: raise it, then {again}"
        if self.exit is Exit.INTERRUPTED:
            return f"{line}\nStopped; checkpoints are kept. Next: {again}"
        if self.pause:
            return f"{line}\nPaused: {self.pause}\nNext: mend that, then {again}"
        if self.exit is Exit.FAILED:
            return f"{line}\nNext: {command('status', store=store)}"
        if not {"stopped", UNEVALUATED}.isdisjoint(dict(self.states)):
            return f"{line}\nRuns were stopped on request; checkpoints are kept. Next: {again}"
        return f"{line}\nNext: {command('status --runs', store=store)}"


def planned(experiment: Experiment) -> tuple[Plan, Known]:
    """Return the plan of an experiment and what its store knows; nothing is written."""
    record = known(experiment.store, experiment.artifacts)
    return plan(experiment, record), record


def admit(experiment: Experiment, caps: Caps, ask: Callable[[str], bool]) -> None:
    """Raise a Refusal where a cap forbids a launch, or where `ask` says no to a large one."""
    found, _ = planned(experiment)
    caps.admit(found)
    price = "not set" if found.price is None else f"{found.price:,.2f}"
    cost = f"{hours(found.device_hours)} device-hours (estimated), price {price}."
    if found.device_hours > ASK_DEVICE_HOURS and not ask(f"{cost} Start {counted(len(found.missing), 'run')}?"):
        raise Refusal("Nothing was started.")


def carry_out(experiment: Experiment, *, slots: int | None, address: str | None, here: bool, caps: Caps) -> Outcome:
    """Run what is missing and return what came of it.

    Raises Refusal when a cap forbids it, or when another launcher holds the store or its artifacts.
    """
    began = time.monotonic()
    with Records(experiment.store) as records:
        found, record = planned(experiment)
        caps.admit(found)
        records.plan(found, experiment.document)
        if not found.jobs:
            return _outcome(found, time.monotonic() - began, Counter(), interrupted=False)
        _say(
            f"{found.study} · {len(found.missing)} of {counted(len(found.runs), 'run')}"
            f" on {counted(found.shared, 'trunk')} · {flops(found.flops)} FLOPs"
        )
        stopping, meter, limits = threading.Event(), Meter(caps), experiment.limits
        patience = Patience(limits.stall, limits.acquire)
        types = wanted(found.jobs)
        with (
            _interruptible(stopping),
            redirect_stdout(sys.stderr),  # what Ray prints is no result
            closing(Here(stopping) if here else OnRay(slots, address, patience=patience, wanted=types)) as cluster,
        ):
            ledger = Ledger(cluster.slots)
            _fitting(found, cluster)
            _say(f"about {duration(found.seconds(len(cluster.slots)))} on {counted(len(cluster.slots), 'slot')}")
            with working_in(experiment.artifacts):  # not before: a refusal makes no folder
                pause, ends = _run(found, record, records, cluster, limits.retries, meter, ledger, stopping)
        interrupted = stopping.is_set()
        states = Counter(_come_to(run, state, ends) for run, state in records.states(ends).items())
    cap = "" if interrupted else meter.reached()
    pause = pause if states["stopped"] + states[UNEVALUATED] else ""  # else what was held back went on after all
    seconds, books = time.monotonic() - began, summary(ledger.entries())
    return _outcome(found, seconds, states, interrupted=interrupted, cap=cap, pause=pause, books=books)


def _fitting(found: Plan, cluster: Cluster) -> None:
    """Raise a Refusal where a cluster has no slot for some of a plan's jobs."""
    types = {cluster.types.get(name, CPU) for name in cluster.slots}
    missing = {" or ".join(job.fit.types) for job in found.jobs if not any(map(job.fit.takes, types))}
    if missing:
        has = ", ".join(sorted(types))
        raise Refusal(f"refused: jobs need slots of type {', '.join(sorted(missing))}, and there are only {has}.")


def _run(
    found: Plan,
    record: Known,
    records: Records,
    cluster: Cluster,
    max_retries: int,
    meter: Meter,
    ledger: Ledger,
    stopping: threading.Event,
) -> tuple[str, dict[str, str]]:
    """Work on the plan and show how it goes; return what is paused, and how the last job of each missing run ended."""
    pause, ends = "", {run.id: "" for run in found.missing}
    with screen(found) as shown:
        for news in launch(
            found,
            records,
            cluster,
            checkpoints=record.checkpoints,
            max_retries=max_retries,
            stopping=stopping,
            meter=meter,
            ledger=ledger,
        ):
            shown.show(news)
            pause = news.pause or pause
            ends |= {news.job.owner: news.state} if news.job.is_cooldown else {}
    return pause, ends


def _come_to(run: str, state: str, ends: Mapping[str, str]) -> str:
    """Return what a launch made of a missing run: one that was done before it lacks evaluations until they are."""
    if state != "done" or ends[run] == "done":
        return state
    return EVALUATION_FAILED if ends[run] in ("failed", "diverged") else UNEVALUATED


def _outcome(
    found: Plan,
    seconds: float,
    states: Counter[str],
    *,
    interrupted: bool,
    cap: str = "",
    pause: str = "",
    books: str = "",
) -> Outcome:
    states = states + Counter(run.state for run in found.runs if not run.missing)
    done = states["done"]
    code = Exit.FAILED if states["failed"] + states[EVALUATION_FAILED] else Exit.DONE
    left = done + states["diverged"] < len(found.runs)  # else the stop came when there was nothing left to stop
    if left and (interrupted or cap):
        code = Exit.INTERRUPTED if interrupted else Exit.REFUSED
    others = tuple((state, number) for state, number in sorted(states.items()) if state != "done" and number)
    worked, cap = bool(found.jobs), cap if left else ""
    return Outcome(code, seconds, len(found.runs), done, worked, others, cap, pause, books)


@contextmanager
def _interruptible(stopping: threading.Event) -> Iterator[None]:
    """Have `stopping` set by the first Ctrl-C, SIGTERM or SIGHUP; a second one ends the process's work at once.

    A terminal that is lost may say so twice, so that SIGHUP is no such second one; nohup has it ignored as before. From
    the second on all are ignored: what is left to do is to end Ray's processes, which another one would leave behind.
    """
    hurrying = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        if stopping.is_set():
            if number == signal.SIGHUP or hurrying.is_set():
                return
            hurrying.set()
            raise KeyboardInterrupt
        stopping.set()
        _say("Stopping at the next checkpoint; press Ctrl-C again to stop at once.")

    numbers = [signal.SIGINT, signal.SIGTERM]
    numbers += [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else []
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
