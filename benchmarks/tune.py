"""The laptop study by scalectl, and its runs as independent trials of Ray Tune with the same trainer.

uv run python benchmarks/tune.py [--slots 2] [--quick] [--reuse]
uv run --with 'ray[tune]' python benchmarks/tune.py        where packages that Ray Tune needs are missing

Each side is a command of its own with an empty cache of compiled programs; exits with 1 where end points differ.
--quick takes the smallest model alone; --reuse has Ray Tune keep its processes from trial to trial.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from alone import cache

HERE = Path(__file__).resolve().parent
STUDY = HERE.parent / "experiments.yaml"
QUICK = "grid: {only: [{model: pico}]}\n"
SCALECTL = "from scalectl.orchestrator.cli.main import main; main()"

Ends = dict[str, dict[str, float | str]]  # by the run's id: its digest and each of its metrics


@dataclass(frozen=True)
class Result:
    """What a side came to, from the start of its command to its end."""

    ends: Ends
    steps: int
    seconds: float

    def line(self, side: str) -> str:
        return f"{side:9} {len(self.ends):3} runs  {self.steps:7,} steps  {self.seconds:7.1f} s"


def timed(folder: Path, *words: str) -> tuple[str, float]:
    """What a Python says in a folder with the study, and its seconds."""
    environment = os.environ | cache(folder / "jax")
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, stdout=-1, text=True, check=True)
    return done.stdout, time.perf_counter() - began


def ours(folder: Path, slots: int) -> Result:
    """The command as people type it; the law and its figure are made in its time."""
    _, seconds = timed(folder, "-c", SCALECTL, "launch", "experiments.yaml", "--slots", str(slots))
    return Result(*stored(folder / "results.db"), seconds)


def stored(store: Path) -> tuple[Ends, int]:
    """The end points of all runs in a store, and the steps that its jobs trained."""
    with closing(sqlite3.connect(store)) as connection:
        connection.row_factory = sqlite3.Row
        points = [dict(row) for row in connection.execute("SELECT * FROM points")]
        (steps,) = connection.execute("SELECT sum(step - first_step) FROM attempts").fetchone()
    said = ({name: point[name] for name in point if name == "digest" or "/" in name} for point in points)
    return dict(zip([point["run"] for point in points], said, strict=True)), steps


def theirs(folder: Path, slots: int, *, reuse: bool) -> Result:
    words = [str(HERE / "tune_side.py"), str(slots), *["--reuse"] * reuse]
    said, seconds = timed(folder, *words)
    found = json.loads(said.splitlines()[-1])
    return Result(found["ends"], found["steps"], seconds)


def differing(one: Ends, other: Ends) -> list[str]:
    """The runs that only one side has, or whose weights or metrics differ in any bit."""
    return sorted(run for run in one.keys() | other.keys() if one.get(run) != other.get(run))


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--reuse", action="store_true")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / side for side in ("scalectl", "tune")]
        for folder in folders:
            folder.mkdir()
            (folder / "experiments.yaml").write_text(f"extends: {STUDY}\n{QUICK * given.quick}")
        our = ours(folders[0], given.slots)
        print(our.line("scalectl"), flush=True)
        tune = theirs(folders[1], given.slots, reuse=given.reuse)
        print(tune.line("Ray Tune"), flush=True)
    print(f"steps {our.steps / tune.steps:.3f} x, wall time {our.seconds / tune.seconds:.3f} x")
    different = differing(our.ends, tune.ends)
    print(f"end points differ: {', '.join(different)}" if different else "end points equal in every bit")
    return 1 if different or not our.ends else 0


if __name__ == "__main__":
    sys.exit(main())
