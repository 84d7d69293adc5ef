"""What the jobs of a run have said, from the store alone: each attempt's begin, end and error, and every warning."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, or_, select

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
    query = select(attempts, jobs.c.name).join_from(attempts, jobs).where(its).order_by(attempts.c.id)
    count: Counter[str] = Counter()
    for one in connection.execute(query):
        count[one.job] += 1
        where = f" on {one.host}, process {one.pid}" if one.host else ""
        step = "" if one.first_step is None else f", from step {one.first_step:,}"
        yield one.started, 2 * one.id, f"{one.name}: attempt {count[one.job]} on slot {one.slot}{where}{step}"
        if one.ended:
            kind = f" ({one.kind})" if one.kind else ""
            reached = "" if one.step is None else f" at step {one.step:,}"
            reason = "".join(f"\n    {line}" for line in one.reason.splitlines())
            yield one.ended, 2 * one.id + 1, f"{one.name}: {one.state}{kind}{reached}{reason}"


def _events(connection: Connection, its: ColumnElement[bool], number: int) -> Iterator[Line]:
    its_own = or_(events.c.run == number, events.c.job.in_(select(jobs.c.id).where(its)))
    for one in connection.execute(select(events).where(its_own, events.c.what != "done")):  # as its attempt says
        yield one.at, 0, f"{one.what}: {one.text}"
