"""Training curves as the store keeps them, each step once: what runs of a trunk share, and what each has of its own."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

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


def segments(
    connection: Connection, among: Collection[str], choose: Callable[[list[int]], Collection[int]] | None = None
) -> Iterator[Segment]:
    """Yield the segments of the runs with these ids, trunk by trunk.

    Given the trunk of each segment, `choose` says of which trunks they are wanted; others are not read.
    """
    ids, members, branches = dict[int, str](), dict[int, list[str]](), dict[str, int]()
    branch = runs.c.steps - runs.c.cooldown
    for number, run, trunk, left in connection.execute(select(runs.c.number, runs.c.id, runs.c.trunk, branch)):
        if run in among:
            ids[number], branches[run] = run, left
            members.setdefault(trunk, []).append(run)
    columns = [progress.c[name] for name in ("trunk", "run", "step", "loss", "device_seconds", "images_seen", "flops")]
    query = select(*columns).order_by(progress.c.trunk, progress.c.run, progress.c.step)
    if choose:
        wanted = choose(sorted(_trunks(connection, ids, members)))
        if len(wanted) < len(members):
            query = query.where(progress.c.trunk.in_(wanted))
    for (trunk, number), group in groupby(connection.execute(query), key=itemgetter(0, 1)):
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
        _, _, steps, losses, seconds, images, flops = zip(*points, strict=True)
        last = max(1, steps[-1])
        yield Segment(trunk, run, sharing, steps, losses, seconds, images[-1] / last, flops[-1] / last, branch_of)


def _trunks(connection: Connection, ids: Collection[int], members: Collection[int]) -> Iterator[int]:
    """Yield the trunk of each segment of these runs and trunks that has a step."""
    curve = select(progress.c.step).where(progress.c.trunk == runs.c.trunk)
    own = curve.where(progress.c.run == runs.c.number).correlate(runs).exists()
    for number, trunk in connection.execute(select(runs.c.number, runs.c.trunk).where(own)):
        if number in ids:
            yield trunk
    shared = curve.where(progress.c.run == 0).correlate(runs).exists()
    for trunk in connection.scalars(select(runs.c.trunk).where(shared).distinct()):
        if trunk in members:
            yield trunk
