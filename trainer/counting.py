"""Numbers of things in words."""

from collections.abc import Sequence

NAMED = 12  # things that a message names, unless it says otherwise


def counted(number: float, noun: str) -> str:
    """A number of things: 1 run, 2 runs, 12,000 runs."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}s"


def few(names: Sequence[str], most: int = NAMED) -> str:
    """The first of these names, and how many more there are."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most:,} more"
