"""One launch from a checked experiment to its outcome: hold the store, plan, place, show, and stop when asked."""

import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from scalectl.orchestrator.cluster.backends import opened
from scalectl.orchestrator.cluster.base import Cluster, Request
from scalectl.orchestrator.cluster.sessions import sweep
from scalectl.orchestrator.cluster.supervisor import Patience, Supervisor
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.experiment.reading import Experiment
from scalectl.orchestrator.format import command, counted, duration, flops, hours
from scalectl.orchestrator.goodput import summary
from scalectl.orchestrator.launch.ledger import Ledger, Meter
from scalectl.orchestrator.launch.loop import launch
from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.launch.progress import Tally, screen
from scalectl.orchestrator.launch.requested import Requested
from scalectl.orchestrator.plan import planner
from scalectl.orchestrator.plan.plan import ASK_DEVICE_HOURS, Caps, Known, Plan, wanted
from scalectl.orchestrator.store.lock import holding, working_in
from scalectl.orchestrator.store.records import Records, known
from scalectl.orchestrator.store.snapshot import LAUNCHED
from scalectl.orchestrator.vocabulary import CPU, JobState, RunState, Slot

CHARTS = "vl_convert"  # the library that a page needs, and a launch doesn't
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
    unlisted: int = 0  # runs that the study has besides those of the file

    def text(self, file: Path, store: str, changes: Sequence[str] = ()) -> str:
        """The last lines of the launch, with the next command."""
        lines = [self._summary()]
        if self.unlisted:
            drop = command("prune --dry-run", file, changes=changes)
            lines.append(f"The study has {counted(self.unlisted, 'more run')} than this file: {drop} shows them.")
        return "\n".join([*lines, self._next(file, store, changes)])

    def _summary(self) -> str:
        ending = "; nothing was missing"
        if self.worked:
            ending = f" in {duration(self.seconds)}"
        unfinished = "".join(f", {number} {state}" for state, number in self.states)
        line = f"{self.done} of {counted(self.runs, 'run')} done{ending}{unfinished}"
        if self.books:
            line += f"\n{self.books}"
        return line

    def _next(self, file: Path, store: str, changes: Sequence[str]) -> str:
        again = command("launch", file, changes=changes)
        if self.cap:
            return f"{self.cap}; checkpoints are kept. Next: raise it, then {again}"
        if self.exit is Exit.INTERRUPTED:
            return f"Stopped; checkpoints are kept. Next: {again}"
        if self.pause:
            return f"Paused: {self.pause}\nNext: mend that, then {again}"
        if self.exit is Exit.FAILED:
            return f"Next: {command('status', store=store)}"
        if not {RunState.STOPPED, UNEVALUATED}.isdisjoint(dict(self.states)):
            return f"Runs were stopped on request; checkpoints are kept. Next: {again}"
        if find_spec(CHARTS) is not None:
            return f"Next: {command('report', store=store)}"
        return f"Next: {command('status --runs', store=store)}"


def planned(experiment: Experiment) -> tuple[Plan, Known]:
    """The plan of an experiment and what its store knows; nothing is written."""
    record = known(experiment.store, experiment.artifacts)
    return planner.plan(experiment, record), record


def admit(plan: Plan, caps: Caps, agree: Callable[[str], bool]) -> None:
    """Raise a Refusal where a cap forbids a plan, or where the answer to what a large one costs is no."""
    caps.admit(plan)
    if plan.device_hours <= ASK_DEVICE_HOURS:
        return
    price = "not set"
    if plan.price is not None:
        price = f"{plan.price:,.2f}"
    cost = f"{hours(plan.device_hours)} device-hours (estimated), price {price}."
    if not agree(f"{cost} Start {counted(len(plan.missing), 'run')}?"):
        raise Refusal("Nothing was started.")


def carry_out(
    experiment: Experiment,
    caps: Caps,
    *,
    backend: str = "ray",
    slots: Sequence[Slot] = (),
    address: str | None = None,
    agree: Callable[[str], bool] = lambda question: True,
    again: str = "",
) -> Outcome:
    """Run what is missing, and say what came of it; the store is held from before the plan to the end.

    `backend` is a name of cluster/backends.py, which takes the CPU workers of `slots` and `address`; of other types the
    launch takes as many slots as `slots` names, or all. `agree` answers the question about what a large launch costs;
    the store keeps `again`, the command that launches the same.
    Raises Refusal when that is no or a cap forbids the launch, before anything is written,
    and Locked when another launch holds the store or its artifacts.
    """
    began = time.monotonic()
    with holding(Path(experiment.store)) as lock:
        plan, record = planned(experiment)
        admit(plan, caps, agree)
        with Records(experiment.store, lock) as records:
            records.plan(plan, experiment)
            if again:
                records.note(LAUNCHED, again)
            session = _Session(experiment, plan, record, records, Meter(caps))
            if plan.jobs:
                sweep()  # before its workers are given the same jobs
                session.work(backend, slots, address)
            return session.outcome(time.monotonic() - began)


class _Session:
    """What a launch has to do and what came of it."""

    def __init__(self, experiment: Experiment, plan: Plan, record: Known, records: Records, meter: Meter) -> None:
        self._experiment, self._plan, self._record, self._records = experiment, plan, record, records
        self._meter = meter
        self._stopping = threading.Event()
        self._requested = Requested(self._stopping, records)
        self._ends = _Ends(plan)
        self._books = ""

    def work(self, backend: str, slots: Sequence[Slot], address: str | None) -> None:
        """Run the jobs of the plan and show how it goes."""
        plan = self._plan
        _say(
            f"{plan.study} · {len(plan.missing)} of {counted(len(plan.runs), 'run')}"
            f" on {counted(plan.shared, 'trunk')} · {flops(plan.flops)} FLOPs"
        )
        with (
            _interruptible(self._stopping),
            redirect_stdout(sys.stderr),  # what Ray prints is no result
            closing(self._cluster(backend, slots, address)) as cluster,
        ):
            limit_slots(cluster, slots)
            ledger = Ledger(cluster.slots)
            _check_slots(plan, cluster)
            tally = Tally(plan, [Slot(name, cluster.types.get(name, CPU)) for name in cluster.slots])
            _say(f"{counted(len(cluster.slots), 'slot')} · {tally.left}")
            with working_in(self._experiment.artifacts):  # not before: a refusal makes no folder
                self._launch(cluster, ledger, tally)
        self._books = summary(ledger.entries())

    def _cluster(self, backend: str, slots: Sequence[Slot], address: str | None) -> Supervisor:
        workers = sum(slot.type == CPU for slot in slots) or None
        limits = self._experiment.limits
        request = Request(workers, address, wanted(self._plan.jobs), self._requested)
        return opened(backend, request, Patience(limits.stall, limits.acquire))

    def _launch(self, cluster: Cluster, ledger: Ledger, tally: Tally) -> None:
        with screen(tally) as shown:
            for _ in launch(
                self._plan,
                self._records,
                cluster,
                checkpoints=self._record.checkpoints,
                max_retries=self._experiment.limits.retries,
                stopping=self._stopping,
                meter=self._meter,
                ledger=ledger,
                seconds_left=tally.seconds_left,
                listeners=[shown, self._ends, self._requested],
            ):
                pass  # the listeners have it

    def outcome(self, seconds: float) -> Outcome:
        """What came of it, after so many seconds."""
        interrupted, runs = self._stopping.is_set(), self._plan.runs
        states = self._ends.states(self._records.states(run.id for run in self._plan.missing))
        pause = ""
        if states[RunState.STOPPED] + states[UNEVALUATED]:  # else what was held back went on after all
            pause = self._ends.pause
        states.update(run.state for run in runs if not run.missing)
        done, cap = states[RunState.DONE], ""
        left = done + states[RunState.DIVERGED] < len(runs)  # else the stop came when there was nothing left to stop
        code = Exit.DONE
        if states[RunState.FAILED] + states[EVALUATION_FAILED]:
            code = Exit.FAILED
        if left and interrupted:
            code = Exit.INTERRUPTED
        elif left and (cap := self._meter.reached()):
            code = Exit.REFUSED
        del states[RunState.DONE]
        unfinished = tuple((state, number) for state, number in sorted(states.items()) if number)
        worked, unlisted = bool(self._plan.jobs), self._plan.unlisted
        return Outcome(code, seconds, len(runs), done, worked, unfinished, cap, pause, self._books, unlisted)


class _Ends:
    """How the last job of each missing run ended, and what is paused."""

    def __init__(self, plan: Plan) -> None:
        self.pause = ""
        self._ends: dict[str, JobState | None] = dict.fromkeys(run.id for run in plan.missing)

    def take(self, news: News) -> None:
        """Note the end of a run's last job, and what is paused from now on."""
        if news.pause:
            self.pause = news.pause
        if news.job.is_cooldown:
            self._ends[news.job.owner] = news.state

    def states(self, stored: dict[str, RunState]) -> Counter[str]:
        """The missing runs counted by what became of them, by their states in the store."""
        return Counter(self._state(run, state) for run, state in stored.items())

    def _state(self, run: str, state: RunState) -> str:
        """What a launch made of a missing run: one that was done before lacks evaluations until they are."""
        end = self._ends[run]
        if state is not RunState.DONE or end is JobState.DONE:
            return state
        if end in (JobState.FAILED, JobState.DIVERGED):
            return EVALUATION_FAILED
        return UNEVALUATED


def limit_slots(cluster: Cluster, slots: Sequence[Slot]) -> None:
    """Leave to a cluster as many slots of each type as are asked for; raises Refusal where it has fewer.

    CPU workers are made as they are asked for.
    """
    types = {name: cluster.types.get(name, CPU) for name in cluster.slots}
    for slot_type, number in Counter(slot.type for slot in slots if slot.type != CPU).items():
        names = [name for name in cluster.slots if types[name] == slot_type]
        if len(names) < number:
            has = ", ".join(f"{count} of type {name}" for name, count in sorted(Counter(types.values()).items()))
            raise Refusal(
                f"refused: --slots asks for {number} slots of type {slot_type}, and this launch has only {has}."
            )
        cluster.slots = tuple(name for name in cluster.slots if name not in names[number:])


def _check_slots(plan: Plan, cluster: Cluster) -> None:
    """Raise a Refusal where a cluster has no slot for some of a plan's jobs."""
    types = {cluster.types.get(name, CPU) for name in cluster.slots}
    lacking = {" or ".join(job.fit.types) for job in plan.jobs if not any(map(job.fit.takes, types))}
    if lacking:
        present = ", ".join(sorted(types))
        raise Refusal(f"refused: jobs need slots of type {', '.join(sorted(lacking))}, and there are only {present}.")


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
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
