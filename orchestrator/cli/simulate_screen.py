"""A simulation as the table that people read, and as JSON."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from scalectl.orchestrator.format import command, counted, duration, hours, share, table
from scalectl.orchestrator.plan.simulator import Simulation
from scalectl.orchestrator.slots import Slot


def text(simulation: Simulation, study: str, slots: Sequence[Slot], source: str, changes: Sequence[str] = ()) -> str:
    """The screen of a simulation: a line per type of slot, the bound, what was lost, the next command."""
    types = Counter(slot.type for slot in slots)
    head = f"{study} · {simulation.done} of {counted(simulation.runs, 'run')} on a virtual clock · nothing was started"
    header = ("SLOTS", "JOBS", "BUSY", "DEVICE-HOURS", "LOST", "COLD STARTS")
    rows = [_row(simulation, kind, number) for kind, number in types.items()]
    bound, makespan = simulation.lower_bound, simulation.makespan
    above = ""
    if bound and simulation.done:
        above = f", {share(makespan / bound - 1)} above the least possible"
    notes = [
        f"  {duration(makespan)} from start to end{above} ({duration(bound)}).",
        f"  {hours(simulation.device_hours)} device-hours; {share(simulation.goodput)} of them in steps that count.",
    ]
    if simulation.done < simulation.runs:
        notes.append("  A cap of limits is reached before the end.")
    return "\n\n".join(
        [head, table(header, rows), "\n".join(notes), f"Next: {command('launch', source, changes=changes)}"]
    )


def _row(simulation: Simulation, kind: str, number: int) -> tuple[str, ...]:
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


def document(simulation: Simulation) -> dict[str, Any]:
    """The simulation as a JSON object; docs/results.md lists its keys."""
    return {
        "makespan_seconds": simulation.makespan,
        "lower_bound_seconds": simulation.lower_bound,
        "device_hours": simulation.device_hours,
        "goodput": simulation.goodput,
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
