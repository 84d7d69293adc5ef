"""What commands have in common: the file with its changes, options, amounts, former spellings, answers as JSON."""

import json
import math
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from scalectl.orchestrator.cli.completion import run_names, studies
from scalectl.orchestrator.cli.verbs import STORE
from scalectl.orchestrator.terminal import width, wrapped

if TYPE_CHECKING:
    from scalectl.orchestrator.experiment.reading import Experiment
    from scalectl.orchestrator.vocabulary import Slot

Command = TypeVar("Command", bound=Callable[..., Any])
_QUIET = "scalectl.quiet"  # in the context of a verb: whether its option --quiet was given

yaml_file = click.argument("file", type=click.Path(path_type=Path), metavar="FILE", default="experiments.yaml")
overrides = click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the file.")


def _in_context(context: click.Context, parameter: click.Parameter, store: Path) -> Path:
    context.meta[STORE] = store
    return store


store_option = click.option(
    "--store",
    type=click.Path(path_type=Path),
    default="results.db",
    show_default=True,
    callback=_in_context,
    help="The store.",
)
study_option = click.option(
    "--study", shell_complete=studies, help="A study in the store; by default the last one planned."
)
where_option = click.option("--where", metavar="EXPR", help='Runs to use: "data_size==3e9 and steps>=1000".')


def _note_quiet(context: click.Context, parameter: click.Parameter, quiet: bool) -> None:
    context.meta[_QUIET] = quiet


quiet_option = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_note_quiet,
    help="Print warnings and errors alone.",
)


def say(text: str, *, err: bool = False) -> None:
    """Print what a verb has done or does, unless its option --quiet was given."""
    if not click.get_current_context().meta.get(_QUIET):
        click.echo(text, err=err)


def is_typed(option: str) -> bool:
    """Whether an option of the verb was given on the command line, and isn't its default."""
    return click.get_current_context().get_parameter_source(option) is ParameterSource.COMMANDLINE


def rehearsed(changes: Sequence[str]) -> tuple[str, ...]:
    """The changes of a file with a store and artifacts of their own, unless they name others.

    What CPUs measured for a slice would else be taken for its speed.
    """
    keys = {change.partition("=")[0] for change in changes}
    own = {"store": "rehearsal/results.db", "artifacts": "rehearsal/artifacts"}
    return (*changes, *(f"{name}={path}" for name, path in own.items() if name not in keys))


def experiment_of(file: Path, changes: Sequence[str], *, quiet: bool = False) -> "Experiment":
    """The checked experiment in a file with the changes of the command line; unless `quiet`, warnings go to stderr."""
    from scalectl.orchestrator.experiment.reading import read

    pairs = []
    for change in changes:
        key, sign, value = change.partition("=")
        if not (key and sign):
            raise click.UsageError(f"--set {change}: write KEY=VALUE, for example --set train.batch_size=128")
        pairs.append((key, value))
    experiment = read(file, pairs)
    if not quiet:
        for warning in experiment.warnings:
            click.echo(warning, err=True)
    return experiment


def slots_option(purpose: str) -> Callable[[Command], Command]:
    """The option --slots: each is a count of CPU workers, or of slots of a type; the command gets all as one tuple."""
    return click.option("--slots", multiple=True, metavar="COUNT[xTYPE]", callback=_slots, help=purpose)


def _slots(context: click.Context, parameter: click.Parameter, texts: Sequence[str]) -> "tuple[Slot, ...]":
    from scalectl.orchestrator.plan.typed_slots import parse_slots

    return parse_slots(texts)


def output(*formats: str) -> Callable[[Command], Command]:
    """The -o option of a command that can answer in `formats`, of which the first is for people."""
    choice = click.Choice(formats)
    return click.option("-o", "--output", "form", type=choice, default=formats[0], show_default=True)


def answer(form: str, document: Callable[[], Any], text: Callable[[], str]) -> None:
    """Print an answer as JSON if that is its form, else as text for people, broken between words on a terminal."""
    if form == "json":
        click.echo(json.dumps(document(), indent=2))
    else:
        click.echo(wrapped(text(), width()))


class Finite(click.types.FloatParamType):
    """A finite number: click lets NaN through, which no comparison stops afterwards."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; fails for one that is infinite or NaN."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class Range(click.FloatRange, Finite):
    """A range of finite numbers."""


class Amount(click.ParamType[float]):
    """A number above 0 as the file has them: 1e21, 0.1, or a count such as 10k, 30M or 3B."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; fails as click does for what isn't one."""
        from pydantic_core import PydanticCustomError

        from scalectl.orchestrator.experiment.values import count

        try:
            number = float(value)
        except ValueError:
            try:
                number = float(count(1)(value))
            except PydanticCustomError:
                number = math.nan
        if not (0 < number < math.inf) or "_" in str(value):
            self.fail(f"{value!r} is not a number above 0: write 1e21, 0.1, 10k, 30M or 3B", param, ctx)
        return number


AMOUNT = Amount()


class Former(click.Option):
    """The spelling that an option had in an earlier version: it sets the option `now`, and says so on stderr.

    Given to a command as `click.option("--by", cls=Former, now="--per")`; it has a name of its own, so that another
    command, or later this one, may have an option of that spelling with another meaning.
    """

    def __init__(self, declarations: Sequence[str], now: str) -> None:
        (self._spelling,) = declarations
        self._now = now
        super().__init__([self._spelling, f"former_{self._spelling.strip('-')}"], hidden=True, expose_value=False)

    def handle_parse_result(self, ctx: click.Context, opts: Any, args: list[str]) -> tuple[Any, list[str]]:
        """Hand the value over to the option of today, which checks it: options that were typed come before others."""
        if self.name not in opts:
            return None, args
        (option,) = (option for option in ctx.command.params if self._now in option.opts)
        if option.name in opts:
            raise click.UsageError(f"{self._spelling} is now {self._now} here: give {self._now} alone.", ctx)
        option.type_cast_value(ctx, opts[self.name])  # a value that is wrong needs no advice on its option
        opts[option.name] = opts.pop(self.name)
        now = shlex.join([self._now, opts[option.name]])
        click.echo(f"{self._spelling} is now {self._now} here: write {now}.", err=True)
        return None, args


run_argument = click.argument("run", metavar="RUN", shell_complete=run_names)


runs_argument = click.argument("words", metavar="[RUN]...", nargs=-1, shell_complete=run_names)
