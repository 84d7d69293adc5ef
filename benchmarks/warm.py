"""What a job costs besides its own work: on a worker that stays, in a process of its own, and as a plain Ray task.

uv run python benchmarks/warm.py [--jobs 20] [--sides scalectl process task "fresh task"]

Every side runs the same tiny jobs of one shape, one after the other on one slot, with the same cache of compiled
programs on disk. docs/performance.md says what is compared.
"""

import argparse
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from alone import cache, spent, told

from scalectl.orchestrator.cluster import process as heap
from scalectl.orchestrator.cluster.backends import opened
from scalectl.orchestrator.cluster.base import Request
from scalectl.orchestrator.cluster.ray_server import secure
from scalectl.orchestrator.experiment.reading import Experiment, read
from scalectl.orchestrator.launch.config import LaunchConfig
from scalectl.orchestrator.launch.loop import launch
from scalectl.orchestrator.plan.plan import Plan
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.records import Records
from scalectl.trainer.events import Event, Spent
from scalectl.trainer.spec import Job

STUDY = """\
version: 1
name: tiny
models: {{pico: {{width: 8, depth: 1, num_heads: 2, patch_size: 4}}}}
data: {{source: digits, sizes: [60]}}
train:
  batch_size: 16
  optimizer: {{name: adafactor, lr: 3e-3, clip_norm: 1.0, weight_decay: {{head: 3.0, body: 0.03}}}}
  schedule: {{name: linear, warmup: 4}}
budgets: {{steps: [20]}}
grid: {{seeds: {seeds}}}
evals: {{upstream: {{metrics: [loss, error]}}}}
"""


@dataclass(frozen=True)
class End:
    """When the slot was free again by this process's clock, and where the job's time had gone."""

    at: float
    spent: Spent


@dataclass(frozen=True)
class Overhead:
    """The seconds of a job that were neither training nor evaluation nor the saving of its checkpoint."""

    placing: float  # from the end of the job before to the beginning of this one in its process, and back at its end
    begin: float  # reading what it begins from, and its images
    compile: float

    @property
    def seconds(self) -> float:
        return self.placing + self.begin + self.compile


def overheads(ends: list[End]) -> list[Overhead]:
    """The overhead of each job but the first, whose slot was not there yet."""
    found = []
    for before, end in pairwise(ends):
        of = end.spent
        inside = of.begin + of.compile + of.train + of.evaluate + of.save
        found.append(Overhead(end.at - before.at - inside, of.begin, of.compile))
    return found


def planned(folder: Path, jobs: int) -> tuple[Plan, Experiment]:
    file = folder / "experiments.yaml"
    file.write_text(STUDY.format(seeds=[*range(jobs)]))
    experiment = read(file)
    return plan(experiment), experiment


def scalectl(folder: Path, jobs: int) -> Iterator[End]:
    """The launch loop as it is, its store included."""
    found, experiment = planned(folder, jobs)
    with closing(opened("ray", Request(slots=1))) as cluster, Records(folder / "results.db") as records:
        records.plan(found, experiment)
        of: dict[str, list[Event]] = {}
        for news in launch(found, records, cluster, {}, LaunchConfig()):
            of.setdefault(news.job.id, []).extend(news.events)
            if news.ended:
                yield End(time.perf_counter(), spent(of[news.job.id]))


def process(folder: Path, jobs: int) -> Iterator[End]:
    """A Python that is started for each job."""
    command = [sys.executable, str(Path(__file__).with_name("alone.py"))]
    for one in planned(folder, jobs)[0].jobs:
        done = subprocess.run(
            command, input=pickle.dumps(one.job), stdout=-1, check=True, env=os.environ | heap.ENVIRONMENT
        )
        yield End(time.perf_counter(), Spent(**json.loads(done.stdout)))


def task(folder: Path, jobs: int, **options: int) -> Iterator[End]:
    """A Ray remote function, whose worker process Ray keeps for the next call of it."""
    secure(None)
    import ray

    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")

    def run(job: Job) -> Spent:
        return spent(told(job))

    remote = ray.remote(num_cpus=1, runtime_env={"env_vars": heap.ENVIRONMENT}, max_retries=0, **options)(run)
    try:
        for one in planned(folder, jobs)[0].jobs:
            found = ray.get(remote.remote(one.job))
            yield End(time.perf_counter(), found)
    finally:
        ray.shutdown()


def fresh_task(folder: Path, jobs: int) -> Iterator[End]:
    """A Ray remote function with a worker process for each call."""
    return task(folder, jobs, max_calls=1)


SIDES: dict[str, Callable[[Path, int], Iterator[End]]] = {
    "scalectl": scalectl,
    "process": process,
    "task": task,
    "fresh task": fresh_task,
}


def line(side: str, found: list[Overhead]) -> str:
    seconds = sorted(one.seconds for one in found)
    parts = {name: statistics.median(getattr(one, name) for one in found) for name in ("placing", "begin", "compile")}
    cells = [
        f"{side:10}",
        f"{statistics.median(seconds):6.3f} s a job (least {seconds[0]:.3f}, most {seconds[-1]:.3f})",
    ]
    return "  ".join(cells + [f"{name} {part:6.3f}" for name, part in parts.items()])


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=[*SIDES])
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as name:
        os.environ |= cache(Path(name) / "jax")
        for side in given.sides:
            folder = Path(name) / side.replace(" ", "-")
            folder.mkdir()
            found = overheads([*SIDES[side](folder, given.jobs + 1)])
            print(line(side, found), flush=True)


if __name__ == "__main__":
    main()
