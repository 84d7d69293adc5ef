"""Plans and events as rows of results.db; pure."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from scalectl.orchestrator.goodput import Entries
from scalectl.orchestrator.plan.plan import PlannedJob, PlannedRun
from scalectl.trainer.canonical import canonical_json
from scalectl.trainer.events import Checkpoint, Done, Measurement, Progress
from scalectl.trainer.spec import DataSpec, TrunkSpec, spec_fields

Row = dict[str, Any]


@dataclass(slots=True)
class Placed:
    """A job on its slot, with the numbers of its trunk and run in the store, and where its attempt began."""

    job: PlannedJob
    trunk: int
    run: int | None
    flops_per_step: int
    devices: float = 1.0  # of its slot
    began: tuple[int, float, float] | None = None  # step, and since step 0 device_seconds and core_seconds

    def gained(self, step: int, device_seconds: float) -> Row:
        """The attempt's columns on what it has done by `step`."""
        self.began = self.began or (step, device_seconds, self.core_seconds(device_seconds))
        first, seconds, _ = self.began
        done = float((step - first) * self.flops_per_step)
        return {"step": step, "flops": done, "device_seconds": finite(device_seconds - seconds)}

    def core_seconds(self, device_seconds: float) -> float:
        """The seconds of all devices since step 0; those before a beginning that isn't known count as on this slot."""
        _, before, of_devices = self.began or (0, 0.0, 0.0)
        return of_devices + (device_seconds - before) * self.devices


def of_trunk(name: str, spec: TrunkSpec) -> Row:
    """The columns of a trunk."""
    return {"id": name, "spec": canonical_json(asdict(spec))}


def of_run(run: PlannedRun) -> Row:
    """The columns of a run that planning knows, but those that point to other tables."""
    spec, trunk = run.spec, run.spec.trunk
    data = {setting.name: getattr(trunk.data, setting.name) for setting in spec_fields(DataSpec)}
    return {
        "id": run.id,
        "name": run.name,
        "model": run.model,
        **asdict(trunk.model),
        **asdict(trunk.recipe),
        "data_name": trunk.data.name or trunk.data.source,
        "data_size": data.pop("size"),
        **data,
        "seed": trunk.seed,
        "steps": spec.steps,
        "cooldown": spec.cooldown,
        "params": run.params,
        "flops_per_image": run.flops_per_image,
        "images_seen": spec.steps * trunk.recipe.batch_size,
        "flops": float(run.flops),  # SQLite's integers end at 9.2e18
        "marginal_flops": float(run.marginal_flops),
        "spec": canonical_json(asdict(spec)),
    }


def of_job(planned: PlannedJob) -> Row:
    """The columns of a job, but those that point to other tables."""
    job = planned.job
    return {
        "id": job.id,
        "name": job.name,
        "kind": planned.kind,
        "run_name": planned.run_name,
        "start": job.start,
        "stop": job.stop,
        "folder": job.folder,
        "shape": planned.shape,
        "flops": float(planned.flops),
        "seconds": planned.seconds,
    }


def of_progress(event: Progress, placed: Placed) -> Row:
    """One row of a training curve; the trunk's own curve is that of run 0."""
    return {
        "trunk": placed.trunk,
        "run": placed.run or 0,
        "step": event.step,
        "loss": finite(event.loss),
        "learning_rate": finite(event.learning_rate),
        "grad_norm": finite(event.grad_norm),
        "images_seen": event.step * placed.job.job.trunk.recipe.batch_size,
        "flops": float(event.step * placed.flops_per_step),
        "device_seconds": finite(event.device_seconds),
        "images_per_second": finite(event.images_per_second),
        "flops_per_second": finite(event.flops_per_second),
        "mfu": finite(event.mfu),
    }


def of_checkpoint(event: Checkpoint, placed: Placed) -> Row:
    """The row of a checkpoint."""
    return {
        "path": event.path,
        "job": placed.job.id,
        "trunk": placed.trunk,
        "run": placed.run,
        "step": event.step,
        "digest": event.digest,
        "kept": event.kept,
        "device_seconds": finite(event.device_seconds),
        "core_seconds": finite(placed.core_seconds(event.device_seconds)),
    }


def of_speed(event: Done, placed: Placed) -> Row:
    """The columns of a run on its time; the MFU is that of the devices that it had on average."""
    seconds, devices, mfu = finite(event.device_seconds), placed.devices, event.mfu
    if seconds:
        devices = round(placed.core_seconds(seconds) / seconds, 9)  # else 1 becomes 0.9999999999999998
    if mfu is not None and devices != placed.devices:
        mfu *= placed.devices / devices
    return {"device_seconds": seconds, "devices": devices, "mfu": mfu}


def of_measurement(event: Measurement, placed: Placed, metric: int) -> Row:
    """The row of a reading of the metric that has this number in the store."""
    value = {"step": event.step, "value": finite(event.value), "settings": event.settings}
    return {"run": placed.run, "metric": metric, **value, "test_images": event.test_images}


def of_ledger(ledger_by_slot: Mapping[str, Entries], launch: int, now: datetime) -> list[Row]:
    """A row for each slot of a launch; all end at the same moment."""
    return [
        {
            "launch": launch,
            "slot": slot,
            "started": now - timedelta(seconds=sum(entries.values())),
            "seconds": sum(entries.values()),
            **{f"{name}_seconds": seconds for name, seconds in entries.items()},
        }
        for slot, entries in ledger_by_slot.items()
    ]


def finite(value: float | None) -> float | None:
    """The number, or None for one that is not finite: the column is nullable and the state says why."""
    if value is None or not math.isfinite(value):
        return None
    return value


def without_nan(value: Any) -> Any:
    """A JSON document in which every number that is not finite is null."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    if isinstance(value, float):
        return finite(value)
    return value
