"""What a store says to those who read it: the one object to ask, and its status as a value."""

import shlex
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from scalectl.orchestrator.format import from_here, launch_words
from scalectl.orchestrator.goodput import goodput
from scalectl.orchestrator.metrics import best_value
from scalectl.orchestrator.store import details, names, runs
from scalectl.orchestrator.store.database import reading
from scalectl.orchestrator.store.details import Details
from scalectl.orchestrator.store.live import Training, training
from scalectl.orchestrator.store.lock import Holder, holder
from scalectl.orchestrator.store.provenance import Provenance, provenance
from scalectl.orchestrator.store.runs import Study
from scalectl.orchestrator.store.segments import Segment, segments
from scalectl.orchestrator.store.snapshot import (
    Happening,
    RunLine,
    RunningJob,
    by_hand,
    compared_by,
    imported_runs,
    kept_checkpoints,
    last_account,
    last_command,
    last_events,
    last_ledger,
    launched_study,
    run_lines,
    running_jobs,
    seconds_left,
    study_names,
    unlisted_runs,
    waits_for,
    work,
)
from scalectl.orchestrator.vocabulary import RunState

if TYPE_CHECKING:
    from scalectl.orchestrator.plan.plan import Known


_LAST_EVENTS = 5
RUN_COLUMNS = (
    "id",
    "name",
    "study",
    "state",
    "kind",
    "reason",
    "waits_for",
    "excluded",
    "step",
    "steps",
    "flops",
    "value",
)


@dataclass(frozen=True)
class Status:
    """What a store says at one moment; `launcher` is the process whose launch writes to it, if one does."""

    store: str
    studies: tuple[str, ...]
    metric: str
    launcher: Holder | None
    runs: tuple[RunLine, ...]
    running: tuple[RunningJob, ...]
    checkpoints: int
    unlisted: int  # runs that were pruned
    imported: int  # runs of other people
    events: tuple[Happening, ...]
    ledger: Mapping[str, float]  # seconds of the slots of the last launch; empty before the first
    shown: tuple[RunLine, ...]  # of the runs: all of them, or those in some states
    again: str = ""  # the command that goes on with what is left
    seconds_left: float | None = None  # that the launch which works says that it still takes
    waits_for: str = ""  # what that launch waits for
    launched: str = ""  # the study of that launch, once its plan is written
    has_books: bool = False  # whether that launch is the last one of the ledger
    by_hand: tuple[tuple[Any, ...], ...] = ()  # exclusions and imports; the same until somebody changes them

    @property
    def work(self) -> tuple[float, float]:
        """The training FLOPs that are done, and the whole of them."""
        return work(self.runs)

    @property
    def counts(self) -> dict[str, int]:
        """The number of runs in each state; an excluded run counts as what it is."""
        numbers = Counter(run.state for run in self.runs)
        return {state.value: numbers[state] for state in RunState}

    @property
    def unfinished(self) -> int:
        """The number of runs that another launch would work on."""
        return len(self.runs) - self.counts[RunState.DONE] - self.counts[RunState.DIVERGED]

    @property
    def best(self) -> RunLine | None:
        """The run that is done, not excluded, and has the best value of the main metric."""
        done = [run for run in self.runs if run.state is RunState.DONE and not run.excluded]
        value = best_value(self.metric, (run.value for run in done if run.value is not None))
        return next((run for run in done if value is not None and run.value == value), None)

    def only(self, states: Collection[str]) -> "Status":
        """The same status, of which only the runs in these states are shown."""
        return replace(self, shown=tuple(run for run in self.runs if run.state in states))

    def to_json(self) -> dict[str, Any]:
        """The whole status as a JSON object; docs/results.md lists its keys."""
        done, whole = self.work
        return {
            "store": self.store,
            "studies": list(self.studies),
            "counts": self.counts,
            "excluded": sum(run.excluded for run in self.runs),
            "unlisted": self.unlisted,
            "imported": self.imported,
            "flops": {"done": done, "total": whole},
            "seconds_left": self.seconds_left,
            "launcher": self.launcher.to_json() if self.launcher else None,
            "waits_for": self.waits_for,
            "running": [asdict(job) for job in self.running],
            "best": {"metric": self.metric, **_run(self.best)} if self.best else None,
            "checkpoints": self.checkpoints,
            "events": [asdict(event) for event in self.events],
            "goodput": goodput(self.ledger),
            "ledger": {f"{name}_seconds": seconds for name, seconds in self.ledger.items()} or None,
            "runs": [_run(run) for run in self.shown],
        }


def _run(run: RunLine) -> dict[str, Any]:
    return {**{column: getattr(run, column) for column in RUN_COLUMNS}, "state": run.state.value}


def _status(connection: Connection, store: Path) -> Status:
    """The status of the store at `store`, which the connection reads."""
    launcher = holder(store)
    metric = compared_by(connection)
    lines = run_lines(connection, metric, launched=launcher is not None)
    return Status(
        store=str(store),
        studies=study_names(connection),
        metric=metric,
        launcher=launcher,
        runs=lines,
        running=running_jobs(connection),
        checkpoints=kept_checkpoints(connection),
        unlisted=unlisted_runs(connection),
        imported=imported_runs(connection),
        events=last_events(connection, _LAST_EVENTS),
        ledger=last_ledger(connection),
        shown=lines,
        again=_again(connection),
        by_hand=by_hand(connection),
        **_by_launcher(connection, launcher),
    )


def _again(connection: Connection, study: str | None = None) -> str:
    """The command that goes on with what is left, from the folder that this process works in; or nothing."""
    words = launch_words(last_command(connection, study))
    return shlex.join(map(from_here, words))


def _by_launcher(connection: Connection, launcher: Holder | None) -> dict[str, Any]:
    """What a launch that works says of itself."""
    if launcher is None:
        return {}
    return {
        "launched": launched_study(connection, launcher.since),
        "seconds_left": seconds_left(connection, launcher.since),
        "waits_for": waits_for(connection, launcher.since),
        "has_books": last_account(connection, launcher.since) is not None,
    }


WATCH_SECONDS = 2.0


class Store:
    """The store at `path`, each answer as of the moment of its question.

    Methods raise NotFound where there is no store, and NotAStore, NewerStore or Unusable for a file that can't be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def launcher(self) -> Holder | None:
        """The launcher that holds the store now, or None."""
        return holder(self.path)

    def status(self) -> Status:
        """How far the studies are, and what each run waits for."""
        with reading(self.path) as connection:
            return _status(connection, self.path)

    def training(self) -> Training:
        """The models of the runs, and the losses of the jobs that run."""
        with reading(self.path) as connection:
            return training(connection)

    def heard(self) -> float | None:
        """When the launch that works last wrote its account, in Unix seconds; None before that or without a launch."""
        launcher = self.launcher()
        if launcher is None:
            return None
        with reading(self.path) as connection:
            return last_account(connection, launcher.since)

    def again(self, study: str | None = None) -> str:
        """The command that goes on with a study, or with what is left of any, with its file and changes; or nothing."""
        with reading(self.path) as connection:
            return _again(connection, study)

    def watch(self, seconds: float = WATCH_SECONDS) -> Iterator[Status]:
        """Yield the status whenever it has changed, until no launch is running; the last one is whole."""
        before = None
        while True:
            now = self.status()
            if now != before:
                yield now
            if now.launcher is None:
                return
            before = now
            time.sleep(seconds)

    def run(self, word: str) -> Details:
        """All that is known of the run that a word names; raises NotFound for a word that names none or several."""
        with reading(self.path) as connection:
            return details.details(connection, word, launched=self.launcher() is not None)

    def logs(self, word: str) -> list[str]:
        """What the jobs of the run that a word names have said, oldest first; raises NotFound as `run` does."""
        with reading(self.path) as connection:
            return details.log(connection, word)

    def goes_on(self, word: str) -> bool:
        """Whether a launch is running that trains or evaluates the run that a word names; raises NotFound."""
        if self.launcher() is None:
            return False
        run = self.ids([word])
        return bool(self.in_states([RunState.PLANNED, RunState.RUNNING], run) or self.to_evaluate(run))

    def study(self, name: str | None = None) -> Study:
        """A study by its name, or the last one; raises NotFound where there is none."""
        with reading(self.path) as connection:
            return runs.study(connection, self.path, name)

    def studies(self) -> list[str]:
        """The names of all studies, imported ones as well: first the one that is meant where none is named."""
        with reading(self.path) as connection:
            return runs.names(connection)

    def provenance(self, study: str, among: Collection[str]) -> Provenance:
        """The file of a study, and the code, machines and time that numbers of the runs with these ids come from."""
        with reading(self.path) as connection:
            return provenance(connection, study, among)

    def segments(
        self, runs: Collection[str], choose: Callable[[list[int]], Collection[int]] | None = None
    ) -> Iterator[Segment]:
        """Yield the training curves of the runs with these ids, each step that runs share once; of the trunks alone
        that `choose` returns, given the trunk of each segment.
        """
        with reading(self.path) as connection:
            yield from segments(connection, runs, choose)

    def known(self, artifacts: str | None = None) -> "Known":
        """What a planner has to know of the store, which is nothing where there is none.

        Of checkpoints only those inside the folder `artifacts`, where it is given.
        """
        from scalectl.orchestrator.store.known import known  # only here: pydantic takes half a second

        return known(self.path, artifacts)

    def ids(self, words: Sequence[str], *, imported: bool = False) -> list[str]:
        """The ids of the runs that words name; raises NotFound for a word that names none or several."""
        with reading(self.path) as connection:
            return names.ids(connection, words, imported=imported)

    def in_states(self, states: Sequence[RunState], among: Sequence[str] | None = None) -> list[str]:
        """The ids of the listed runs in these states; of those `among` them, where they are given."""
        with reading(self.path) as connection:
            return runs.in_states(connection, among, states)

    def to_evaluate(self, among: Sequence[str] | None = None) -> list[str]:
        """The ids of the listed runs that are done and lack evaluations; of those `among` them, where given."""
        with reading(self.path) as connection:
            return runs.to_evaluate(connection, among)
