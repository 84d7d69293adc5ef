"""The verb launch: run what is missing of a file, here, in the background or on a cluster."""

import os
import re
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from click.core import ParameterSource

from scalectl.orchestrator.cli.options import (
    Range,
    experiment_of,
    is_typed,
    overrides,
    rehearsed,
    slots_option,
    yaml_file,
)
from scalectl.orchestrator.cli.plan import plan
from scalectl.orchestrator.cli.shortage import require_launch
from scalectl.orchestrator.cli.streams import hush, outlast
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.format import command
from scalectl.orchestrator.terminal import width, wrapped

if TYPE_CHECKING:
    from scalectl.orchestrator.experiment.reading import Experiment
    from scalectl.orchestrator.launch.notify import Laws
    from scalectl.orchestrator.launch.outcome import Outcome
    from scalectl.orchestrator.vocabulary import Slot

HOURS = Range(min=0, min_open=True)
LEVELS = ("debug", "info", "warning", "error")  # of a log


@click.command()
@yaml_file
@overrides
@slots_option("Jobs at a time, as 8 or 4xv5e-16; by default one per core, and all slots of other types.")
@click.option("-n", "--dry-run", is_flag=True, help="Plan only.")
@click.option("-y", "--yes", is_flag=True, help="Start without asking, whatever it costs.")
@click.option("--max-device-hours", type=HOURS, help="Cap in place of limits.max_device_hours.")
@click.option(
    "--address", envvar="RAY_ADDRESS", help="A running Ray cluster, HOST:PORT, auto or local; also RAY_ADDRESS."
)
@click.option("--insecure", is_flag=True, help="Join a cluster without a token, on a network that keeps others out.")
@click.option(
    "-d", "--detach", is_flag=True, help="Run in the background: follow it with status --watch, end it with stop --all."
)
@click.option("--here", is_flag=True, help="Train in this process, without Ray.")
@click.option("--backend", metavar="NAME", help="A place for jobs that code of your own adds.")
@click.option(
    "--fake-cluster",
    "fake",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Rehearse on TPU and GPU nodes that FILE describes, played by this machine's CPUs, in a store of its own.",
)
@click.option(
    "--export",
    "exports",
    multiple=True,
    metavar="FORMAT:DIR",
    help="Also write the runs to a folder as they train: tensorboard:DIR or mlflow:DIR.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show jobs that start, checkpoints and measurements, too.")
@click.option("-q", "--quiet", is_flag=True, help="Show warnings, failures and the end alone.")
@click.option(
    "--log-file", type=click.Path(path_type=Path, dir_okay=False), help="Append what happens, with times, to this file."
)
@click.option("--log-level", type=click.Choice(LEVELS), help="The least that the log file has.  [default: info]")
@click.pass_context
def launch(
    context: click.Context,
    file: Path,
    changes: Sequence[str],
    slots: "Sequence[Slot]",
    dry_run: bool,
    yes: bool,
    max_device_hours: float | None,
    address: str | None,
    insecure: bool,
    detach: bool,
    here: bool,
    backend: str | None,
    fake: Path | None,
    exports: Sequence[str],
    verbose: bool,
    quiet: bool,
    log_file: Path | None,
    log_level: str | None,
) -> Exit:
    """Run what is missing, fit the law, draw the frontier."""
    if dry_run:
        return context.invoke(plan, file=file, changes=changes, slots=slots, fake=fake)
    _check_usage(context)
    if fake:
        changes = rehearsed(changes)
    if here or fake or backend:
        address = None
    require_launch(alone=here or bool(address or backend))  # before NumPy is imported, which starts some
    from scalectl.orchestrator.export.companion import companions, wish
    from scalectl.orchestrator.launch.log import LOG, Loudness, logging_to
    from scalectl.orchestrator.launch.planned import planned
    from scalectl.orchestrator.launch.session import admit, carry_out
    from scalectl.orchestrator.plan.plan import Caps

    wishes = [wish(text) for text in exports]
    experiment = experiment_of(file, changes)
    address = _joined(context, address, insecure=insecure)
    caps = Caps.from_limits(experiment.limits, max_device_hours)
    agree = partial(_ask, yes=yes)
    if detach:  # what runs in the background plans for itself, while it holds the store
        admit(planned(experiment)[0], caps, agree)
        words = attached(sys.argv[1:])
        if address:
            return _on_head(experiment, words, address)
        return _detached(experiment, words)
    outlast("stdout")
    if here and not context.find_root().params["debug"]:
        hush()
    backend = backend or ("here" if here else "ray")
    again = command("launch", file.absolute(), changes=changes, options={"fake_cluster": fake and fake.absolute()})
    followed = companions(wishes, Path(experiment.store), experiment.name, partial(click.echo, err=True))
    loudness = Loudness(verbose - quiet)
    with logging_to(log_file, log_level or "info"), followed, _cluster(fake, address) as place:
        LOG.info(f"process {os.getpid()}: {again}")
        outcome = carry_out(
            experiment,
            caps,
            backend=backend,
            slots=slots,
            address=place,
            agree=agree,
            again=again,
            loudness=loudness,
            conclude=partial(_conclude, experiment),
        )
        LOG.info(outcome.text(file, experiment.store, changes, fake))
    click.echo(wrapped(outcome.text(file, experiment.store, changes, fake), width()))
    return outcome.exit


def _check_usage(context: click.Context) -> None:
    """Raise UsageError for options that contradict each other."""
    given = context.params
    if given["fake"] and (given["detach"] or given["here"] or is_typed("address")):
        raise click.UsageError("--fake-cluster is a cluster of this launch: leave out --address, --detach, --here.")
    if given["backend"] and (given["fake"] or given["here"] or is_typed("address")):
        raise click.UsageError("--backend is a place of its own: leave out --address, --fake-cluster, --here.")
    if given["verbose"] and given["quiet"]:
        raise click.UsageError("give one of --verbose and --quiet.")
    if given["log_level"] and given["log_file"] is None:
        raise click.UsageError("--log-level is that of a log file: give --log-file as well.")


def _joined(context: click.Context, address: str | None, *, insecure: bool) -> str | None:
    """The HOST:PORT of the cluster that the launch joins; None where it starts its own, with this environment."""
    from scalectl.orchestrator.cluster.accelerators import unusable
    from scalectl.orchestrator.cluster.address import joined
    from scalectl.orchestrator.cluster.start import check_start, ignored

    by_variable = context.get_parameter_source("address") is ParameterSource.ENVIRONMENT
    address = joined(address, by_variable=by_variable, insecure=insecure)
    if address is None:  # else jobs have the environment of their nodes
        check_start()
        for note in filter(None, (ignored(), *unusable().values())):
            click.echo(note, err=True)
    return address


def _cluster(fake: Path | None, address: str | None) -> AbstractContextManager[str | None]:
    """The address of a cluster while it is there: one that runs, or the fake one of a file."""
    if fake is None:
        return nullcontext(address)
    from scalectl.orchestrator.cli.fake_cluster import fake_cluster

    return fake_cluster(fake, partial(click.echo, err=True))


def _conclude(experiment: "Experiment", outcome: "Outcome") -> "Laws":
    """Fit the laws and draw them; the laws that were fitted.

    Also where nothing was missing: laws may have changed in the file, and runs been excluded.
    """
    if outcome.exit in (Exit.INTERRUPTED, Exit.NOT_FOUND) or not outcome.done:
        return {}
    from scalectl.orchestrator.report.conclusion import conclude

    lines = conclude(experiment)
    while True:
        try:
            click.echo(wrapped(next(lines), width()))
        except StopIteration as end:
            return cast("Laws", end.value)


def attached(words: Sequence[str]) -> list[str]:
    """The words of a command line without --detach and -d, also where that is one letter of several as in -dy."""
    kept = []
    for word in words:
        if re.fullmatch("-[dnqvy]+", word):
            word = word.replace("d", "")
        if word not in ("-", "--detach"):
            kept.append(word)
    return kept


def _detached(experiment: "Experiment", words: Sequence[str]) -> Exit:
    """Launch in the background with the words of this command line; what it may cost was agreed to."""
    from scalectl.orchestrator.launch.background import detach

    store = Path(experiment.store)
    artifacts = Path(experiment.artifacts)
    if "://" in experiment.artifacts:
        artifacts = store.parent
    background = detach([*words, "--yes"], store, artifacts / "launches")
    if background.ended:
        click.echo(f"The launch has ended already; {background.log} says how.\nNext: {command('status', store=store)}")
        return Exit.DONE
    click.echo(f"Process {background.pid} launches in the background; it writes to {background.log}")
    click.echo(f"Next: {command('status --watch', store=store)}")
    return Exit.DONE


def _on_head(experiment: "Experiment", words: Sequence[str], address: str) -> Exit:
    """Launch as a job on the head of a cluster with the words of this command line."""
    from scalectl.orchestrator.launch.background import submit

    store = Path(experiment.store)
    submitted = submit([*words, "--yes"], store, address)
    state, verb = "launches", "status --watch"
    if submitted.ended:
        state, verb = "has ended", "status"
    job = submitted.job
    click.echo(f"Ray job {job} {state} on the head of the cluster; ray job logs {job} says more.")
    click.echo(f"Next: {command(verb, store=store)}")
    return Exit.DONE


def _ask(question: str, *, yes: bool) -> bool:
    """Whether a large launch may start at its cost; raises Refusal where there is nobody to ask."""
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refusal(f"refused: {question} There is no terminal to ask on: give -y to start.")
    return click.confirm(question, err=True)
