"""One study in a folder of its own that a round of chaos launches, strikes and launches again."""

import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
from conftest import DEFAULTS, SMALL
from launcher import Forked, Launcher, started

GRID = {"steps": "[50, 100, 150]", "checkpoint_every": 20}
LIMITS = "limits: {stall: 40, acquire: 120}\n"
MARK = "SCALECTL_CHAOS_ROUND"  # in the environment of every process that a round starts
PATIENCE = 400.0  # seconds for a launch of some seconds on a busy machine
STRIKES = 20  # at workers, until the store shows what became of one


class Ended(AssertionError):  # noqa: N818 - not always an error
    """A launch that ended before it was struck."""


class World:
    """The study, the process of its launch, and what that process printed."""

    def __init__(self, folder: Path, flags: tuple[str, ...], extra: str = "") -> None:
        self.folder, self.flags, self.extra = folder, flags, extra
        self.file, self.log = folder / "experiments.yaml", folder / "log.txt"
        self.disk = folder  # where the store and artifacts are, unless a fault needs a disk of its own
        self.environment: dict[str, str] = {}
        self.launcher: Launcher | None = None
        self.cluster: subprocess.Popen[str] | None = None  # of several nodes, which the launches join
        self._sessions: set[int] = set()  # of processes, one for each launch
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
        text = SMALL.format(**(DEFAULTS | GRID | changes)) + LIMITS + self.extra
        text = text.replace("store: results.db", f"store: {self.store}")
        self.file.write_text(text.replace("./artifacts", str(self.artifacts)))

    def start(self) -> Launcher:
        """A launch in a session of its own; without Ray it is forked, which saves most of what it would import."""
        words, variables = ["launch", str(self.file), *self.flags], self.environment | {MARK: self.folder.name}
        launcher: Launcher
        if "--here" in self.flags and not self.environment:
            launcher = Forked(words, self.log, variables)
        else:
            launcher = started(words, self.log, variables)
        self._sessions.add(launcher.pid)
        return launcher

    def join_nodes(self) -> None:
        """Start a cluster of several nodes, which all launches from now on join."""
        token = self.folder / "token"
        token.write_text(secrets.token_hex(32))
        self.environment |= {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback alone
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        with (self.folder / "nodes.txt").open("wb") as log:
            self.cluster = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("nodes.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | self.environment | {MARK: self.folder.name},
            )
        assert self.cluster.stdout is not None
        address = self.cluster.stdout.readline().strip()
        assert address, (self.folder / "nodes.txt").read_text()[-2000:]
        self.flags = ("--address", address, "--insecure")  # it has a token: nothing else asks

    def leave_nodes(self) -> None:
        """End the cluster of several nodes."""
        if self.cluster is not None:
            self.cluster.communicate(timeout=PATIENCE)
            self.cluster = None

    def drain(self, node: str) -> None:
        """Have the cluster say that a node will be taken away."""
        assert self.cluster is not None and self.cluster.stdin is not None
        self.cluster.stdin.write(f"{node}\n")
        self.cluster.stdin.flush()

    def begin(self) -> None:
        """Start the launch that will be struck."""
        self.launcher = self.start()

    def wait_for(self, steps: int) -> None:
        """Wait until the store has a curve of `steps` steps; raises Ended where the launch has ended by then."""
        while self.count("progress") < steps:
            self._go_on()

    def strike_until(self, kind: str, strike: Callable[[], None], seconds: float) -> None:
        """Strike again every so often until the store has an attempt that ended so; raises Ended as wait_for does."""
        strikes = 0
        while strikes < STRIKES:
            try:
                strike()
            except (IndexError, psutil.NoSuchProcess):  # no job runs at this moment
                self._go_on()
                continue
            strikes += 1
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                self._go_on()
                if self.rows(f"SELECT 1 FROM attempts WHERE kind = '{kind}'"):
                    return
        raise AssertionError(f"no attempt ended as {kind} after {STRIKES} strikes: {self.output()[-2000:]}")

    def _go_on(self) -> None:
        """Wait a moment; raises Ended where the launch has ended."""
        assert self.launcher is not None
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

    def _wait(self, launcher: Launcher) -> int:
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
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return os.getsid(process.pid) in self._sessions or process.environ().get(MARK) == self.folder.name
        except (psutil.Error, OSError):
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
        with suppress(subprocess.TimeoutExpired):
            self.leave_nodes()
        for process in self.processes():
            process.kill()
