"""The command line: verbs, flags, exit codes. Each command imports its own rooms, so that --help stays quick."""

import gc
import os
import sys
from collections.abc import Sequence

import click

from scalectl.orchestrator.cli.checkpoint import checkpoint
from scalectl.orchestrator.cli.data import example, import_runs, models, schema
from scalectl.orchestrator.cli.db import db
from scalectl.orchestrator.cli.doctor import doctor
from scalectl.orchestrator.cli.export import export
from scalectl.orchestrator.cli.fit import fit
from scalectl.orchestrator.cli.init import init
from scalectl.orchestrator.cli.launch import launch
from scalectl.orchestrator.cli.plan import plan
from scalectl.orchestrator.cli.plot import plot
from scalectl.orchestrator.cli.predict import predict, suggest
from scalectl.orchestrator.cli.prune import prune
from scalectl.orchestrator.cli.query import query
from scalectl.orchestrator.cli.report import report
from scalectl.orchestrator.cli.serve import serve
from scalectl.orchestrator.cli.shortage import Short, require_threads, shortage
from scalectl.orchestrator.cli.show import logs, show
from scalectl.orchestrator.cli.simulate import preflight, simulate
from scalectl.orchestrator.cli.status import status
from scalectl.orchestrator.cli.steer import exclude, include, retry, stop
from scalectl.orchestrator.cli.streams import Unwritable, guard, leave
from scalectl.orchestrator.cli.validate import validate
from scalectl.orchestrator.cli.verbs import Verbs
from scalectl.orchestrator.errors import Exit, Refusal, did_you_mean

# New objects after which Python looks for garbage. Imports make hundreds of thousands that stay: with its own 700,
# looking through them took a tenth of the CPU time of a short answer.
_IMPORTED = 20_000
# Verbs that import the most and end within seconds, of which nothing is garbage before.
_LEARN = (report, fit, plot, predict, suggest)
_SHORT = {verb.name for verb in (fit, predict, suggest, plot)}  # of these, those that take texts apart the least
_NEVER = 1_000_000


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="scalectl")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--code",
    multiple=True,
    metavar="FILE",
    envvar="SCALECTL_CODE",
    help="Python file of your own that adds laws and more: for verbs that read no study's file; also SCALECTL_CODE.",
)
def scalectl(debug: bool, code: Sequence[str]) -> None:
    """Plan, train and fit scaling-law studies of Vision Transformers."""
    if code:
        _load(code)


def _load(files: Sequence[str]) -> None:
    """Run files of one's own; raises Refusal, with file and line."""
    from scalectl.extend import load
    from scalectl.trainer.own_code import BadCode

    for file in files:
        try:
            load(file)
        except BadCode as error:
            raise BadOption(f"--code {file}: {error}") from error


class BadOption(Refusal):
    """An option that names a file that can't be used."""

    exit = Exit.INVALID


@click.command("help")
@click.argument("words", metavar="[VERB]...", nargs=-1)
@click.pass_context
def help_verb(context: click.Context, words: tuple[str, ...]) -> Exit:
    """Show the help of a verb, or the list of all."""
    place = context.find_root()
    for word in words:
        group = place.command
        verb = group.get_command(place, word) if isinstance(group, click.Group) else None
        if verb is None:
            names = group.list_commands(place) if isinstance(group, click.Group) else []
            raise click.UsageError(f"no verb {' '.join(words)!r}. {did_you_mean(word, names)}".strip(), place)
        place = click.Context(verb, parent=place, info_name=word)
    click.echo(place.get_help())
    return Exit.DONE


scalectl.add("Start", init, doctor, validate, plan, preflight, simulate, launch)
scalectl.add("Watch", status, serve, show, logs)
scalectl.add("Steer", stop, retry, exclude, include, prune)
scalectl.add("Learn", *_LEARN)
scalectl.add("Data", example, import_runs, export, checkpoint, query, db, models, schema, help_verb)


def main() -> None:
    """Run the command line and exit with the code of errors.Exit; no traceback without --debug."""
    guard()
    gc.set_threshold(_IMPORTED)
    verb = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    if verb in {learn.name for learn in (*_LEARN, serve)}:
        # Laws are many small systems of equations: threads of OpenBLAS wait for each other, and use up CPU time.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if verb in {learn.name for learn in _LEARN}:
        gc.set_threshold(_NEVER)
    try:
        if verb in _SHORT and {"-h", "--help"}.isdisjoint(sys.argv):
            _load_pandas()
        code = scalectl.main(standalone_mode=False)
    except click.ClickException as error:
        _hinted(error).show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = _interrupted()
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        code = _explain(error)
    leave(int(code or Exit.DONE))


def _load_pandas() -> None:
    """Import pandas without PyArrow, which it would import as well: a twelfth of a short answer's CPU time."""
    if not sys.modules.keys().isdisjoint({"pandas", "pyarrow"}):
        return  # somebody else's, who runs this command
    sys.modules["pyarrow"] = None  # type: ignore[assignment]
    try:
        import pandas  # noqa: F401
    finally:
        del sys.modules["pyarrow"]  # files of Arrow can be read and written


def _hinted(error: click.ClickException) -> click.ClickException:
    """The error; with a word on the store where a verb that reads one was given a study's file."""
    context = getattr(error, "ctx", None)
    if context is None or "unexpected extra argument" not in error.message:
        return error
    if all(parameter.name != "store" for parameter in context.command.params):
        return error
    said = f"{error.message}. {context.info_name} reads a store: leave the file out, or give --store PATH."
    return click.UsageError(said, context)


def _interrupted() -> Exit:
    """The code of a command that a signal ended: OpenBLAS sends itself one where it gets no threads."""
    try:
        require_threads(os.cpu_count() or 1)
    except Short as refusal:
        return _explain(refusal)
    return Exit.INTERRUPTED


def _explain(error: Exception) -> Exit:
    if isinstance(error, Unwritable) and error.unread:
        return Exit.DONE
    if isinstance(error, Refusal):
        click.echo(str(error), err=True)
        return error.exit
    if lacking := shortage(error):
        click.echo(lacking, err=True)
        return Exit.FAILED
    click.echo(f"internal error: {type(error).__name__}: {error}", err=True)
    click.echo("scalectl --debug COMMAND ... shows where; please report it.", err=True)
    return Exit.FAILED
