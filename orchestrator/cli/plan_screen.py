"""A plan as the table that people read before they spend anything, and as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from scalectl.orchestrator.experiment.grid import Cell
from scalectl.orchestrator.experiment.schema import Fit
from scalectl.orchestrator.format import count, counted, duration, flops, share, table
from scalectl.orchestrator.hints import command
from scalectl.orchestrator.plan.plan import Plan, PlannedRun


def text(plan: Plan, source: str, store: str, slots: int, fit: str = "", changes: Sequence[str] = ()) -> str:
    """Return the plan's screen: a line per model, the total, what sharing saves, the line `fit`, the next command."""
    done = len(plan.runs) - len(plan.missing)
    head = (
        f"{plan.study} · {Path(source).name} · {counted(len(plan.runs), 'run')} on {counted(plan.shared, 'trunk')}"
        f" · store {Path(store).name} ({done} done)"
    )
    header = ("MODEL", "PARAMS", "FWD FLOPS", "DATA SIZES", "RUNS", "MISSING", "TRAIN FLOPS", "DEVICE TIME*", "SLOT")
    rows = [_row(plan, model, list(runs)) for model, runs in groupby(plan.runs, key=lambda run: run.model)]
    work = (flops(plan.flops), duration(3600 * plan.device_hours), "")
    total = ("total", "", "", "", str(len(plan.runs)), str(len(plan.missing)), *work)
    launch = f"Nothing was started. Next: {command('launch', source, changes=changes)}"
    parts = [head, table(header, [*rows, total]), _notes(plan, slots, fit)]
    return "\n\n".join([*parts, launch if plan.missing else f"Nothing is missing. Next: {command('fit', store=store)}"])


def _row(plan: Plan, model: str, runs: list[PlannedRun]) -> tuple[str, ...]:
    ids = {run.id for run in runs}
    jobs = [job for job in plan.jobs if ids.intersection(job.runs)]
    return (
        model,
        count(runs[0].params),
        count(runs[0].flops_per_image),
        str(len({run.spec.trunk.data.size for run in runs})),
        str(len(runs)),
        str(sum(run.missing for run in runs)),
        flops(sum(job.flops for job in jobs)),
        duration(3600 * sum(job.device_hours for job in jobs)),
        " or ".join(runs[0].fit.types) or "any",
    )


def tightest(fits: Mapping[str, Fit], cells: Sequence[Cell]) -> str:
    """Return which law of a study will rest on the fewest runs, and what these are."""
    rules = {name: fit.hold_out for name, fit in fits.items()}
    runs = [cell.settings() for cell in cells]
    found = {name: [one for one in runs if not (rule.conditions() and rule.holds(one))] for name, rule in rules.items()}
    name = min(found, key=lambda name: len(found[name]))
    kinds = {"model": "model", "data size": "data_size", "budget": "steps"}
    numbers = {word: len({one[key] for one in found[name]}) for word, key in kinds.items()}
    counts = ", ".join(counted(number, word) for word, number in numbers.items())
    held = len(cells) - len(found[name])
    return f"Tightest fit: {name} has {counts}" + (f"; {held} of {len(cells)} runs are held out." if held else ".")


def _notes(plan: Plan, slots: int, fit: str) -> str:
    notes = [
        f"  {number} {_of(number, reason)}" for reason, number in Counter(run.reason for run in plan.runs).most_common()
    ]
    if plan.flops < plan.flops_alone:
        saved = share(1 - plan.flops / plan.flops_alone)
        notes.append(f"  Sharing trunks saves {saved} ({flops(plan.flops_alone)} FLOPs as separate runs).")
    notes += [f"  {line}" for line in _alone(plan)]
    if fit:
        notes.append(f"  {fit}")
    if plan.skipped:
        notes.append(f"  {plan.skipped} of {len(plan.runs) + plan.skipped} runs are left out by the rules of grid.")
    if plan.unlisted:
        notes.append(f"  No longer in the file, and left alone: {counted(plan.unlisted, 'run')} of the last plan.")
    if plan.price is not None:
        notes.append(f"  Price: {plan.price:,.2f}.")
    if plan.jobs:
        bases = {job.fit.basis for job in plan.jobs}
        basis = _measured(plan) if plan.measured else "; ".join(sorted(bases))
        about = f"about {duration(plan.seconds(slots))} on {counted(slots, 'slot')}"
        notes.append(f"  * estimate of the steps alone: {basis}; {about}.")
    return "\n".join(notes)


def _of(number: int, reason: str) -> str:
    """Return what the planner says of one run, of several."""
    return reason if number == 1 else reason.replace("goes on: it was", "go on: they were")


def _measured(plan: Plan) -> str:
    speed = plan.flops / (3600 * plan.device_hours) if plan.device_hours else 0.0
    return "measured speed of earlier runs" + (f", {flops(speed)} FLOP/s a device" if speed else "")


def _alone(plan: Plan) -> list[str]:
    """Return a line for each model whose runs of different lengths have no step in common."""
    alone = [run for run in plan.runs if run.spec.trunk.recipe.needs_horizon]
    counted = Counter((run.model, run.spec.trunk.recipe.schedule) for run in alone)
    lines = [(f"{schedule} depends on the horizon", number, model) for (model, schedule), number in counted.items()]
    return [f"{why}: {number} runs of {model} share nothing." for why, number, model in lines if number > 1]


def document(plan: Plan, slots: int) -> dict[str, Any]:
    """Return the plan as a JSON object: study, totals, runs and jobs; docs/results.md lists its keys."""
    return {
        "study": plan.study,
        "total": {
            "runs": len(plan.runs),
            "missing": len(plan.missing),
            "trunks": plan.shared,
            "jobs": len(plan.jobs),
            "flops": plan.flops,
            "flops_alone": plan.flops_alone,
            "device_hours": plan.device_hours,
            "price": plan.price,
            "skipped": plan.skipped,
            "unlisted": plan.unlisted,
            "seconds": plan.seconds(slots),
            "slots": slots,
            "measured": plan.measured,
        },
        "runs": [_run(run) for run in plan.runs],
        "jobs": [
            {
                "id": job.id,
                "name": job.job.name,
                "trunk": job.trunk,
                "start": job.job.start,
                "stop": job.job.stop,
                "needs": list(job.needs),
                "runs": list(job.runs),
                "flops": job.flops,
                "seconds": job.seconds,
                "device_hours": job.device_hours,
                "slot_types": list(job.fit.types),
                "priority": job.fit.priority,
            }
            for job in plan.jobs
        ],
    }


def _run(run: PlannedRun) -> dict[str, Any]:
    trunk = run.spec.trunk
    return {
        "id": run.id,
        "name": run.name,
        "model": run.model,
        "data_size": trunk.data.size,
        "steps": run.spec.steps,
        "cooldown": run.spec.cooldown,
        "seed": trunk.seed,
        "trunk": run.trunk,
        "params": run.params,
        "flops_per_image": run.flops_per_image,
        "flops": run.flops,
        "marginal_flops": run.marginal_flops,
        "images_seen": run.spec.steps * trunk.recipe.batch_size,
        "state": run.state,
        "reason": run.reason,
        "missing": run.missing,
    }
