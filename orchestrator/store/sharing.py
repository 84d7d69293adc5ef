"""What each run adds to the compute of its trunk, where the store has runs of the trunk that the newest plan lacks."""

from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection, bindparam, func, or_, select, update

from scalectl.orchestrator.store.tables import runs
from scalectl.orchestrator.vocabulary import RunState

_ROUNDED = 1e-12  # share of compute by which numbers of one compute may differ
_OF_THE_STORE = or_(runs.c.listed, runs.c.state == RunState.DONE)
_BRANCH = runs.c.steps - runs.c.cooldown
_COLUMNS = (runs.c.number, runs.c.trunk, runs.c.steps, runs.c.cooldown, runs.c.flops, runs.c.marginal_flops)


def has_more_than(connection: Connection, planned: int) -> bool:
    """Whether the store has more runs than so many."""
    return connection.execute(select(func.count()).where(_OF_THE_STORE)).scalar_one() > planned


def share_trunks(connection: Connection) -> None:
    """Have the `marginal_flops` of all runs of each trunk add up to its compute, whatever studies they are of."""
    query = select(*_COLUMNS).where(_OF_THE_STORE).order_by(runs.c.trunk, _BRANCH, runs.c.steps)
    changed = []
    for _, group in groupby(connection.execute(query), key=attrgetter("trunk")):
        reached = 0
        for run in group:
            branch = run.steps - run.cooldown
            own = run.flops / run.steps * (max(0, branch - reached) + run.cooldown)
            reached = max(reached, branch)
            if abs(own - run.marginal_flops) > _ROUNDED * own:
                changed.append({"of_run": run.number, "marginal_flops": own})
    if changed:
        connection.execute(update(runs).where(runs.c.number == bindparam("of_run")), changed)
