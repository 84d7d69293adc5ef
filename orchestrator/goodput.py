"""What the time of slots went into, and the share of it that was useful."""

from collections.abc import Iterable, Mapping

from scalectl.orchestrator.format import counted, duration, share

ENTRIES = ("acquire", "compile", "step", "evaluate", "checkpoint", "lost", "idle")


USEFUL = ("step", "evaluate")


Entries = Mapping[str, float]  # seconds


def goodput(entries: Entries) -> float | None:
    """Return the share of the time that went into steps and evaluations that stay, or None where there is no time."""
    whole = sum(entries.values())
    return sum(entries.get(name, 0.0) for name in USEFUL) / whole if whole else None


def total(slots: Iterable[Entries]) -> Entries:
    """Return the entries of several slots together."""
    found = list(slots)
    return {name: sum(entries.get(name, 0.0) for entries in found) for name in ENTRIES}


def summary(slots: Mapping[str, Entries]) -> str:
    """Return one line on a launch: its goodput, and what the rest of its slots' time went into."""
    whole = total(slots.values())
    part = goodput(whole)
    if part is None:
        return ""
    seconds = sum(whole.values())
    return f"goodput {share(part)} of {counted(len(slots), 'slot')} x {duration(seconds / len(slots))}: {shares(whole)}"


def shares(entries: Entries) -> str:
    """Return what the time went into, in per cent of it, most first."""
    seconds = sum(entries.values())
    found = sorted(entries.items(), key=lambda entry: -entry[1])
    return " · ".join(f"{name} {share(part / seconds)}" for name, part in found if part)
