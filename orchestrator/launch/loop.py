"""The loop of a launch: place what is ready, hear what jobs report, stop what nobody wants any more."""

import time
from collections.abc import Generator, Iterator, Mapping

from scalectl.orchestrator.cluster.base import Cluster
from scalectl.orchestrator.format import last_line
from scalectl.orchestrator.launch.config import LaunchConfig
from scalectl.orchestrator.launch.jobs import Board
from scalectl.orchestrator.launch.news import ASKED, INTERRUPTED, Listener, News
from scalectl.orchestrator.launch.surroundings import Surroundings, slots_of
from scalectl.orchestrator.plan.plan import Plan
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.vocabulary import JobState, RunState
from scalectl.trainer.events import Failed


class Recorder:
    """Writes down attempts, their events, and what the end of a job means for the runs that wait for it."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._attempts: dict[str, int] = {}  # slot -> the attempt that it holds

    def take(self, news: News) -> None:
        """Write down a piece of news."""
        if not news.events:
            self._attempts[news.slot] = self._records.start(news.job, news.slot, news.slot_type)
            return
        self._records.write(self._attempts[news.slot], news.events)
        if news.ended:
            self._settle(news)

    def _settle(self, news: News) -> None:
        runs, end = news.job.runs, news.events[-1]
        if news.stop_reason:
            self._records.settle(runs, RunState.STOPPED, reason=news.stop_reason)
        if isinstance(end, Failed) and news.state in (JobState.FAILED, JobState.DIVERGED):
            self._records.settle(runs, RunState(news.state), end.kind, last_line(end.reason))
        if news.pause:
            run = None
            if len(runs) == 1:
                run = runs[0]
            self._records.note("paused", news.pause, run=run, job=news.job.id)


POLL_SECONDS = 0.5
KEEP_SECONDS = 1.0


def launch(
    plan: Plan,
    records: Records,
    cluster: Cluster,
    checkpoints: Mapping[str, Mapping[int, str]],
    config: LaunchConfig,
) -> Generator[News, None, str]:
    """Carry out a plan; yields news that is in the store and that all listeners have taken.

    It ends when every job is done, failed or, once it is to stop or a cap is reached, stopped at a checkpoint; so it
    does when the cluster is lost, or has had no slot for any job for too long. Returns why nothing more was placed,
    which is nothing where all was. Runs that the store is asked to stop meanwhile leave the plan. `checkpoints` holds
    the folders of checkpoints by trunk or run and by step.
    """
    board = Board(plan, slots_of(cluster), checkpoints, config.max_retries)
    return _Loop(board, records, cluster, config).news()


class _Loop:
    def __init__(self, board: Board, records: Records, cluster: Cluster, config: LaunchConfig) -> None:
        self._board, self._records, self._cluster, self._config = board, records, cluster, config
        self._around = Surroundings(board, records, cluster, config)
        config.ledger.follow(cluster.slots)
        # the store comes first: whatever others hear is in it by then
        self._listeners: list[Listener] = [Recorder(records), config.meter, config.ledger, *config.listeners]
        self._signalled: set[str] = set()  # slots whose jobs were asked to stop

    def news(self) -> Generator[News, None, str]:
        self._stop()  # what was asked while slots were waited for isn't placed
        while self._board.running or self._board.ready:
            self._around.follow()
            self._halt()
            yield from self._place()
            self._halt()  # whoever reads the news may have asked for it meanwhile
            self._stop()
            if self._around.starved:
                time.sleep(POLL_SECONDS)
            yield from self._hear()
            self._stop()  # before what a backend in this process has stopped for a request is placed again
            if self._config.ledger.due(KEEP_SECONDS):
                self._keep()
        self._config.ledger.end()
        self._keep()
        self._leave()
        return self._board.halted

    def _keep(self) -> None:
        self._records.keep(self._config.ledger.entries(), self._config.seconds_left())

    def _halt(self) -> None:
        if self._board.halted:
            return
        if self._config.stopping.is_set():
            self._board.halted = INTERRUPTED
        else:
            self._board.halted = self._cluster.lost or self._config.meter.reached() or self._around.exhausted()

    def _place(self) -> Iterator[News]:
        for job, slot in self._board.placements():
            news = self._board.place(job, slot)
            self._tell(news)
            self._cluster.start(slot.name, self._board.resolved(job))
            yield news

    def _stop(self) -> None:
        """Stop the jobs that no run needs any more, or all of them where the launch comes to an end."""
        if requested := self._records.stop_requests():
            self._records.settle(self._board.stop(requested), RunState.STOPPED, reason=ASKED)
        slots = self._board.unwanted
        if self._board.halted:
            slots = set(self._board.running)
        for slot in slots - self._signalled:
            self._cluster.stop(slot)
            self._signalled.add(slot)

    def _hear(self) -> Iterator[News]:
        for slot, events in self._cluster.events(POLL_SECONDS):
            news = self._board.take(slot, events)
            if news.ended:
                self._signalled.discard(slot)
            self._tell(news)
            yield news

    def _tell(self, news: News) -> None:
        for listener in self._listeners:
            listener.take(news)

    def _leave(self) -> None:
        """Write down why the rest is no longer placed; what an interrupt leaves and never failed stays planned."""
        if self._board.halted == INTERRUPTED:
            self._records.settle(self._board.retried(), RunState.STOPPED, reason=INTERRUPTED)
        elif self._board.halted:
            self._records.settle(self._board.waiting(), RunState.STOPPED, reason=self._board.halted)
        for cause, runs in self._board.paused().items():
            self._records.settle(runs, RunState.STOPPED, reason=f"paused: {cause}")
