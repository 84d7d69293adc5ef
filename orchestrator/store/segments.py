"""Training curves as the store keeps them, each step once: what runs of a trunk share, and what each has of its own."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, select

from scalectl.orchestrator.store.tables import progress, runs


@dataclass(frozen=True)
class Segment:
    """The curve of a trunk, or what one run has of its own; numbers of equal place belong to one step."""

    trunk: int
    run: str  # its id, and nothing for the trunk itself
    runs: tuple[str, ...]  # the ids of the runs that have these steps
    steps: tuple[int, ...]
    losses: tuple[float | None, ...]
    device_seconds: tuple[float | None, ...]
    images_per_step: float
    flops_per_step: float
    branch: int  # the step up to which the run has its trunk's curve, or the last such step of `runs`


def segments(connection: Connection, among: Collection[str]) -> Iterator[Segment]:
    """Yield the segments of the runs with these ids, trunk by trunk."""
    ids, members, branches = dict[int, str](), dict[int, list[str]](), dict[str, int]()
    branch = runs.c.steps - runs.c.cooldown
    for number, run, trunk, left in connection.execute(select(runs.c.number, runs.c.id, runs.c.trunk, branch)):
        if run in among:
            ids[number], branches[run] = run, left
            members.setdefault(trunk, []).append(run)
    columns = [progress.c[name] for name in ("trunk", "run", "step", "loss", "device_seconds", "images_seen", "flops")]
    rows = connection.execute(select(*columns).order_by(progress.c.trunk, progress.c.run, progress.c.step))
    for (trunk, number), group in groupby(rows, key=lambda row: (row.trunk, row.run)):
        if trunk not in members or (number and number not in ids):
            continue
        run, sharing = "", tuple(members[trunk])
        if number:
            run = ids[number]
            sharing = (run,)
        branch_of = max(branches[one] for one in sharing)
        points = [point for point in group if number or point.step <= branch_of]  # a run of no interest may go on
        if not points:
            continue
        last = points[-1]
        yield Segment(
            trunk,
            run,
            sharing,
            tuple(point.step for point in points),
            tuple(point.loss for point in points),
            tuple(point.device_seconds for point in points),
            last.images_seen / max(1, last.step),
            last.flops / max(1, last.step),
            branch_of,
        )
