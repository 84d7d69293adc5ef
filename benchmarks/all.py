"""All tables of docs/performance.md, one after the other, each by the script that makes it.

uv run --with 'ray[tune]' --with chinchilla python benchmarks/all.py [--list] [--only NAME ...] [--folder F]

It takes hours. A script that fails is named at the end, and the others go on. What needs files or devices that not
everyone has is left out unless its option gives them: --curves FILE, --surface FILE, --torch PYTHON, --device gpu,
--big-vision FOLDER, --against SCALECTL (other versions, in environments of their own).
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
STUDY = HERE.parent / "experiments.yaml"
LARGE = ("fit", "db check", "plot frontier", "plot samples", "plot bottleneck", "plot residuals", "plot curves")


@dataclass(frozen=True)
class Table:
    """A table of the page: its name, and the script with its words."""

    name: str
    words: tuple[str, ...]

    @property
    def command(self) -> str:
        """What one types for it."""
        return " ".join(["python", f"benchmarks/{self.words[0]}", *self.words[1:]])


def tables(asked: argparse.Namespace, folder: Path) -> list[Table]:
    """The tables that this machine can make, in an order in which later ones find what earlier ones left."""
    against = ("--against", *asked.against) if asked.against else ()
    torch = ("--torch", asked.torch) if asked.torch else ()
    launched, large = folder / "study" / "0" / "new", folder / "large"
    page = f"report --force -o {large / 'report.html'}"
    every = [
        Table("step", ("step.py", *torch)),
        Table("study", ("study.py", "--warm", "--folder", str(folder / "study"), *against)),
        Table(
            "commands",
            ("commands.py", str(launched / "results.db"), "--file", str(launched / "experiments.yaml"), *against),
        ),
        Table("decode", ("decode.py", "--cached")),
        Table("store", ("store.py",)),
        Table("large", ("large_store.py", str(large))),
        Table(
            "large-commands",
            ("commands.py", str(large / "results.db"), "--rounds", "2", "--verbs", *LARGE, page, *against),
        ),
        Table("scale", ("scale.py", "--tune", "200")),
        Table("warm", ("warm.py",)),
        Table("tune", ("tune.py",)),
        Table("tune-reuse", ("tune.py", "--reuse")),
        Table("left", ("left.py", str(STUDY), "--slots", "2")),
        Table("laws", ("laws.py", *(("--curves", asked.curves) if asked.curves else ()))),
        Table("figure", ("figure.py", "--runs", "10000")),
        Table("aot-steps", ("aot_steps.py",)),
    ]
    if asked.surface:
        every.append(Table("surface", ("laws.py", "--surface", asked.surface, "--axis", "2")))
    if asked.device == "gpu":
        clone = ("--big-vision", asked.big_vision) if asked.big_vision else ()
        every += [Table("step-gpu", ("step.py", "--device", "gpu")), Table("card", ("card.py", *clone))]
    return every


def made(table: Table, scripts: Path) -> bool:
    """Whether the script of a table ended well; what it says goes to stdout."""
    print(f"\n## {table.name}: {table.command}\n", flush=True)
    began = time.perf_counter()
    code = subprocess.run([sys.executable, str(scripts / table.words[0]), *table.words[1:]], check=False).returncode
    print(f"\n{table.name}: {time.perf_counter() - began:.0f} s, exit code {code}", flush=True)
    return code == 0


def main(words: list[str] | None = None, scripts: Path = HERE) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print the commands, and run none")
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--folder", type=Path, help="where launches keep their folders; by default none is kept")
    parser.add_argument("--against", nargs="+", default=[], metavar="SCALECTL")
    parser.add_argument("--torch", metavar="PYTHON")
    parser.add_argument("--curves", metavar="FILE")
    parser.add_argument("--surface", metavar="FILE")
    parser.add_argument("--big-vision", metavar="FOLDER")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    asked = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as passing:
        every = tables(asked, asked.folder or Path(passing))
        names = [table.name for table in every]
        if unknown := sorted(set(asked.only or ()).difference(names)):
            parser.error(f"no table {', '.join(unknown)}: there are {', '.join(names)}")
        chosen = [table for table in every if table.name in (asked.only or names)]
        if asked.list:
            print("\n".join(f"{table.name:12}{table.command}" for table in chosen))
            return 0
        failed = [table.name for table in chosen if not made(table, scripts)]
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
