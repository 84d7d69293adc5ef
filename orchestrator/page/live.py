"""What viewers of a live page are told: made once for all of them, and only while somebody looks."""

import gzip
import hashlib
import json
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scalectl.orchestrator.errors import NotFound, Refusal
from scalectl.orchestrator.goodput import goodput
from scalectl.orchestrator.page.curves import carried, curve_documents
from scalectl.orchestrator.page.document import document, of_study, shown_text, summary
from scalectl.orchestrator.page.html import embedded, page
from scalectl.orchestrator.page.runs import why
from scalectl.orchestrator.redact import redacted
from scalectl.orchestrator.report.fits import study_points
from scalectl.orchestrator.report.study import Ask, ask
from scalectl.orchestrator.store.older import forget
from scalectl.orchestrator.store.reading import Status, Store

LOOK_SECONDS = 2.0  # between two looks at the store
CURVES_SECONDS, STUDY_SECONDS = 5.0, 15.0  # at least, between two readings of all curves, and two fits of the laws
REST = 10.0  # times the CPU time of a look or a fit nothing is done: at most a tenth of a core is spent
SILENT_SECONDS = 30.0  # a launch writes its account once a second
IDLE_SECONDS = 60.0  # after the last request nobody looks


@dataclass(frozen=True)
class Content:
    """An answer to all viewers, compressed, with its tag."""

    body: bytes
    tag: str

    @staticmethod
    def of_text(text: str) -> "Content":
        """The content of a text."""
        plain = text.encode()
        return Content(gzip.compress(plain, 6, mtime=0), f'"{hashlib.sha256(plain).hexdigest()[:32]}"')


class _Paced:
    """Something that is made anew at most once in so many seconds, and in ten times the time that it takes."""

    def __init__(self, seconds: float, make: Callable[[], Content]) -> None:
        self._seconds, self._make = seconds, make
        self._next = 0.0
        self.number = 0
        self.content: Content | None = None

    def renew(self, *, wanted: bool) -> None:
        """Make it, where that is wanted and it is time."""
        if self.content is not None and not (wanted and time.monotonic() >= self._next):
            return
        begun = time.thread_time()
        content = self._make()
        self._next = time.monotonic() + max(self._seconds, REST * (time.thread_time() - begun))
        if self.content is None or content.tag != self.content.tag:
            self.content, self.number = content, self.number + 1


class Feed:
    """The page of a study, its data, its curves, and the news of it, each as of a moment ago, until it is closed.

    One thread looks at the store for all viewers; another reads the curves and fits the laws.
    """

    def __init__(self, path: Path, study: str | None = None, where: str | None = None) -> None:
        self._path, self._store, self._where = path, Store(path), where
        self._ask = self._asked(study)
        self._closed, self._wanted = threading.Event(), threading.Event()
        self._changed = threading.Condition()
        self._last_request = time.monotonic()
        self._document: dict[str, Any] = {}
        self._fitted: object = None  # the states of the runs, and exclusions and imports, when the laws were fitted
        self._states: object = None
        self._study = _Paced(STUDY_SECONDS, self._make_study)
        self._curves = _Paced(CURVES_SECONDS, self._make_curves)
        self._page: tuple[dict[str, int], Content] | None = None
        self._news, self._number, self._drawn = b"", 0, 0
        self._problem, self._unknown = "", ""
        self._look()
        self._renew()
        self._threads = [
            threading.Thread(target=self._repeat, args=(action,), daemon=True) for action in (self._look, self._rebuild)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the threads, and have nobody wait for news any more."""
        self._closed.set()
        self._wanted.set()
        with self._changed:
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether there will be no more news."""
        return self._closed.is_set()

    def page(self) -> Content:
        """The whole page."""
        self._request()
        versions = self._versions()
        if self._page is None or self._page[0] != versions:
            self._page = versions, Content.of_text(page({**self._document, "live": versions}, connects=True))
        return self._page[1]

    def study(self) -> Content:
        """The data of the page."""
        self._request()
        return self._study.content or Content.of_text("{}")

    def curves(self) -> Content:
        """The training curves."""
        self._request()
        return self._curves.content or Content.of_text("[]")

    def news(self, after: int, seconds: float) -> tuple[int, bytes] | None:
        """The number and text of the last news, once there are any later than number `after`; None after `seconds`."""
        self._request()
        with self._changed:
            if not self._changed.wait_for(lambda: self._number > after or self.closed, seconds):
                return None
            return self._number, self._news

    def _request(self) -> None:
        self._last_request = time.monotonic()
        self._wanted.set()

    def _versions(self) -> dict[str, int]:
        return {"study": self._study.number, "curves": self._curves.number}

    def _repeat(self, action: Callable[[], None]) -> None:
        while not self.closed:
            if time.monotonic() - self._last_request > IDLE_SECONDS:
                self._wanted.clear()
                self._wanted.wait()
            begun = time.thread_time()  # a store that another program holds is waited for, which costs nothing
            action()
            self._closed.wait(max(LOOK_SECONDS, REST * (time.thread_time() - begun)))

    def _look(self) -> None:
        try:
            news = self._news_of(self._store.status())
        except Exception as error:
            news = {"problem": self._told(error)}
        if self._problem:
            news.setdefault("problem", self._problem)
        text = embedded(shown_text(news | self._versions())).encode()
        with self._changed:
            if text != self._news:
                self._news, self._number = text, self._number + 1
                self._changed.notify_all()

    def _news_of(self, status: Status) -> dict[str, Any]:
        """The news of the study in the status of its store."""
        states = [(run.id, run.state, run.excluded, run.value) for run in status.runs]
        self._states = (status.launcher is None, states, status.by_hand)
        if self._ask.study not in self._store.studies():  # another store has taken the place of this one
            raise NotFound(f"{self._path} has no study {self._ask.study!r} any more.")
        status, launch = of_study(status, self._ask), None
        is_own = status.launched == self._ask.study
        if status.launcher is not None:
            launch = {
                "process": str(status.launcher),
                "study": "" if is_own else status.launched,
                "seconds_left": status.seconds_left,
                "behind": self._behind(status.launcher.started),
                "silent_from": SILENT_SECONDS,
            }
        again = ""
        if status.unfinished:
            again = self._store.again(self._ask.study)
        return {
            "summary": summary(status, self._where),
            "launch": launch,
            "goodput": goodput(status.ledger) if is_own and status.has_books else None,
            "again": again,
            "running": [asdict(job) for job in status.running] if is_own else [],
            "runs": {run.id: [run.state.value, run.kind, run.step, why(run)] for run in status.runs},
        }

    def _behind(self, started: float) -> float:
        """The seconds since the launch wrote its account, or began."""
        now = datetime.now(UTC).timestamp()
        return max(0.0, now - (self._store.heard() or started))

    def _rebuild(self) -> None:
        try:
            self._renew()
            self._problem = ""
        except Exception as error:
            self._problem = self._told(error)

    def _renew(self) -> None:
        self._study.renew(wanted=self._states != self._fitted)
        self._curves.renew(wanted=self._number != self._drawn)
        forget()  # of a store of an older version the thread that looks has a copy

    def _told(self, error: Exception) -> str:
        """What viewers are told of an error, after which the next look tries again: the store may have been moved, or
        is being replaced. Of one that nobody foresaw the terminal has the traceback, each once.
        """
        if isinstance(error, Refusal):
            return str(error)
        text = redacted(f"internal error: {type(error).__name__}: {error}")
        if text != self._unknown:
            self._unknown = text
            traceback.print_exception(error, file=sys.stderr)
        return f"{text}. What is shown may be old; the terminal of scalectl serve has more."

    def _asked(self, study: str | None) -> Ask:
        """What the study asks, of the runs that are chosen."""
        if self._where is None:
            return ask(self._path, study)
        request, points = study_points(self._path, study, self._where)
        return replace(request, runs=dict(zip(points["run"], points["model"], strict=True)))

    def _make_study(self) -> Content:
        states = self._states
        working = self._store.launcher() is not None
        self._ask = self._asked(self._ask.study)  # another file of this study may have added runs
        self._document = document(self._path, self._ask.study, self._where, thorough=not working)
        self._fitted = states
        return Content.of_text(json.dumps(self._document, allow_nan=False))

    def _make_curves(self) -> Content:
        number = self._number  # of the news, which tell each step
        curves = list(curve_documents(self._store.segments(self._ask.runs, carried)))
        self._drawn = number
        return Content.of_text(json.dumps(curves, allow_nan=False))
