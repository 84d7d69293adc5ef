"""The only writer of results.db; every write is an upsert, so that a batch that comes twice does no harm."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, delete, func, select, update

from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.experiment.reading import Experiment
from scalectl.orchestrator.format import counted
from scalectl.orchestrator.goodput import Entries
from scalectl.orchestrator.plan.plan import Plan, PlannedJob
from scalectl.orchestrator.redact import redacted
from scalectl.orchestrator.revision import revision
from scalectl.orchestrator.store import rows
from scalectl.orchestrator.store.attempts import begin, note, number_of, replacing, take
from scalectl.orchestrator.store.beside import Unusable
from scalectl.orchestrator.store.database import explained, file_number, writing
from scalectl.orchestrator.store.file_systems import shared_file_system
from scalectl.orchestrator.store.fits import of_fits
from scalectl.orchestrator.store.foreign import Foreign
from scalectl.orchestrator.store.intake import Taken, bury, now, take_back, take_in, take_in_others
from scalectl.orchestrator.store.lock import Lock, unwritable
from scalectl.orchestrator.store.names import requested
from scalectl.orchestrator.store.pruning import Pruning, forget_checkpoints, forget_runs
from scalectl.orchestrator.store.requests import asked_to_stop, forget_requests
from scalectl.orchestrator.store.snapshot import PLANNED
from scalectl.orchestrator.store.tables import (
    checkpoints,
    exclusions,
    fits,
    imports,
    launches,
    ledger,
    runs,
)
from scalectl.orchestrator.vocabulary import CPU, RunState
from scalectl.trainer.events import Event


class Records:
    """The store at `path`, made when there is none, held for writing until it is closed; `lock` holds it already.

    A command that doesn't launch says so, lest others take it for a launch.
    Raises Locked when another launcher holds it; NotAStore, NewerStore or Unusable for a file that can't be used.
    """

    def __init__(self, path: str | Path, lock: Lock | None = None, *, launches: bool = True) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = lock or Lock(self.path, launches=launches)
        except OSError as error:
            raise unwritable(error, self.path) from error
        if lock is None:  # else it forgot them when it was taken
            forget_requests(self.path)
        self._placed: dict[int, rows.Placed] = {}
        self._launch: int | None = None  # its number in the ledger
        self._warned: set[str] = set()
        self._requested: frozenset[str] = frozenset()  # that nobody has taken yet
        self._missing: dict[str, str] = {}  # the names of the plan's runs that aren't done, by their ids
        try:
            self._engine = writing(self.path)
            self._file = file_number(self.path)
            with explained(self.path):
                self._lock.hold_itself()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store and let the next launcher in."""
        self._engine.dispose()
        self._lock.release()

    def plan(self, plan: Plan, experiment: Experiment) -> None:
        """Write down all that a study needs, before anything starts; runs that are done stay so."""
        self._missing = {run.id: run.name for run in plan.missing}
        with self._writing() as connection:
            bury(connection)
            take_in(connection, plan, experiment.document, of_fits(experiment.fits))
            missing = f"{len(plan.missing)} of {counted(len(plan.runs), 'run')}"
            note(connection, PLANNED, f"{plan.study}: {missing} to be done")
            if kind := shared_file_system(self.path):
                note(connection, "warning", f"the store is on {kind}, where SQLite's locks can't be trusted")

    def take_in(self, foreign: Sequence[Foreign], study: str, origin: str) -> Taken:
        """Write down runs of other people, and return what came of it."""
        with self._writing() as connection:
            taken = take_in_others(connection, foreign, study, origin)
            note(connection, "imported", f"{counted(len(foreign), 'run')} of {origin}, {taken.new} of them new")
        return taken

    def take_back(self, study: str) -> int:
        """Delete the runs of other people in a study, and return how many they are; raises NotFound without any."""
        with self._writing() as connection:
            number = take_back(connection, study)
            note(connection, "imported", f"{study} taken back: {counted(number, 'run')} deleted")
        return number

    def repair(self, lost: Collection[str]) -> None:
        """Put down as lost what an earlier launch left running, and delete the rows of checkpoints that are gone."""
        with self._writing() as connection:
            bury(connection)
            for path in lost:
                connection.execute(delete(checkpoints).where(checkpoints.c.path == path))
            note(connection, "repaired", f"{counted(len(lost), 'checkpoint')} that are gone; what was left running")

    def prune_runs(self, found: Pruning) -> None:
        """Take runs out of their study; what was measured of them stays."""
        with self._writing() as connection:
            forget_runs(connection, found)

    def prune_checkpoints(self, found: Pruning, removed: Collection[str]) -> None:
        """Forget checkpoints that were removed from these paths."""
        with self._writing() as connection:
            forget_checkpoints(connection, found, removed)

    def start(self, job: PlannedJob, slot: str, slot_type: str = CPU) -> int:
        """Write down that a job was given to a slot, and return the number of this attempt."""
        code = revision()
        with self._writing() as connection:
            attempt, placed = begin(connection, job, {"slot": slot, "slot_type": slot_type, "revision": code})
        self._placed[attempt] = placed
        return attempt

    def write(self, attempt: int, events: Sequence[Event]) -> None:
        """Write down a batch of a job's events, all of it or nothing."""
        with self._writing() as connection:
            take(connection, attempt, self._placed[attempt], events)

    def settle(self, run_ids: Collection[str], state: RunState, kind: str = "", reason: str = "") -> None:
        """Write down the launcher's verdict on runs: failed, diverged, stopped or planned; done ones stay done."""
        reason = redacted(reason)
        with self._writing() as connection:
            chosen = update(runs).where(runs.c.id.in_(run_ids), runs.c.state != RunState.DONE)
            number = connection.execute(chosen.values(state=state, kind=kind, reason=reason)).rowcount
            if number:
                text = ": ".join(part for part in (counted(number, "run"), kind, reason) if part)
                run = None
                if len(run_ids) == 1:
                    (run,) = run_ids
                note(connection, "retried" if state is RunState.PLANNED else state, text, run=run)

    def keep(self, ledger_by_slot: Mapping[str, Entries], seconds_left: float | None = None) -> None:
        """Write down where the time of each slot has gone so far in this launch, and how long it still takes."""
        with self._writing() as connection:
            if self._launch is None:
                self._launch = connection.scalars(select(func.coalesce(func.max(ledger.c.launch), 0) + 1)).one()
            new = rows.of_ledger(ledger_by_slot, self._launch, now())
            if new:
                connection.execute(replacing(ledger), new)
            forecast = {"launch": self._launch, "at": now(), "seconds_left": seconds_left}
            connection.execute(replacing(launches).values(forecast))

    def states(self, run_ids: Iterable[str]) -> dict[str, RunState]:
        """The states of runs by their ids."""
        with self._writing() as connection:
            states = {row.id: row.state for row in connection.execute(select(runs.c.id, runs.c.state))}
        return {run: states[run] for run in run_ids}

    def stop_requests(self) -> frozenset[str]:
        """The runs that `scalectl stop` has asked to stop since the last call; of others a warning is kept."""
        asked, self._requested = self.stops_ahead(), frozenset()
        return asked

    def stops_ahead(self) -> frozenset[str]:
        """What the next call of `stop_requests` returns, as far as it was asked by now."""
        try:
            self._requested |= requested(asked_to_stop(self.path), self._missing)
        except Unusable as error:
            if str(error) not in self._warned:
                self._warned.add(str(error))
                self.note("warning", f"requests to stop are ignored: {error}")
        return self._requested

    def exclude(self, run: str, reason: str) -> None:
        """Leave a run out of fits; raises NotFound for an id that the store lacks."""
        with self._writing() as connection:
            if self._mark(connection, run, reason, excluded=True):
                connection.execute(replacing(exclusions).values(run=number_of(run), reason=reason, at=now()))

    def include(self, run: str) -> None:
        """Take an exclusion back; raises NotFound for an id that the store lacks."""
        with self._writing() as connection:
            if self._mark(connection, run, "", excluded=False):
                connection.execute(delete(exclusions).where(exclusions.c.run == number_of(run)))

    def _mark(self, connection: Connection, run: str, reason: str, *, excluded: bool) -> bool:
        """Mark a run, and return whether it is one of a study; an imported one keeps its reason beside it."""
        if connection.execute(update(runs).where(runs.c.id == run).values(excluded=excluded)).rowcount:
            return True
        other = update(imports).where(imports.c.id == run).values(excluded=excluded, reason=reason)
        if not connection.execute(other).rowcount:
            raise NotFound(f"{self.path} has no run {run}. scalectl status --runs lists them.")
        return False

    def note(self, kind: str, text: str, run: str | None = None, job: str | None = None) -> None:
        """Write down that something happened, with the ids of the run and of the job that it happened to."""
        with self._writing() as connection:
            note(connection, kind, text, run, job)

    def save_fit(self, name: str, document: dict[str, Any]) -> None:
        """Write down a fitted law in place of an earlier one of that name."""
        parameters = document.get("params", {})
        columns = {column: document.get(column, "") for column in ("law", "metric", "compute", "unit")}
        columns |= {column: parameters.get(column) for column in ("scale", "offset", "exponent", "floor")}
        text = json.dumps(rows.without_nan(document), allow_nan=False)
        with self._writing() as connection:
            connection.execute(replacing(fits).values(name=name, at=now(), document=text, **columns))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with explained(self.path):
            self._stay()
            with self._engine.begin() as connection:
                yield connection

    def _stay(self) -> None:
        """Raise Unusable when the store is gone from its place: SQLite would go on with a file that has no name."""
        if file_number(self.path) != self._file:
            raise Unusable(
                f"{self.path} was moved, deleted or replaced while this process wrote to it."
                " Put it back if you can; launching again goes on from what it holds."
            )
