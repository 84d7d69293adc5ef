"""The verbs that try a plan out before anything starts: preflight on a slice of TPUs, simulate on a virtual clock."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scalectl.orchestrator.cli.options import experiment_of, overrides, quiet_option, say, slots_option, yaml_file
from scalectl.orchestrator.cli.rows import Rows, View, rows_options
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, counted, duration, hours, share, table
from scalectl.orchestrator.terminal import width

if TYPE_CHECKING:
    from scalectl.orchestrator.plan.simulator import Simulation
    from scalectl.orchestrator.vocabulary import Slot


@click.command()
@yaml_file
@overrides
@click.option("--topology", metavar="SLICE", help="A slice such as v5e:4x4 or v5e-16; by default that of resources.")
@click.option("--smallest", is_flag=True, help="Compile for other slices too, up to the smallest that fits.")
@quiet_option
@rows_options()
def preflight(file: Path, changes: Sequence[str], topology: str | None, smallest: bool, view: View) -> Exit:
    """Check that the training steps of FILE fit on a slice of TPUs.

    No TPU is needed: the steps are compiled for it, or their memory is estimated where the TPU's compiler is missing.
    """
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before JAX looks for devices
    from scalectl.orchestrator.launch.planned import planned
    from scalectl.orchestrator.plan import preflight as memory
    from scalectl.trainer.memory import compiler_here

    plan, _ = planned(experiment_of(file, changes))
    programs = memory.programs(plan, topology)
    answers = []
    for number, program in enumerate(programs, 1):
        if not memory.is_cached(program):
            say(f"Compiling {program.names} for {program.slices}, {number} of {len(programs)} ...", err=True)
        answers.append(memory.check(program, search=smallest))
        if view.is_for_people:
            click.echo(memory.text(answers[-1]))
    document = memory.document(answers)
    if view.is_of_rows:
        view.print(Rows(document["shapes"]))
    elif view.form == "json":
        click.echo(json.dumps(document, indent=2))
    elif not compiler_here():
        click.echo("These are estimates: after pip install 'scalectl[aot]' the TPU's own compiler is asked.")
    if all(checked.need.fits for checked in answers):
        return Exit.DONE
    return Exit.REFUSED


@click.command()
@yaml_file
@overrides
@slots_option("Slots, as 4xv5e-16, or 8 for CPU workers; may be repeated. By default as many as are of use.")
@click.option("--preempt", metavar="RATE", help="How often a slot is taken away, such as 0.2/h.")
@click.option("--correlated", is_flag=True, help="All slots of a type are taken away at once.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the pre-emptions.")
@rows_options()
def simulate(
    file: Path,
    changes: Sequence[str],
    slots: "Sequence[Slot]",
    preempt: str | None,
    correlated: bool,
    seed: int,
    view: View,
) -> Exit:
    """Carry FILE out on a virtual clock.

    Jobs are placed by the schedule of a launch; nothing is started.
    """
    from scalectl.orchestrator.cluster.capacity import capacity
    from scalectl.orchestrator.launch.planned import planned
    from scalectl.orchestrator.plan import simulator
    from scalectl.orchestrator.plan.plan import Caps
    from scalectl.orchestrator.plan.preemptions import Preemptions, parse_rate
    from scalectl.orchestrator.plan.proposal import proposed

    experiment = experiment_of(file, changes)
    plan, _ = planned(experiment)
    slots = slots or proposed(plan.jobs, capacity().workers)
    preemptions = Preemptions(parse_rate(preempt), correlated, seed)
    simulation = simulator.simulate(plan.jobs, slots, preemptions, Caps.from_limits(experiment.limits))
    view.answer(
        lambda: document(simulation, slots),
        lambda: text(simulation, plan.study, slots, str(file), changes),
        lambda: Rows(document(simulation, slots)["order"]),
    )
    return Exit.DONE


def text(
    simulation: "Simulation", study: str, slots: "Sequence[Slot]", source: str, changes: Sequence[str] = ()
) -> str:
    """The screen of a simulation: a line per type of slot, the bound, what was lost, the next command."""
    types = Counter(slot.type for slot in slots)
    head = f"{study} · {simulation.done} of {counted(simulation.runs, 'run')} on a virtual clock · nothing was started"
    header = ("SLOTS", "JOBS", "BUSY", "DEVICE-HOURS", "LOST", "COLD STARTS")
    rows = [_row(simulation, kind, number) for kind, number in types.items()]
    bound, makespan = simulation.lower_bound, simulation.makespan
    above = ""
    if bound:
        above = f", {share(makespan / bound - 1)} above the least possible"
    length = f"{duration(makespan)} from start to end{above} ({duration(bound)})"
    if simulation.done < simulation.runs:  # a part is not compared with what the whole takes
        length = f"{duration(makespan)} until a cap of limits is reached; all runs take {duration(bound)} at least"
    notes = [
        f"  {length}.",
        f"  {hours(simulation.device_hours)} device-hours; {share(simulation.goodput)} of them in steps that count.",
    ]
    return "\n\n".join(
        [
            head,
            table(header, rows, width=width(), spare=("COLD STARTS", "DEVICE-HOURS")),
            "\n".join(notes),
            f"Next: {command('launch', source, changes=changes)}",
        ]
    )


def _row(simulation: "Simulation", kind: str, number: int) -> tuple[str, ...]:
    lives = [life for life in simulation.lives if life.slot.type == kind]
    busy = sum(life.stop - life.start for life in lives)
    used = 0.0
    if simulation.makespan:
        used = busy / (number * simulation.makespan)
    return (
        f"{number} x {kind}",
        str(len(lives)),
        share(used),
        hours(sum((life.stop - life.start) * life.devices for life in lives) / 3600),
        duration(sum(life.lost for life in lives)),
        str(sum(life.cold for life in lives)),
    )


def document(simulation: "Simulation", slots: "Sequence[Slot]") -> dict[str, Any]:
    """The simulation as a JSON object; docs/results.md lists its keys."""
    from scalectl.orchestrator.plan.proposal import by_type

    return {
        "makespan_seconds": simulation.makespan,
        "lower_bound_seconds": simulation.lower_bound,
        "device_hours": simulation.device_hours,
        "goodput": simulation.goodput,
        "slots_by_type": by_type(slots),
        "runs": simulation.runs,
        "done": simulation.done,
        "lost_seconds": simulation.lost,
        "cold_starts": sum(life.cold for life in simulation.lives),
        "order": [
            {
                "job": life.job.id,
                "name": life.job.job.name,
                "slot": life.slot.name,
                "start_seconds": life.start,
                "stop_seconds": life.stop,
                "state": life.state.value,
                "lost_seconds": life.lost,
            }
            for life in simulation.lives
        ],
    }
