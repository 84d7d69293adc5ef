"""The commands that turn a file into work: plan, preflight, launch and simulate."""

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scalectl.orchestrator.cli.options import (
    Range,
    experiment_of,
    hush,
    outlast,
    output,
    overrides,
    slots_option,
    yaml_file,
)
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.hints import command

if TYPE_CHECKING:
    from scalectl.orchestrator.experiment.experiment import Experiment

HOURS = Range(min=0, min_open=True)


@click.command()
@yaml_file
@overrides
@slots_option
@click.option("--check", is_flag=True, help="Exit 3 when something is left to do.")
@output("table", "json")
def plan(file: Path, changes: Sequence[str], slots: int | None, check: bool, form: str) -> Exit:
    """Show the runs of FILE, what they cost and why each will run; nothing is started."""
    from scalectl.orchestrator.cli import plan_screen
    from scalectl.orchestrator.cluster.process import usable
    from scalectl.orchestrator.launch.session import planned
    from scalectl.orchestrator.report.study import DEFAULT

    experiment = experiment_of(file, changes)
    found, _ = planned(experiment)
    slots = slots or found.slots(len(usable()))
    if form == "json":
        click.echo(json.dumps(plan_screen.document(found, slots), indent=2))
    else:
        fit = plan_screen.tightest(experiment.fits or DEFAULT, experiment.cells)
        click.echo(plan_screen.text(found, str(file), experiment.store, slots, fit, changes))
    return Exit.WORK_LEFT if check and found.missing else Exit.DONE


@click.command()
@yaml_file
@overrides
@click.option("--topology", required=True, metavar="CHIP:SIDES", help="A slice of TPUs, such as v5e:4x4.")
@click.option("--smallest", is_flag=True, help="Compile for other slices too, up to the smallest that fits.")
@output("table", "json")
def preflight(file: Path, changes: Sequence[str], topology: str, smallest: bool, form: str) -> Exit:
    """Say whether the training steps of FILE fit on a slice of TPUs; no TPU is needed."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before JAX looks for devices
    from scalectl.orchestrator.launch.session import planned
    from scalectl.orchestrator.plan import preflight as room

    found, _ = planned(experiment_of(file, changes))
    answers = []
    for answer in room.preflight(found, topology, search=smallest):
        answers.append(answer)
        if form == "table":
            click.echo(room.text(answer))
    if form == "json":
        click.echo(json.dumps(room.document(answers), indent=2))
    return Exit.DONE if all(answer.memory.fits for answer in answers) else Exit.REFUSED


@click.command()
@yaml_file
@overrides
@slots_option
@click.option("-n", "--dry-run", is_flag=True, help="Plan only.")
@click.option("-y", "--yes", is_flag=True, help="Start without asking, whatever it costs.")
@click.option("--max-device-hours", type=HOURS, help="In place of limits.max_device_hours.")
@click.option("--address", envvar="RAY_ADDRESS", help="A Ray cluster that runs already; RAY_ADDRESS says the same.")
@click.option("--insecure", is_flag=True, help="Join a cluster without a token; its network has to keep others out.")
@click.option("-d", "--detach", is_flag=True, help="In the background; status --watch follows, stop --all ends it.")
@click.option("--here", is_flag=True, help="Train in this process, without Ray.")
@click.pass_context
def launch(
    context: click.Context,
    file: Path,
    changes: Sequence[str],
    slots: int | None,
    dry_run: bool,
    yes: bool,
    max_device_hours: float | None,
    address: str | None,
    insecure: bool,
    detach: bool,
    here: bool,
) -> Exit:
    """Run what is missing of FILE, then fit the law and draw the frontier."""
    if dry_run:
        return context.invoke(plan, file=file, changes=changes, slots=slots)
    from scalectl.orchestrator.cluster.ray_server import trusted
    from scalectl.orchestrator.launch.session import admit, carry_out
    from scalectl.orchestrator.plan.limits import Caps

    experiment = experiment_of(file, changes)
    trusted(None if here else address, insecure=insecure)
    caps = Caps.of(experiment.limits, max_device_hours)
    admit(experiment, caps, lambda question: _ask(question, yes=yes))
    if detach:
        words = _attached(sys.argv[1:])
        return _on_head(experiment, words, address) if address and not here else _detached(experiment, words)
    outlast("stdout")
    if here and not context.find_root().params["debug"]:
        hush()
    outcome = carry_out(experiment, slots=slots, address=address, here=here, caps=caps)
    anew = outcome.worked or not experiment.figure.exists()
    if outcome.exit is not Exit.INTERRUPTED and outcome.done and anew:
        from scalectl.orchestrator.report.fits import conclude

        for line in conclude(experiment):
            click.echo(line)
    click.echo(outcome.text(file, experiment.store, changes))
    return outcome.exit


def _attached(words: Sequence[str]) -> list[str]:
    """Return the words of a command line without --detach and -d, also where that stands among others as in -dy."""
    short = [f"-{word[1:].replace('d', '')}" if re.fullmatch("-[ndy]+", word) else word for word in words]
    return [word for word in short if word not in ("-", "--detach")]


def _detached(experiment: "Experiment", words: Sequence[str]) -> Exit:
    """Launch in the background with the words of this command line; what it may cost was agreed to."""
    from scalectl.orchestrator.launch.background import detach

    store = Path(experiment.store)
    remote = "://" in experiment.artifacts
    folder = store.parent / "launches" if remote else Path(experiment.artifacts) / "launches"
    found = detach([*words, "--yes"], store, folder)
    if found.ended:
        click.echo(f"The launch has ended already; {found.log} says how.\nNext: {command('status', store=store)}")
        return Exit.DONE
    click.echo(f"Process {found.pid} launches in the background; it writes to {found.log}")
    click.echo(f"Next: {command('status --watch', store=store)}")
    return Exit.DONE


def _on_head(experiment: "Experiment", words: Sequence[str], address: str) -> Exit:
    """Launch as a job on the head of a cluster with the words of this command line."""
    from scalectl.orchestrator.launch.background import submit

    store = Path(experiment.store)
    found = submit([*words, "--yes"], store, address)
    follow = command("status" if found.ended else "status --watch", store=store)
    does = "has ended" if found.ended else "launches"
    click.echo(f"Ray job {found.job} {does} on the head of the cluster; ray job logs {found.job} says more.")
    click.echo(f"Next: {follow}")
    return Exit.DONE


def _ask(question: str, *, yes: bool) -> bool:
    """Return the answer to what a large launch costs; raises Refusal where there is nobody to ask."""
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refusal(f"refused: {question} There is no terminal to ask on: give -y to start.")
    return click.confirm(question, err=True)


@click.command()
@yaml_file
@overrides
@click.option("--slots", "texts", multiple=True, required=True, metavar="COUNTxTYPE", help="Slots: 4xv5e-16, or 8.")
@click.option("--preempt", metavar="RATE", help="How often a slot is taken away, such as 0.2/h.")
@click.option("--correlated", is_flag=True, help="All slots of a type are taken away at once.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the pre-emptions.")
@output("table", "json")
def simulate(
    file: Path,
    changes: Sequence[str],
    texts: Sequence[str],
    preempt: str | None,
    correlated: bool,
    seed: int,
    form: str,
) -> Exit:
    """Carry FILE out on a virtual clock, by the schedule of a launch; nothing is started."""
    from scalectl.orchestrator.cli import simulate_screen
    from scalectl.orchestrator.launch.session import planned
    from scalectl.orchestrator.plan import simulator as room
    from scalectl.orchestrator.plan.limits import Caps

    experiment = experiment_of(file, changes)
    on = room.slots(texts)
    found, _ = planned(experiment)
    preemptions = room.Preemptions(room.rate(preempt), correlated, seed)
    simulation = room.simulate(found.jobs, on, preemptions, Caps.of(experiment.limits))
    if form == "json":
        click.echo(json.dumps(simulate_screen.document(simulation), indent=2))
    else:
        click.echo(simulate_screen.text(simulation, found.study, on, str(file), changes))
    return Exit.DONE
