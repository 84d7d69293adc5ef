"""The news of a launch into its store."""

from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.launch.retries import last_line
from scalectl.orchestrator.states import JobState, RunState
from scalectl.orchestrator.store.records import Records
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
