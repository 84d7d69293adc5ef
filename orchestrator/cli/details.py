"""All that a store knows of one run, its own or an imported one, as a screen and as JSON."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, literal, select

from scalectl.orchestrator.format import count, duration, flops, table
from scalectl.orchestrator.hints import command
from scalectl.orchestrator.store import runs as lookup
from scalectl.orchestrator.store.database import reading
from scalectl.orchestrator.store.lock import holder
from scalectl.orchestrator.store.runs import its_jobs
from scalectl.orchestrator.store.snapshot import Waits
from scalectl.orchestrator.store.tables import (
    SETTINGS,
    attempts,
    checkpoints,
    exclusions,
    imported,
    imports,
    jobs,
    measurements,
    metrics,
    runs,
    studies,
    trunks,
)

_ATTEMPT = ("id", "slot", "host", "pid", "device", "revision", "started", "ended", "state", "kind", "reason")
_NAMED = ("id", "name", "study", "excluded")
_COST = ("device_seconds", "core_days")
_SPENT = ("first_step", "step", "flops", "device_seconds", "compile_seconds")


@dataclass(frozen=True)
class Details:
    """A run: what it is, its state, what it waits for, its attempts with those of its trunk, and what it left."""

    run: dict[str, Any]
    attempts: tuple[dict[str, Any], ...]
    checkpoints: tuple[dict[str, Any], ...]
    measurements: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; docs/results.md lists its keys."""
        found = {**self.run, "attempts": self.attempts, "checkpoints": self.checkpoints}
        document: dict[str, Any] = json.loads(json.dumps({**found, "measurements": self.measurements}, default=str))
        return document

    def text(self, store: Path) -> str:
        """Return the screen for people."""
        if self.run["origin"]:
            parts, following = [_given(self.run)], command("fit", store=store, said=_law(self))
        else:
            parts = [_settings(self.run), _attempts(self), _left(self)]
            following = command(f"logs {self.run['id']}", store=store)
        return "\n\n".join([*filter(None, [_head(self.run), *parts, _measured(self)]), f"Next: {following}"])


def read(path: Path, word: str) -> Details:
    """Return the run that a word names; raises NotFound, NotAStore, NewerStore or Unusable."""
    with reading(path) as connection:
        (run,) = lookup.ids(connection, [word], imported=True)
        if found := _imported(connection, run):
            return found
        return _details(connection, run, launched=holder(path) is not None)


def _imported(connection: Connection, run: str) -> Details | None:
    """Return an imported run, None for what only trained ones have; nothing where it is none of these."""
    if not inspect(connection).has_table(imports.name):
        return None
    row = connection.execute(select(imports).where(imports.c.id == run)).one_or_none()
    if row is None:
        return None
    found = {name: getattr(row, name) for name in (*_NAMED, *SETTINGS, *_COST, "origin")}
    found |= dict.fromkeys(("trunk", "branch", "devices", "digest", "spec"))
    found |= {"state": "done", "kind": "", "reason": "", "waits_for": "", "exclusion": row.reason or None}
    query = select(metrics.c.name.label("metric"), literal(row.steps).label("step"), imported.c.value)
    measured = query.join_from(imported, metrics).where(imported.c.run == row.number)
    return Details(found, (), (), _rows(connection, measured))


def _details(connection: Connection, run: str, *, launched: bool) -> Details:
    columns = [runs.c[name] for name in ("id", "name", "state", "kind", "reason", "excluded", *SETTINGS)]
    columns += [runs.c[name] for name in ("devices", *_COST, "digest", "spec", "number")]
    others = (studies.c.name.label("study"), trunks.c.id.label("trunk"), runs.c.trunk.label("trunk_number"))
    query = select(*columns, *others, exclusions.c.reason.label("exclusion"))
    joined = runs.join(studies).join(trunks).outerjoin(exclusions)
    found = dict(connection.execute(query.select_from(joined).where(runs.c.id == run)).one()._mapping)
    number, trunk = found.pop("number"), found.pop("trunk_number")
    branch = found["steps"] - found["cooldown"]
    waits = Waits(connection, launched=launched).why(found["state"], trunk, branch, found["reason"])
    found |= {"waits_for": waits, "branch": branch, "spec": json.loads(found["spec"]), "origin": None}
    its = its_jobs(number, trunk, branch)
    tried = select(jobs.c.name.label("job"), *(attempts.c[name] for name in (*_ATTEMPT, *_SPENT)))
    kept = select(*(checkpoints.c[name] for name in ("path", "step", "kept", "digest")))
    measured = select(metrics.c.name.label("metric"), measurements.c.step, measurements.c.value)
    return Details(
        found,
        _rows(connection, tried.join_from(attempts, jobs).where(its).order_by(attempts.c.id)),
        _rows(connection, kept.join_from(checkpoints, jobs).where(its).order_by(checkpoints.c.step)),
        _rows(connection, measured.join_from(measurements, metrics).where(measurements.c.run == number)),
    )


def _rows(connection: Connection, query: Any) -> tuple[dict[str, Any], ...]:
    return tuple(dict(row._mapping) for row in connection.execute(query))


def _head(run: dict[str, Any]) -> str:
    kind = f" ({run['kind']})" if run["kind"] else ""
    out = f", left out of fits: {run['exclusion']}" if run["excluded"] else ""
    state = f"imported from {run['origin']}" if run["origin"] else f"{run['state']}{kind}"
    lines = [f"{run['name']} · {run['id']} · {run['study']} · {state}{out}"]
    if run["waits_for"]:
        lines.append(f"  waits for {run['waits_for']}")
    elif run["reason"]:
        lines.append(f"  {run['reason']}")
    return "\n".join(lines)


def _settings(run: dict[str, Any]) -> str:
    steps = f"{run['steps']:,} steps, of which {run['cooldown']:,} after its branch off trunk {run['trunk']}"
    size = f"{run['model']}: {count(run['params'])} params, width {run['width']}, depth {run['depth']}"
    data = f"{run['data_size']:,} images of {run['source']}, batch {run['batch_size']}, seed {run['seed']}"
    recipe = f"{run['optimizer']}, lr {run['lr']:g}, {run['schedule']}, {run['loss']}, {run['precision']}"
    took = "" if run["device_seconds"] is None else f" in {duration(run['device_seconds'])} of training"
    return "\n".join(f"  {line}" for line in (size, data, steps, recipe, f"{flops(run['flops'])} FLOPs{took}"))


def _given(run: dict[str, Any]) -> str:
    """Return what the file tells of an imported run."""
    known = {name: run[name] for name in (*SETTINGS, *_COST) if run[name] is not None}
    forms = {int: ",", float: ".6g"}
    return "\n".join(f"  {name:<18}{value:{forms.get(type(value), '')}}" for name, value in known.items())


def _law(found: Details) -> dict[str, str]:
    metric = found.measurements[0]["metric"] if found.measurements else "METRIC"
    return {"study": found.run["study"], "metric": metric}


def _attempts(found: Details) -> str:
    header = ("JOB", "SLOT", "HOST", "STATE", "STEPS", "STARTED")
    lines = [
        (
            one["job"],
            one["slot"],
            one["host"] or "--",
            one["state"] + (f" ({one['kind']})" if one["kind"] else ""),
            f"{one['first_step']:,} to {one['step'] or one['first_step']:,}" if one["first_step"] is not None else "--",
            one["started"].isoformat(" ", "seconds"),
        )
        for one in found.attempts
    ]
    return table(header, lines, left=4) if lines else ""


def _left(found: Details) -> str:
    return "\n".join(f"  checkpoint at step {one['step']:,}  {one['path']}" for one in found.checkpoints if one["kept"])


def _measured(found: Details) -> str:
    lines = [
        (
            one["metric"],
            "--" if one["step"] is None else f"{one['step']:,}",
            "--" if one["value"] is None else f"{one['value']:.4g}",
        )
        for one in found.measurements
    ]
    return table(("METRIC", "STEP", "VALUE"), lines) if lines else ""
