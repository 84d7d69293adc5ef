"""What it costs that first runs end early: random grids on a virtual clock, with and without the cooldowns' precedence.

uv run python benchmarks/early.py experiments.yaml --grids 600
"""

import argparse
import random
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from scalectl.orchestrator.experiment.reading import Experiment, read
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.plan.simulator import Simulation, simulate
from scalectl.orchestrator.plan.typed_slots import parse_slots
from scalectl.orchestrator.vocabulary import JobKind


def grids(file: Path, number: int) -> Iterator[tuple[Experiment, int]]:
    """Yield studies like the one of a file, with other budgets, data sizes, seeds and cooldowns, and slots for each."""
    chance = random.Random(37)
    for _ in range(number):
        steps = [chance.choice([50, 200]) * 2**power for power in range(chance.randint(1, 6))]
        sizes = sorted(chance.sample([100, 200, 350, 700, 1400], chance.randint(1, 4)))
        changes = {
            "budgets.steps": sorted(set(steps)),
            "data.sizes": sizes,
            "grid.seeds": list(range(chance.randint(1, 3))),
            "train.schedule.cooldown": chance.choice(["10%", "20%", "50%"]),
            "train.schedule.warmup": 10,
        }
        yield read(file, [(key, str(value)) for key, value in changes.items()]), chance.choice([1, 2, 4, 8, 16])


def first_end(found: Simulation, endings: set[str]) -> float:
    """The seconds until the first run ends."""
    return min(life.stop for life in found.lives if life.job.id in endings)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--grids", type=int, default=600)
    args = parser.parse_args()
    ratios, now, before = [], [], []
    for experiment, number in grids(args.file, args.grids):
        jobs, slots = plan(experiment).jobs, parse_slots([str(number)])
        endings = {job.id for job in jobs if job.is_cooldown}
        early = simulate(jobs, slots)
        plain = simulate([replace(job, kind=JobKind.TRUNK) for job in jobs], slots)  # nothing ends a run: no precedence
        ratios.append(early.makespan / plain.makespan)
        now.append(first_end(early, endings) / plain.makespan)
        before.append(first_end(plain, endings) / plain.makespan)
    print(f"makespan with / without: mean {statistics.mean(ratios):.5f}, most {max(ratios):.4f}")
    for name, shares in (("with", now), ("without", before)):
        late = sorted(shares)[-len(shares) // 5]
        print(f"first run {name}: median {statistics.median(shares):.1%}, a fifth later than {late:.1%}")


if __name__ == "__main__":
    main()
