"""What a launch shows while it runs: live bars on a terminal, plain lines anywhere else; always on stderr."""

import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Self, TextIO

from scalectl.analysis.printable import printable
from scalectl.orchestrator.format import counted, last_line, share
from scalectl.orchestrator.launch.news import Listener, News
from scalectl.orchestrator.launch.progress import Tally, part
from scalectl.orchestrator.terminal import wrapped
from scalectl.orchestrator.vocabulary import JobState
from scalectl.trainer.events import Checkpoint, Failed, Measurement, Noticed, Progress, Skipped, Started

SHOW_SECONDS = 0.2  # between two sums over all jobs
SAY_SECONDS, SAY_SHARE = 30.0, 0.02  # of silence, and of all time so far, after which a plain screen says how far it is


def end_line(news: News, measured: Mapping[str, float]) -> str:
    """One line on the end of a job and what it `measured`; empty while it runs, and where it needs no line."""
    if not news.ended:
        return ""
    end = news.events[-1]
    if isinstance(end, Failed):
        return f"{news.state:<8}  {news.job.job.name}: {end.kind}: {last_line(end.reason)}"
    if news.state is JobState.STOPPED:
        if not end.step:
            return f"stopped   {news.job.job.name} before its first step"
        return f"stopped   {news.job.job.name} at step {end.step:,}; its checkpoint is saved"
    if news.state is JobState.DONE and news.job.is_cooldown:
        values = "  ".join(f"{name} {value:.4g}" for name, value in list(measured.items())[:2])
        return f"done      {news.job.run_name}  {values}"
    return ""


def warnings(news: News) -> list[str]:
    """A line for each checkpoint that was damaged, for what was noticed of images, and for what is paused."""
    name = news.job.job.name
    lines = [f"warning   {name}: {event.reason}" for event in news.events if isinstance(event, Skipped)]
    lines += [f"warning   {name}: {event.text}" for event in news.events if isinstance(event, Noticed)]
    if news.pause:
        lines.append(f"paused    {news.pause}")
    return lines


def details(news: News) -> list[str]:
    """A line for a job that starts, for each checkpoint that is kept, and for each measurement."""
    name = news.job.job.name
    if not news.events:
        return [f"started   {name} on {news.slot}"]
    kept = [event for event in news.events if isinstance(event, Checkpoint) and event.kept]
    lines = [f"saved     {name} at step {event.step:,}" for event in kept]
    values = [event for event in news.events if isinstance(event, Measurement)]
    return lines + [f"measured  {name} at step {event.step:,}: {event.metric} {event.value:.4g}" for event in values]


class Lines:
    """One plain line for each run that ended, for each failure and for each warning, and one after a long silence."""

    def __init__(self, tally: Tally, out: TextIO | None = None, *, verbose: bool = False) -> None:
        self._tally, self._verbose = tally, verbose
        self._out = out or sys.stderr
        self._began = self._printed = time.monotonic()

    def take(self, news: News) -> None:
        """Print the lines of the news, if it warns or ended something."""
        self._tally.take(news)
        if self._verbose:
            for line in details(news):
                self._print(line)
        for line in warnings(news):
            self._print(line)
        place = f"{self._tally.ended}/{self._tally.runs}"
        if line := end_line(news, self._tally.measured[news.job.id]):
            if news.state is not JobState.STOPPED:  # what was stopped is left too
                place += f"  {self._tally.left}"
            self._print(f"{line}  {place}")
        elif time.monotonic() - self._printed >= max(SAY_SECONDS, SAY_SHARE * (time.monotonic() - self._began)):
            self._print(f"working   {share(self._tally.share)} of the FLOPs  {place}  {self._tally.left}")

    def _print(self, line: str) -> None:
        print(line, file=self._out, flush=True)
        self._printed = time.monotonic()


class Live:
    """A bar for each slot with loss and speed, and one for the study with the time left."""

    def __init__(self, tally: Tally, *, verbose: bool = False) -> None:
        from rich.console import Console
        from rich.progress import Progress, TaskID

        from scalectl.orchestrator.launch.bars import Layout

        self._tally, self._verbose = tally, verbose
        screen = getattr(sys.stderr, "screen", sys.stderr)  # of cli/streams.py, which lets the bars move
        console = Console(file=screen)
        self._layout = Layout(console.width, max(map(len, [tally.study, *tally.names])))
        self._bars = Progress(*self._layout.columns(), console=console, transient=True, expand=False)
        self._slots: dict[str, TaskID] = {}
        self._shown = 0.0
        self._study = self._bars.add_task(tally.study, total=1.0, note="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def take(self, news: News) -> None:
        """Move the bars; a run that ended leaves its line above them."""
        self._tally.take(news)
        self._move(news)
        more = details(news) if self._verbose else []
        for line in filter(None, (*more, *warnings(news), end_line(news, self._tally.measured[news.job.id]))):
            line = wrapped(printable(line), self._layout.width)
            self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)
        if news.state is JobState.DONE or time.monotonic() - self._shown >= SHOW_SECONDS:
            self._shown = time.monotonic()
            note = self._layout.note(f"{self._tally.ended}/{counted(self._tally.runs, 'run')}", self._tally.left)
            self._bars.update(self._study, completed=self._tally.share, note=note)

    def _move(self, news: News) -> None:
        job = news.job.job
        if news.slot not in self._slots:
            self._slots[news.slot] = self._bars.add_task(job.name, total=1.0, note="")
        bar = self._slots[news.slot]
        last = next((event for event in reversed(news.events) if isinstance(event, Progress)), None)
        if last is not None:
            parts = (f"{last.step:,}/{job.stop:,}", f"loss {last.loss:.3f}", f"{last.images_per_second:,.0f} img/s")
            note = self._layout.note(*parts)
            self._bars.update(bar, description=job.name, completed=part(job.start, last.step, job.stop), note=note)
        elif not news.events:
            self._bars.update(bar, description=job.name, completed=0.0, note="starting")
        elif isinstance(news.events[0], Started):  # what takes longest before the first steps
            self._bars.update(bar, note="compiling")


class Quiet(Lines):
    """The lines of failures and warnings alone."""

    def take(self, news: News) -> None:
        """Print the lines of the news that warn, or say of a failure."""
        self._tally.take(news)
        lines = warnings(news)
        if news.ended and isinstance(news.events[-1], Failed):
            lines.append(end_line(news, {}))
        for line in lines:
            self._print(line)


def screen(tally: Tally, *, quiet: bool = False, verbose: bool = False) -> AbstractContextManager[Listener]:
    """The screen that fits where stderr goes, until it is left; it keeps the tally up to date."""
    if quiet:
        return nullcontext(Quiet(tally))
    if sys.stderr.isatty():
        return Live(tally, verbose=verbose)
    return nullcontext(Lines(tally, verbose=verbose))
