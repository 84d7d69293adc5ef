"""A launch that goes on when the terminal is gone: the same launcher in a process and session of its own."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.exits import Exit, Refusal
from orchestrator.lock import holder

PATIENCE = 120.0  # seconds until it holds the store


class NotLaunched(Refusal):
    """A launcher that ended before it held its store, with the exit code that it ended with."""

    def __init__(self, text: str, code: int = Exit.FAILED) -> None:
        super().__init__(text)
        self.exit = Exit(code) if code in set(Exit) else Exit.FAILED


@dataclass(frozen=True)
class Detached:
    """A launcher in the background: its process, and the file that it writes to."""

    pid: int
    log: Path
    ended: bool = False


def detach(words: Sequence[str], store: Path, folder: Path) -> Detached:
    """Start `scalectl WORDS` by itself and return it once it holds the store, or has ended well.

    Its words go to a new file in `folder`. Raises NotLaunched with the end of that file where it fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"launch-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**9:09}.log"
    log.touch(mode=0o600)
    command = [sys.executable, "-c", "from orchestrator.cli import main; main()", *words]
    with log.open("ab") as out:
        launcher = subprocess.Popen(  # noqa: S603 - this program itself
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (code := launcher.poll()) is not None:
            if code:
                raise NotLaunched(f"the launcher ended with exit code {code}; {log} says:\n{_end(log)}", code)
            return Detached(launcher.pid, log, ended=True)
        if (held := holder(store)) and held.pid == launcher.pid:
            break
        time.sleep(0.1)
    return Detached(launcher.pid, log)


def _end(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])
