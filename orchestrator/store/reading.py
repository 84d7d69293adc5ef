"""A store to read: the one object that screens, pages and exports ask; nothing here writes."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scalectl.orchestrator.states import RunState
from scalectl.orchestrator.store import details, runs, status
from scalectl.orchestrator.store.database import reading
from scalectl.orchestrator.store.details import Details
from scalectl.orchestrator.store.lock import Holder, holder
from scalectl.orchestrator.store.runs import Study
from scalectl.orchestrator.store.status import Status

if TYPE_CHECKING:
    from scalectl.orchestrator.plan.plan import Known

WATCH_SECONDS = 2.0


class Store:
    """The store at `path`, each answer as of the moment of its question.

    Methods raise NotFound where there is no store, and NotAStore, NewerStore or Unusable for a file that can't be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def launcher(self) -> Holder | None:
        """The launcher that holds the store now, or None."""
        return holder(self.path)

    def status(self) -> Status:
        """How far the studies are, and what each run waits for."""
        with reading(self.path) as connection:
            return status.status(connection, self.path)

    def watch(self, seconds: float = WATCH_SECONDS) -> Iterator[Status]:
        """Yield the status whenever it has changed, until no launch is running; the last one is whole."""
        before = None
        while True:
            now = self.status()
            if now != before:
                yield now
            if now.launcher is None:
                return
            before = now
            time.sleep(seconds)

    def run(self, word: str) -> Details:
        """All that is known of the run that a word names; raises NotFound for a word that names none or several."""
        with reading(self.path) as connection:
            return details.details(connection, word, launched=self.launcher() is not None)

    def logs(self, word: str) -> list[str]:
        """What the jobs of the run that a word names have said, oldest first; raises NotFound as `run` does."""
        with reading(self.path) as connection:
            return details.log(connection, word)

    def study(self, name: str | None = None) -> Study:
        """A study by its name, or the last one; raises NotFound where there is none."""
        with reading(self.path) as connection:
            return runs.study(connection, self.path, name)

    def known(self, artifacts: str | None = None) -> "Known":
        """What a planner has to know of the store, which is nothing where there is none.

        Of checkpoints only those inside the folder `artifacts`, where it is given.
        """
        from scalectl.orchestrator.store.known import known  # only here: pydantic takes half a second

        return known(self.path, artifacts)

    def ids(self, words: Sequence[str], *, imported: bool = False) -> list[str]:
        """The ids of the runs that words name; raises NotFound for a word that names none or several."""
        with reading(self.path) as connection:
            return runs.ids(connection, words, imported=imported)

    def in_states(self, states: Sequence[RunState], among: Sequence[str] | None = None) -> list[str]:
        """The ids of the listed runs in these states; of those `among` them, where they are given."""
        with reading(self.path) as connection:
            return runs.in_states(connection, among, states)

    def to_evaluate(self, among: Sequence[str] | None = None) -> list[str]:
        """The ids of the listed runs that are done and lack evaluations; of those `among` them, where given."""
        with reading(self.path) as connection:
            return runs.to_evaluate(connection, among)
