"""Whether the training steps of a plan fit on slices of TPUs, before one is rented."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.format import counted, duration, share
from scalectl.orchestrator.plan.plan import Plan
from scalectl.orchestrator.plan.planner import shape
from scalectl.trainer import memory, state_size
from scalectl.trainer.apart import Ended, apart
from scalectl.trainer.cache import appearing, folder
from scalectl.trainer.division import unshared
from scalectl.trainer.memory import GIB, Need, Verdict, compiler_here
from scalectl.trainer.spec import TrunkSpec
from scalectl.trainer.topology import Topology, Unknown, topology

MEANING = 3  # of what is kept in the cache; raised with what a `Need` says


class InvalidTopology(Refusal):
    """A --topology that doesn't exist."""

    exit = Exit.INVALID


@dataclass(frozen=True)
class Program:
    """A training step that a plan has compiled, the models that share it, and the slice that it is meant for."""

    models: tuple[str, ...]
    shape: str
    trunk: TrunkSpec
    slices: Topology

    @property
    def names(self) -> str:
        """The models as text."""
        return ", ".join(self.models)


@dataclass(frozen=True)
class Answer:
    """The memory that a program needs on each device of its slice."""

    program: Program
    need: Need
    smallest: str | None  # slice of the same generation that it fits on; None where none does, or none is sure
    sure: bool  # that slice was compiled for, not estimated

    @property
    def left(self) -> int:
        """The bytes of a device that are left over; below zero where some are missing."""
        return self.need.limit - self.need.peak


def programs(plan: Plan, text: str | None) -> list[Program]:
    """The distinct programs of a plan, each with the slice of a text, or with that of its slots where there is none.

    Raises InvalidTopology for a text that means none, or where neither names a slice, and Refusal, which names all,
    where the devices of some can't share a batch.
    """
    models: dict[tuple[str, Topology], dict[str, TrunkSpec]] = {}
    for run in plan.runs:
        slices = _slice(text, run.fit.types)
        if (tuning := plan.evals.finetune) and tuning.batch_size % slices.devices:
            words = f"{counted(tuning.batch_size, 'image')} can't be shared by {slices.devices} devices"
            raise Refusal(f"refused: evals.finetune.batch_size on {slices}: {words}: give a multiple of that.")
        models.setdefault((shape(run.spec.trunk), slices), {})[run.model] = run.spec.trunk
    made = [
        Program(tuple(trunks), words, next(iter(trunks.values())), slices) for (words, slices), trunks in models.items()
    ]
    if refusals := list(_unshared(made)):
        raise Refusal("\n".join(refusals))
    return made


def _unshared(programs: Sequence[Program]) -> Iterator[str]:
    """Yield a sentence for each batch that the devices of a slice can't share."""
    models: dict[tuple[str, Topology], list[str]] = {}
    for program in programs:
        recipe = program.trunk.recipe
        for problem in unshared(program.slices.devices, recipe.batch_size, recipe.microbatch):
            models.setdefault((problem, program.slices), []).extend(program.models)
    for (problem, slices), names in models.items():
        yield f"refused: {', '.join(dict.fromkeys(names))} on {slices}: {problem}."


def _slice(text: str | None, types: Sequence[str]) -> Topology:
    """The slice that a text means; where it is none, or names no generation, the types of slots help."""
    stated = [slices for slices in map(_of_type, types) if slices]
    if text is None:
        if not stated:
            raise InvalidTopology(
                "--topology is missing, and resources name no slice of TPUs. Preflight knows of TPUs alone:"
                " write a slice such as v5e:4x4."
            )
        return stated[0]
    generations = {slices.generation.name: slices.generation for slices in stated}
    default = None
    if len(generations) == 1:
        (default,) = generations.values()
    try:
        return topology(text, default)
    except Unknown as error:
        raise InvalidTopology(f"--topology: {error}.") from error


def _of_type(slot_type: str) -> Topology | None:
    try:
        return topology(slot_type)
    except Unknown:
        return None


def check(program: Program, *, search: bool) -> Answer:
    """The memory that a program needs on its slice, and the smallest slice that it fits on.

    With `search` that slice is compiled for, which takes a compilation for each that is tried; else it is estimated.
    Raises Refusal where the devices of the slice can't share a batch.
    """
    try:
        need = needed(program.trunk, program.slices)
    except ValueError as error:
        raise Refusal(f"refused: {program.names} on {program.slices}: {error}.") from error
    if need.verdict is Verdict.FITS and not search:
        return Answer(program, need, str(program.slices), need.compiled)
    return Answer(program, need, *_smallest(program, search=search))


def needed(trunk: TrunkSpec, slices: Topology) -> Need:
    """What a trunk needs on a slice: as the compiler says where it is installed and answers, else by the formula."""
    if compiler_here():
        with suppress(Ended):
            return _compiled(trunk, slices)
    return memory.estimate(trunk, slices)


def is_cached(program: Program) -> bool:
    """Whether the answer comes at once: it was compiled before, or there is no compiler to wait for."""
    return not compiler_here() or _file(program.trunk, program.slices).exists()


def _file(trunk: TrunkSpec, slices: Topology) -> Path:
    versions = [version(name) for name in ("scalectl", "jax", "flax", "optax", "libtpu")]
    facts = [MEANING, shape(trunk), trunk.data.channels, str(slices), *versions]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return folder("preflight") / f"{key}.json"


def _compiled(trunk: TrunkSpec, slices: Topology) -> Need:
    """What the compiler says, from the user's cache where these versions were asked before."""
    from scalectl.trainer import aot

    file = _file(trunk, slices)
    if file.exists():
        kept = json.loads(file.read_text())
        return Need(**kept | {"verdict": Verdict(kept["verdict"])})
    need = apart(aot.compiled, trunk, slices)  # libtpu ends the process on some programs
    with appearing(file) as path:
        Path(path).write_text(json.dumps(asdict(need)))
    return need


def _smallest(program: Program, *, search: bool) -> tuple[str | None, bool]:
    """The smallest slice that a program fits on, and whether it was compiled for."""
    for slices in _sharing(program):
        estimated = memory.estimate(program.trunk, slices)
        if search and compiler_here():
            if estimated.verdict is not Verdict.OVER and needed(program.trunk, slices).verdict is Verdict.FITS:
                return str(slices), True
        elif estimated.verdict is Verdict.FITS:
            return str(slices), False
    return None, search and compiler_here()


def _sharing(program: Program) -> Iterator[Topology]:
    """Yield the slices of the same generation whose devices can share a batch, smallest first."""
    recipe, generation = program.trunk.recipe, program.slices.generation
    for sides in generation.shapes:
        slices = Topology(generation, sides)
        if recipe.batch_size % slices.devices == 0 and recipe.microbatch % slices.devices == 0:
            yield slices


WORDS = {Verdict.FITS: "fits", Verdict.UNSURE: "unsure: the compiler has to be asked", Verdict.OVER: "out of memory"}


def text(answer: Answer) -> str:
    """The lines of one answer."""
    need, program = answer.need, answer.program
    source = "compiled"
    if need.seconds:
        source += f" in {duration(need.seconds)}"
    if not need.compiled:
        source = f"estimated, within {share(need.margin)}"
        if program.trunk.model.is_own:
            source = "state and gradients alone: what else one's own model needs only the TPU's compiler can tell"
        if compiler_here():
            source += f"; libtpu {version('libtpu')} ended without an answer"
    room = f"{answer.left / GIB:.2f} GiB left"
    if answer.left < 0:
        room = f"{-answer.left / GIB:.2f} GiB too much"
    lines = [
        f"{program.names} on {program.slices}: {WORDS[need.verdict]}"
        f" ({need.peak / GIB:.2f} of {need.limit / GIB:.2f} GiB a device, {room}; {source})"
    ]
    unknown = program.trunk.model.is_own and not need.compiled
    if not unknown and (need.verdict is not Verdict.FITS or answer.smallest != str(program.slices)):
        how = "smallest slice that it fits on" if answer.sure else "smallest slice by estimate"
        lines.append(f"  {how}: {answer.smallest or f'none of {program.slices.generation.name}'}")
    if program.slices.devices > 1:
        lines.append(f"  {_state(program)}")
    if padding := memory.padding(program.trunk):
        lines.append(f"  {padding}")
    return "\n".join(lines)


def _state(program: Program) -> str:
    """How parameters and moments lie on the devices of a slice, in words."""
    parts = state_size.parts_of(program.trunk, program.slices.devices)
    if parts > 1:
        return f"parameters and moments are divided over the {parts} devices"
    return "parameters and moments are whole on each device: the model is small"


def document(answers: Sequence[Answer]) -> dict[str, Any]:
    """The answers for -o json; bytes are those of each device."""
    fits = all(answer.need.verdict is Verdict.FITS for answer in answers)
    return {"fits": fits, "shapes": [_record(answer) for answer in answers]}


def _record(answer: Answer) -> dict[str, Any]:
    need, program = answer.need, answer.program
    return {
        "models": list(program.models),
        "shape": program.shape,
        "topology": str(program.slices),
        "devices": program.slices.devices,
        "fits": need.verdict is Verdict.FITS,
        "verdict": need.verdict.value,
        "peak_bytes": need.peak,
        "limit_bytes": need.limit,
        "left_bytes": answer.left,
        "argument_bytes": need.arguments,
        "state_devices": state_size.parts_of(program.trunk, program.slices.devices),
        "compiled": need.compiled,
        "margin": need.margin,
        "seconds": round(need.seconds, 3),
        "smallest": answer.smallest,
        "smallest_compiled": answer.sure,
    }
