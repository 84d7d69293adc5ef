"""What a live view shows beside the status: the model of each run, and how the losses of running jobs went so far."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, and_, cast, func, select
from sqlalchemy.types import Integer

from scalectl.orchestrator.store.tables import attempts, jobs, progress, runs
from scalectl.orchestrator.vocabulary import AttemptState

POINTS = 16  # of a curve


@dataclass(frozen=True)
class Training:
    """The models of the listed runs by their ids, and the losses of the jobs that run by theirs, oldest first."""

    models: dict[str, str]
    losses: dict[str, list[float]]


def training(connection: Connection) -> Training:
    """The models of the listed runs, and of each running job at most POINTS means of its losses so far."""
    models = connection.execute(select(runs.c.id, runs.c.model).where(runs.c.listed)).all()
    part = cast((progress.c.step - 1) * POINTS / attempts.c.step, Integer)
    curve = and_(
        progress.c.trunk == jobs.c.trunk,
        progress.c.run == func.coalesce(jobs.c.run, 0),
        progress.c.step <= attempts.c.step,
    )
    live = attempts.c.state.in_((AttemptState.STARTING, AttemptState.RUNNING))
    query = select(jobs.c.id, func.avg(progress.c.loss)).join_from(attempts, jobs).join(progress, curve)
    means = query.where(live, attempts.c.step > 0).group_by(jobs.c.id, part).order_by(jobs.c.id, part)
    losses = defaultdict[str, list[float]](list)
    for job, mean in connection.execute(means):
        if mean is not None:
            losses[job].append(mean)
    return Training({run: str(model) for run, model in models}, dict(losses))
