"""What stands above the header of a table in text, and what stands between its cells."""

from collections.abc import Sequence
from io import StringIO
from itertools import islice

SEPARATORS = (",", ";", "\t", "|")  # of cells; of those that a header has most often the first


def separator_of(text: str) -> str:
    """What stands between the cells of the header, or of the first line that is no title."""
    lines = [line for line in beginning(text, 100) if any(mark in line for mark in SEPARATORS)] or [text]
    first, *others = lines
    found = _most(first)
    after = next((line for line in others if not line.startswith("#")), "")
    if first.startswith("#") and after and _outside(after).count(found) != _outside(first).count(found):
        return _most(after)
    return found


def beginning(text: str, lines: int) -> list[str]:
    """So many of the first lines, without all others being split: a file may have ten megabytes."""
    return [line.rstrip("\n") for line in islice(StringIO(text, newline=None), lines)]


def titles(rows: Sequence[Sequence[str]]) -> int:
    """How many rows are above the header: titles of one cell, and remarks behind # with fewer cells than the table."""
    filled = [[cell for cell in row if cell] for row in rows]
    most = max(map(len, filled), default=0)
    for place, cells in enumerate(filled):
        is_remark = cells[:1] and cells[0].startswith("#") and len(cells) < most
        if most < 2 or (len(cells) > 1 and not is_remark):
            return place
    return 0


def with_tabs(text: str) -> str:
    """A table whose cells stand between spaces, as NumPy writes one, with tabs between; any other text as it is."""
    if any(mark in text for mark in SEPARATORS):
        return text
    lines = [line.split() for line in text.removeprefix("#").splitlines() if line.strip()]
    if len(lines) < 2 or {*map(len, lines)} != {max(len(lines[0]), 2)}:
        return text
    return "\n".join("\t".join(line) for line in lines)


def _most(line: str) -> str:
    return max(SEPARATORS, key=_outside(line).count)


def _outside(line: str) -> str:
    """A line without what stands between quotes."""
    return "".join(line.split('"')[::2])
