"""The laptop study by the command of the README, launched by this version and by others: seconds, CPU, and their parts.

uv run python benchmarks/study.py [--against SCALECTL ...] [--warm] [--folder F] [--set KEY=VALUE ...]

SCALECTL is the command of another version, in an environment of its own. Each launch has a new folder and a cache of
compiled programs of its own, which is empty; with --warm it is launched again in another folder with that cache. CPU
is that of the whole machine, as Ray's processes are nobody's children, so that it should do nothing else. Memory is the
PSS of all processes of a launch, once a second, at its peak; below the table is that of each process then. Environments
that share files of packages, as uv's hard links are, count them less: the one that is measured has to be a copy.
"""

import argparse
import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from alone import cache
from resident import MARK, watched

STUDY = Path(__file__).resolve().parent.parent / "experiments.yaml"
OWN = str(Path(sysconfig.get_path("scripts")) / "scalectl")
SHOWN = 1.0  # MiB of a process that has a line
PARTS = ("step", "compile", "checkpoint", "acquire")  # of the ledger, in seconds of slots


def machine_seconds() -> float:
    """The CPU seconds that all processes of this machine have used by now."""
    times = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, *interrupts = map(int, times[:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def launched(
    scalectl: str, folder: Path, programs: Path, changes: Sequence[str] = ()
) -> tuple[dict[str, float], dict[str, float]]:
    """What a launch of the study in a new folder took, and the parts of it that its ledger names; MiB by process."""
    folder.mkdir(parents=True)
    shutil.copy(STUDY, folder)
    environment = os.environ | cache(programs) | {MARK: str(folder)}
    began, used = time.perf_counter(), machine_seconds()
    command = [
        scalectl,
        "launch",
        STUDY.name,
        "--slots",
        "2",
        *(word for change in changes for word in ("--set", change)),
    ]
    with watched(str(folder)) as watch:
        subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    seconds, cpu = time.perf_counter() - began, machine_seconds() - used
    said = subprocess.run([scalectl, "status", "-o", "json"], cwd=folder, stdout=subprocess.PIPE, check=True).stdout
    document = json.loads(said)
    ledger = document.get("ledger") or {}
    parts = {part: ledger.get(f"{part}_seconds", float("nan")) for part in PARTS}
    return {"s": seconds, "CPU s": cpu, "MiB": sum(watch.peak.values()), **parts}, watch.peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", nargs="+", default=[], metavar="SCALECTL")
    parser.add_argument("--warm", action="store_true", help="launch again with the compiled programs of the first time")
    parser.add_argument("--folder", type=Path, help="where launches keep their folders; by default none is kept")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="other values, as of `launch --set`")
    asked = parser.parse_args()
    print(f"| version | programs | s | CPU s | MiB | {' | '.join(f'{part}, s of slots' for part in PARTS)} |")
    print(f"|{'---|' * (5 + len(PARTS))}", flush=True)
    ways, first, sizes = ("new", "cached") if asked.warm else ("new",), {}, {}
    with tempfile.TemporaryDirectory() as made:
        folder = asked.folder or Path(made)
        for number, scalectl in enumerate([OWN, *asked.against]):
            for way in ways:
                home, name = folder.absolute() / f"{number}", "this" if scalectl == OWN else scalectl
                took, sizes[name, way] = launched(scalectl, home / way, home / "jax", asked.set)
                print(f"| {name} | {way} | {' | '.join(f'{value:.1f}' for value in took.values())} |", flush=True)
                ratios = [f"{first[way][what] / took[what]:.2f}" for what in took if way in first]
                first.setdefault(way, took)
                if ratios:
                    print(f"| this over it | {way} | {' | '.join(ratios)} |", flush=True)
    for (name, way), peak in sizes.items():
        largest = sorted(peak.items(), key=lambda size: -size[1])
        print(f"\n{name}, {way}: {', '.join(f'{process} {mib:.0f}' for process, mib in largest if mib >= SHOWN)}")


if __name__ == "__main__":
    main()
