"""The head of a cluster that a launch joined: whether it answers, and what is asked of it without waiting for long.

Ray waits a minute for a head that is gone, inside whatever was called, and then ends the process from a thread.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Any, TypeVar

from scalectl.orchestrator.cluster.ray_server import Unreachable, knock

KNOCK_SECONDS = 1.0  # between two knocks
ANSWER_SECONDS = 5.0  # that an answer is waited for
GONE_SECONDS = 5.0  # without an answer to a knock, after which it is gone: a switch may drop a few packets
SILENT_SECONDS = 30.0  # without an answer to a question, after which one that still listens is gone, too
CLOSE_SECONDS = 15.0  # that leaving the cluster may take; Ray takes 5 where the head is gone

Answer = TypeVar("Answer")


class Head:
    """The head at an address; without one it is part of this launch, and always answers."""

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._thread = ThreadPoolExecutor(1, "head")
        self._knocked = self._answered = time.monotonic()
        self._open: tuple[float, Future[Any]] | None = None  # the last question: since when, and its answer

    @property
    def lost(self) -> str:
        """That it is gone, in a sentence's words; empty while it answers."""
        now, silent = time.monotonic(), self._unanswered()
        if self._address is None or (self._answers() and silent < SILENT_SECONDS):
            return ""
        if now - self._answered < GONE_SECONDS and silent < SILENT_SECONDS:
            return ""
        return f"the head of the cluster at {self._address} is gone"

    def ask(self, question: Callable[[], Answer], default: Answer) -> Answer:
        """The answer to a question to Ray, or the default where the head doesn't answer."""
        if self._address is None:
            return question()
        if self._unanswered() or not self._answers():
            return default
        answer = self._thread.submit(question)
        self._open = time.monotonic(), answer
        try:
            return answer.result(ANSWER_SECONDS)
        except NotYet:
            return default

    def _unanswered(self) -> float:
        """The seconds for which a question has been open."""
        if self._open is None or self._open[1].done():
            return 0.0
        return time.monotonic() - self._open[0]

    def leave(self, ray: Any) -> None:
        """Leave the cluster, and return in any case."""
        if self._address is None:
            ray.shutdown()
            return
        leaving = ThreadPoolExecutor(1, "leaving").submit(ray.shutdown)
        try:
            leaving.result(CLOSE_SECONDS)
        except NotYet:
            return

    def _answers(self) -> bool:
        """Whether it answered the last knock; it is knocked at most once in KNOCK_SECONDS."""
        if time.monotonic() - self._knocked >= KNOCK_SECONDS and self._knocks():
            self._answered = self._knocked
        return self._answered >= self._knocked

    def _knocks(self) -> bool:
        try:
            knock(str(self._address), KNOCK_SECONDS)
        except Unreachable:
            return False
        finally:
            self._knocked = time.monotonic()
        return True
