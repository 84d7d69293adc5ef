"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

store_option = click.option(
    "--store", type=click.Path(path_type=Path), default="results.db", show_default=True, help="The store to read."
)


def output(*formats: str) -> Callable[[Command], Command]:
    """Return the -o option of a command that can answer in `formats`."""
    choice = click.Choice(formats)
    return click.option("-o", "--output", "form", type=choice, default=formats[0], show_default=True)
