"""Refusals with their exit codes, and what is wrong with an input: `FILE:line:col: error: key: what`."""

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from scalectl.analysis.printable import printable_line
from scalectl.orchestrator.format import counted


class Exit(IntEnum):
    """The exit codes of all commands."""

    DONE = 0
    FAILED = 1  # a run failed, or an internal error
    INVALID = 2  # usage, or an invalid experiments.yaml
    WORK_LEFT = 3  # --check found something to do
    REFUSED = 4  # a limit, or a fit that the data can't carry
    NOT_FOUND = 5  # a store, run or file; a cluster, also one that is gone in the middle of a launch
    STORE = 6  # locked by another launcher, written by a newer scalectl, or not a store
    INTERRUPTED = 130


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """An answer of no that names what, where and the remedy; the command ends with `exit`."""

    exit = Exit.REFUSED


class NotFound(Refusal):
    """A store, run or file that isn't there."""

    exit = Exit.NOT_FOUND


KeyPath = tuple[str | int, ...]

_SHOWN = 100  # characters of a source line that are shown around the caret


@dataclass(frozen=True)
class Spot:
    """A place in a file or in an option such as `--set KEY`; counted from 1, and line 0 is the source as a whole."""

    source: str
    line: int = 0
    column: int = 0
    width: int = 1
    text: str = ""  # the source line

    @property
    def is_option(self) -> bool:
        """Whether the place is on the command line, which has no line numbers."""
        return self.source.startswith("--")

    @property
    def place(self) -> str:
        """The place as editors read it: FILE:LINE:COLUMN."""
        if self.is_option or not self.line:
            return self.source
        return f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, with the key as typed; `hint` says how to put it right."""

    spot: Spot
    key: str
    message: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        spot = self.spot
        parts = (spot.place, self.severity, self.key, self.message)
        head = ": ".join(printable_line(part) for part in parts if part)
        hint = printable_line(self.hint)
        if not spot.text:
            return "; ".join(filter(None, [head, hint]))
        number = str(spot.line)
        if spot.is_option:
            number = ""
        line, pad = _excerpt(spot)
        caret = "^" * max(1, min(spot.width, len(line) - len(pad)))
        return f"{head}\n{number:>5} | {line}\n      | {pad}{caret} {hint}".rstrip()


class InvalidExperiment(Refusal):
    """An experiment that cannot be run; carries every problem that was found, in the order of the file."""

    exit = Exit.INVALID

    def __init__(self, *problems: Problem) -> None:
        number = counted(len(problems), "error")
        super().__init__("\n".join([*map(str, problems), f"{number}; nothing was started."]))
        self.problems = problems


@dataclass(frozen=True)
class Finding:
    """What is wrong at a path, before its place in the text is looked up."""

    path: KeyPath
    message: str
    hint: str = ""
    on_key: bool = False  # the key itself is wrong, not its value
    severity: Literal["error", "warning"] = "error"


def _excerpt(spot: Spot) -> tuple[str, str]:
    """The printable part of the line around the place, and the blanks that go before the caret."""
    skip = 0
    if len(spot.text) > _SHOWN:
        skip = max(0, spot.column - 1 - _SHOWN // 2)
    line = printable_line(spot.text[skip : skip + _SHOWN].replace("\t", " "))
    before = line[: spot.column - 1 - skip]
    return line, " " * sum(map(_columns, before))


def _columns(char: str) -> int:
    """The columns that a character takes on a terminal."""
    if unicodedata.east_asian_width(char) in "WF":
        return 2
    return 1


def dotted(path: KeyPath) -> str:
    """A path as it is typed: `budgets.flops[2]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}"
    return text.removeprefix(".")


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """The question that offers the nearest known word, or nothing."""
    for near in difflib.get_close_matches(typed, list(known), n=1):
        return f"did you mean {near!r}?"
    return ""
