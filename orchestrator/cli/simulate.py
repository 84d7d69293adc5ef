"""The verb simulate: a file carried out on a virtual clock."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scalectl.orchestrator.cli.options import answer, experiment_of, output, overrides, slots_option, yaml_file
from scalectl.orchestrator.errors import Exit

if TYPE_CHECKING:
    from scalectl.orchestrator.slots import Slot


@click.command()
@yaml_file
@overrides
@slots_option("Slots, as 4xv5e-16, or 8 for CPU workers; may be repeated.", required=True)
@click.option("--preempt", metavar="RATE", help="How often a slot is taken away, such as 0.2/h.")
@click.option("--correlated", is_flag=True, help="All slots of a type are taken away at once.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the pre-emptions.")
@output("table", "json")
def simulate(
    file: Path,
    changes: Sequence[str],
    slots: "Sequence[Slot]",
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
    from scalectl.orchestrator.plan.plan import Caps

    experiment = experiment_of(file, changes)
    plan, _ = planned(experiment)
    preemptions = room.Preemptions(room.parse_rate(preempt), correlated, seed)
    simulation = room.simulate(plan.jobs, slots, preemptions, Caps.from_limits(experiment.limits))
    answer(
        form,
        lambda: simulate_screen.document(simulation),
        lambda: simulate_screen.text(simulation, plan.study, slots, str(file), changes),
    )
    return Exit.DONE
