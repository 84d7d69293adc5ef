"""The verb init: a commented experiments.yaml to begin with, and beside it the JSON Schema that editors check it by."""

import json
import os
import re
import shlex
from importlib.resources import files
from pathlib import Path

import click

from scalectl.orchestrator.cli.options import quiet_option, say, yaml_file
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.format import command, one_line

LAPTOP = "laptop"  # the study of the repository's first page; the others lie in its folder studies
PRESETS = (LAPTOP, "folder", "cifar10", "gpu", "tpu", "paper", "synthetic")
SCHEMA = "experiments.schema.json"
_MISSING = {  # what a preset reads that is not there yet
    "folder": "It reads pictures/CLASS/*.jpg beside it: put your pictures there, or change data.source.",
    "cifar10": "It reads data/cifar10 beside it: its first lines say how to get the pictures.",
}


@click.command()
@yaml_file
@click.option(
    "--preset", type=click.Choice(PRESETS), default=LAPTOP, show_default=True, help="The study to begin with."
)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@quiet_option
def init(file: Path, preset: str, force: bool) -> Exit:
    """Write a study to begin with to FILE.

    Its JSON Schema is written beside it, and makes an editor with a YAML language server complete keys and underline
    mistakes. laptop runs in minutes on handwritten digits; folder and cifar10 need pictures; gpu, tpu and paper run on
    images that are drawn, until you name your own.
    """
    from scalectl.orchestrator.experiment.schema import schema_json

    _write(
        {file: text(preset, file), file.parent / SCHEMA: json.dumps(schema_json(), indent=2) + "\n"},
        force=force,
    )
    say(f"{file} has the study {preset}, and {SCHEMA} beside it is for editors.")
    verb = "plan"
    if preset in _MISSING:
        say(_MISSING[preset])
        verb = "validate"
    say(f"Next: {command(verb, file)}")
    return Exit.DONE


def text(preset: str, file: Path) -> str:
    """The text of a preset as it is to stand in a file: its commands name the file, and its schema lies beside it."""
    source, name = files("scalectl") / "studies" / f"{preset}.yaml", f"studies/{preset}.yaml"
    if preset == LAPTOP:
        source, name = files("scalectl") / "experiments.yaml", "experiments.yaml"
    study = re.sub(r"(?<=\$schema=)\S+", SCHEMA, source.read_text(encoding="utf-8"), count=1)
    return re.sub(
        rf"(?m)^(# +scalectl .*){re.escape(name)}", lambda match: match[1] + one_line(shlex.quote(str(file))), study
    )


def _write(texts: dict[Path, str], *, force: bool) -> None:
    """Write files, all or, where one has another content already, none; raises Refusal."""
    for file, new in texts.items():
        if not force and os.path.lexists(file) and not _holds(file, new):
            raise Refusal(f"refused: {file} is there already. Give another file, or --force to overwrite it.")
    for file, new in texts.items():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(new, encoding="utf-8")
        except OSError as error:
            raise Refusal(f"{file}: {error.strerror}.") from error


def _holds(file: Path, text: str) -> bool:
    try:
        return file.read_bytes() == text.encode()
    except OSError:
        return False
