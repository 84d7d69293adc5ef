"""Why runs wait, from the store alone."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from orchestrator.tables import jobs

UNFINISHED = ("planned", "stopped", "failed")


class Waits:
    """The jobs of a store that aren't done, and what each run that isn't done waits for among them."""

    def __init__(self, connection: Connection, *, launched: bool) -> None:
        self._launched = launched
        self._stretches: dict[int, list[Row[Any]]] = defaultdict(list)
        todo: Select[Any] = select(jobs.c.name, jobs.c.trunk, jobs.c.stop, jobs.c.state)
        todo = todo.where(jobs.c.run.is_(None), jobs.c.state != "done").order_by(jobs.c.start)
        for job in connection.execute(todo):
            self._stretches[job.trunk].append(job)

    def why(self, state: str, trunk: int, branch: int, reason: str) -> str:
        """Return what a run of this state, which branches off its trunk at `branch`, waits for; or nothing."""
        if state not in UNFINISHED:
            return ""
        if not self._launched or state != "planned":
            return f"a launch: {reason}" if reason else "a launch"
        return self._slot(job for job in self._stretches[trunk] if job.stop <= branch)

    def _slot(self, before: Iterable[Row[Any]]) -> str:
        """Return what a planned run waits for while a launcher works, given the stretches that it needs."""
        stretches = list(before)
        for job in stretches:
            if job.state == "running":
                return f"{job.name}, which trains"
        return f"{stretches[0].name}, which waits for a slot" if stretches else "a slot"
