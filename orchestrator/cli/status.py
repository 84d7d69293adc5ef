"""The record as tables for people and as JSON, from the store alone."""

import textwrap
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scalectl.orchestrator.format import counted, duration, flops, share, table
from scalectl.orchestrator.goodput import goodput, shares
from scalectl.orchestrator.hints import command
from scalectl.orchestrator.store import snapshot
from scalectl.orchestrator.store.database import reading
from scalectl.orchestrator.store.lock import Holder, holder
from scalectl.orchestrator.store.snapshot import Happening, RunLine, RunningJob

STATES = ("running", "planned", "done", "stopped", "failed", "diverged")  # in the order in which they are shown
_LAST_EVENTS = 5
_RUN = ("id", "name", "study", "state", "kind", "reason", "waits_for", "excluded", "step", "steps", "flops", "value")
WIDTH = 100  # columns
WATCH_SECONDS = 2.0
REASON = 200  # letters


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

    shown: tuple[RunLine, ...] | None = None  # where not all runs are

    @property
    def _shown(self) -> tuple[RunLine, ...]:
        return self.runs if self.shown is None else self.shown

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of runs in each state; an excluded run counts as what it is."""
        found = Counter(run.state for run in self.runs)
        return {state: found[state] for state in STATES}

    @property
    def unfinished(self) -> int:
        """Return how many runs another launch would work on."""
        return len(self.runs) - self.counts["done"] - self.counts["diverged"]

    @property
    def best(self) -> RunLine | None:
        """Return the run that is done, not excluded, and has the lowest value of the main metric."""
        measured = [run for run in self.runs if run.state == "done" and not run.excluded and run.value is not None]
        return min(measured, key=lambda run: run.value or 0.0, default=None)

    @property
    def seconds_left(self) -> float | None:
        """Return the time that the rest takes at the speed of the jobs that run now, or None where none runs."""
        done, whole = snapshot.work(self.runs)
        speed = sum(job.flops_per_second or 0.0 for job in self.running) if self.launcher else 0.0
        return (whole - done) / speed if speed else None

    def only(self, states: Collection[str]) -> "Status":
        """Return the same with no other runs shown than those in these states."""
        return replace(self, shown=tuple(run for run in self.runs if run.state in states))

    def to_json(self) -> dict[str, Any]:
        """Return the whole status as a JSON object; docs/results.md lists its keys."""
        done, whole = snapshot.work(self.runs)
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
            "runs": [_run(run) for run in self._shown],
        }

    def text(self, *, runs: bool = False, width: int | None = WIDTH) -> str:
        """Return the screen for people, with a line for each run where `runs` asks for it.

        Lines longer than `width` columns are cut or wrapped; without a width, as for a program, none is.
        """
        table = _run_table(self.metric, self._shown) if runs and self._shown else ""
        tables = [_clipped(text, width) for text in (_running(self), table, _history(self))]
        head, findings = (_wrapped(text, width) for text in (_head(self), _findings(self)))
        parts = [head, tables[0], tables[1], findings, tables[2]]
        return "\n\n".join([*filter(None, parts), f"Next: {_next(self, runs)}"])


def read(path: str | Path) -> Status:
    """Return the status of the store at `path`; raises NotFound, NotAStore, NewerStore or Unusable."""
    with reading(Path(path)) as connection:
        launcher = holder(Path(path))
        metric = snapshot.main_metric(connection)
        return Status(
            store=str(path),
            studies=snapshot.study_names(connection),
            metric=metric,
            launcher=launcher,
            runs=snapshot.run_lines(connection, metric, launched=launcher is not None),
            running=snapshot.running_jobs(connection),
            checkpoints=snapshot.kept_checkpoints(connection),
            unlisted=snapshot.unlisted_runs(connection),
            imported=snapshot.imported_runs(connection),
            events=snapshot.last_events(connection, _LAST_EVENTS),
            ledger=snapshot.last_ledger(connection),
        )


def watched(path: Path, seconds: float = WATCH_SECONDS) -> Iterator[Status]:
    """Yield the status whenever it has changed, until no launcher works on the store; the last one is whole."""
    before = None
    while True:
        found = read(path)
        if found != before:
            yield found
        if found.launcher is None:
            return
        before = found
        time.sleep(seconds)


def _run(run: RunLine) -> dict[str, Any]:
    return {column: getattr(run, column) for column in _RUN}


def _head(status: Status) -> str:
    if not status.runs:
        others = f" · {counted(status.imported, 'imported run')}" if status.imported else ""
        return f"{status.store} holds no study yet{others}"
    done, whole = snapshot.work(status.runs)
    part = share(done / whole if whole else 1.0)
    states = " · ".join(f"{number} {state}" for state, number in status.counts.items() if number)
    left = "" if status.seconds_left is None else f" · {duration(status.seconds_left)} left"
    lines = [
        f"{', '.join(status.studies)} · {states}",
        f"  {part} of {flops(whole)} FLOPs{left} · {counted(status.checkpoints, 'checkpoint')} kept",
        f"  {_launcher(status)}",
    ]
    if (useful := goodput(status.ledger)) is not None:
        which = "this launch so far" if status.launcher else "the last launch"
        lines.append(f"  goodput of {which} {share(useful)}: {shares(status.ledger)}")
    if status.unlisted:
        lines.append(f"  not listed any more: {counted(status.unlisted, 'run')} of earlier plans")
    if status.imported:
        lines.append(f"  {counted(status.imported, 'imported run')}, which no launch works on")
    return "\n".join(lines)


def _launcher(status: Status) -> str:
    if status.launcher:
        return f"launcher: {status.launcher}"
    cut = f"; it ended with {counted(len(status.running), 'job')} under way, to go on at the next launch"
    return "no launcher runs" + (cut if status.running else "")


def _running(status: Status) -> str:
    if not (status.running and status.launcher):
        return ""
    header = ("JOB", "SLOT", "PROGRESS", "", "LOSS", "IMG/S", "MFU", "ATTEMPT", "ETA")
    return table(header, [_job(job) for job in status.running], left=2)


def _job(job: RunningJob) -> tuple[str, ...]:
    part = (job.step - job.start) / max(1, job.stop - job.start)
    left = "--" if job.seconds_left is None else duration(job.seconds_left)
    place = f"{job.step:,}/{job.stop:,}"
    return (
        job.name,
        job.slot,
        place,
        share(part),
        _number(job.loss),
        _number(job.images_per_second),
        "--" if job.mfu is None else share(job.mfu),
        str(job.attempt),
        left,
    )


def _run_table(metric: str, runs: Sequence[RunLine]) -> str:
    header = ("RUN", "ID", "STATE", "PROGRESS", metric.upper())
    rows = [(run.name, run.id, _state(run), f"{run.step:,}/{run.steps:,}", _number(run.value)) for run in runs]
    reasons = ("WHY", *(_short(f"waits for {run.waits_for}" if run.waits_for else run.reason) for run in runs))
    lines = table(header, rows, left=3).splitlines()
    return "\n".join(f"{line}   {reason}".rstrip() for line, reason in zip(lines, reasons, strict=True))


def _state(run: RunLine) -> str:
    kind = f" ({run.kind})" if run.kind and run.state == "failed" else ""
    return run.state + kind + (", excluded" if run.excluded else "")


def _findings(status: Status) -> str:
    """Return the best run, those that failed or diverged, and the warnings of the last launch."""
    best = status.best
    lines = [f"  best: {best.name}  {status.metric} {best.value:.4g} at {flops(best.flops)} FLOPs"] if best else []
    bad = [run for run in status.runs if run.state in ("failed", "diverged")]
    lines += [f"  {_state(run)}: {run.name}  {run.reason}".rstrip() for run in bad]
    lines += [f"  warning: {event.text}" for event in status.events if event.what == "warning"]
    return "\n".join(lines)


def _short(reason: str) -> str:
    """Return a reason for a table, without its tail, which may be a library's whole specification."""
    return reason if len(reason) <= REASON else f"{reason[: REASON - 1]}…"


def _history(status: Status) -> str:
    others = [event for event in status.events if event.what != "warning"]
    return "\n".join(f"  {event.at}  {event.what}: {event.run or event.text}" for event in others)


def _wrapped(text: str, width: int | None) -> str:
    if width is None:
        return text
    return "\n".join(textwrap.fill(line, width, subsequent_indent="    ") for line in text.splitlines())


def _clipped(text: str, width: int | None) -> str:
    most = width or len(text)
    return "\n".join(line if len(line) <= most else line[: most - 1] + "…" for line in text.splitlines())


def _next(status: Status, runs: bool) -> str:
    if status.launcher:
        return command("status" if runs else "status --runs", store=status.store)
    waiting = status.unfinished or not (status.runs or status.imported)
    return command("launch FILE") if waiting else command("fit", store=status.store)


def _number(value: float | None) -> str:
    return "--" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
