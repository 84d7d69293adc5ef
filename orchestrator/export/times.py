"""When the steps of a run were trained, as near as the store knows: its attempts have times, its curve seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, and_, or_, select

from scalectl.orchestrator.store.tables import attempts, imports, jobs, runs


@dataclass(frozen=True)
class Span:
    """An attempt of a job, from the step that it began at; in Unix seconds."""

    started: float
    ended: float
    first_step: int


@dataclass(frozen=True)
class Lives:
    """The attempts that made a run: of the stretches of its trunk up to its branch, and of its own job."""

    spans: tuple[Span, ...] = ()

    @property
    def ended(self) -> float:
        """When the last attempt ended, in Unix seconds."""
        return max((span.ended for span in self.spans), default=0.0)

    def times(self, steps: Sequence[int], curve: Any, seconds: Any) -> list[float]:
        """When these steps were done, in Unix seconds and never decreasing.

        That is the start of the attempt that made a step, and the device seconds that the curve has since then.
        `curve` and `seconds` are the steps and seconds [N] of the curve.
        """
        if not self.spans:
            return [0.0] * len(steps)
        made = np.asarray(steps, float)
        known = ~np.isnan(np.asarray(seconds, float))
        clock = np.zeros_like(made)
        begun = np.zeros(len(self.spans))
        firsts = np.array([span.first_step for span in self.spans], float)
        if known.any():
            at, passed = np.asarray(curve, float)[known], np.asarray(seconds, float)[known]
            clock = np.interp(made, [0.0, *at], [0.0, *passed])
            begun = np.interp(firsts, [0.0, *at], [0.0, *passed])
        moments = np.full_like(made, self.spans[0].started)
        for place, span in enumerate(self.spans):
            later = made > span.first_step
            moments[later] = span.started + clock[later] - begun[place]
        return [float(moment) for moment in np.maximum.accumulate(moments)]


def lives(connection: Connection) -> dict[str, Lives]:
    """The attempts behind each run, oldest first; an imported run has one, when it was imported."""
    branch = runs.c.steps - runs.c.cooldown
    stretch = and_(jobs.c.run.is_(None), jobs.c.trunk == runs.c.trunk, jobs.c.start < branch)
    query = (
        select(runs.c.id, attempts.c.started, attempts.c.ended, attempts.c.first_step, jobs.c.start)
        .join_from(runs, jobs, or_(jobs.c.run == runs.c.number, stretch))
        .join(attempts, attempts.c.job == jobs.c.id)
        .order_by(runs.c.number, attempts.c.id)
    )
    spans: dict[str, list[Span]] = {}
    for row in connection.execute(query):
        first = row.start
        if row.first_step is not None:
            first = row.first_step
        started = _unix(row.started)
        ended = started
        if row.ended is not None:
            ended = _unix(row.ended)
        spans.setdefault(row.id, []).append(Span(started, ended, first))
    for run, at in connection.execute(select(imports.c.id, imports.c.at)):
        spans[run] = [Span(_unix(at), _unix(at), 0)]
    return {run: Lives(tuple(listed)) for run, listed in spans.items()}


def _unix(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()
