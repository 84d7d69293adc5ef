"""Play rounds of chaos and print what became of each: `python tests/chaos --rounds 200 --jobs 2`."""

import argparse
import signal
import sys
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from conftest import Study  # noqa: E402
from faults import HERE, RAY, Fault  # noqa: E402
from rounds import Skipped, chosen, flags_of, named, play  # noqa: E402
from world import World  # noqa: E402

Played = tuple[int, Fault, str]  # the seed of a round, its fault and its backend


class Wholes:
    """The studies that rounds are held against, each launched once with nothing in its way."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._studies: dict[bool, Study] = {}

    def of(self, fault: Fault) -> Study:
        """The one that a fault's rounds have to end as: sums over two processes are others than those of one."""
        with self._lock:
            if fault.gang not in self._studies:
                folder = Path(tempfile.mkdtemp(dir=self._folder))
                world = World(folder, *flags_of(fault, HERE))
                assert world.launch_again() == 0, world.output()
                self._studies[fault.gang] = Study(folder)
            return self._studies[fault.gang]


def outcome(played: Played, wholes: Wholes) -> str:
    """What became of a round, in words."""
    seed, fault, backend = played
    try:
        ended = play(fault, backend, seed, wholes.of(fault))
    except Skipped as reason:
        return f"skipped: {reason}"
    except Exception as error:
        return f"FAILED: {type(error).__name__}: {error}"
    return f"ok, exit {ended.code}, done after {ended.launches} more, {ended.seconds:.0f} s"


def table(ends: Counter[tuple[str, str, str]]) -> str:
    """The rounds played of each fault, and those that kept every promise."""
    lines = ["| fault | on | rounds | kept every promise |", "|---|---|---|---|"]
    for fault, backend in sorted({(fault, backend) for fault, backend, _ in ends}):
        kept, failed = ends[fault, backend, "ok"], ends[fault, backend, "FAILED"]
        lines.append(f"| {fault} | {backend} | {kept + failed} | {kept} |")
    return "\n".join(lines)


def main() -> int:
    """Exit code: 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="seed of the first round")
    parser.add_argument("--jobs", type=int, default=1, help="rounds at a time")
    parser.add_argument("--on", choices=(HERE, RAY), help="of these rounds, only those with or without Ray")
    parser.add_argument("--fault", help="play only this fault, also one that is played by hand only")
    given = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has it ignored, by all that is started too
    rounds = [(seed, *chosen(seed)) for seed in range(given.first, given.first + given.rounds)]
    if given.fault:
        rounds = [(seed, *named(given.fault)) for seed, *_ in rounds]
    if given.on:
        rounds = [played for played in rounds if played[2] == given.on]
    ends: Counter[tuple[str, str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.jobs) as pool:
        wholes = Wholes(Path(folder))
        for played, words in zip(rounds, pool.map(lambda played: outcome(played, wholes), rounds), strict=True):
            seed, fault, backend = played
            print(f"{seed:4d}  {backend:4s}  {fault.name:32s} {words}", flush=True)
            ends[fault.name, backend, words.split(":")[0].split(",")[0]] += 1
    print(f"\n{table(ends)}")
    return int(any(words == "FAILED" for *_, words in ends))


if __name__ == "__main__":
    sys.exit(main())
