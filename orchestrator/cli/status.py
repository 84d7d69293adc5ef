"""The verb status: what goes on in a store, as a screen and as JSON."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scalectl.analysis.vocabulary import is_accuracy
from scalectl.orchestrator import terminal
from scalectl.orchestrator.cli.options import answer, store_option
from scalectl.orchestrator.cli.rows import Rows, View, rows_options
from scalectl.orchestrator.cli.status_lines import head, history, job_cells, number_text, short, state_text
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, flops, one_line, table
from scalectl.orchestrator.vocabulary import RunState

if TYPE_CHECKING:
    from scalectl.orchestrator.store.reading import Status
    from scalectl.orchestrator.store.snapshot import RunLine


@click.command()
@store_option
@click.option("--runs", is_flag=True, help="A line for each run.")
@click.option("--state", "states", multiple=True, metavar="STATE", help="Only runs in this state; may be repeated.")
@click.option("-w", "--watch", is_flag=True, help="Follow until no launch is running; live on a terminal.")
@click.option("--check", is_flag=True, help="Exit 3 unless every run is done or has diverged.")
@rows_options()
def status(store: Path, runs: bool, states: Sequence[str], watch: bool, check: bool, view: View) -> Exit:
    """Show how far a study is, and what each run waits for.

    The columns of its rows are those of -o json and of the view points.
    """

    if unknown := [state for state in states if state not in [*RunState]]:
        raise click.UsageError(f"--state {unknown[0]}: a run is one of {', '.join(RunState)}.")
    if watch and view.is_of_rows:
        raise click.UsageError("--watch goes with -o table and -o json, without --columns, --where and --sort")
    runs = runs or bool(states)
    chosen = partial(_chosen, states=states)
    if watch and view.form == "table" and terminal.width():
        from scalectl.orchestrator.cli.waiting import until_there
        from scalectl.orchestrator.cli.watching import watched

        current = watched(until_there(store), chosen, runs=runs)
        click.echo(text(chosen(current), width=terminal.width()))
    else:
        current = _printed(store, chosen, runs=runs, watch=watch, view=view)
    if check and current.unfinished:
        return Exit.WORK_LEFT
    return Exit.DONE


def _chosen(status: "Status", states: Sequence[str]) -> "Status":
    """The status, of which only the runs in these states are shown, where there are some."""
    if states:
        return status.only(states)
    return status


def _printed(store: Path, chosen: "Callable[[Status], Status]", *, runs: bool, watch: bool, view: View) -> "Status":
    """Print the status now or, watched, again whenever it has changed; return the last one."""
    from scalectl.orchestrator.cli.waiting import until_there
    from scalectl.orchestrator.store.reading import Store

    if not watch:
        current = Store(store).status()
        if view.is_of_rows:
            view.print(_rows(store, chosen(current), view))
        elif view.form == "json":
            answer(view.form, chosen(current).to_json, str)
        else:
            _paged(text(chosen(current), runs=runs, width=terminal.width()))
        return current
    for current in until_there(store).watch():
        shown = chosen(current)
        answer(view.form, shown.to_json, partial(text, shown, runs=runs, width=terminal.width()))
    return current


def _rows(store: Path, status: "Status", view: View) -> Rows:
    """A row for each run, with those columns of the view `points` that are asked for."""
    from scalectl.orchestrator.store.reading import RUN_COLUMNS

    lines = status.to_json()["runs"]
    if view.needs_only(RUN_COLUMNS):
        return Rows(lines, RUN_COLUMNS)
    from scalectl.analysis.documents import records
    from scalectl.orchestrator.report.points import all_points

    table = all_points(store)
    wanted = ["run", *(name for name in table.columns if view.names(name) and name not in ("run", *RUN_COLUMNS))]
    points = dict(zip(table["run"], records(table[wanted]), strict=True))
    return Rows([points.get(line["id"], {}) | line for line in lines], RUN_COLUMNS, list(table.columns))


def _paged(text: str) -> None:
    """Print a text, through a pager where a terminal has fewer lines."""
    lines = terminal.height()
    if lines is not None and text.count("\n") >= lines:
        click.echo_via_pager(text)
    else:
        click.echo(text)


WIDTH = 100  # columns


def text(status: "Status", *, runs: bool = False, width: int | None = WIDTH) -> str:
    """The status for people, with a line for each run where `runs` asks for it.

    Within `width` columns lines are broken between words, and tables lose columns; without a width, as for a program,
    they are whole.
    """
    listed = ""
    if runs and status.shown:
        listed = _run_table(status.metric, status.shown, width)
    parts = [head(status), _running(status, width), listed, _findings(status), history(status)]
    return terminal.wrapped("\n\n".join([*filter(None, parts), f"Next: {_next(status, runs)}"]), width)


def _running(status: "Status", width: int | None) -> str:
    if not (status.running and status.launcher):
        return ""
    header = ("JOB", "SLOT", "PROGRESS", "", "LOSS", "IMG/S", "MFU", "ATTEMPT", "ETA")
    spare = ("ATTEMPT", "MFU", "SLOT", "IMG/S", "LOSS", "")
    return table(header, [job_cells(job) for job in status.running], left=2, width=width, spare=spare)


def _run_table(metric: str, runs: "Sequence[RunLine]", width: int | None) -> str:
    """A row for each run with what it waits for or failed of at its end, or below it where that doesn't fit."""
    header = ("RUN", "ID", "STATE", "PROGRESS", metric.upper())
    rows = [(run.name, run.id, state_text(run), f"{run.step:,}/{run.steps:,}", number_text(run.value)) for run in runs]
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
        return short(f"waits for {one_line(run.waits_for)}")
    return short(one_line(run.reason))


def _findings(status: "Status") -> str:
    """The best run, those that failed or diverged, and the warnings of the last launch."""
    lines = []
    if best := status.best:
        lines = [f"  best: {one_line(best.name)}  {status.metric} {best.value:.4g} at {flops(best.flops)} FLOPs"]
    bad = [run for run in status.runs if run.state in (RunState.FAILED, RunState.DIVERGED)]
    lines += [f"  {state_text(run)}: {one_line(run.name)}  {one_line(run.reason)}".rstrip() for run in bad]
    lines += [f"  warning: {one_line(event.text)}" for event in status.events if event.what == "warning"]
    return "\n".join(lines)


def _next(status: "Status", runs: bool) -> str:
    if status.launcher and runs:
        return command("status", store=status.store)
    if status.launcher:
        return command("status --runs", store=status.store)
    if status.unfinished or not (status.runs or status.imported):
        return status.again or command("launch FILE")
    if not (status.counts[RunState.DONE] or status.imported):  # all have diverged
        return command(f"logs {status.runs[0].name}" if runs else "status --runs", store=status.store)
    if is_accuracy(status.metric):  # of which there is no law
        return command("report", store=status.store)
    return command("fit", store=status.store)
