"""The verbs show and logs: all that is known of one run, and what its jobs said."""

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scalectl.orchestrator.cli.options import run_argument, store_option
from scalectl.orchestrator.cli.rows import Rows, View, rows_options
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, count, counted, duration, flops, one_line, table
from scalectl.orchestrator.metrics import main_metric
from scalectl.orchestrator.terminal import width
from scalectl.orchestrator.vocabulary import RunState

if TYPE_CHECKING:
    from scalectl.orchestrator.store.details import Details
    from scalectl.orchestrator.store.reading import Store

FOLLOW_SECONDS = 1.0
TIME = len("2026-01-01 00:00:00")  # letters of a line of a log


@click.command()
@run_argument
@store_option
@rows_options(where=False)
def show(run: str, store: Path, view: View) -> Exit:
    """Show all that is known of one run.

    RUN is a name, an id, or the beginning of either. It is one row, with a column for each metric.
    """
    from scalectl.orchestrator.store.reading import Store

    details = Store(store).run(run)
    view.answer(details.to_json, lambda: text(details, store, run), lambda: _rows(details))
    return Exit.DONE


@click.command()
@run_argument
@store_option
@click.option("-f", "--follow", is_flag=True, help="Keep printing until the run or the launch has ended.")
@rows_options()
def logs(run: str, store: Path, follow: bool, view: View) -> Exit:
    """Print the attempts, losses, warnings and failures of a run.

    Failures come with their tracebacks. RUN is a name, an id, or the beginning of either.
    """
    from scalectl.orchestrator.cli.waiting import until_there
    from scalectl.orchestrator.store.reading import Store

    reader = Store(store)
    if not view.is_for_people:
        if follow:
            raise click.UsageError("--follow prints lines for people: leave out -o, --columns, --where and --sort")
        view.print(Rows([_line(text) for text in reader.logs(run)], ("at", "text")))
        return Exit.DONE
    if follow:
        reader = until_there(store)
    printed: Counter[str] = Counter()
    while True:
        goes_on = follow and reader.goes_on(run)  # before reading: the last lines come after the end
        lines: Counter[str] = Counter()
        for line in reader.logs(run):
            lines[line] += 1
            if lines[line] > printed[line]:  # equal lines are printed as often as they are there
                click.echo(line)
        printed |= lines
        if not goes_on:
            click.echo(f"Next: {_after(reader, run, store)}", err=True)  # stdout has the lines of the log alone
            return Exit.DONE
        time.sleep(FOLLOW_SECONDS)


def _after(reader: "Store", run: str, store: Path) -> str:
    """The next command after a log: the run is tried again if it failed, and else there is more to see of it."""
    if reader.run(run).run["state"] == RunState.FAILED:
        return command("retry", run, store=store)
    return command("show", run, store=store)


def _rows(details: "Details") -> Rows:
    """The run as one row: its settings and state, and the last value of each metric."""
    document = details.to_json()
    row = {name: value for name, value in document.items() if not isinstance(value, list)}
    return Rows([row | {reading["metric"]: reading["value"] for reading in document["measurements"]}])


def _line(text: str) -> dict[str, str | None]:
    """A line of a log with its time, which points of a curve don't have."""
    return {"at": text[:TIME].strip() or None, "text": text[TIME:].strip()}


def text(details: "Details", store: Path, typed: str = "") -> str:
    """The run for people, with the next command, which names it as it was `typed`, or by its id."""
    run = details.run
    if run["origin"]:
        parts = [_head(run), _given(details), _measured(details)]
        following = fit_command(details, store)
    else:
        parts = [_head(run, typed), _settings(run), _attempts(details), _checkpoints(details), _measured(details)]
        following = command("logs", typed or run["id"], store=store)
    return "\n\n".join([*filter(None, parts), f"Next: {following}"])


def _head(run: dict[str, Any], typed: str = "") -> str:
    state = _with_kind(run)
    if run["origin"]:
        state = f"imported from {one_line(run['origin'])}"
    if run["excluded"]:
        state += f", left out of fits: {one_line(run['exclusion'])}"
    lines = [f"{one_line(run['name'])} · {run['id']} · {one_line(run['study'])} · {state}"]
    if not (run["name"].startswith(typed) or run["id"].startswith(typed)):
        lines.append(f"  {typed} is its name in another study, or in an earlier version")
    if run["waits_for"]:
        lines.append(f"  waits for {run['waits_for']}")
    elif run["reason"]:
        lines.append(f"  {one_line(run['reason'])}")
    return "\n".join(lines)


def _with_kind(row: dict[str, Any]) -> str:
    """The state of a run or of an attempt, with the kind of its failure."""
    if row["kind"]:
        return f"{row['state']} ({row['kind']})"
    return str(row["state"])


def _settings(run: dict[str, Any]) -> str:
    steps = f"{counted(run['steps'], 'step')}, of which {run['cooldown']:,} after its branch off trunk {run['trunk']}"
    size = f"{run['model']}: {count(run['params'])} params, width {run['width']}, depth {run['depth']}"
    name = run["data_name"] or run["source"]  # a store of an older version has no name
    data = f"{counted(run['data_size'], 'image')} of {name}, batch {run['batch_size']}, seed {run['seed']}"
    schedule = f"{run['schedule']}, warmup {run['warmup']:,}"
    if run["timescale"]:
        schedule += f", timescale {run['timescale']:,}"
    recipe = f"{run['optimizer']}, lr {run['lr']:g}, {schedule}, {run['loss']}, head {run['head']}, {run['precision']}"
    decay = f"weight decay {run['weight_decay_head']:g} of the head and {run['weight_decay_body']:g} of the body"
    cost = f"{flops(run['flops'])} FLOPs"
    if run["device_seconds"] is not None:
        cost += f" in {duration(run['device_seconds'])} of training"
    lines = (size, data, steps, recipe, f"{decay}, gradient norm clipped at {run['clip_norm']:g}", cost)
    return "\n".join(f"  {line}" for line in lines)


def _given(details: "Details") -> str:
    """What the file of an imported run says of it."""
    forms = {int: ",", float: ".6g"}
    known = {name: value for name, value in details.settings.items() if value is not None}
    return "\n".join(f"  {name:<18}{value:{forms.get(type(value), '')}}" for name, value in known.items())


def fit_command(details: "Details", store: Path) -> str:
    """The command that fits the study of a run, which it names where `fit` alone would fit another one."""
    from scalectl.orchestrator.store.reading import Store

    options = {}
    if details.run["origin"]:
        metrics = [row["metric"] for row in details.measurements]
        options = {"study": details.run["study"], "metric": main_metric(metrics) if metrics else None}
    elif details.run["id"] not in Store(store).study().runs:
        options = {"study": details.run["study"]}
    return command("fit", store=store, options=options)


def _attempts(details: "Details") -> str:
    if not details.attempts:
        return ""
    header = ("JOB", "SLOT", "HOST", "STATE", "STEPS", "STARTED")
    lines = [
        (
            attempt["job"],
            attempt["slot"],
            attempt["host"] or "--",
            _with_kind(attempt),
            _steps(attempt["first_step"], attempt["step"]),
            attempt["started"].isoformat(" ", "seconds"),
        )
        for attempt in details.attempts
    ]
    return table(header, lines, left=4, width=width(), spare=("HOST", "STARTED", "SLOT"))


def _steps(first: int | None, last: int | None) -> str:
    if first is None:
        return "--"
    return f"{first:,} to {last or first:,}"


def _checkpoints(details: "Details") -> str:
    kept = [checkpoint for checkpoint in details.checkpoints if checkpoint["kept"]]
    return "\n".join(f"  checkpoint at step {checkpoint['step']:,}  {checkpoint['path']}" for checkpoint in kept)


def _measured(details: "Details") -> str:
    if not details.measurements:
        return ""
    lines = [(row["metric"], _number(row["step"], ","), _number(row["value"], ".4g")) for row in details.measurements]
    return table(("METRIC", "STEP", "VALUE"), lines)


def _number(value: float | None, form: str) -> str:
    if value is None:
        return "--"
    return format(value, form)
