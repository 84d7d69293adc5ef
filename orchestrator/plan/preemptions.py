"""Slots that are taken away for a while: how often, and when."""

import heapq
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scalectl.orchestrator.plan.typed_slots import InvalidSlots
from scalectl.orchestrator.vocabulary import Slot

AWAY_SECONDS = 120.0  # from a pre-emption until the slot is back


@dataclass(frozen=True)
class Preemptions:
    """How often a slot is taken away: independently, or all slots of a type at once."""

    per_hour: float = 0.0
    correlated: bool = False
    seed: int = 0
    away: float = AWAY_SECONDS


def parse_rate(text: str | None) -> float:
    """The pre-emptions an hour of a text such as "0.2/h" or "5/d"; raises InvalidSlots."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)/(h|d)", text or "0/h")
    if match is None:
        raise InvalidSlots(f"--preempt {text}: write a rate in plain digits, for example 0.2/h or 5/d.")
    per_hour = float(match[1]) / {"h": 1, "d": 24}[match[2]]
    if per_hour > 3600 / AWAY_SECONDS:
        raise InvalidSlots(f"--preempt {text}: a slot is away for {AWAY_SECONDS:g} s each time; 30/h is the most.")
    return per_hour


def notices(preemptions: Preemptions, slots: Sequence[Slot]) -> Iterator[tuple[float, tuple[Slot, ...]]]:
    """The times at which slots are taken away, in order, each with the slots; without end unless there are none."""
    return heapq.merge(*(_notices(preemptions, group) for group in _groups(preemptions, slots)))


def _groups(preemptions: Preemptions, slots: Sequence[Slot]) -> list[tuple[Slot, ...]]:
    """The slots that are taken away together."""
    if preemptions.per_hour <= 0:
        return []
    if not preemptions.correlated:
        return [(slot,) for slot in slots]
    return [tuple(slot for slot in slots if slot.type == kind) for kind in dict.fromkeys(slot.type for slot in slots)]


def _notices(preemptions: Preemptions, group: tuple[Slot, ...]) -> Iterator[tuple[float, tuple[Slot, ...]]]:
    """Yield the times at which a group of slots is taken away: a Poisson process of its own, drawn from the seed."""
    chance, time = random.Random(f"{preemptions.seed} {group[0].name}"), 0.0  # noqa: S311 - no secret
    while True:
        time += 3600 * chance.expovariate(preemptions.per_hour)
        yield time, group
