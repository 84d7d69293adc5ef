"""The verb checkpoint export: the trained parameters of a run, for other programs."""

import os
from pathlib import Path

import click

from scalectl.orchestrator.cli.options import quiet_option, run_argument, say, store_option
from scalectl.orchestrator.cli.verbs import Verbs
from scalectl.orchestrator.errors import Exit
from scalectl.trainer.exchange import FORMATS


@click.group(cls=Verbs)
def checkpoint() -> None:
    """Take the trained parameters of a run elsewhere."""


@click.command()
@run_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PATH",
    help="A folder, or a file with the suffix of the format.",
)
@click.option("--format", "form", type=click.Choice(tuple(FORMATS)), help="By default by the suffix, else safetensors.")
@click.option("--checkpoint", "folder", metavar="DIR", help="A copy of the checkpoint, where the store's isn't there.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@store_option
@quiet_option
def export(run: str, output: Path, form: str | None, folder: str | None, force: bool, store: Path) -> Exit:
    """Write the trained parameters of a run for other programs.

    They are those after its last step. safetensors and msgpack have the names of scalectl, npz those of big_vision,
    which timm reads as well, and timm those of PyTorch's timm, in a file of safetensors. Beside them are config.json,
    with settings, classes and preprocessing, and README.md, with the lines of Python that load them. RUN is a name,
    an id, or the beginning of either.
    """
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before JAX looks for devices: a launch may be using them
    from absl import logging

    from scalectl.orchestrator.report import parameters

    logging.set_verbosity(logging.ERROR)  # Orbax warns of its own settings
    files = parameters.target(output, form)
    name = parameters.export(run, store, files, folder=folder, force=force)
    say(f"Parameters of {name} written to {files.weights}.")
    say(f"{files.readme} has the lines that load them.")
    return Exit.DONE


checkpoint.add("Checkpoint", export)
