"""The log of a launch, in a file with times and levels; what it writes is printable and without secrets."""

import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path

from scalectl.analysis.printable import printable
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.launch.progress import Tally
from scalectl.orchestrator.launch.screens import details, end_line, warnings
from scalectl.orchestrator.redact import redacted
from scalectl.orchestrator.vocabulary import JobState

LOG = logging.Logger("scalectl", logging.DEBUG)
LOG.manager = logging.Manager(LOG)  # type: ignore[arg-type] # whoever silences libraries doesn't silence this one
LOG.addHandler(logging.NullHandler())
_STDERR = 2  # by its number
_WARNINGS = ("warning ", "waiting ", "stopping ")  # how lines begin that are said to whoever wants quiet


class Loudness(IntEnum):
    """How much of a launch is shown."""

    QUIET = -1  # warnings and failures
    NORMAL = 0
    VERBOSE = 1  # also jobs that start, checkpoints and measurements


def say(text: str, loudness: Loudness = Loudness.NORMAL) -> None:
    """Show a line on stderr and log it; one that warns is shown whatever the loudness."""
    warns = text.startswith(_WARNINGS)
    LOG.log(logging.WARNING if warns else logging.INFO, text)
    if warns or loudness > Loudness.QUIET:
        try:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
        except RuntimeError:  # a signal came while a line was written, and a stream takes no other one within it
            with suppress(OSError):
                os.write(_STDERR, f"{text}\n".encode())


class Journal:
    """Logs the news of a launch."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def take(self, news: News) -> None:
        """Log what a piece of news says."""
        for line in details(news):
            LOG.debug(line)
        for line in warnings(news):
            LOG.warning(line)
        line = end_line(news, self._tally.measured[news.job.id])
        if line:
            LOG.log(_level(news.state), line)


def _level(state: JobState) -> int:
    if state is JobState.FAILED:
        return logging.ERROR
    if state in (JobState.DIVERGED, JobState.RETRIED):
        return logging.WARNING
    return logging.INFO


class _Format(logging.Formatter):
    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line) for line in redacted(super().format(record)).splitlines())


class _Handler(logging.FileHandler):
    """Appends to a file until that fails, which is said once: a full disk ends no launch by its log."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        LOG.removeHandler(self)
        sys.stderr.write(f"warning   {self.baseFilename}: {sys.exc_info()[1]}; the log ends here\n")


@contextmanager
def logging_to(file: Path | None, level: str) -> Iterator[None]:
    """Have the log of a launch appended to a file, from a level up; without a file it goes nowhere.

    Raises Refusal for a file that can't be written. An error that ends the launch is logged with its traceback.
    """
    if file is None:
        yield
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = _Handler(file, encoding="utf-8", errors="replace")
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror}.") from error
    handler.setLevel(level.upper())
    handler.setFormatter(_Format("%(asctime)sZ %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    LOG.addHandler(handler)
    try:
        yield
    except Refusal as refusal:
        LOG.error(str(refusal))
        raise
    except BaseException:
        LOG.error(traceback.format_exc().rstrip())
        raise
    finally:
        LOG.removeHandler(handler)
        with suppress(OSError):  # what a full disk has no room for
            handler.close()
