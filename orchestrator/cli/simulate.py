"""The verb simulate: a file carried out on a virtual clock."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from scalectl.orchestrator.cli.options import experiment_of, output, overrides, yaml_file
from scalectl.orchestrator.errors import Exit


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
    """Carry FILE out on a virtual clock.

    Jobs are placed by the schedule of a launch; nothing is started.
    """
    from scalectl.orchestrator.cli import simulate_screen
    from scalectl.orchestrator.launch.session import planned
    from scalectl.orchestrator.plan import simulator as room
    from scalectl.orchestrator.plan.limits import Caps

    experiment = experiment_of(file, changes)
    on = room.parse_slots(texts)
    found, _ = planned(experiment)
    preemptions = room.Preemptions(room.parse_rate(preempt), correlated, seed)
    simulation = room.simulate(found.jobs, on, preemptions, Caps.from_limits(experiment.limits))
    if form == "json":
        click.echo(json.dumps(simulate_screen.document(simulation), indent=2))
    else:
        click.echo(simulate_screen.text(simulation, found.study, on, str(file), changes))
    return Exit.DONE
