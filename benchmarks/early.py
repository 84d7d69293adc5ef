"""What it costs that first runs end early: random grids on a virtual clock, with and without the cooldowns' precedence.

uv run python benchmarks/early.py experiments.yaml --grids 600
"""

import argparse
import random
import statistics
from collections import defaultdict
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


def ends(found: Simulation, endings: set[str]) -> tuple[float, float]:
    """The seconds until the first run ends, and until half of the runs have ended."""
    stops = sorted(life.stop for life in found.lives if life.job.id in endings)
    return stops[0], stops[(len(stops) - 1) // 2]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--grids", type=int, default=600)
    args = parser.parse_args()
    ratios: list[float] = []
    shares: dict[tuple[str, str], list[float]] = defaultdict(list)
    for experiment, number in grids(args.file, args.grids):
        jobs, slots = plan(experiment).jobs, parse_slots([str(number)])
        endings = {job.id for job in jobs if job.is_cooldown}
        early = simulate(jobs, slots)
        plain = simulate([replace(job, kind=JobKind.TRUNK) for job in jobs], slots)  # nothing ends a run: no precedence
        ratios.append(early.makespan / plain.makespan)
        for name, found in (("with", early), ("without", plain)):
            for what, seconds in zip(("first run", "half of the runs"), ends(found, endings), strict=True):
                shares[what, name].append(seconds / plain.makespan)
    print(f"makespan with / without: mean {statistics.mean(ratios):.5f}, most {max(ratios):.4f}")
    for (what, name), found in shares.items():
        late = sorted(found)[-len(found) // 5]
        print(f"{what} {name}: median {statistics.median(found):.1%} of the makespan, a fifth later than {late:.1%}")


if __name__ == "__main__":
    main()
