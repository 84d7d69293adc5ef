"""One study in a folder of its own that a round of chaos launches, strikes and launches again."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
from conftest import DEFAULTS, SMALL

COMMAND = [sys.executable, "-c", "from scalectl.orchestrator.cli.main import main; main()"]
GRID = {"sizes": "[60, 120]", "steps": "[150, 300, 600]", "checkpoint_every": 40, "shots": "[1, 5]"}
LIMITS = "limits: {stall: 20, acquire: 60}\n"
MARK = "SCALECTL_CHAOS_ROUND"  # in the environment of every process that a round starts
PATIENCE = 240.0  # seconds for a launch of some seconds on a busy machine


class Ended(AssertionError):  # noqa: N818 - not always an error
    """A launch that ended before it could be struck."""


class World:
    """The study, the process of its launch, and what that process printed."""

    def __init__(self, folder: Path, flags: tuple[str, ...]) -> None:
        self.folder, self.flags = folder, flags
        self.file, self.log = folder / "experiments.yaml", folder / "log.txt"
        self.disk = folder  # where the store and artifacts are, unless a fault needs a disk of its own
        self.environment: dict[str, str] = {}
        self.launcher: subprocess.Popen[bytes] | None = None
        self.write()

    @property
    def store(self) -> Path:
        """The store of the study."""
        return self.disk / "results.db"

    @property
    def artifacts(self) -> Path:
        """The folder of its checkpoints."""
        return self.disk / "artifacts"

    def write(self, **changes: str) -> None:
        """Write the file of the study, with its store and artifacts on the disk of this world."""
        text = SMALL.format(**(DEFAULTS | GRID | changes)) + LIMITS
        text = text.replace("store: results.db", f"store: {self.store}")
        self.file.write_text(text.replace("./artifacts", str(self.artifacts)))

    def start(self) -> subprocess.Popen[bytes]:
        """A launch as a process with a group of its own."""
        variables = os.environ | self.environment | {MARK: self.folder.name}
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [*COMMAND, "launch", str(self.file), *self.flags],
                stdout=log,
                stderr=log,
                env=variables,
                start_new_session=True,
            )

    def begin(self) -> None:
        """Start the launch that will be struck."""
        self.launcher = self.start()

    def wait_for(self, steps: int) -> None:
        """Wait until the store has a curve of `steps` steps; raises Ended where the launch has ended by then."""
        assert self.launcher is not None
        while self.count("progress") < steps:
            if self.launcher.poll() is not None:
                raise Ended(self.log.read_text()[-2000:])
            time.sleep(0.05)

    def finish(self) -> int:
        """The exit code of the launch that was struck; a launch that doesn't end is killed and fails the round."""
        assert self.launcher is not None
        return self._wait(self.launcher)

    def launch_again(self) -> int:
        """The exit code of another launch, from start to end."""
        return self._wait(self.start())

    def _wait(self, launcher: subprocess.Popen[bytes]) -> int:
        try:
            return launcher.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(launcher.pid, signal.SIGKILL)
            launcher.wait()
            raise

    def output(self) -> str:
        """What the last launch printed."""
        return self.log.read_text(errors="replace")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query; none where there is no store or table yet."""
        if not self.store.exists():
            return []
        try:
            with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=30)) as store:
                return store.execute(query).fetchall()
        except sqlite3.Error:
            return []

    def count(self, table: str) -> int:
        """How many rows a table has."""
        counts = self.rows(f"SELECT count(*) FROM {table}")
        if not counts:
            return 0
        return int(counts[0][0])

    def processes(self) -> list[psutil.Process]:
        """The processes alive that this round started, whoever their parent is by now."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == self.folder.name
        except psutil.Error:
            return False

    def worker(self) -> psutil.Process:
        """The process of a job that is running."""
        (pid,) = self.rows("SELECT pid FROM attempts WHERE state = 'running' AND pid > 0 ORDER BY id DESC LIMIT 1")[0]
        return psutil.Process(pid)

    def checkpoints(self) -> Iterator[Path]:
        """The folders of the checkpoints that lie on disk, from old to new."""
        folders = self.rows("SELECT path FROM checkpoints ORDER BY step, path")
        return (Path(path) for (path,) in folders if Path(path).exists())

    def end(self) -> None:
        """Kill whatever is left of the round."""
        for process in self.processes():
            process.kill()
