"""Play rounds of chaos and print what became of each: `python tests/chaos --rounds 200 --jobs 2`."""

import argparse
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from conftest import Study  # noqa: E402
from rounds import Skipped, chosen, play  # noqa: E402
from world import World  # noqa: E402


def undisturbed(folder: Path) -> Study:
    """The study of every round, launched once with nothing in its way."""
    world = World(folder, ("--here",))
    assert world.launch_again() == 0, world.output()
    return Study(folder)


def result(seed: int, whole: Study) -> tuple[str, str, str]:
    """The backend, the fault and the outcome of a round, in words."""
    fault, backend = chosen(seed)
    try:
        played = play(seed, whole)
    except Skipped as reason:
        return backend, fault.name, f"skipped: {reason}"
    except Exception as error:
        return backend, fault.name, f"FAILED: {type(error).__name__}: {error}"
    return backend, fault.name, f"ok, exit {played.code}, done after {played.launches} more, {played.seconds:.0f} s"


def main() -> int:
    """Exit code: 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="seed of the first round")
    parser.add_argument("--jobs", type=int, default=1, help="rounds at a time")
    given = parser.parse_args()
    ends: Counter[tuple[str, str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(given.jobs) as pool:
        whole = undisturbed(Path(folder))
        seeds = range(given.first, given.first + given.rounds)
        for seed, (backend, fault, outcome) in zip(seeds, pool.map(result, seeds, [whole] * len(seeds)), strict=True):
            print(f"{seed:4d}  {backend:4s}  {fault:32s} {outcome}", flush=True)
            ends[fault, backend, outcome.split(":")[0].split(",")[0]] += 1
    print("\n| fault | on | rounds | kept every promise |\n|---|---|---|---|")
    for fault, backend in dict.fromkeys((fault, backend) for fault, backend, _ in ends):
        played = sum(count for key, count in ends.items() if key[:2] == (fault, backend) and key[2] != "skipped")
        print(f"| {fault} | {backend} | {played} | {ends[fault, backend, 'ok']} |")
    return int(any(outcome == "FAILED" for *_, outcome in ends))


if __name__ == "__main__":
    sys.exit(main())
