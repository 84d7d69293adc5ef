"""What a launch that waits for slots, and a job in the launching process, ask whether they have to stop.

Nobody else looks at requests meanwhile.
"""

import time
from collections.abc import Mapping
from pathlib import Path

from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.store.beside import Unusable
from scalectl.orchestrator.store.names import requested
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.store.requests import asked_to_stop
from scalectl.trainer.events import Stop

_SECONDS = 1.0  # between two looks


class Requested:
    """A stop that is set once the launch is to end, or all runs of the job that was placed last are asked to stop.

    Before the first job, these are all that the launch is for: `missing` has their names by their ids.
    """

    records: Records | None = None  # until the plan is written down; requests stay in their file as long

    def __init__(self, stopping: Stop, store: Path, missing: Mapping[str, str]) -> None:
        self._stopping, self._store, self._missing = stopping, store, missing
        self._runs = frozenset(missing)
        self._asked: frozenset[str] = frozenset()
        self._looked = 0.0

    def take(self, news: News) -> None:
        """Note which job is placed."""
        if not news.events:
            self._runs, self._looked = frozenset(news.job.runs), 0.0

    def is_set(self) -> bool:
        """Whether it is; requests are looked at once a second."""
        if time.monotonic() - self._looked > _SECONDS:
            self._asked |= self._look()
            self._looked = time.monotonic()
        return self._stopping.is_set() or (bool(self._runs) and self._runs <= self._asked)

    def _look(self) -> frozenset[str]:
        if self.records:
            return self.records.stops_ahead()
        try:
            return requested(asked_to_stop(self._store, keep=True), self._missing)
        except Unusable:  # the store will have a warning
            return frozenset()
