"""What a job in the launching process asks whether it has to stop: nobody else looks at requests while it runs."""

import time

from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.store.records import Records
from scalectl.trainer.events import Stop

_SECONDS = 1.0  # between two looks


class Requested:
    """A stop that is set once the launch is to end, or all runs of the job that was placed last are asked to stop."""

    records: Records | None = None  # until there is a store, nobody can ask it

    def __init__(self, stopping: Stop) -> None:
        self._stopping = stopping
        self._runs: frozenset[str] = frozenset()
        self._asked: frozenset[str] = frozenset()
        self._looked = 0.0

    def take(self, news: News) -> None:
        """Note which job is placed."""
        if not news.events:
            self._runs, self._looked = frozenset(news.job.runs), 0.0

    def is_set(self) -> bool:
        """Whether it is; the store is looked at once a second."""
        if self.records and time.monotonic() - self._looked > _SECONDS:
            self._asked |= self.records.stops_ahead()
            self._looked = time.monotonic()
        return self._stopping.is_set() or (bool(self._runs) and self._runs <= self._asked)
