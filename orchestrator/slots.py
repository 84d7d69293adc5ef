"""Slots: places for one job at a time, and the meaning of their types."""

import re
from dataclasses import dataclass

CPU, GPU, TPU = "cpu", "gpu", "tpu"  # the types of slots of CPU workers, and of any device of a kind
AUTO = "auto"  # of jobs that any slot will do for


def devices_of(slot_type: str) -> float:
    """The devices of a slot: the number after the last hyphen of its type, such as 16 of v5e-16, or one."""
    match = re.search(r"-([1-9][0-9]*)$", slot_type)
    if match is None:
        return 1.0
    return float(match[1])


@dataclass(frozen=True, order=True)
class Slot:
    """A place for one job at a time: a CPU worker, a GPU, or a whole slice such as v5e-16."""

    name: str
    type: str = CPU
