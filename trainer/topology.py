"""Slices of TPUs: the generations, the shapes in which each is rented, and the many spellings of one."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement

FLAT = ((2, 2), (2, 4), (4, 4), (4, 8), (8, 8), (8, 16), (16, 16), (16, 32), (32, 32))
SMALL_CUBES = ((2, 2, 1), (2, 2, 2), (2, 2, 4), (2, 4, 4))  # every larger slice is made of cubes of 4 x 4 x 4 chips


class Unknown(ValueError):  # noqa: N818 - a fact about what was typed
    """A topology that does not exist."""


@dataclass(frozen=True)
class Generation:
    """A generation of TPUs, as Google Cloud's page on each has it; `gib` is what the compiler gives each device."""

    name: str
    gib: float  # that programs may use of a device's memory: what libtpu 0.0.42.1 says where one needs more
    pod: int  # chips of the largest slice
    sides: int  # of a slice: 2 or 3
    devices: int = 1  # of a chip, as JAX counts them
    counted: int = 1  # by how much a chip counts in a name such as v4-16, which counts cores
    single: bool = False  # is rented by the chip, too

    @property
    def kind(self) -> str:
        """The kind of its devices, as makers' tables and JAX have it."""
        return "TPU7x" if self.name == "tpu7x" else f"TPU {self.name}"

    @property
    def shapes(self) -> Iterator[tuple[int, ...]]:
        """Yield the shapes of its slices, smallest first."""
        if self.single:
            yield (1,) * self.sides
        if self.sides == 2:
            yield from (shape for shape in FLAT if math.prod(shape) <= self.pod)
            return
        yield from SMALL_CUBES
        multiples = range(4, math.isqrt(self.pod) + 1, 4)
        cubes = [shape for shape in combinations_with_replacement(multiples, 3) if math.prod(shape) <= self.pod]
        yield from sorted(cubes, key=lambda shape: (math.prod(shape), max(shape)))


GENERATIONS = {
    generation.name: generation
    for generation in (
        Generation("v2", 7.48, 256, 2, devices=2, counted=2),
        Generation("v3", 15.48, 1024, 2, devices=2, counted=2),
        Generation("v4", 30.75, 4096, 3, counted=2),
        Generation("v5e", 15.75, 256, 2, single=True),
        Generation("v5p", 95.74, 8960, 3, counted=2),
        Generation("v6e", 31.25, 256, 2, single=True),
        Generation("tpu7x", 94.75, 9216, 3, devices=2, counted=2),
    )
}
OTHER_NAMES = {  # of the API of Cloud TPU, of Ray, and of GKE's nodes
    "v5litepod": "v5e",
    "v5lite": "v5e",
    "v7x": "tpu7x",
    "tpu-v5-lite-podslice": "v5e",
    "tpu-v5-lite-device": "v5e",
    "tpu-v5p-slice": "v5p",
    "tpu-v6e-slice": "v6e",
    "tpu-v6e-device": "v6e",
} | {f"tpu-{name}-{word}": name for name in ("v2", "v3", "v4") for word in ("podslice", "slice", "device")}


@dataclass(frozen=True)
class Topology:
    """A slice of TPUs, such as 4 x 4 chips of v5e."""

    generation: Generation
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.generation.name}:{self.sides}"

    @property
    def sides(self) -> str:
        """Its shape as text: 4x4."""
        return "x".join(map(str, self.shape))

    @property
    def chips(self) -> int:
        """The number of its chips."""
        return math.prod(self.shape)

    @property
    def devices(self) -> int:
        """The number of its devices, as JAX counts them."""
        return self.chips * self.generation.devices

    @property
    def slot(self) -> str:
        """Its type of slot: v5e-16."""
        return f"{self.generation.name}-{self.chips * self.generation.counted}"


def generation(text: str) -> Generation | None:
    """The generation that a word such as v5litepod, V6E or tpu-v4-podslice means, if any."""
    word = text.strip().lower()
    word = OTHER_NAMES.get(word, word)
    return GENERATIONS.get(word) or GENERATIONS.get(word.removeprefix("tpu-"))


def topology(text: str, default: Generation | None = None) -> Topology:
    """The slice that a text means: v5e:4x4, v5e-16, v5litepod-16, tpu-v5-lite-podslice:4x4, or 4x4 of `default`.

    Raises Unknown for one that isn't rented, before any compiler is asked: libtpu ends the process on some shapes.
    """
    match = re.fullmatch(r"(?:(.+?)([-:/ ]))?([0-9]{1,6}(?:x[0-9]{1,6}){0,5})", text.strip())
    named = default
    if match and match[1]:
        named = generation(match[1])
    if match is None or named is None or (match[2] != "-" and "x" not in match[3]):
        raise Unknown(f"{text!r} is not a topology: write one such as v5e:4x4 or v5e-16, of {', '.join(GENERATIONS)}")
    if "x" not in match[3]:
        return _counted(text, named, int(match[3]))
    return _shaped(text, named, tuple(map(int, match[3].split("x"))))


def _shaped(text: str, named: Generation, sides: tuple[int, ...]) -> Topology:
    if len(sides) != named.sides:
        raise Unknown(f"{text!r} is not a topology: slices of {named.name} have {named.sides} sides, as {_some(named)}")
    shapes = {tuple(sorted(shape)): shape for shape in named.shapes}
    if tuple(sorted(sides)) not in shapes:
        raise Unknown(f"{text!r} is not a topology: there is no such slice of {named.name}; {_near(named, sides)}")
    return Topology(named, shapes[tuple(sorted(sides))])


def _counted(text: str, named: Generation, number: int) -> Topology:
    shape = _shapes(named).get(number / named.counted)
    if shape is None:
        near = _near(named, (number // named.counted,))
        raise Unknown(f"{text!r} is not a topology: there is no such slice of {named.name}; {near}")
    return Topology(named, shape)


@cache
def _shapes(named: Generation) -> dict[float, tuple[int, ...]]:
    """The most compact shape of each number of chips."""
    shapes: dict[float, tuple[int, ...]] = {}
    for shape in named.shapes:
        shapes.setdefault(math.prod(shape), shape)
    return shapes


def _some(named: Generation) -> str:
    *_, last = list(named.shapes)[:5]
    return str(Topology(named, last))


def _near(named: Generation, sides: tuple[int, ...]) -> str:
    """The slices next to a number of chips, in words."""
    chips = math.prod(sides)
    below = [shape for size, shape in _shapes(named).items() if size <= chips]
    above = [shape for size, shape in _shapes(named).items() if size > chips]
    near = [Topology(named, shape) for shape in (*below[-1:], *above[:1])]
    words = " and ".join(f"{slices} ({slices.slot})" for slices in near)
    if not above:
        return f"the largest is {words}"
    return f"the nearest are {words}"
