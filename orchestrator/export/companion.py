"""The processes that export while a launch works: they read the store alone, and never hold the launch up."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.export.folder import check_replaceable, check_writable
from scalectl.orchestrator.format import command, last_line

LIVE = ("tensorboard", "mlflow")  # formats that can be written while a launch works
LAST_SECONDS = 300.0  # that the last export may take when the launch has ended


class NotLive(Refusal):
    """A wish that no export can fulfil while a launch works."""

    exit = Exit.INVALID


@dataclass(frozen=True)
class Wish:
    """A format and the folder to write it to."""

    target: str
    folder: Path


def wish(text: str) -> Wish:
    """The wish that FORMAT:DIR is.

    Raises NotLive for another one and for a missing package, and Refusal for a folder that holds something else or
    can't be written.
    """
    target, colon, folder = text.partition(":")
    if target not in LIVE or not (colon and folder):
        raise NotLive(f"--export {text}: write FORMAT:DIR, and as FORMAT one of {', '.join(LIVE)}.")
    if find_spec(target) is None:
        raise NotLive(f"--export {text} needs {target}, which is not installed: pip install 'scalectl[{target}]'")
    check_replaceable(Path(folder), target, lambda name: True)
    check_writable(Path(folder))
    return Wish(target, Path(folder))


@contextmanager
def companions(wishes: Sequence[Wish], store: Path, study: str, warn: Callable[[str], None]) -> Iterator[None]:
    """Have a process follow the store for each wish; when all is done, each writes its folder whole.

    A process that fails is a warning. One that outlives the launch ends by itself: it waits for the end of its input.
    """
    with tempfile.TemporaryFile() as errors:
        going = [(one, _started(one, store, study, errors)) for one in wishes]
        try:
            yield
        except BaseException:
            for _, process in going:
                _let_go(process)
            raise
        for _, process in going:
            _let_go(process)
        for one, process in going:
            again = command(f"export --to {one.target}", one.folder, store=store, options={"study": study})
            if cause := _failed(process, errors):
                warn(f"warning: nothing was exported to {one.folder}: {cause} Try again: {again}")


def _started(wished: Wish, store: Path, study: str, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "scalectl", "export", "--live", "--to", wished.target, str(wished.folder)]
    return subprocess.Popen(  # noqa: S603 - words of ours
        [*words, "--store", str(store), "--study", study],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        start_new_session=True,  # Ctrl-C is for the launch
    )


def _let_go(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()


def _failed(process: subprocess.Popen[bytes], errors: IO[bytes]) -> str:
    """Why a process failed, once it has ended; empty where it did not."""
    try:
        code = process.wait(LAST_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    if not code:
        return ""
    errors.seek(0)
    if code < 0:
        return f"signal {-code} ended it."
    return last_line(errors.read().decode(errors="replace")) or f"it ended with exit code {code}."
