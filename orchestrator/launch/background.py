"""A launch in the background: as a process of this machine, or as a job of Ray on the head of its cluster."""

import os
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scalectl.orchestrator.cluster.ray_server import Unreachable, check_head, secure
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.store.lock import holder

COMMAND = (sys.executable, "-P", "-m", "scalectl")  # -P: without the current folder on its path
PATIENCE = 120.0  # seconds until it holds the store
REFUSAL_SECONDS = 15.0  # from then on until it writes there, or is refused; slots may take longer


class _Begun:
    """Whether a launcher that is started after this is made has taken a store, and written to it or waits for slots."""

    def __init__(self, store: Path) -> None:
        self._store, self._holder = store, holder(store)
        self._before = self._written
        self._held: float | None = None  # since when

    def __call__(self) -> bool:
        if holder(self._store) in (None, self._holder):
            return False
        self._held = self._held or time.monotonic()
        return self._written != self._before or time.monotonic() - self._held > REFUSAL_SECONDS

    @property
    def _written(self) -> list[int]:
        times = []
        for file in (self._store, Path(f"{self._store}-wal")):
            with suppress(FileNotFoundError):
                stat = file.stat()
                if stat.st_size:  # whoever reads makes an empty log, and takes it away
                    times.append(stat.st_mtime_ns)
        return times


class NotLaunched(Refusal):
    """A launcher that ended before it held its store, with the exit code that it ended with."""

    def __init__(self, text: str, code: int = Exit.FAILED) -> None:
        super().__init__(text)
        self.exit = Exit.FAILED
        if code in set(Exit):
            self.exit = Exit(code)


@dataclass(frozen=True)
class Detached:
    """A launcher in the background: its process, and the file that it writes to."""

    pid: int
    log: Path
    ended: bool = False


def detach(words: Sequence[str], store: Path, folder: Path) -> Detached:
    """Start `scalectl WORDS` in a process of its own; returns once that works or waits for slots, or has ended well.

    Its words go to a new file in `folder`. Raises NotLaunched with the end of that file where it fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"launch-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**9:09}.log"
    log.touch(mode=0o600)
    command, begun = [*COMMAND, *words], _Begun(store)
    with log.open("ab") as out:
        launcher = subprocess.Popen(  # noqa: S603 - this program itself
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (code := launcher.poll()) is not None:
            if code:
                raise NotLaunched(f"the launcher ended with exit code {code}; {log} says:\n{_last_lines(log)}", code)
            return Detached(launcher.pid, log, ended=True)
        if begun():
            break
        time.sleep(0.1)
    return Detached(launcher.pid, log)


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])


POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Submitted:
    """A launcher on the head of a cluster, by the id of its job there."""

    job: str
    ended: bool = False


def submit(words: Sequence[str], store: Path, address: str) -> Submitted:
    """Start `scalectl WORDS` on the head, in the folder of this process; returns once it works, waits or ended.

    The head has to see this Python, the file and the store by the same paths. Raises Refusal without the extra `jobs`,
    Unreachable where the cluster takes no jobs, and NotLaunched with the end of the job's log where it fails.
    """
    if find_spec("aiohttp") is None:
        raise Refusal(
            "refused: a launch on the head of a cluster is a job of Ray, which plain Ray can't submit:"
            " pip install 'scalectl[jobs]' here and on the head, or leave out --detach."
        )
    check_head(address)
    begun = _Begun(store)
    with _answering(address) as client:
        job = client.submit_job(entrypoint=_entrypoint(words), submission_id=f"scalectl-{secrets.token_hex(6)}")
        return Submitted(job, ended=_ended(client, job, begun))


@contextmanager
def _answering(address: str) -> Iterator[Any]:
    """Yield a client of a cluster's jobs; raises Unreachable where none answers."""
    secure(address)
    from ray.exceptions import RayError
    from ray.job_submission import JobSubmissionClient

    os.environ["RAY_ADDRESS"] = address  # which the client would take in place of its argument
    try:
        yield JobSubmissionClient(address)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:  # all that its requests raise
        cause = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        remedy = "its head needs ray[default] and a dashboard, which takes a while to start"
        raise Unreachable(f"the Ray cluster at {address} takes no jobs: {cause}; {remedy}.") from error


def _ended(client: Any, job: str, begun: _Begun) -> bool:
    """Whether a job has ended well, once it has ended or its launch has begun; raises NotLaunched."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and not begun():
        status = client.get_job_status(job)
        if status.is_terminal() and status != "SUCCEEDED":
            raise NotLaunched(f"job {job} of the cluster is {status.lower()}; it says:\n{_last_job_lines(client, job)}")
        if status.is_terminal():
            return True
        time.sleep(POLL_SECONDS)
    return False


def _entrypoint(words: Sequence[str]) -> str:
    """The line for the shell of the head that runs these words in the folder of this process."""
    command = [*COMMAND, *words]
    return f"cd {shlex.quote(str(Path.cwd()))} && exec {shlex.join(command)}"


def _last_job_lines(client: Any, job: str) -> str:
    return "\n".join(client.get_job_logs(job).splitlines()[-10:])
