"""Whether the training steps of a plan fit on a slice of TPUs, before one is rented."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.format import duration
from scalectl.orchestrator.plan.plan import Plan
from scalectl.orchestrator.plan.planner import shape
from scalectl.trainer.aot import GIB, Memory, Unknown, compiler_here, memory, parsed
from scalectl.trainer.cache import appearing, folder
from scalectl.trainer.memory import temporaries
from scalectl.trainer.spec import TrunkSpec

FLAT = ("2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16")  # slices of v5e and v6e, as Google Cloud's pages list them
CUBES = ("2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4", "4x4x8", "4x8x8", "8x8x8", "8x8x16", "8x16x16")  # v4, v5p


class InvalidTopology(Refusal):
    """A --topology that doesn't exist."""

    exit = Exit.INVALID


@dataclass(frozen=True)
class Answer:
    """The memory that one shape of a plan needs on each chip."""

    models: tuple[str, ...]
    shape: str
    memory: Memory
    smallest: str | None  # slice of the same chip that it fits on; None where none does, or where none was looked for
    sure: bool  # that slice was compiled for, not estimated

    @property
    def over(self) -> float:
        """The GiB that are missing on each chip."""
        return max(0.0, (self.memory.needed - self.memory.limit) / GIB)


def preflight(plan: Plan, topology: str, *, search: bool) -> Iterator[Answer]:
    """Yield the memory that each distinct shape of a plan needs on a topology, and the smallest slice that it fits on.

    With `search` that slice is compiled for, which takes a compilation for each that is tried; else it is estimated.
    Raises InvalidTopology for one that doesn't exist, and Refusal where its devices can't share a batch.
    """
    models: dict[str, dict[str, TrunkSpec]] = {}
    for run in plan.runs:
        models.setdefault(shape(run.spec.trunk), {})[run.model] = run.spec.trunk
    for words, trunks in models.items():
        trunk = next(iter(trunks.values()))
        try:
            need = known(trunk, topology)
        except Unknown as error:
            raise InvalidTopology(f"--topology: {error}.") from error
        except ValueError as error:
            raise Refusal(f"refused: {', '.join(trunks)} on {topology}: {error}.") from error
        yield Answer(tuple(trunks), words, need, *_smallest(trunk, need, search=search))


def known(trunk: TrunkSpec, topology: str) -> Memory:
    """The memory that a trunk needs on a topology, from the user's cache where these versions measured it before."""
    packages = ["scalectl", "jax", "flax", "optax", *(["libtpu"] if compiler_here() else [])]
    versions = [version(name) for name in packages]
    key = hashlib.sha256(json.dumps([shape(trunk), trunk.data.channels, topology, *versions]).encode()).hexdigest()
    file = folder("preflight") / f"{key}.json"
    if file.exists():
        return Memory(**json.loads(file.read_text()))
    need = memory(trunk, topology)
    if not need.compiled:
        estimate = round(temporaries(trunk, need.devices))
        need = replace(need, temporaries=estimate, needed=need.arguments + estimate)
    with appearing(file) as path:
        Path(path).write_text(json.dumps(asdict(need)))
    return need


def _smallest(trunk: TrunkSpec, need: Memory, *, search: bool) -> tuple[str | None, bool]:
    if need.fits and not search:
        return need.topology, need.compiled
    chip, _ = parsed(need.topology)
    most = float(need.limit)
    if search:
        most = 1.25 * need.limit  # the estimate may be too high
    for sides in FLAT if chip in ("v5e", "v6e") else CUBES:
        topology = f"{chip}:{sides}"
        _, devices = parsed(topology)
        if trunk.recipe.batch_size % devices or (trunk.recipe.microbatch or devices) % devices:
            continue
        if _estimate(trunk, need, devices) > most:
            continue
        if not search:
            return topology, False
        if known(trunk, topology).fits:
            return topology, need.compiled
    return None, search


def _estimate(trunk: TrunkSpec, need: Memory, devices: int) -> float:
    """The bytes on each of `devices`, from those on another number of them, as the formula scales them."""
    scale = temporaries(trunk, devices) / temporaries(trunk, need.devices)
    return need.arguments * need.devices / devices + (need.temporaries or 0) * scale


def text(answer: Answer) -> str:
    """The lines of one answer."""
    need = answer.memory
    source = "estimated; after pip install 'scalectl[aot]' it is compiled"
    if need.compiled:
        source = f"compiled in {duration(need.seconds)}"
    verdict = "fits"
    if not need.fits:
        verdict = f"out of memory by {answer.over:.2f} GiB on each chip"
    line = f"{', '.join(answer.models)} on {need.topology}: {verdict}"
    line += f" ({need.needed / GIB:.2f} of {need.limit / GIB:.2f} GiB; {source})"
    if answer.smallest == need.topology:
        return line
    sure = "smallest slice that it fits on" if answer.sure else "smallest slice by estimate"
    return f"{line}\n  {sure}: {answer.smallest or 'none of this chip'}"


def document(answers: Sequence[Answer]) -> dict[str, Any]:
    """The answers for -o json; bytes are those of each chip."""
    return {"fits": all(answer.memory.fits for answer in answers), "shapes": [_record(answer) for answer in answers]}


def _record(answer: Answer) -> dict[str, Any]:
    need = answer.memory
    return {
        "models": list(answer.models),
        "shape": answer.shape,
        "topology": need.topology,
        "devices": need.devices,
        "fits": need.fits,
        "needed_bytes": need.needed,
        "argument_bytes": need.arguments,
        "temporary_bytes": need.temporaries,
        "limit_bytes": need.limit,
        "over_gib": round(answer.over, 3),
        "compiled": need.compiled,
        "seconds": round(need.seconds, 3),
        "smallest": answer.smallest,
        "smallest_compiled": answer.sure,
    }
