"""What commands have in common: options, the file and its overrides, and streams that turn silent when nobody reads."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from scalectl.orchestrator.experiment.experiment import Experiment

import errno
import io
import logging
import os
import sys
import threading

from scalectl.orchestrator.errors import Exit, Refusal


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
    from scalectl.orchestrator.experiment.experiment import read

    pairs = []
    for change in changes:
        key, sign, value = change.partition("=")
        if not (key and sign):
            raise click.UsageError(f"--set {change}: write KEY=VALUE, for example --set train.batch_size=128")
        pairs.append((key, value))
    return read(file, pairs)


class Unwritable(Refusal):
    """A stdout that can't be written to; `unread` where its reader, such as head, has seen enough."""

    exit = Exit.FAILED

    def __init__(self, error: OSError) -> None:
        self.unread = error.errno == errno.EPIPE
        super().__init__(f"stdout can't be written: {error.strerror}.")


class _Stream(io.FileIO):
    """A stream of this process that goes nowhere from the first write that fails; that write raises Unwritable.

    One that `lasts` raises nothing.
    """

    lasts = False

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())  # for the libraries that write to it by its number as well
            os.close(nowhere)
            if not self.lasts:
                raise Unwritable(error) from error
            return memoryview(data).nbytes  # type: ignore[arg-type]


_streams: dict[str, _Stream] = {}


def guard() -> None:
    """Put streams that turn silent in place of this process's own; one that is closed goes nowhere from here on."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # else the next file that is opened takes its number
            os.open(os.devnull, os.O_RDWR)
        if name != "stdin":
            setattr(sys, name, _guarded(number, name))
    outlast("stderr")


def _guarded(number: int, name: str) -> io.TextIOWrapper:
    raw, old = _Stream(number, "w", closefd=False), getattr(sys, name)
    _streams[name] = raw
    encoding, errors = (old.encoding, old.errors) if old else ("utf-8", "replace")
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors, line_buffering=True)


def outlast(name: str) -> None:
    """Have this command go on when nobody can read that stream any more."""
    if name in _streams:  # else somebody else runs this command, and has streams of their own
        _streams[name].lasts = True


def hush() -> None:
    """Keep libraries that train in this process from printing what the reason of a failure says already.

    On a full disk Orbax logs each array that it can't write, and TensorStore prints a traceback for each.
    """
    logging.disable(logging.ERROR)
    threading.excepthook = lambda _: None
    sys.unraisablehook = lambda _: None
