"""The state of a store at one moment as a value and as JSON, for screens, pages and programs."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from scalectl.orchestrator.goodput import goodput
from scalectl.orchestrator.states import RunState
from scalectl.orchestrator.store.lock import Holder, holder
from scalectl.orchestrator.store.snapshot import (
    Happening,
    RunLine,
    RunningJob,
    imported_runs,
    kept_checkpoints,
    last_events,
    last_ledger,
    main_metric,
    run_lines,
    running_jobs,
    study_names,
    unlisted_runs,
    work,
)

_LAST_EVENTS = 5
_RUN = ("id", "name", "study", "state", "kind", "reason", "waits_for", "excluded", "step", "steps", "flops", "value")


@dataclass(frozen=True)
class Status:
    """What a store says at one moment; `launcher` is the process that writes to it, if one does."""

    store: str
    studies: tuple[str, ...]
    metric: str
    launcher: Holder | None
    runs: tuple[RunLine, ...]
    running: tuple[RunningJob, ...]
    checkpoints: int
    unlisted: int  # runs of earlier plans that no study lists any more
    imported: int  # runs of other people
    events: tuple[Happening, ...]
    ledger: Mapping[str, float]  # seconds of the slots of the last launch; empty before the first
    shown: tuple[RunLine, ...]  # of the runs: all of them, or those in some states

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
        """The run that is done, not excluded, and has the lowest value of the main metric."""
        done = [run for run in self.runs if run.state is RunState.DONE and not run.excluded]
        return min((run for run in done if run.value is not None), key=lambda run: run.value or 0.0, default=None)

    @property
    def seconds_left(self) -> float | None:
        """The seconds that the rest takes at the speed of the jobs that run now, or None where none runs."""
        speed = sum(job.flops_per_second or 0.0 for job in self.running)
        if not self.launcher or not speed:
            return None
        done, whole = self.work
        return (whole - done) / speed

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
            "launcher": asdict(self.launcher) if self.launcher else None,
            "running": [asdict(job) for job in self.running],
            "best": {"metric": self.metric, **_run(self.best)} if self.best else None,
            "checkpoints": self.checkpoints,
            "events": [asdict(event) for event in self.events],
            "goodput": goodput(self.ledger),
            "ledger": {f"{name}_seconds": seconds for name, seconds in self.ledger.items()} or None,
            "runs": [_run(run) for run in self.shown],
        }


def _run(run: RunLine) -> dict[str, Any]:
    return {**{column: getattr(run, column) for column in _RUN}, "state": run.state.value}


def status(connection: Connection, store: Path) -> Status:
    """The status of the store at `store`, which the connection reads."""
    launcher = holder(store)
    metric = main_metric(connection)
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
    )
