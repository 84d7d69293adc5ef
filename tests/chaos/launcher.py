"""Launches as processes: a command of its own, or forked from a process that has imported everything already."""

import atexit
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

IMPORTED = [  # by every launch; starting JAX is left to each
    "flax.linen",
    "optax",
    "orbax.checkpoint",
    "pandas",
    "sklearn.datasets",
    "scalectl.analysis.plotting",
    "scalectl.orchestrator.cli.main",
    "scalectl.orchestrator.cluster.worker",
    "scalectl.orchestrator.launch.session",
    "scalectl.orchestrator.report.conclusion",
    "scalectl.trainer.train",
]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(IMPORTED)


class Forked:
    """A launch that was forked; it has a session of its own and is asked as subprocess.Popen is."""

    def __init__(self, words: list[str], log: Path, variables: dict[str, str]) -> None:
        self._process = FORKS.Process(target=_become, args=(words, log, variables))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code, or None while it lives."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code once it has ended; raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("scalectl", timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


Launcher = Forked | subprocess.Popen[bytes]


def started(words: list[str], log: Path, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    """A launch as a command."""
    command = [sys.executable, "-c", "from scalectl.orchestrator.cli.main import main; main()", *words]
    with log.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, env=os.environ | variables, start_new_session=True)


def _become(words: list[str], log: Path, variables: dict[str, str]) -> None:
    """Be from here on what the command with these words is."""
    os.setsid()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(file, number)
    os.environ.update(variables)
    sys.argv = ["scalectl", *words]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from scalectl.orchestrator.cli.main import main

    try:
        main()
    except SystemExit as ending:
        code = ending.code
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(int(code or 0))
