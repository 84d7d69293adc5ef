"""What the jobs of a run have said, from the store alone: each attempt's begin, end and error, and every warning."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, or_, select

from scalectl.orchestrator.states import job_name
from scalectl.orchestrator.store import runs as lookup
from scalectl.orchestrator.store.database import reading
from scalectl.orchestrator.store.runs import its_jobs
from scalectl.orchestrator.store.tables import attempts, events, jobs, runs

Line = tuple[datetime, int, str]  # UTC, a number that keeps the order, text


def lines(path: Path, word: str) -> list[str]:
    """Return the log of the run that a word names, oldest first; raises NotFound, NotAStore, NewerStore or Unusable."""
    with reading(path) as connection:
        (name,) = lookup.ids(connection, [word])
        run = connection.execute(select(runs).where(runs.c.id == name)).one()
        its = its_jobs(run.number, run.trunk, run.steps - run.cooldown)
        said = [*_attempts(connection, its), *_events(connection, its, run.number)]
    return [f"{at.isoformat(' ', 'seconds')}  {text}" for at, _, text in sorted(said)]


def _attempts(connection: Connection, its: ColumnElement[bool]) -> Iterator[Line]:
    job = jobs.c
    query = select(attempts, job.run_name, job.start, job.stop).join_from(attempts, jobs).where(its)
    count: Counter[str] = Counter()
    for attempt in connection.execute(query.order_by(attempts.c.id)):
        count[attempt.job] += 1
        name = job_name(attempt.job_kind, attempt.run_name, attempt.start, attempt.stop)
        yield attempt.started, 2 * attempt.id, f"{name}: attempt {count[attempt.job]}{_place(attempt)}"
        if attempt.ended:
            yield attempt.ended, 2 * attempt.id + 1, f"{name}: {_end(attempt)}"


def _place(attempt: Row[Any]) -> str:
    text = f" on slot {attempt.slot}"
    if attempt.host:
        text += f" on {attempt.host}, process {attempt.pid}"
    if attempt.first_step is not None:
        text += f", from step {attempt.first_step:,}"
    return text


def _end(attempt: Row[Any]) -> str:
    text = str(attempt.state)
    if attempt.kind:
        text += f" ({attempt.kind})"
    if attempt.step is not None:
        text += f" at step {attempt.step:,}"
    return text + "".join(f"\n    {line}" for line in attempt.reason.splitlines())


def _events(connection: Connection, its: ColumnElement[bool], number: int) -> Iterator[Line]:
    its_own = or_(events.c.run == number, events.c.job.in_(select(jobs.c.id).where(its)))
    for one in connection.execute(select(events).where(its_own, events.c.what != "done")):  # as its attempt says
        yield one.at, 0, f"{one.what}: {one.text}"
