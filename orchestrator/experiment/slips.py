"""Slips of typing that YAML reads as something else: thousands with a comma, blanks that aren't spaces."""

import re
from collections.abc import Sequence
from itertools import pairwise
from operator import gt, lt
from typing import Any

from scalectl.orchestrator.errors import Spot

_BLANK = "[\u00a0\u2000-\u200b\u202f\u2060\u3000\ufeff]"  # that look like spaces, or like nothing
_STRAY = re.compile(rf"^{_BLANK}|:{_BLANK}|{_BLANK}$")
_STRAY_IN_LINE = re.compile(rf"^ *{_BLANK}|^[^#\"'\n]*?:{_BLANK}", re.MULTILINE)  # not in quotes nor comments
_GROUP = re.compile(r"[0-9]{3}")  # of digits behind a comma
_HEAD = re.compile(r"[1-9][0-9]{0,2}")
BLANK = "a blank that looks like a space and is none"
PLAIN = "write a plain space, or put the text in quotes"


def thousands(items: Sequence[tuple[Any, Spot]]) -> tuple[int, str] | None:
    """The place in a list of the first of two values that seem to be one number with a comma, and that number; or None.

    Such as [100, 1,400]: a comma without a blank beside one with a blank, in a list that neither rises nor falls; and
    1,050 in any list, as nobody writes 50 so.
    """
    values = [value for value, _ in items]
    if not all(type(value) is int for value in values):
        return None
    texts = [spot.text[spot.column - 1 :][: spot.width] for _, spot in items]
    joined = [_touches(one, other) for (_, one), (_, other) in pairwise(items)]
    sound = all(joined) or any(all(map(before, values, values[1:])) for before in (lt, gt))
    for i, (head, group) in enumerate(pairwise(texts)):
        if joined[i] and _HEAD.fullmatch(head) and _GROUP.fullmatch(group) and (not sound or group[0] == "0"):
            return i, f"{head},{group}"
    return None


def _touches(one: Spot, other: Spot) -> bool:
    """Whether nothing but a comma stands between two values."""
    return one.line == other.line and one.column + one.width + 1 == other.column


def stray_blank(text: str) -> int | None:
    """The place in an unquoted text of a blank that isn't a space, at an end or behind a colon; or None."""
    found = _STRAY.search(text)
    return found and found.end() - 1


def stray_blank_above(text: str, line: int) -> int | None:
    """The place in a text of YAML of such a blank, in the line of this number from 0 or the two above it; or None."""
    for found in _STRAY_IN_LINE.finditer(text):
        if line - 2 <= text.count("\n", 0, found.start()) <= line:
            return found.end() - 1
    return None
