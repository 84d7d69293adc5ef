"""Text on a terminal: how wide it is, and lines that are broken between words and never inside one."""

import re
import shutil
import sys
import textwrap

_INDENT = "    "  # of the rest of a line that was broken
_TIED = "\N{NO-BREAK SPACE}"


def width() -> int | None:
    """The columns of the terminal that stdout goes to, or None where it goes anywhere else."""
    if not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def height() -> int | None:
    """The lines of the terminal that stdout goes to, or None where it goes anywhere else."""
    if not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().lines


def wrapped(text: str, columns: int | None) -> str:
    """Lines of at most so many columns, broken between words, or at ` · ` where a line has that; without columns as is.

    A word that is wider than that, such as a path, has a line of its own, and a next command stays whole, to be copied.
    """
    if columns is None:
        return text
    return "\n".join(_broken(line, columns) for line in text.split("\n"))


def _broken(line: str, columns: int) -> str:
    if len(line) <= columns or line.startswith("Next: "):
        return line
    parts = [_tied(part, columns) for part in re.split("(?<= · )", line)]
    indent = line[: len(line) - len(line.lstrip())] + _INDENT
    broken = textwrap.fill(
        "".join(parts), columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return broken.replace(_TIED, " ")


def _tied(part: str, columns: int) -> str:
    """A part up to its dot with its words tied together, where it fits on a line."""
    if len(part) > columns - 2 * len(_INDENT):
        return part
    text = part.strip()
    return part.replace(text, text.replace(" ", _TIED), 1)
