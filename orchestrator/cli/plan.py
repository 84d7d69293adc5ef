"""The verb plan: what would run and what it costs, as a screen and as JSON."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scalectl.analysis.vocabulary import is_accuracy
from scalectl.orchestrator.cli.options import experiment_of, overrides, rehearsed, slots_option, yaml_file
from scalectl.orchestrator.cli.rows import Rows, View, rows_options
from scalectl.orchestrator.cli.validate import sources
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, count, counted, duration, flops, share, table
from scalectl.orchestrator.metrics import main_metric
from scalectl.orchestrator.terminal import width as columns

if TYPE_CHECKING:
    from scalectl.orchestrator.experiment.fits import Fit
    from scalectl.orchestrator.experiment.grid import Cell
    from scalectl.orchestrator.experiment.reading import Experiment
    from scalectl.orchestrator.plan.plan import Plan, PlannedRun
    from scalectl.orchestrator.vocabulary import Slot


@dataclass(frozen=True)
class PlannedFile:
    """The plan of a file for a number of slots, as text and as JSON."""

    plan: "Plan"
    experiment: "Experiment"
    file: Path
    changes: Sequence[str]
    slots: "Sequence[Slot]"
    fake: Path | None = None  # the file of a fake cluster that it is rehearsed on

    def text(self, width: int | None = None) -> str:
        """The screen for people, whose table is at most so many columns wide where it can be."""
        from scalectl.orchestrator.report.study import DEFAULT
        from scalectl.orchestrator.store.changed import changed

        fit = tightest(self.experiment.fits or DEFAULT, self.experiment.cells)
        again = command("launch", self.file, changes=self.changes, options={"fake_cluster": self.fake})
        shown = text(
            self.plan,
            str(self.file),
            self.experiment.store,
            self.slots,
            fit,
            self.changes,
            width,
            again,
            changed(self.experiment.store, self.plan),
        )
        head, *rest = shown.split("\n\n")
        return "\n\n".join([head, "\n".join(sources(self.experiment)), *rest])

    def to_json(self) -> dict[str, Any]:
        """A JSON object; docs/results.md lists its keys."""
        from scalectl.orchestrator.plan.document import document

        return document(self.plan, self.slots) | {"data": [report.to_json() for report in self.experiment.sources]}


def plan_file(
    file: Path, changes: Sequence[str] = (), slots: "Sequence[Slot]" = (), fake: Path | None = None
) -> PlannedFile:
    """The plan of a file, for these slots and as many others as its jobs need; nothing is written.

    Raises InvalidExperiment for the file, and Unusable for a store that can't be read.
    """
    from scalectl.orchestrator.cluster.capacity import capacity
    from scalectl.orchestrator.launch.planned import planned
    from scalectl.orchestrator.plan.proposal import completed

    if fake:
        changes = rehearsed(changes)
    experiment = experiment_of(file, changes)
    plan, _ = planned(experiment)
    return PlannedFile(plan, experiment, file, changes, completed(plan.jobs, slots, capacity().workers), fake)


@click.command()
@yaml_file
@overrides
@slots_option("Jobs at a time, as 8 or 4xv5e-16; by default one per core, and as many others as are of use.")
@click.option("--check", is_flag=True, help="Exit 3 when something is left to do.")
@click.option("--fake-cluster", "fake", type=click.Path(path_type=Path), hidden=True)  # of launch --dry-run
@rows_options()
def plan(
    file: Path, changes: Sequence[str], slots: "Sequence[Slot]", check: bool, fake: Path | None, view: View
) -> Exit:
    """Show the runs of FILE, their cost, and why each will run.

    Nothing is started.
    """
    from scalectl.orchestrator.cluster.accelerators import notes
    from scalectl.orchestrator.plan.supply import shortfalls

    shown = plan_file(file, changes, slots, fake)
    for note in (*notes(job.fit.types for job in shown.plan.jobs), *shortfalls(shown.plan)):
        click.echo(note, err=True)
    view.answer(shown.to_json, lambda: shown.text(columns()), lambda: Rows(shown.to_json()["runs"]))
    if check and shown.plan.missing:
        return Exit.WORK_LEFT
    return Exit.DONE


MEASURED = "measured speed of earlier runs"
ABOUT = 30  # letters of a time on slots, above which it has a line of its own
SPARE = ("SLOT", "FWD FLOPS", "DATA SIZES", "PARAMS", "MISSING")  # columns that a narrow screen goes without


def text(
    plan: "Plan",
    source: str,
    store: str,
    slots: "Sequence[Slot]",
    fit: str = "",
    changes: Sequence[str] = (),
    width: int | None = None,
    again: str = "",
    changed: str = "",
) -> str:
    """The plan's screen: a line per model, the total, what sharing saves, the line `fit`, the next command.

    That is `again` where something is missing, by default the launch of the file. `changed` says in what new runs
    differ from earlier ones.
    """
    done = len(plan.runs) - len(plan.missing)
    head = (
        f"{plan.study} · {Path(source).name} · {counted(len(plan.runs), 'run')} on {counted(plan.shared, 'trunk')}"
        f" · store {Path(store).name} ({done} done)"
    )
    header = ("MODEL", "PARAMS", "FWD FLOPS", "DATA SIZES", "RUNS", "MISSING", "TRAIN FLOPS", "DEVICE TIME*", "SLOT")
    rows = [_row(plan, model, list(runs)) for model, runs in groupby(plan.runs, key=lambda run: run.model)]
    work = (flops(plan.flops), duration(3600 * plan.device_hours), "")
    total = ("total", "", "", "", str(len(plan.runs)), str(len(plan.missing)), *work)
    drop = f": {command('prune --dry-run', source)} shows them"
    if changes:  # of which a part of a study is made as often as not
        drop = " with its changes"
    following = "fit"
    if is_accuracy(main_metric(list(plan.evals.metrics()))):  # of which there is no law
        following = "report"
    last = f"Nothing is missing. Next: {command(following, store=store)}"
    if plan.missing:
        last = f"Nothing was started. Next: {again or command('launch', source, changes=changes)}"
    if changed:
        drop += f".\n  The new runs differ from these in {changed}"
    lines = table(header, [*rows, total], width=width, spare=SPARE)
    return "\n\n".join([head, lines, _notes(plan, slots, fit, drop), last])


def _row(plan: "Plan", model: str, runs: "list[PlannedRun]") -> tuple[str, ...]:
    ids = {run.id for run in runs}
    jobs = [job for job in plan.jobs if not ids.isdisjoint(job.runs)]
    return (
        model,
        _ends(run.params for run in runs),
        _ends(run.flops_per_image for run in runs),
        str(len({run.spec.trunk.data.size for run in runs})),
        str(len(runs)),
        str(sum(run.missing for run in runs)),
        flops(sum(job.flops for job in jobs)),
        duration(3600 * sum(job.device_hours for job in jobs)),
        ", ".join(dict.fromkeys(" or ".join(run.fit.types) or "any" for run in runs)),
    )


def _ends(numbers: Iterable[int]) -> str:
    """The number that all have, or the least and the most: heads and other swept settings make models differ."""
    known = set(numbers)
    return " to ".join(dict.fromkeys((count(min(known)), count(max(known)))))


def tightest(fits: "Mapping[str, Fit]", cells: "Sequence[Cell]") -> str:
    """The law of a study that will rest on the fewest runs, with the numbers of these, as a line."""
    fitted = {name: _fitted(fit, cells) for name, fit in fits.items()}
    name = min(fitted, key=lambda name: len(fitted[name]))
    numbers = {
        "model": len({cell.model for cell in fitted[name]}),
        "data size": len({cell.run.trunk.data.size for cell in fitted[name]}),
        "budget": len({cell.budget for cell in fitted[name]}),
    }
    line = f"Tightest fit: {name} has " + ", ".join(counted(number, word) for word, number in numbers.items())
    if held_out := len(cells) - len(fitted[name]):
        line += f"; {held_out} of {counted(len(cells), 'run')} {'is' if held_out == 1 else 'are'} held out"
    return f"{line}."


def _fitted(fit: "Fit", cells: "Sequence[Cell]") -> "Sequence[Cell]":
    """The cells that a fit doesn't hold out."""
    if not fit.hold_out.conditions():
        return cells
    return [cell for cell in cells if not fit.hold_out.holds(cell.settings())]


def _notes(plan: "Plan", slots: "Sequence[Slot]", fit: str, drop: str) -> str:
    from scalectl.orchestrator.plan.bound import lower_bound
    from scalectl.orchestrator.plan.proposal import in_words
    from scalectl.orchestrator.plan.sizes import no_minima

    notes = [
        f"  {number} {_counted_reason(number, reason)}"
        for reason, number in Counter(run.reason for run in plan.runs).most_common()
    ]
    if plan.flops < plan.flops_alone:
        saved = share(1 - plan.flops / plan.flops_alone)
        notes.append(f"  Sharing trunks saves {saved} ({flops(plan.flops_alone)} FLOPs as separate runs).")
    notes += [f"  {line}" for line in _alone(plan)]
    if fit:
        notes.append(f"  {fit}")
    if lacking := no_minima(plan.runs):
        notes.append(f"  {lacking}")
    if plan.skipped:
        out = f"{plan.skipped} of {counted(len(plan.runs) + plan.skipped, 'run')}"
        notes.append(f"  {out} {'is' if plan.skipped == 1 else 'are'} left out by the rules of grid.")
    if plan.unlisted:
        notes.append(f"  The study's laws also count {counted(plan.unlisted, 'run')} that this file lacks{drop}.")
    if plan.price is not None:
        notes.append(f"  Price: {plan.price:,.2f}.")
    if plan.jobs:
        about = f"about {duration(lower_bound(plan.jobs, slots))} on {in_words(slots)}"
        between = "; "
        if len(about) > ABOUT:
            between = ";\n    "
        notes.append(f"  * estimate of the steps alone: {_basis(plan)}{between}{about}.")
    return "\n".join(notes)


def _counted_reason(number: int, reason: str) -> str:
    """The planner's reason of one run, said of so many."""
    if number == 1:
        return reason
    return reason.replace("goes on: it was", "go on: they were")


def _basis(plan: "Plan") -> str:
    """What the time of a plan rests on."""
    from scalectl.orchestrator.plan.placement import basis

    if plan.measured and plan.flops and plan.device_hours:
        return f"{MEASURED}, {flops(plan.flops / (3600 * plan.device_hours))} FLOP/s a device"
    if plan.measured:
        return MEASURED
    assumed = [job.fit for job in plan.jobs if job.is_assumed]
    if len(assumed) < sum(job.flops > 0 for job in plan.jobs):
        return f"{MEASURED},\n    of other shapes {basis(assumed)}"
    return basis(job.fit for job in plan.jobs)


def _alone(plan: "Plan") -> list[str]:
    """A line for each model whose runs of different lengths have no step in common."""
    alone = [run for run in plan.runs if run.spec.trunk.recipe.needs_horizon]
    groups = Counter((run.model, run.spec.trunk.recipe.schedule) for run in alone)
    return [
        f"{schedule} depends on the horizon: {number} runs of {model} share nothing."
        for (model, schedule), number in groups.items()
        if number > 1
    ]
