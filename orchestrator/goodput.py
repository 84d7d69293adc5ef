"""What the time of slots went into, and the share of it that was useful."""

from collections.abc import Iterable, Mapping

from scalectl.orchestrator.format import counted, duration, share

ENTRIES = ("acquire", "compile", "step", "evaluate", "checkpoint", "lost", "idle")
USEFUL = ("step", "evaluate")
Entries = Mapping[str, float]  # seconds


def goodput(entries: Entries) -> float | None:
    """The share of the time that went into steps and evaluations that stay, or None where there is no time."""
    whole = sum(entries.values())
    if not whole:
        return None
    return sum(entries.get(name, 0.0) for name in USEFUL) / whole


def total(slots: Iterable[Entries]) -> Entries:
    """The entries of several slots together."""
    books = list(slots)
    return {name: sum(entries.get(name, 0.0) for entries in books) for name in ENTRIES}


def summary(slots: Mapping[str, Entries]) -> str:
    """One line on a launch: its goodput, and the shares of its slots' time."""
    whole = total(slots.values())
    part = goodput(whole)
    if part is None:
        return ""
    seconds = sum(whole.values())
    return f"goodput {share(part)} of {counted(len(slots), 'slot')} x {duration(seconds / len(slots))}: {shares(whole)}"


def shares(entries: Entries) -> str:
    """The shares of the time that went into each entry, in per cent, largest first."""
    seconds = sum(entries.values())
    sizes = sorted(entries.items(), key=lambda entry: -entry[1])
    return " · ".join(f"{name} {share(part / seconds)}" for name, part in sizes if part)
