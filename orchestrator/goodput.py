"""What the time of slots went into, and the share of it that was useful."""

from collections.abc import Iterable, Mapping

from scalectl.orchestrator.format import counted, duration, share

ENTRIES = ("acquire", "compile", "step", "input", "evaluate", "checkpoint", "lost", "idle")
USEFUL = ("step", "evaluate")
STARVED, LEAST_SECONDS = 0.2, 5.0  # of the time of steps and in all, for a wait for images that is worth a word
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
    """A line on a launch, its goodput and the shares of its slots' time, and one on devices that wait for images."""
    whole = total(slots.values())
    part = goodput(whole)
    if part is None:
        return ""
    seconds = sum(whole.values())
    line = f"goodput {share(part)} of {counted(len(slots), 'slot')} x {duration(seconds / len(slots))}: {shares(whole)}"
    return "\n".join(filter(None, [line, starved(whole)]))


def shares(entries: Entries) -> str:
    """The shares of the time that went into each entry, in per cent, largest first."""
    seconds = sum(entries.values())
    sizes = sorted(entries.items(), key=lambda entry: -entry[1])
    return " · ".join(f"{name} {share(part / seconds)}" for name, part in sizes if part)


def starved(entries: Entries) -> str:
    """What helps devices that wait for images; empty where they wait for little of the time in which they train."""
    waited = entries.get("input", 0.0)
    training = waited + entries.get("step", 0.0)
    if waited < max(STARVED * training, LEAST_SECONDS):
        return ""
    return (
        f"the device waits for images {share(waited / training)} of the time in which it trains:"
        " raise resources.workers, or set data.cache"
    )
