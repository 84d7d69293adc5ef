"""Refusals with their exit codes, and what is wrong with an input: `FILE:line:col: error: key: what`."""

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal


class Exit(IntEnum):
    """The exit codes, one line each in docs/architecture.md."""

    DONE = 0
    FAILED = 1  # a run failed, or an internal error
    INVALID = 2  # usage, or an invalid experiments.yaml
    WORK_LEFT = 3  # --check found something to do
    REFUSED = 4  # a limit, or a fit that the data can't carry
    NOT_FOUND = 5
    STORE = 6  # locked by another launcher, written by a newer scalectl, or not a store
    INTERRUPTED = 130


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """An answer of no that names what, where and the remedy; the command ends with `exit`."""

    exit = Exit.REFUSED


class NotFound(Refusal):
    """A store, run or file that isn't there."""

    exit = Exit.NOT_FOUND


Path = tuple[str | int, ...]

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
        """Return whether the place is on the command line, which has no line numbers."""
        return self.source.startswith("--")

    @property
    def place(self) -> str:
        """Return the place as editors read it: FILE:LINE:COLUMN."""
        return self.source if self.is_option or not self.line else f"{self.source}:{self.line}:{self.column}"

    @classmethod
    def within(cls, text: str, source: str, start: int, end: int) -> "Spot":
        """Return the place of `text[start:end]`, cut at the end of its first line."""
        begin = text.rfind("\n", 0, start) + 1
        line = text[begin:].partition("\n")[0].rstrip("\r")
        written = line[start - begin : end - begin].rstrip()
        return cls(source, text.count("\n", 0, start) + 1, start - begin + 1, max(1, len(written)), line)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, with the key as typed; `hint` says how to put it right."""

    spot: Spot
    key: str
    what: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        spot = self.spot
        told = ": ".join(_printable(part) for part in (spot.place, self.severity, self.key, self.what) if part)
        hint = _printable(self.hint)
        if not spot.text:
            return f"{told}; {hint}" if hint else told
        line, pad = _excerpt(spot)
        caret = "^" * max(1, min(spot.width, len(line) - len(pad)))
        return f"{told}\n{'' if spot.is_option else spot.line:>5} | {line}\n      | {pad}{caret} {hint}".rstrip()


class InvalidExperiment(Refusal):
    """An experiment that cannot be run; carries every problem that was found, in the order of the file."""

    exit = Exit.INVALID

    def __init__(self, *problems: Problem) -> None:
        number = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        super().__init__("\n".join([*map(str, problems), f"{number}; nothing was started."]))
        self.problems = problems


@dataclass(frozen=True)
class Finding:
    """What is wrong at a path, before its place in the text is looked up."""

    path: Path
    what: str
    hint: str = ""
    on_key: bool = False  # the key itself is wrong, not its value
    severity: Literal["error", "warning"] = "error"


def _excerpt(spot: Spot) -> tuple[str, str]:
    """Return the printable part of the line around the place, and the blanks that go before the caret."""
    skip = max(0, spot.column - 1 - _SHOWN // 2) if len(spot.text) > _SHOWN else 0
    line = _printable(spot.text[skip : skip + _SHOWN].replace("\t", " "))
    before = line[: spot.column - 1 - skip]
    return line, "".join("  " if unicodedata.east_asian_width(char) in "WF" else " " for char in before)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def dotted(path: Path) -> str:
    """Return a path as it is typed: `budgets.flops[2]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """Return the question that offers the nearest known word, or nothing."""
    near = difflib.get_close_matches(typed, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else ""
