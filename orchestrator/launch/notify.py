"""The hook of a study: what it gets when a launch ends, fails or pauses, and how it is called; it hurts no launch."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.experiment.hooks import Hook, NoHook
from scalectl.orchestrator.experiment.reading import Experiment
from scalectl.orchestrator.format import last_line
from scalectl.orchestrator.launch.news import INTERRUPTED, News
from scalectl.orchestrator.launch.outcome import Outcome
from scalectl.orchestrator.redact import redacted
from scalectl.orchestrator.vocabulary import RunState

SECONDS = 10.0  # that a call may take

Warn = Callable[[str], None]
Laws = Mapping[str, Mapping[str, Any]]  # the document of each law by its name, or `refused` with the reason


class Unheard(Exception):  # noqa: N818 - a warning, not an error
    """A call that failed, and why; it names no secret of a URL."""


class Notifier:
    """The hook of an experiment; without one it does nothing. Warnings of calls that fail go to `warn`."""

    def __init__(self, experiment: Experiment, warn: Warn) -> None:
        self._experiment, self._hook, self._warn = experiment, experiment.notify, warn
        self._folder = Path(experiment.path).parent
        self._paused: set[str] = set()
        self._calls: list[threading.Thread] = []
        self._working = False  # whether a launch has begun to work, which its hook is told the end of

    def begin(self) -> None:
        """Note that there is work, and warn at once of a hook that can't be called."""
        self._working = True
        try:
            if self._hook is not None:
                target(self._hook, self._folder)
        except Unheard as reason:
            self._warn(f"warning   notify: {reason}; the launch goes on")

    def take(self, news: News) -> None:
        """Tell of what is paused while other jobs go on."""
        if news.pause and news.pause not in self._paused:
            self._paused.add(news.pause)
            self._send("paused", f"paused: {news.pause}", news.pause, {}, running=True)

    def end(self, outcome: Outcome, laws: Laws) -> None:
        """Tell how a launch that worked ended and what laws it came to, and wait for the calls."""
        reason = outcome.reason
        counts: dict[str, Any] = {"exit": int(outcome.exit), "seconds": round(outcome.seconds, 1)}
        counts |= {"runs": outcome.runs, "done": outcome.done, "states": dict(outcome.states), "laws": dict(laws)}
        text = outcome.summary().splitlines()[0]
        if reason:
            text = f"{text}; {reason}"
        self._send(_event(outcome), text, reason, counts)
        self._wait()
        self._working = False  # the end is told once, also where something ends the launch after it

    def fail(self, error: Exception) -> None:
        """Tell that a launch was ended by an error."""
        reason = last_line(str(error)) or type(error).__name__
        self._send("failed", f"failed: {reason}", reason, {"exit": int(getattr(error, "exit", Exit.FAILED))})
        self._wait()

    def interrupt(self) -> None:
        """Tell that a launch was ended at once, by a second Ctrl-C."""
        self._send("paused", f"stopped: {INTERRUPTED}", INTERRUPTED, {"exit": int(Exit.INTERRUPTED)})
        self._wait()

    def _send(self, event: str, text: str, reason: str, counts: Mapping[str, Any], *, running: bool = False) -> None:
        """Call the hook in a thread of its own."""
        if self._hook is None or not self._working:
            return
        study = self._experiment
        texts = {"event": event, "study": study.name, "text": f"{study.name}: {text}", "reason": reason}
        texts |= {"file": study.path, "store": study.store, "host": socket.gethostname()}
        texts["at"] = datetime.now(UTC).isoformat(timespec="seconds")
        document = {key: redacted(value) for key, value in texts.items()} | {"running": running, **counts}
        call = threading.Thread(
            target=self._call, args=[self._hook, json.dumps(document).encode()], name="notify", daemon=True
        )
        self._calls.append(call)
        call.start()

    def _call(self, hook: Hook, document: bytes) -> None:
        try:
            place = target(hook, self._folder)
            if isinstance(place, str):
                post(place, document)
            else:
                execute(place, self._folder, document)
        except Unheard as reason:
            self._warn(f"warning   notify: {redacted(str(reason))}")

    def _wait(self) -> None:
        for call in self._calls:
            call.join(SECONDS + 1.0)
            if call.is_alive():
                self._warn(f"warning   notify: no answer in {SECONDS:.0f} s")
        self._calls = []


@contextmanager
def notifying(experiment: Experiment, warn: Warn) -> Iterator[Notifier]:
    """Yield the notifier of a launch, which tells of an error or an interrupt that ends the launch."""
    notifier = Notifier(experiment, warn)
    try:
        yield notifier
    except KeyboardInterrupt:
        notifier.interrupt()
        raise
    except Exception as error:
        notifier.fail(error)
        raise


def _event(outcome: Outcome) -> str:
    """The event of the end of a launch: `paused` where another launch goes on with what is left."""
    if outcome.exit is Exit.FAILED:
        return "failed"
    if outcome.exit is not Exit.DONE or dict(outcome.states).keys() - {RunState.DIVERGED}:
        return "paused"
    return "done"


def target(hook: Hook, folder: Path) -> str | list[str]:
    """The URL or the words of the command that a hook calls from a folder; raises Unheard where it can't be called."""
    try:
        place = hook.target()
    except NoHook as error:
        raise Unheard(str(error)) from None
    if isinstance(place, str):
        return place
    name, *rest = place
    program = shutil.which(name)
    if "/" in name:
        program = shutil.which(folder / Path(name).expanduser())
    if program is None:
        raise Unheard(f"{name}: no such program that may be executed")
    return [program, *rest]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Has a redirection fail: a POST that follows one arrives as a GET without its text, and maybe elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


def post(url: str, document: bytes) -> None:
    """POST a JSON document to a URL; raises Unheard."""
    place = f"{urlsplit(url).scheme}://{urlsplit(url).hostname}"
    headers = {"Content-Type": "application/json", "User-Agent": "scalectl"}
    try:
        request = urllib.request.Request(url, document, headers, method="POST")  # noqa: S310 - http or https
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=SECONDS):
            pass
    except HTTPError as error:
        error.close()
        raise Unheard(f"{place} answered {error.code}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise Unheard(f"{place}: {getattr(error, 'reason', None) or error}") from None


def execute(command: list[str], folder: Path, document: bytes) -> None:
    """Execute a command in a folder with a JSON document as its stdin; raises Unheard, also where it takes too long."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:  # pipes might block
        given.write(document)
        given.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 - what the study's file says
                command, stdin=given, stdout=subprocess.DEVNULL, stderr=errors, cwd=folder, start_new_session=True
            )
        except OSError as error:
            raise Unheard(f"{command[0]}: {error.strerror}") from None
        try:
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise Unheard(f"{command[0]} was ended: it took more than {SECONDS:.0f} s") from None
        if code:
            errors.seek(0)
            said = last_line(errors.read(10_000).decode(errors="replace"))
            raise Unheard(f"{command[0]} ended with {code}. {said}".rstrip())
