"""The verb status: what goes on in a store, as a screen and as JSON."""

import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scalectl.orchestrator.cli.options import answer, output, store_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, counted, duration, flops, share, table
from scalectl.orchestrator.goodput import goodput, shares
from scalectl.orchestrator.vocabulary import RunState

if TYPE_CHECKING:
    from scalectl.orchestrator.store.reading import Status
    from scalectl.orchestrator.store.snapshot import RunLine, RunningJob


@click.command()
@store_option
@click.option("--runs", is_flag=True, help="A line for each run.")
@click.option("--state", "states", multiple=True, metavar="STATE", help="Only runs in this state; may be repeated.")
@click.option("-w", "--watch", is_flag=True, help="Keep updating until no launch is running.")
@click.option("--check", is_flag=True, help="Exit 3 unless every run is done.")
@output("table", "json")
def status(store: Path, runs: bool, states: Sequence[str], watch: bool, check: bool, form: str) -> Exit:
    """Show how far a study is, and what each run waits for."""

    if unknown := [state for state in states if state not in [*RunState]]:
        raise click.UsageError(f"--state {unknown[0]}: a run is one of {', '.join(RunState)}.")
    width = None
    if sys.stdout.isatty():
        width = WIDTH
    for current in _statuses(store, watch=watch):
        shown = current
        if states:
            shown = current.only(states)
        if watch and width:
            click.clear()
        answer(form, shown.to_json, partial(text, shown, runs=runs or bool(states), width=width))
    if check and current.unfinished:
        return Exit.WORK_LEFT
    return Exit.DONE


def _statuses(store: Path, *, watch: bool) -> "Iterable[Status]":
    """The status of a store now or, watched, again whenever it has changed."""
    from scalectl.orchestrator.store.reading import Store

    if watch:
        return Store(store).watch()
    return [Store(store).status()]


WIDTH = 100  # columns
REASON = 200  # letters


def text(status: "Status", *, runs: bool = False, width: int | None = WIDTH) -> str:
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


def _head(status: "Status") -> str:
    if not status.runs:
        text = f"{status.store} holds no study yet"
        if status.imported:
            text += f" · {counted(status.imported, 'imported run')}"
        return text
    done, whole = status.work
    states = " · ".join(f"{number} {state}" for state, number in status.counts.items() if number)
    part = 1.0
    if whole:
        part = done / whole
    progress = [f"{share(part)} of {flops(whole)} FLOPs"]
    if status.seconds_left is not None:
        progress.append(f"{duration(status.seconds_left)} left")
    progress.append(f"{counted(status.checkpoints, 'checkpoint')} kept")
    lines = [f"{', '.join(status.studies)} · {states}", f"  {' · '.join(progress)}", f"  {_launcher(status)}"]
    if (useful := goodput(status.ledger)) is not None:
        launch = "the last launch"
        if status.launcher:
            launch = "this launch so far"
        lines.append(f"  goodput of {launch} {share(useful)}: {shares(status.ledger)}")
    if status.unlisted:
        lines.append(f"  {counted(status.unlisted, 'pruned run')}, which no study has any more")
    if status.imported:
        lines.append(f"  {counted(status.imported, 'imported run')}, which no launch works on")
    return "\n".join(lines)


def _launcher(status: "Status") -> str:
    if status.launcher:
        return f"launcher: {status.launcher}"
    text = "no launch is running"
    if status.running:
        text += f"; the last ended with {counted(len(status.running), 'job')} under way, to go on at the next launch"
    return text


def _running(status: "Status") -> str:
    if not (status.running and status.launcher):
        return ""
    header = ("JOB", "SLOT", "PROGRESS", "", "LOSS", "IMG/S", "MFU", "ATTEMPT", "ETA")
    return table(header, [_job(job) for job in status.running], left=2)


def _job(job: "RunningJob") -> tuple[str, ...]:
    return (
        job.name,
        job.slot,
        f"{job.step:,}/{job.stop:,}",
        share((job.step - job.start) / max(1, job.stop - job.start)),
        _number(job.loss),
        _number(job.images_per_second),
        _known(job.mfu, share),
        str(job.attempt),
        _known(job.seconds_left, duration),
    )


def _run_table(metric: str, runs: "Sequence[RunLine]") -> str:
    header = ("RUN", "ID", "STATE", "PROGRESS", metric.upper())
    rows = [(run.name, run.id, _state(run), f"{run.step:,}/{run.steps:,}", _number(run.value)) for run in runs]
    reasons = ("WHY", *map(_reason, runs))
    lines = table(header, rows, left=3).splitlines()
    return "\n".join(f"{line}   {reason}".rstrip() for line, reason in zip(lines, reasons, strict=True))


def _reason(run: "RunLine") -> str:
    if run.waits_for:
        return _short(f"waits for {run.waits_for}")
    return _short(run.reason)


def _state(run: "RunLine") -> str:
    state = run.state.with_failure(run.kind)
    if run.excluded:
        state += ", excluded"
    return state


def _findings(status: "Status") -> str:
    """The best run, those that failed or diverged, and the warnings of the last launch."""
    best = status.best
    lines = [f"  best: {best.name}  {status.metric} {best.value:.4g} at {flops(best.flops)} FLOPs"] if best else []
    bad = [run for run in status.runs if run.state in (RunState.FAILED, RunState.DIVERGED)]
    lines += [f"  {_state(run)}: {run.name}  {run.reason}".rstrip() for run in bad]
    lines += [f"  warning: {event.text}" for event in status.events if event.what == "warning"]
    return "\n".join(lines)


def _short(text: str, most: int = REASON) -> str:
    """A text without its tail, which may be a library's whole specification."""
    if len(text) <= most:
        return text
    return f"{text[: most - 1]}…"


def _history(status: "Status") -> str:
    events = [event for event in status.events if event.what != "warning"]
    return "\n".join(f"  {event.at}  {event.what}: {event.run or event.text}" for event in events)


def _wrapped(text: str, width: int | None) -> str:
    if width is None:
        return text
    return "\n".join(textwrap.fill(line, width, subsequent_indent="    ") for line in text.splitlines())


def _clipped(text: str, width: int | None) -> str:
    if width is None:
        return text
    return "\n".join(_short(line, width) for line in text.splitlines())


def _next(status: "Status", runs: bool) -> str:
    if status.launcher and runs:
        return command("status", store=status.store)
    if status.launcher:
        return command("status --runs", store=status.store)
    if status.unfinished or not (status.runs or status.imported):
        return command("launch FILE")
    return command("fit", store=status.store)


def _known(value: float | None, form: Callable[[float], str]) -> str:
    if value is None:
        return "--"
    return form(value)


def _number(value: float | None) -> str:
    return _known(value, lambda number: f"{number:,.4g}" if abs(number) < 1000 else f"{number:,.0f}")
