"""CPU seconds of whole commands that read a store, of this version and of others in turn.

uv run python benchmarks/commands.py results.db [--file experiments.yaml] [--against SCALECTL ...] [--rounds 7]
    [--verbs "db check" "report --force" ...]

SCALECTL is the command of another version, in an environment of its own. Every second round goes backwards; the least
and the median of the rounds are printed.
"""

import argparse
import resource
import statistics
import subprocess
import sysconfig
from pathlib import Path

OWN = str(Path(sysconfig.get_path("scripts")) / "scalectl")
VERBS = ("fit", "predict --compute 1e13", "plot frontier", "status --columns name,state,flops")
OF_FILE = "suggest --budget 1e13"


def seconds(command: list[str]) -> float:
    """The CPU seconds of a command and all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compared(words: list[str], versions: list[str], rounds: int) -> list[str]:
    """The least and the median of each version's CPU seconds."""
    told: dict[str, list[float]] = {version: [] for version in versions}
    for number in range(rounds):
        for version in versions[:: -1 if number % 2 else 1]:
            told[version].append(seconds([version, *words]))
    return [f"{min(each):.2f}, {statistics.median(each):.2f}" for each in told.values()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--file", type=Path, help="its study, for suggest")
    parser.add_argument("--against", nargs="+", default=[], metavar="SCALECTL")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--verbs", nargs="+", default=VERBS, metavar="VERB", help="in place of those of the page")
    asked = parser.parse_args()
    versions = [OWN, *asked.against]
    print(f"| command | {' | '.join(['this', *asked.against])} |\n|{'---|' * (1 + len(versions))}", flush=True)
    commands = {verb: [*verb.split(), "--store", str(asked.store)] for verb in asked.verbs}
    if asked.file:
        commands[OF_FILE] = [*OF_FILE.split(), str(asked.file)]
    for verb, words in commands.items():
        print(f"| `{verb}` | {' | '.join(compared(words, versions, asked.rounds))} |", flush=True)


if __name__ == "__main__":
    main()
