"""What commands have in common: the file, its overrides, the store, the slots and the form of the answer."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from orchestrator.experiment import Experiment


class Range(click.FloatRange):
    """A range of finite numbers: click lets NaN through, which no comparison stops afterwards."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; fails for one that is outside, infinite or NaN."""
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is no finite number.", param, ctx)
        return found


Command = TypeVar("Command", bound=Callable[..., Any])

yaml_file = click.argument("file", type=click.Path(path_type=Path), metavar="FILE", default="experiments.yaml")
overrides = click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the file.")
store_option = click.option(
    "--store", type=click.Path(path_type=Path), default="results.db", show_default=True, help="The store to read."
)
slots_option = click.option("--slots", type=click.IntRange(min=1), help="Jobs at a time; one a core unless told.")


def output(*formats: str) -> Callable[[Command], Command]:
    """Return the -o option of a command that can answer in `formats`."""
    choice = click.Choice(formats)
    return click.option("-o", "--output", "form", type=choice, default=formats[0], show_default=True)


def experiment_of(file: Path, changes: Sequence[str]) -> "Experiment":
    """Return the checked experiment in a file with the overrides of the command line."""
    from orchestrator.experiment import read

    pairs = []
    for change in changes:
        key, sign, value = change.partition("=")
        if not (key and sign):
            raise click.UsageError(f"--set {change}: write KEY=VALUE, for example --set train.batch_size=128")
        pairs.append((key, value))
    return read(file, pairs)
