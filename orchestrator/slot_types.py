"""Types of slots as people write them, and the one spelling that each has here."""

import re
from functools import lru_cache

from scalectl.orchestrator.vocabulary import AUTO, CPU, GPU, TPU, parted
from scalectl.trainer.topology import Unknown, generation, topology

_WORDS = re.compile(r"[a-z][a-z0-9]*([-_.][a-z0-9]+)*")
_NUMBER_FIRST = re.compile(r"([1-9][0-9]{0,5})\s*[x*:\s-]\s*([a-z].*)")
_NUMBER_LAST = re.compile(r"([a-z].*?)(?:\s*[x*:=/]\s*|\s+)([1-9][0-9]{0,5})")
_SLICE = re.compile(r"(tpu[- ])?v[0-9]{1,2}([a-z]|\b)|tpu[-0-9]")  # but not the GPU v100
_MAKER = re.compile(r"(nvidia|tesla)[- ]")
_MEMORY = re.compile(r"[- ](mega|sxm[0-9]?|pcie|nvl|[0-9]+gb).*")  # what a product's name goes on with


class NoSlotType(ValueError):  # noqa: N818 - a fact about what was typed
    """A text that is not a type of slot, with a `hint` that says how to write it."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(f"{text!r} is not a type of slot")
        self.hint = hint


def slot_type(text: str) -> str:
    """The type of slot that a text means, in the spelling of scalectl: v5e-16 for v5litepod-16, h100-8 for H100-8.

    Raises NoSlotType for one that no cluster has, such as 8xh100 or v5e-7.
    """
    word = text.strip().lower()
    if word == AUTO:
        raise NoSlotType(text, "leave it out for any slot, or write device: auto")
    if re.fullmatch(r"[0-9]+(x[0-9]+)*", word):
        raise NoSlotType(text, "write v5e-16 for 4x4 chips of TPU v5e, or h100-8 for eight GPUs")
    if match := _NUMBER_FIRST.fullmatch(word):
        raise NoSlotType(text, _several(match[2].strip(), match[1]))
    if word != TPU and _SLICE.match(word):
        return _slice(text, word)
    if (match := _NUMBER_LAST.fullmatch(word)) and not _MAKER.match(word):
        raise NoSlotType(text, _several(match[1], match[2]))
    if _MAKER.match(word) or not _WORDS.fullmatch(word) or re.search(r"-0+$", word):
        plain = _plain(word)
        raise NoSlotType(text, f"write {plain} for a job on one device, or {plain}-8 for a job on eight")
    return word


def device(kind: str) -> str:
    """The device of a type of slot: cpu, gpu or tpu."""
    if parted(kind)[0] == CPU:
        return CPU
    if kind == TPU or _SLICE.match(kind):
        return TPU
    return GPU


@lru_cache(maxsize=256)
def devices_of(kind: str) -> float:
    """The devices of a slot as JAX counts them: 16 of v5e-16, 8 of v4-16 and h100-8, 1 of h100."""
    word, number = parted(kind)
    if named := generation(word):
        return number * named.devices / named.counted
    return number


def _slice(text: str, word: str) -> str:
    """The type of a TPU slice; a generation that nobody knows is left to the cluster."""
    name = re.split(r"[-:/ ][0-9x]*$", word)[0]
    named = generation(name)
    if named is None and re.fullmatch(r"v[0-9]{1,2}[a-z]*-[1-9][0-9]*", word):
        return word
    try:
        return topology(word).slot
    except Unknown as error:
        hint = str(error).partition("is not a topology: ")[2]
        if named is not None and name == word:
            hint = f"write {named.name}-16, or another size; tpu takes any slice"
        elif word.startswith("tpu-") and named is None:
            hint = "write v5e-16, with the generation and the size of a slice; tpu takes any slice"
        raise NoSlotType(text, hint) from error


def _several(name: str, number: str) -> str:
    """How to ask for several of a type."""
    try:
        kind = slot_type(name)
    except NoSlotType as error:
        return error.hint
    if kind == TPU or _SLICE.match(kind):
        return f"write {kind}, one slot; launch --slots {number}x{kind} takes {number} of them"
    if kind in (CPU, GPU):
        return f"write {kind}-{number} for a job on {number} of them together, or {kind} for a job on each"
    kind, _ = parted(kind)
    return f"write {kind}-{number} for a job on {number} GPUs, or {kind} for a job on each"


def _plain(word: str) -> str:
    """A product's name in the words that Ray has for it: h100 for NVIDIA H100 80GB HBM3."""
    while _MAKER.match(word):
        word = word[_MAKER.match(word).end() :]  # type: ignore[union-attr]
    kept = re.sub(r"-0+$", "", re.sub(r"[^a-z0-9]+", "-", _MEMORY.sub("", word))).strip("-")
    if not re.match("[a-z]", kept):
        return "h100"
    return kept
