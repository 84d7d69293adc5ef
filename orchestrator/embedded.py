"""The Ray cluster that a launch starts for itself: what its processes live through, whether they live, their end."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from orchestrator.exits import Refusal

VITAL = ("raylet", "gcs_server")


class Embedded:
    """A cluster of this launch on 127.0.0.1, started with `options`, which can be started anew when it is lost."""

    def __init__(self, ray: Any, options: dict[str, Any]) -> None:
        self._ray, self._options = ray, options
        self.start()

    def start(self) -> None:
        """Start Ray's processes; raises Refusal where this machine doesn't let them."""
        try:
            with signals_held():
                self._ray.init(address="local", **self._options)
        except (OSError, RuntimeError, ValueError, self._ray.exceptions.RayError) as error:
            why = str(error).strip().partition("\n")[0]
            remedy = "Is TMPDIR a short path, and can it be written? --here trains without Ray."
            raise Refusal(f"refused: Ray can't be started: {why.rstrip('.')}. {remedy}") from error
        self._node = self._ray._private.worker._global_node

    def ended(self) -> str:
        """Return which of Ray's processes has ended, or nothing: without the raylet and the GCS nothing goes on."""
        return next((what for what, started in self._started() if what in VITAL and started.poll() is not None), "")

    def shutdown(self) -> None:
        """End Ray's processes and their own.

        They hold SIGTERM, with which Ray would have them end; and what a raylet that was killed has started finds that
        out late, or, while a job runs, not at all. So all are killed.
        """
        for _, process in self._started():
            process.terminate = process.kill  # else Ray waits a second for each
        session = os.path.realpath(self._node.get_session_dir_path())
        self._ray.shutdown()
        for process in _left(session):
            with suppress(psutil.Error):
                process.kill()

    def _started(self) -> Iterator[tuple[str, Any]]:
        for what, several in self._node.all_processes.items():
            yield from ((what, one.process) for one in several)


@contextmanager
def signals_held() -> Iterator[None]:
    """Keep the signals that stop a launch from what is started meanwhile, and from what that starts.

    A lost terminal, `timeout` and batch systems send theirs to every process of a launch, and Ray's must go on until
    the jobs have left their checkpoints. Ray itself keeps SIGINT from them, and would have SIGTERM abort this process.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGTERM})
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _left(session: str) -> list[psutil.Process]:
    """Return the other processes of Ray's session in a folder: they write their logs to it, and some are told of it."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            files = process.open_files()
            written = [file.path for file in files if getattr(file, "mode", "w") != "r"]  # macOS tells no mode
            known = any(path.startswith(session) for path in written) or f"--session-dir={session}" in process.cmdline()
            if process.pid != os.getpid() and known:
                found.append(process)
    return found
