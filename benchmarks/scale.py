"""What planning, simulating and launching cost as studies grow, with a cluster that does nothing.

uv run python benchmarks/scale.py [--runs 1000 10000 100000] [--jobs 2000] [--tune 200] [--folder F]

Each row is a process of its own, in CPU seconds. `loop` is a whole launch but for its cluster, whose slots are done
with a job at once: store, schedule, books, screen and log. It ends after --jobs jobs, so that all sizes do equal work.
With --tune, Ray Tune carries out so many trials that do nothing, on as many slots, where `ray[tune]` is installed.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from scalectl.orchestrator.cluster.base import Batch, Cluster
from scalectl.orchestrator.experiment.reading import Experiment, read
from scalectl.orchestrator.launch.config import LaunchConfig
from scalectl.orchestrator.launch.log import Journal
from scalectl.orchestrator.launch.loop import launch
from scalectl.orchestrator.launch.progress import Tally
from scalectl.orchestrator.launch.screens import Lines
from scalectl.orchestrator.launch.surroundings import slots_of
from scalectl.orchestrator.plan.plan import Plan
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.plan.simulator import simulate
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.vocabulary import Slot
from scalectl.trainer.events import Checkpoint, Done, Event, Measurement, Progress, Spent, Started
from scalectl.trainer.spec import Job

STUDY = """\
version: 1
name: large
models:
  pico: {{width: 8, depth: 1, num_heads: 2, patch_size: 4}}
  nano: {{width: 16, depth: 1, num_heads: 2, patch_size: 4}}
  micro: {{width: 16, depth: 2, num_heads: 2, patch_size: 4}}
  mini: {{width: 32, depth: 2, num_heads: 2, patch_size: 4}}
data: {{source: digits, sizes: [60, 120, 240, 480, 960]}}
train:
  batch_size: 16
  optimizer: {{name: adafactor, lr: 3e-3, clip_norm: 1.0, weight_decay: {{head: 3.0, body: 0.03}}}}
  schedule: {{name: rsqrt, warmup: 4, timescale: 10, cooldown: 20%}}
budgets: {{steps: [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]}}
grid: {{seeds: {seeds}}}
evals: {{upstream: {{metrics: [loss, error]}}}}
"""
EACH = 4 * 5 * 10  # runs of a seed
SLOTS = 8
PARTS = ("plan", "simulate", "loop")


def experiment(folder: Path, runs: int) -> Experiment:
    """A study of so many runs, of ten budgets a trunk."""
    file = folder / "experiments.yaml"
    file.write_text(STUDY.format(seeds=[*range(max(1, runs // EACH))]))
    return read(file)


class Idle(Cluster):
    """Slots that are done with every job at once; after `jobs` of them the launch is asked to stop."""

    def __init__(self, slots: int, jobs: int, stopping: threading.Event) -> None:
        self.slots = tuple(f"cpu-{number}" for number in range(slots))
        self.types: dict[str, str] = {}
        self._left, self._stopping = jobs, stopping
        self._batches: list[Batch] = []

    def start(self, slot: str, job: Job) -> None:
        self._batches += [(slot, batch) for batch in reports(job)]
        self._left -= 1
        if not self._left:
            self._stopping.set()

    def events(self, timeout: float) -> list[Batch]:
        batches, self._batches = self._batches, []
        return batches

    def stop(self, slot: str) -> None:
        """Nothing runs for long enough."""

    def close(self) -> None:
        """There is nothing to give back."""


def reports(job: Job) -> list[list[Event]]:
    """What a short job reports: that it began, a point of its curve, its checkpoint, its metrics, and its end."""
    values: list[Event] = [Measurement(metric, job.stop, 0.37, "{}", 360) for metric in job.evals.metrics()]
    curve = Progress(job.stop, 0.37, 1e-3, 1.0, 0.01 * job.stop, 1600.0)
    spent = Spent(job.stop, 0.01, 0.0, 0.1, 0.01, 0.01)
    kept = Checkpoint(job.stop, f"{job.folder}/{job.stop}", "0" * 64, kept=True, device_seconds=0.01 * job.stop)
    end = Done(job.stop, "0" * 64, 0.01 * job.stop, 0.0, 0)
    return [[Started(job.start, "node-37", 4242, "cpu", "{}")], [curve, kept, *values, spent, end]]


def measured(work: Callable[[], int]) -> dict[str, float]:
    """The CPU seconds of work, how many things it did, and the most memory of this process by then."""
    began = time.process_time()
    done = work()
    used = time.process_time() - began
    return {"seconds": used, "done": done, "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def planning(folder: Path, runs: int) -> dict[str, float]:
    return measured(lambda: len(plan(experiment(folder, runs)).runs))


def simulating(folder: Path, runs: int) -> dict[str, float]:
    jobs = plan(experiment(folder, runs)).jobs
    return measured(lambda: len(simulate(jobs, [Slot(f"cpu/{number}") for number in range(SLOTS)]).lives))


def looping(folder: Path, runs: int, jobs: int) -> dict[str, float]:
    study = experiment(folder, runs)
    whole = plan(study)
    with Records(folder / "results.db") as records:
        began = time.process_time()
        records.plan(whole, study)
        written = time.process_time() - began
        return {"written": written, **carried_out(whole, records, jobs)}


def carried_out(whole: Plan, records: Records, jobs: int) -> dict[str, float]:
    """What it costs to launch a plan until so many jobs are done, once the first one is placed."""
    began = time.process_time()
    stopping = threading.Event()
    cluster = Idle(SLOTS, jobs, stopping)
    tally = Tally(whole, slots_of(cluster))
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a stream of text
        config = LaunchConfig(
            stopping=stopping,
            seconds_left=tally.seconds_left,
            listeners=[Lines(tally, nowhere), Journal(tally)],
            followers=[tally.follow],
        )
        news = launch(whole, records, cluster, {}, config)
        next(news)
        begun = time.process_time() - began
        return {"begun": begun, **measured(lambda: sum(piece.ended for piece in news))}


def tuning(trials: int) -> dict[str, float]:
    """So many trials of Ray Tune that do nothing: CPU seconds of its driver, and seconds of the clock."""
    import ray
    from ray import tune

    ray.init(num_cpus=SLOTS, include_dashboard=False, log_to_driver=False)
    config = tune.TuneConfig(num_samples=trials, max_concurrent_trials=SLOTS, reuse_actors=True)
    began, used = time.perf_counter(), time.process_time()
    results = tune.Tuner(nothing, tune_config=config, run_config=tune.RunConfig(verbose=0)).fit()
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    ray.shutdown()
    return {"seconds": cpu, "wall": wall, "done": len(results)}


def nothing(config: dict[str, object]) -> dict[str, float]:
    """A trial."""
    return {"loss": 0.37}


def answer(part: str, runs: int, jobs: int, folder: str) -> dict[str, float]:
    """What a part prints, in a process of its own."""
    words = ["--part", part, "--runs", str(runs), "--jobs", str(jobs), "--folder", folder]
    done = subprocess.run([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, check=True)
    document: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return document


def part(name: str, runs: int, jobs: int, folder: str) -> dict[str, float]:
    if name == "tune":
        return tuning(jobs)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        if name == "loop":
            return looping(Path(made), runs, jobs)
        return {"plan": planning, "simulate": simulating}[name](Path(made), runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--jobs", type=int, default=2_000, help="of the loop")
    parser.add_argument("--tune", type=int, default=0, metavar="TRIALS")
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--part", choices=(*PARTS, "tune"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(json.dumps(part(given.part, given.runs[0], given.jobs, given.folder)))
        return
    print(
        "| runs | plan, s | MiB | simulate, s | into the store, s | first job, s | jobs a second | ms a job | ratio |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    first = 0.0
    for runs in given.runs:
        planned, simulated, looped = (answer(name, runs, given.jobs, given.folder) for name in PARTS)
        each = looped["seconds"] / looped["done"]
        first = first or each
        cells = [f"{runs:,}", f"{planned['seconds']:.2f}", f"{planned['MiB']:.0f}", f"{simulated['seconds']:.1f}"]
        cells += [f"{looped['written']:.1f}", f"{looped['begun']:.1f}", f"{1 / each:.0f}", f"{1000 * each:.2f}"]
        print(f"| {' | '.join(cells)} | {each / first:.2f} |", flush=True)
    if given.tune:
        tune = answer("tune", 0, given.tune, given.folder)
        rates = f"{tune['done'] / tune['seconds']:.0f} trials a CPU second of its driver"
        print(f"\nRay Tune, {tune['done']} trials: {rates}, {tune['done'] / tune['wall']:.1f} a second of the clock")


if __name__ == "__main__":
    main()
