"""The verb status: what goes on in a store, as a screen and as JSON."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scalectl.orchestrator import terminal
from scalectl.orchestrator.cli.options import answer, output, store_option
from scalectl.orchestrator.cli.streams import clear
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, counted, duration, flops, one_line, share, table
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
    runs = runs or bool(states)
    for current in _statuses(store, watch=watch):
        shown = current
        if states:
            shown = current.only(states)
        if watch and terminal.width():
            clear()
        if form == "json" or watch:
            answer(form, shown.to_json, partial(_watched, shown, runs))
        else:
            _paged(text(shown, runs=runs, width=terminal.width()))
    if check and current.unfinished:
        return Exit.WORK_LEFT
    return Exit.DONE


def _watched(status: "Status", runs: bool) -> str:
    """The status of which no more runs are listed than the terminal has lines for."""
    whole, lines = text(status, runs=runs, width=terminal.width()), terminal.height()
    if lines is None or not runs or whole.count("\n") < lines:
        return whole
    rest = text(status, runs=False, width=terminal.width()).count("\n")
    return text(status, runs=True, width=terminal.width(), most=max(1, lines - rest - 6))


def _paged(text: str) -> None:
    """Print a text, through a pager where a terminal has fewer lines."""
    lines = terminal.height()
    if lines is not None and text.count("\n") >= lines:
        click.echo_via_pager(text)
    else:
        click.echo(text)


def _statuses(store: Path, *, watch: bool) -> "Iterable[Status]":
    """The status of a store now or, watched, again whenever it has changed."""
    from scalectl.orchestrator.cli.waiting import until_there
    from scalectl.orchestrator.store.reading import Store

    if watch:
        return until_there(store).watch()
    return [Store(store).status()]


WIDTH = 100  # columns
REASON = 200  # letters


def text(status: "Status", *, runs: bool = False, width: int | None = WIDTH, most: int | None = None) -> str:
    """The status for people, with a line for each run where `runs` asks for it, or for `most` of them.

    Within `width` columns lines are broken between words, and tables lose columns; without a width, as for a program,
    they are whole.
    """
    listed = ""
    if runs and status.shown:
        listed = _run_table(status.metric, status.shown[:most], width)
    if most is not None and len(status.shown) > most:
        listed += f"\n  and {len(status.shown) - most:,} more: {command('status --runs', store=status.store)}"
    parts = [_head(status), _running(status, width), listed, _findings(status), _history(status)]
    return terminal.wrapped("\n\n".join([*filter(None, parts), f"Next: {_next(status, runs)}"]), width)


def _head(status: "Status") -> str:
    if not status.runs:
        text = f"{status.store} holds no study yet"
        if status.imported:
            text += f" · {counted(status.imported, 'imported run')}"
        return text
    done, whole = status.work
    states = " · ".join(f"{number} {_now(status, state)}" for state, number in status.counts.items() if number)
    part = 1.0
    if whole:
        part = done / whole
    progress = [f"{share(part)} of {flops(whole)} FLOPs"]
    if status.seconds_left is not None:
        progress.append(f"{duration(status.seconds_left)} left")
    progress.append(f"{counted(status.checkpoints, 'checkpoint')} kept")
    lines = [f"{one_line(', '.join(status.studies))} · {states}", f"  {' · '.join(progress)}", f"  {_launcher(status)}"]
    if (useful := goodput(status.ledger)) is not None:
        launch = "the last launch"
        if status.launcher:
            launch = "this launch so far"
        entries = shares(status.ledger)
        if status.launcher:  # what no checkpoint holds yet counts as lost, and is lost only if it ends now
            entries = entries.replace("lost", "not saved yet")
        lines.append(f"  goodput of {launch} {share(useful)}: {entries}")
    if status.unlisted:
        lines.append(f"  {counted(status.unlisted, 'pruned run')}, which no study has any more")
    if status.imported:
        lines.append(f"  {counted(status.imported, 'imported run')}, which no launch works on")
    return "\n".join(lines)


def _now(status: "Status", state: str) -> str:
    """The word for a state: a run can't be running where no launch is."""
    if state == RunState.RUNNING and not status.launcher:
        return "cut off"
    return state


def _launcher(status: "Status") -> str:
    if status.waits_for:
        return f"launcher: {status.launcher}\n  waiting: {one_line(status.waits_for)}"
    if status.launcher:
        return f"launcher: {status.launcher}"
    text = "no launch is running"
    if status.running:
        text += f"; the last ended with {counted(len(status.running), 'job')} under way, to go on at the next launch"
    return text


def _running(status: "Status", width: int | None) -> str:
    if not (status.running and status.launcher):
        return ""
    header = ("JOB", "SLOT", "PROGRESS", "", "LOSS", "IMG/S", "MFU", "ATTEMPT", "ETA")
    spare = ("ATTEMPT", "MFU", "SLOT", "IMG/S", "LOSS", "")
    return table(header, [_job(job) for job in status.running], left=2, width=width, spare=spare)


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


def _run_table(metric: str, runs: "Sequence[RunLine]", width: int | None) -> str:
    """A row for each run with what it waits for or failed of at its end, or below it where that doesn't fit."""
    header = ("RUN", "ID", "STATE", "PROGRESS", metric.upper())
    rows = [(run.name, run.id, _state(run), f"{run.step:,}/{run.steps:,}", _number(run.value)) for run in runs]
    reasons = ("WHY", *map(_reason, runs))
    for spare in ((), ("ID",)):
        lines = table(header, rows, left=3, width=0, spare=spare).splitlines()  # without these in any case
        whole = [f"{line}   {reason}".rstrip() for line, reason in zip(lines, reasons, strict=True)]
        if width is None or max(map(len, whole)) <= width:
            return "\n".join(whole)
    lines = table(header, rows, left=3, width=width, spare=("ID", "PROGRESS")).splitlines()
    below = [f"\n      {reason}" if reason else "" for reason in ("", *reasons[1:])]
    return "\n".join(line + reason for line, reason in zip(lines, below, strict=True))


def _reason(run: "RunLine") -> str:
    if run.waits_for:
        return _short(f"waits for {one_line(run.waits_for)}")
    return _short(one_line(run.reason))


def _state(run: "RunLine") -> str:
    state = run.state.with_failure(run.kind)
    if run.excluded:
        state += ", excluded"
    return state


def _findings(status: "Status") -> str:
    """The best run, those that failed or diverged, and the warnings of the last launch."""
    best = status.best
    lines = (
        [f"  best: {one_line(best.name)}  {status.metric} {best.value:.4g} at {flops(best.flops)} FLOPs"]
        if best
        else []
    )
    bad = [run for run in status.runs if run.state in (RunState.FAILED, RunState.DIVERGED)]
    lines += [f"  {_state(run)}: {one_line(run.name)}  {one_line(run.reason)}".rstrip() for run in bad]
    lines += [f"  warning: {one_line(event.text)}" for event in status.events if event.what == "warning"]
    return "\n".join(lines)


def _short(text: str, most: int = REASON) -> str:
    """A text without its tail, which may be a library's whole specification."""
    if len(text) <= most:
        return text
    return f"{text[: most - 1]}…"


def _history(status: "Status") -> str:
    events = [event for event in status.events if event.what != "warning"]
    return "\n".join(f"  {event.at}  {event.what}: {_short(one_line(event.run or event.text))}" for event in events)


def _next(status: "Status", runs: bool) -> str:
    if status.launcher and runs:
        return command("status", store=status.store)
    if status.launcher:
        return command("status --runs", store=status.store)
    if status.unfinished or not (status.runs or status.imported):
        return status.again or command("launch FILE")
    from scalectl.orchestrator.store.snapshot import MAIN_METRIC

    metric = None
    if not status.runs and status.metric != MAIN_METRIC:
        metric = status.metric
    return command("fit", store=status.store, options={"metric": metric})


def _known(value: float | None, form: Callable[[float], str]) -> str:
    if value is None:
        return "--"
    return form(value)


def _number(value: float | None) -> str:
    return _known(value, lambda number: f"{number:,.4g}" if abs(number) < 1000 else f"{number:,.0f}")
