"""Every run of the study in experiments.yaml from its first step to its last, each an independent trial of Ray Tune.

python benchmarks/tune_side.py SLOTS [--reuse]        prints the end points and the steps trained, as JSON
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from alone import told

from scalectl.orchestrator.cluster import process as heap
from scalectl.orchestrator.cluster.ray_server import secure
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer.events import Measurement, Started
from scalectl.trainer.spec import Job

ONE_THREAD = {"PJRT_NPROC": "1"}  # as a worker of scalectl has, which is bound to a core


def jobs(folder: Path) -> dict[str, Job]:
    """The runs as jobs that share nothing, the longest first, so that none is left alone at the end."""
    found = plan(read(folder / "experiments.yaml"))
    cost = {run.id: run.flops for run in found.runs}
    ends = {one.id: one.job for one in found.jobs if one.job.run}
    order = sorted(ends, key=lambda run: -cost[run])
    trials = folder / "trials"
    return {run: replace(ends[run], start=0, folder=str(trials / run), origin=None) for run in order}


def trial(config: Mapping[str, str], of: Mapping[str, Job]) -> None:
    from ray import tune

    started, *events, end = told(of[config["run"]])
    assert isinstance(started, Started)
    measured = {event.metric: event.value for event in events if isinstance(event, Measurement)}
    tune.report({"end": measured | {"digest": end.digest}, "steps": end.step - started.step})


def trained(folder: Path, slots: int, *, reuse: bool) -> dict[str, Any]:
    """The end point of each run, and the steps of all of them."""
    secure(None)
    import ray
    from ray import tune

    environment = {"env_vars": heap.ENVIRONMENT | ONE_THREAD}
    ray.init(address="local", num_cpus=slots, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    of = jobs(folder)
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(trial, of=of), {"cpu": 1}),
        param_space={"run": tune.grid_search([*of])},
        tune_config=tune.TuneConfig(reuse_actors=reuse),
        run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0),
    )
    found = tuner.fit()
    if found.errors:
        raise found.errors[0]
    ends = {one.config["run"]: one.metrics["end"] for one in found}
    return {"ends": ends, "steps": sum(one.metrics["steps"] for one in found)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("slots", type=int)
    parser.add_argument("--reuse", action="store_true")
    given = parser.parse_args()
    print(json.dumps(trained(Path.cwd(), given.slots, reuse=given.reuse)))
