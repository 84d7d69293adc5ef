"""The laptop study by the command of the README, launched by this version and by others: seconds, CPU, and their parts.

uv run python benchmarks/study.py [--against SCALECTL ...] [--warm] [--folder F]

SCALECTL is the command of another version, in an environment of its own. Each launch has a new folder and a cache of
compiled programs of its own, which is empty; with --warm it is launched again in another folder with that cache. CPU
is that of the whole machine, as Ray's processes are nobody's children, so that it should do nothing else.
"""

import argparse
import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path

from alone import cache

STUDY = Path(__file__).resolve().parent.parent / "experiments.yaml"
OWN = str(Path(sysconfig.get_path("scripts")) / "scalectl")
PARTS = ("step", "compile", "checkpoint", "acquire")  # of the ledger, in seconds of slots


def machine_seconds() -> float:
    """The CPU seconds that all processes of this machine have used by now."""
    times = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, *interrupts = map(int, times[:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def launched(scalectl: str, folder: Path, programs: Path) -> dict[str, float]:
    """What a launch of the study in a new folder took, and the parts of it that its ledger names."""
    folder.mkdir(parents=True)
    shutil.copy(STUDY, folder)
    environment = os.environ | cache(programs)
    began, used = time.perf_counter(), machine_seconds()
    command = [scalectl, "launch", STUDY.name, "--slots", "2"]
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    seconds, cpu = time.perf_counter() - began, machine_seconds() - used
    said = subprocess.run([scalectl, "status", "-o", "json"], cwd=folder, stdout=subprocess.PIPE, check=True).stdout
    document = json.loads(said)
    ledger = document.get("ledger") or {}
    return {"s": seconds, "CPU s": cpu, **{part: ledger.get(f"{part}_seconds", float("nan")) for part in PARTS}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", nargs="+", default=[], metavar="SCALECTL")
    parser.add_argument("--warm", action="store_true", help="launch again with the compiled programs of the first time")
    parser.add_argument("--folder", type=Path, help="where launches keep their folders; by default none is kept")
    asked = parser.parse_args()
    print(f"| version | programs | s | CPU s | {' | '.join(f'{part}, s of slots' for part in PARTS)} |")
    print(f"|{'---|' * (4 + len(PARTS))}", flush=True)
    with tempfile.TemporaryDirectory() as made:
        folder = asked.folder or Path(made)
        for number, scalectl in enumerate([OWN, *asked.against]):
            for way in ("new", "cached") if asked.warm else ("new",):
                home = folder.absolute() / f"{number}"
                took = launched(scalectl, home / way, home / "jax")
                name = "this" if scalectl == OWN else scalectl
                print(f"| {name} | {way} | {' | '.join(f'{value:.1f}' for value in took.values())} |", flush=True)


if __name__ == "__main__":
    main()
