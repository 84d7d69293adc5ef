"""What is wrong with an input, and where: `FILE:line:col: error: key: what`, the line, a caret and the remedy."""

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Path = tuple[str | int, ...]

_SHOWN = 100  # characters of a source line that are shown around the caret


@dataclass(frozen=True)
class Spot:
    """A place in a file or an option; line and column count from 1, line 0 means the source as a whole."""

    source: str
    line: int = 0
    column: int = 0
    width: int = 1
    text: str = ""  # the source line

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
        place = f"{spot.source}:{spot.line}:{spot.column}" if spot.line else spot.source
        told = ": ".join(_printable(part) for part in (place, self.severity, self.key, self.what) if part)
        if not spot.text:
            return f"{told}; {_printable(self.hint)}" if self.hint else told
        line, pad = _excerpt(spot)
        number = spot.line or ""
        return f"{told}\n{number:>5} | {line}\n      | {pad}{'^' * max(1, min(spot.width, len(line) - len(pad)))} {_printable(self.hint)}".rstrip()


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
