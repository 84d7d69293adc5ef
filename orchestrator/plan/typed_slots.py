"""Slots as people type them: 4xv5e-16, or 8 for CPU workers."""

import re
from collections.abc import Sequence

from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.slot_types import NoSlotType, slot_type
from scalectl.orchestrator.vocabulary import CPU, Slot


class InvalidSlots(Refusal):
    """A --slots or --preempt that isn't one."""

    exit = Exit.INVALID


def parse_slots(texts: Sequence[str]) -> tuple[Slot, ...]:
    """The slots of texts such as "4xv5e-16", or "8" for CPU workers; raises InvalidSlots."""
    slots: list[Slot] = []
    for text in texts:
        match = re.fullmatch(r"([1-9][0-9]{0,5})(?:x([A-Za-z][\w.:/-]*))?", text)
        if match is None:
            raise InvalidSlots(
                f"--slots {text}: write COUNTxTYPE with a COUNT of 1 to 999999, such as 4xv5e-16, or 8 for CPU workers."
            )
        kind = _type(text, match[2] or CPU)
        first = sum(slot.type == kind for slot in slots)
        slots += [Slot(f"{kind}/{first + n}", kind) for n in range(int(match[1]))]
    return tuple(slots)


def _type(text: str, typed: str) -> str:
    try:
        return slot_type(typed)
    except NoSlotType as error:
        raise InvalidSlots(f"--slots {text}: {error}: {error.hint}.") from error
