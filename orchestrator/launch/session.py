"""One launch from a checked experiment to its outcome: hold the store, plan, place, show, and stop when asked."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, redirect_stdout
from pathlib import Path

from scalectl.orchestrator.cluster.backends import opened
from scalectl.orchestrator.cluster.base import Cluster, Request
from scalectl.orchestrator.cluster.sessions import sweep
from scalectl.orchestrator.cluster.supervisor import Supervisor
from scalectl.orchestrator.cluster.watch import Patience
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.experiment.reading import Experiment
from scalectl.orchestrator.format import counted, flops, hours, last_line
from scalectl.orchestrator.goodput import summary
from scalectl.orchestrator.launch.awaiting import awaited
from scalectl.orchestrator.launch.config import LaunchConfig
from scalectl.orchestrator.launch.interrupts import interruptible
from scalectl.orchestrator.launch.ledger import Ledger, Meter
from scalectl.orchestrator.launch.log import Journal, Loudness, say
from scalectl.orchestrator.launch.loop import launch
from scalectl.orchestrator.launch.news import ASKED, News
from scalectl.orchestrator.launch.notify import Laws, Notifier, notifying
from scalectl.orchestrator.launch.outcome import EVALUATION_FAILED, UNEVALUATED, Outcome
from scalectl.orchestrator.launch.planned import planned
from scalectl.orchestrator.launch.progress import Tally
from scalectl.orchestrator.launch.requested import Requested
from scalectl.orchestrator.launch.screens import screen
from scalectl.orchestrator.launch.slots import check_slots, check_use, limit_slots
from scalectl.orchestrator.launch.surroundings import slots_of
from scalectl.orchestrator.plan.plan import ASK_DEVICE_HOURS, Caps, Known, Plan, wanted
from scalectl.orchestrator.store.changed import changed
from scalectl.orchestrator.store.lock import holding, working_in
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.store.snapshot import LAUNCHED
from scalectl.orchestrator.vocabulary import CPU, JobState, RunState, Slot
from scalectl.trainer.events import Failed


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
    loudness: Loudness = Loudness.NORMAL,
    conclude: Callable[[Outcome], Laws] = lambda outcome: {},
) -> Outcome:
    """Run what is missing, and say what came of it; the store is held from before the plan to the end.

    `backend` is a name of cluster/backends.py, which takes the CPU workers of `slots` and `address`; of other types the
    launch takes as many slots as `slots` names, or all. `agree` answers the question about what a large launch costs;
    the store keeps `again`, the command that launches the same. `loudness` says how much is shown on stderr. `conclude`
    fits the laws once the store is released, and answers with them: the hook of the study is told of them.
    Raises Refusal when that is no, a cap forbids the launch or there are no slots for it, and Locked when another
    launch holds the store or its artifacts; the store is as it was then.
    """
    began = time.monotonic()
    with notifying(experiment, say) as notifier:
        with holding(Path(experiment.store)) as lock, ExitStack() as stack:
            plan, record = planned(experiment)
            check_use(plan, slots, backend)
            admit(plan, caps, agree)
            session = _Session(experiment, plan, record, Meter(caps), notifier, loudness)
            cluster = stack.enter_context(
                session.ready(backend, slots, address)
            )  # or a refusal; nothing is written yet
            with Records(experiment.store, lock) as records:
                with stack.pop_all():  # the cluster ends before the store is released, also where an error ends it
                    records.plan(plan, experiment)
                    if again:
                        records.note(LAUNCHED, again)
                    if cluster is None:
                        records.settle(records.stop_requests(), RunState.STOPPED, reason=ASKED)
                    else:
                        session.work(cluster, records)
                outcome = session.outcome(records, time.monotonic() - began)
        try:
            laws = conclude(outcome)
        except KeyboardInterrupt:  # of the fit: the launch has ended all the same
            notifier.end(outcome, {})
            raise
        notifier.end(outcome, laws)  # not before: what it calls may want the store
    return outcome


class _Session:
    """What a launch has to do and what came of it."""

    def __init__(
        self,
        experiment: Experiment,
        plan: Plan,
        record: Known,
        meter: Meter,
        notifier: Notifier,
        loudness: Loudness,
    ) -> None:
        self._experiment, self._plan, self._record = experiment, plan, record
        self._meter, self._notifier, self._loudness = meter, notifier, loudness
        self._stopping = threading.Event()
        missing = {run.id: run.name for run in plan.missing}
        self._requested = Requested(self._stopping, Path(experiment.store), missing)
        self._ends = _Ends(plan)
        self._warnings: list[str] = []  # of nodes, before there is a store to note them in
        self._books = ""
        self._halted = ""  # why nothing more was placed
        self._lost = ""  # why the cluster can't be used any more

    def _say(self, text: str) -> None:
        say(text, self._loudness)

    @contextmanager
    def ready(self, backend: str, slots: Sequence[Slot], address: str | None) -> Iterator[Supervisor | None]:
        """Yield the cluster once it has slots for the jobs; None where none are left, or the launch is to end before.

        Raises Refusal where it has none, its nodes don't see the artifacts, or these can't be written.
        """
        plan = self._plan
        if not plan.jobs:
            yield None
            return
        self._notifier.begin()
        sweep()  # before its workers are given the same jobs
        self._say(
            f"{plan.study} · {len(plan.missing)} of {counted(len(plan.runs), 'run')}"
            f" on {counted(plan.shared, 'trunk')} · {flops(plan.flops)} FLOPs"
        )
        if differing := changed(self._experiment.store, plan):
            self._say(f"warning   the new runs differ from earlier ones of the study in {differing}")
        with (
            ExitStack() as held,  # until the workers have ended, which write there
            interruptible(self._stopping),
            redirect_stdout(sys.stderr),  # what Ray prints is no result
            closing(self._cluster(backend, slots, address)) as cluster,
        ):
            if not self._awaited(cluster, slots):
                yield None
                return
            limit_slots(cluster, slots)
            check_slots(plan, cluster)
            held.enter_context(working_in(self._experiment.artifacts))  # not before: a refusal makes no folder
            cluster.admit(self._experiment.artifacts)
            self._warnings = cluster.notices()
            for text in self._warnings:
                self._say(f"warning   {text}")
            if not self._awaited(cluster):  # nodes may be left out by now
                yield None
                return
            check_slots(plan, cluster)
            yield cluster

    def _awaited(self, cluster: Supervisor, slots: Sequence[Slot] = ()) -> bool:
        return awaited(cluster, self._plan, slots, self._experiment.limits.acquire, self._requested, self._say)

    def work(self, cluster: Supervisor, records: Records) -> None:
        """Run the jobs of the plan and show how it goes."""
        self._requested.records = records
        for text in self._warnings:
            records.note("warning", text)
        ledger, tally = Ledger(cluster.slots), Tally(self._plan, slots_of(cluster))
        self._say(f"{counted(len(cluster.slots), 'slot')} · {tally.left}")
        self._launch(cluster, records, ledger, tally)
        self._lost = cluster.lost
        self._books = summary(ledger.entries())

    def _cluster(self, backend: str, slots: Sequence[Slot], address: str | None) -> Supervisor:
        workers = sum(slot.type == CPU for slot in slots) or None
        limits = self._experiment.limits
        named = {slot.type for slot in slots}
        if named <= {CPU}:  # a number of CPU workers rules no other slot out
            named = set()
        request = Request(workers, address, wanted(self._plan.jobs, named), self._requested, grows=True)
        return opened(backend, request, Patience(limits.stall, limits.acquire))

    def _launch(self, cluster: Cluster, records: Records, ledger: Ledger, tally: Tally) -> None:
        limits = self._experiment.limits
        quiet, verbose = self._loudness is Loudness.QUIET, self._loudness is Loudness.VERBOSE
        with screen(tally, quiet=quiet, verbose=verbose) as shown:
            config = LaunchConfig(
                max_retries=limits.retries,
                acquire=limits.acquire,
                stopping=self._stopping,
                meter=self._meter,
                ledger=ledger,
                seconds_left=tally.seconds_left,
                listeners=[shown, Journal(tally), self._ends, self._requested, self._notifier],
                followers=[tally.follow],
                hint=self._say,
            )
            self._halted = _carried_out(launch(self._plan, records, cluster, self._record.checkpoints, config))

    def outcome(self, records: Records, seconds: float) -> Outcome:
        """What came of it, after so many seconds."""
        interrupted, runs = self._stopping.is_set(), self._plan.runs
        states = self._ends.states(records.states(run.id for run in self._plan.missing))
        pause = ""
        if states[RunState.STOPPED] + states[UNEVALUATED]:  # else what was held back went on after all
            pause = self._ends.pause
        states.update(run.state for run in runs if not run.missing)
        done, cap = states[RunState.DONE], ""
        left = done + states[RunState.DIVERGED] < len(runs)  # else the stop came when there was nothing left to stop
        code = Exit.DONE
        if pause or states[RunState.FAILED] + states[EVALUATION_FAILED]:
            code = Exit.FAILED
        if left and interrupted:
            code = Exit.INTERRUPTED
        elif left and (cap := self._lost):
            code = Exit.NOT_FOUND
        elif left and (cap := self._meter.reached() or self._halted):
            code = Exit.REFUSED
        del states[RunState.DONE]
        return Outcome(
            code,
            seconds,
            runs=len(runs),
            done=done,
            worked=bool(self._plan.jobs),
            states=tuple((state, number) for state, number in sorted(states.items()) if number),
            cap=cap,
            pause=pause,
            books=self._books,
            unlisted=self._plan.unlisted,
            failure=self._ends.failure,
        )


def _carried_out(going: Generator[News, None, str]) -> str:
    """Why a launch placed nothing more, once it has ended; its listeners have the rest."""
    while True:
        try:
            next(going)
        except StopIteration as end:
            return str(end.value)


class _Ends:
    """How the last job of each missing run ended, and what is paused."""

    def __init__(self, plan: Plan) -> None:
        self.pause = ""
        self._failures: dict[JobState, str] = {}  # of the first job that ended so
        self._ends: dict[str, JobState | None] = dict.fromkeys(run.id for run in plan.missing)

    def take(self, news: News) -> None:
        """Note the end of a run's last job, and what is paused from now on."""
        if news.pause:
            self.pause = news.pause
        end = news.events[-1] if news.events else None
        if isinstance(end, Failed):
            self._failures.setdefault(news.state, f"{end.kind}: {last_line(end.reason)}")
        if news.job.is_cooldown:
            self._ends[news.job.owner] = news.state

    @property
    def failure(self) -> str:
        """Why the first of the failed runs did; an evaluation that diverged counts where none failed otherwise."""
        return self._failures.get(JobState.FAILED) or self._failures.get(JobState.DIVERGED, "")

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
