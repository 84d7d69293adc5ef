"""A launch that goes on when this machine is gone: the same launcher as a job of Ray on the head of its cluster."""

import os
import secrets
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from orchestrator.access import Unreachable, knock, secure
from orchestrator.detach import PATIENCE, NotLaunched
from orchestrator.exits import Refusal
from orchestrator.lock import Holder, holder

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Submitted:
    """A launcher on the head of a cluster, by the id of its job there."""

    job: str
    ended: bool = False


def submit(words: Sequence[str], store: Path, address: str) -> Submitted:
    """Start `scalectl WORDS` on the head, in the folder of this process, and return once it holds the store or ended.

    The head has to see this Python, the file and the store by the same paths. Raises Refusal without the extra `jobs`,
    Unreachable where the cluster takes no jobs, and NotLaunched with the end of the job's log where it fails.
    """
    if find_spec("aiohttp") is None:
        raise Refusal(
            "refused: a launch on the head of a cluster is a job of Ray, which plain Ray can't submit:"
            " pip install 'scalectl[jobs]' here and on the head, or leave out --detach."
        )
    knock(address)
    before = holder(store)
    with _answering(address) as client:
        job = client.submit_job(entrypoint=_entrypoint(words), submission_id=f"scalectl-{secrets.token_hex(6)}")
        return Submitted(job, ended=_ended(client, job, store, before))


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


def _ended(client: Any, job: str, store: Path, before: Holder | None) -> bool:
    """Return whether a job has ended well, once it has ended or holds the store; raises NotLaunched."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and holder(store) in (None, before):
        status = client.get_job_status(job)
        if status.is_terminal() and status != "SUCCEEDED":
            raise NotLaunched(f"job {job} of the cluster is {status.lower()}; it says:\n{_end(client, job)}")
        if status.is_terminal():
            return True
        time.sleep(POLL_SECONDS)
    return False


def _entrypoint(words: Sequence[str]) -> str:
    """Return the line for the shell of the head that does here what these words say."""
    command = [sys.executable, "-c", "from orchestrator.cli import main; main()", *words]
    return f"cd {shlex.quote(str(Path.cwd()))} && exec {shlex.join(command)}"


def _end(client: Any, job: str) -> str:
    return "\n".join(client.get_job_logs(job).splitlines()[-10:])
