"""A launch from Python: in a process of its own, so that neither Ray nor JAX nor signals reach this one."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scalectl.analysis.checks import Refused
from scalectl.analysis.notebook import preformatted

if TYPE_CHECKING:
    from pandas import DataFrame

COMMAND = (sys.executable, "-P", "-m", "scalectl", "launch")  # -P: without the current folder on its path
PASSING = ("done ", "working ")  # what lines begin with that the next one may replace
SHOWN = 20  # lines of a cell


class LaunchFailed(Refused):
    """A launch that did not end well: `code` is its exit code, the message what it said."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, eq=False)
class Launched:
    """A launch that ended well: what it said at its end, and the points of its store."""

    text: str
    points: "DataFrame"

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return preformatted(self.text)


def carry_out(words: Sequence[str]) -> str:
    """Run `scalectl launch WORDS` and show its progress; returns what it says at its end.

    Raises LaunchFailed where it fails, and KeyboardInterrupt once a launch that was interrupted has ended.
    """
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}  # that of the notebook
    show = _progress()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out,
        subprocess.Popen(  # noqa: S603 - this program itself
            [*COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env={**environment, "PYTHONIOENCODING": "utf-8"},
            start_new_session=True,  # else an interrupt of the notebook reaches all processes of the launch
        ) as process,
    ):
        said, interrupted = _followed(process, show)
        out.seek(0)
        text = out.read().strip()
    if interrupted:
        raise KeyboardInterrupt(text)
    if process.returncode:
        lasting = [line for line in said if not line.startswith(PASSING)]
        raise LaunchFailed("\n".join([*lasting[-SHOWN:], text]).strip(), process.returncode)
    return text


def _followed(process: "subprocess.Popen[str]", show: Callable[[str], None]) -> tuple[list[str], bool]:
    """The lines of a launch up to its end, each shown as it comes, and whether the launch was interrupted."""
    lines: list[str] = []
    interrupted = False
    while True:
        try:
            for line in process.stderr or ():
                lines.append(line.rstrip("\n"))
                show(lines[-1])
            process.wait()
            return lines, interrupted
        except KeyboardInterrupt:
            interrupted = True
            process.send_signal(signal.SIGINT)  # the launch says what that does


def _progress() -> Callable[[str], None]:
    """What shows the lines of a launch: in a notebook in place, elsewhere one after the other."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    if ipython is None or getattr(shell, "kernel", None) is None:
        return _print
    return _Cell(ipython.display.display)


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - progress at a prompt


class _Cell:
    """The output of a cell, which is replaced at each line: warnings and failures stay, and the last line."""

    def __init__(self, display: Callable[..., Any]) -> None:
        self._lines: list[str] = []
        self._output = display(self._bundle("launching ..."), raw=True, display_id=True)

    def __call__(self, line: str) -> None:
        if self._lines and self._lines[-1].startswith(PASSING):
            del self._lines[-1]
        self._lines = [*self._lines, line][-SHOWN:]
        self._output.update(self._bundle("\n".join(self._lines)), raw=True)

    @staticmethod
    def _bundle(text: str) -> dict[str, str]:
        return {"text/plain": text, "text/html": preformatted(text)}
