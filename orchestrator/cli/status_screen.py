"""The status of a store as tables for people."""

import textwrap
from collections.abc import Sequence

from scalectl.orchestrator.format import counted, duration, flops, share, table
from scalectl.orchestrator.goodput import goodput, shares
from scalectl.orchestrator.hints import command
from scalectl.orchestrator.states import RunState
from scalectl.orchestrator.store.snapshot import RunLine, RunningJob
from scalectl.orchestrator.store.status import Status

WIDTH = 100  # columns
REASON = 200  # letters


def text(status: Status, *, runs: bool = False, width: int | None = WIDTH) -> str:
    """The status for people, with a line for each run where `runs` asks for it.

    Lines longer than `width` columns are cut or wrapped; without a width, as for a program, none is.
    """
    lines = ""
    if runs and status.shown:
        lines = _run_table(status.metric, status.shown)
    parts = [
        _wrapped(_head(status), width),
        _clipped(_running(status), width),
        _clipped(lines, width),
        _wrapped(_findings(status), width),
        _clipped(_history(status), width),
    ]
    return "\n\n".join([*filter(None, parts), f"Next: {_next(status, runs)}"])


def _head(status: Status) -> str:
    if not status.runs:
        others = f" · {counted(status.imported, 'imported run')}" if status.imported else ""
        return f"{status.store} holds no study yet{others}"
    done, whole = status.work
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
    return run.state.with_failure(run.kind) + (", excluded" if run.excluded else "")


def _findings(status: Status) -> str:
    """Return the best run, those that failed or diverged, and the warnings of the last launch."""
    best = status.best
    lines = [f"  best: {best.name}  {status.metric} {best.value:.4g} at {flops(best.flops)} FLOPs"] if best else []
    bad = [run for run in status.runs if run.state in (RunState.FAILED, RunState.DIVERGED)]
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
