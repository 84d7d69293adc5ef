"""The numbers of training against a table of them, tests/numbers.json: a run's id promises that they stay.

After 0, 1, 5 and 20 steps of some small recipes: loss, learning rate, norm of the gradient, and one random projection
of each array of parameters. `python tests/test_numbers.py` writes the table anew, once SEMANTICS is raised.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import jax
import numpy as np
import pytest
from pictures import as_seen

from scalectl.trainer.data.batches import Batches
from scalectl.trainer.optimizer import settings
from scalectl.trainer.programs import Programs
from scalectl.trainer.spec import SEMANTICS, DataSpec, ModelSpec, RecipeSpec, RunSpec, TrunkSpec
from scalectl.trainer.step import State, shape

TABLE = Path(__file__).with_name("numbers.json")
STEPS = (1, 5, 20)
LATE = 20_000  # by then the second moments of Adafactor decay as slowly as they ever will
RESIDUAL = ("embedding", "positions", "out", "down")  # what adds to the residual stream
QUIET = 1e-3  # of their first values: tokens then vary by no more than the epsilon of a LayerNorm
SYNTHETIC_IMAGES = "synthetic images, cropped and mirrored"
SCALARS = ("loss", "learning_rate", "grad_norm")
SHOWN = 8  # of the numbers that moved
ADVICE = """\
If this was not meant, look for what changed them. If this was meant, raise SEMANTICS in trainer/spec.py: every run then
has another id and is trained again. Then write the table anew: python tests/test_numbers.py"""


class Tolerance(NamedTuple):
    """How far rounding moves numbers, as a share of their size, with room to spare.

    Measured between JAX 0.10.2 and 0.12.0, and code for SSE 4.2, AVX and AVX2, the most of any case: 5e-8 for what is
    drawn before the first step; then 5e-6 for scalars and 1e-3 for arrays, of which single moments are rounded to
    another bfloat16. With Adam after 20,000 updates, whose moments begin at zero here, 2e-4 and 4e-3. In bfloat16 1e-3,
    and a large part of the change of small arrays.
    """

    scalars: float = 3e-5
    arrays: float = 5e-3

    def of(self, name: str, step: str) -> float:
        if step == "0":
            return 1e-6
        return self.scalars if name in SCALARS else self.arrays


MODEL = ModelSpec(width=32, depth=1, mlp_dim=64, num_heads=4, patch_size=4)
DATA = DataSpec("digits", 60, 360, 0, 1, 8, 1, 10)
RECIPE = RecipeSpec(16, "float32", "map", -2.0, "sigmoid", "adafactor", 3e-3, 1.0, 3.0, 0.03, 4, 10)
TRUNK = TrunkSpec(MODEL, DATA, RECIPE, seed=3)


class Number(NamedTuple):
    """A number, and the size of what it was computed from, by which a difference is judged."""

    value: float
    size: float


Numbers = dict[str, Number]
Table = dict[str, dict[str, float]]  # of a case: the numbers after some steps, by name


ROUNDING = Tolerance()


@dataclass(frozen=True)
class Case:
    """A trunk, or a run of 20 steps with a cooldown, from a step on."""

    trunk: TrunkSpec
    cooldown: int = 0
    begin: int = 0
    quiet: bool = False
    rounding: Tolerance = ROUNDING


def case(data: DataSpec = DATA, recipe: RecipeSpec = RECIPE, **options: Any) -> Case:
    return Case(TrunkSpec(MODEL, data, recipe, seed=3), **options)


MIRRORED = replace(DATA, flip=True, stratified=True)
SYNTHETIC = replace(DATA, source="synthetic", shift=0, image_size=32, channels=3, crop=True, flip=True)
ADAM = replace(RECIPE, optimizer="adamw", lr=1e-3)
SCAN = replace(ADAM, head="gap", loss="softmax", layers="scan", positions="sincos2d")
TOKEN = replace(ADAM, head="tok", microbatch=4, remat="full")
CASES = {
    "adafactor, sigmoid, map": case(),
    "the same, cooled down": case(cooldown=12),
    "the same, late": case(begin=LATE),
    "the same, quiet tokens": case(recipe=replace(RECIPE, lr=1e-5), quiet=True),
    "the same, clipped": case(recipe=replace(RECIPE, clip_norm=0.1, weight_decay_body=0.3)),
    "the same, constant": case(recipe=replace(RECIPE, schedule="constant", timescale=3), cooldown=4),
    "the same, trapezoidal": case(recipe=replace(RECIPE, schedule="trapezoidal", timescale=0), cooldown=10),
    "the same, linear": case(recipe=replace(RECIPE, schedule="linear", timescale=0), cooldown=20),
    "the same, cosine": case(recipe=replace(RECIPE, schedule="cosine", timescale=0), cooldown=20),
    "adamw, softmax, gap, sincos2d, scan": case(recipe=SCAN),
    "adamw, sigmoid, tok, microbatches, remat": case(data=MIRRORED, recipe=TOKEN),
    "the same, late, adamw": case(data=MIRRORED, recipe=TOKEN, begin=LATE, rounding=Tolerance(1e-3, 2e-2)),
    "bfloat16": case(recipe=replace(RECIPE, precision="bfloat16"), rounding=Tolerance(1e-2, 2.0)),
}
SLOW = {"adamw, softmax, gap, sincos2d, scan", "bfloat16"}  # to compile


def measured(case: Case) -> dict[str, Numbers]:
    """The numbers of a case after each of STEPS."""
    programs, batches = Programs(shape(case.trunk)), Batches(case.trunk)
    run = RunSpec(case.trunk, STEPS[-1], case.cooldown) if case.cooldown else None
    at = settings(case.trunk.recipe, run)
    state = begun(programs.first(case.trunk.seed), case.begin)
    if case.quiet:
        state = state._replace(params=quiet(state.params))
    numbers, done = {"0": projections(state.params) | seen(batches, case.begin)}, 0
    for step in STEPS:
        state, metrics = programs.train(state, *batches.stacked(case.begin + done, step - done), at)
        last = {name: float(values[step - done - 1]) for name, values in metrics._asdict().items()}
        numbers[str(step)] = {name: Number(value, abs(value)) for name, value in last.items()}
        numbers[str(step)] |= projections(state.params)
        done = step
    return numbers


def seen(batches: Batches, step: int) -> Numbers:
    images, labels = batches.batch(step)
    return projections({"images": as_seen(images), "labels": labels})


def begun(state: State, step: int) -> State:
    """A state whose counts say that `step` updates were made."""

    def counted(leaf: Any) -> Any:
        return np.full(leaf.shape, step, leaf.dtype) if np.issubdtype(leaf.dtype, np.integer) else leaf

    return state._replace(step=np.int32(step), moments=jax.tree.map(counted, state.moments))


def synthetic() -> dict[str, Numbers]:
    return {"0": seen(Batches(TrunkSpec(MODEL, SYNTHETIC, RECIPE, seed=3)), step=7)}


def projections(tree: Any) -> Numbers:
    """One projection of each array of a tree, on signs that its name draws."""
    return {name: projected(name, leaf) for name, leaf in leaves(tree)}


def leaves(tree: Any) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of a tree by name, without the biases of keys.

    Softmax cancels those: their gradient is nothing but rounding, and the optimizers make full steps of it.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path, simple=True, separator="/").removeprefix("params/")
        array = np.asarray(leaf, np.float64)
        if name.endswith("qkv/bias"):
            array = np.delete(array.reshape(3, -1), 1, axis=0)
        elif name.endswith("kv/bias"):
            array = array.reshape(2, -1)[1]
        yield name, array.ravel()


def projected(name: str, array: np.ndarray) -> Number:
    signs = 1.0 - 2.0 * (np.random.Philox(key=crc32(name.encode())).random_raw(len(array)) >> np.uint64(63))
    return Number(float(signs @ array), float(np.linalg.norm(array)))


def quiet(params: Any) -> Any:
    """Parameters of which tokens hardly vary, and a head that reads them: every epsilon shows in the first loss."""

    def quietened(path: Any, leaf: Any) -> Any:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if name.endswith("head/kernel"):
            return np.cos(np.arange(leaf.size, dtype=np.float32)).reshape(leaf.shape)
        if "pool/mlp" in name or not set(name.split("/")) & set(RESIDUAL):
            return leaf
        return leaf * np.float32(QUIET)

    return jax.tree_util.tree_map_with_path(quietened, params)


def differences(table: Table, numbers: dict[str, Numbers], rounding: Tolerance) -> list[str]:
    """The numbers that moved further than rounding does, the worst first, in words."""
    moved = []
    for step, names in table.items():
        for name, before in names.items():
            now, allowed = numbers[step][name], rounding.of(name, step)
            share = abs(now.value - before) / now.size if now.size else abs(before)
            if not share <= allowed:
                line = f"after {step} steps, {name}: {now.value:.7g} instead of {before:.7g}"
                moved.append((share / allowed, f"{line}, {share:.1e} of its size; rounding moves it by {allowed:.0e}"))
    return [line for _, line in sorted(moved, reverse=True)]


def check(name: str, numbers: dict[str, Numbers], rounding: Tolerance) -> None:
    expected: Table = json.loads(TABLE.read_text())["cases"][name]
    assert {step: list(names) for step, names in numbers.items()} == {step: list(expected[step]) for step in expected}
    moved = differences(expected, numbers, rounding)
    assert not moved, "\n".join([f"{len(moved)} numbers of training moved:", *moved[:SHOWN], ADVICE])


@pytest.mark.parametrize(
    "name", [name if name not in SLOW else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_training_has_the_numbers_of_the_table(name):
    check(name, measured(CASES[name]), CASES[name].rounding)


def test_cropped_and_mirrored_synthetic_images_are_those_of_the_table():
    check(SYNTHETIC_IMAGES, synthetic(), ROUNDING)


def test_the_table_is_of_the_semantics_of_the_trainer():
    assert json.loads(TABLE.read_text())["semantics"] == SEMANTICS, ADVICE


def written(numbers: dict[str, Numbers]) -> Table:
    return {step: {name: float(f"{number.value:.9g}") for name, number in numbers[step].items()} for step in numbers}


def main() -> None:
    """Write the table anew; where SEMANTICS is as before, only cases that are new may differ."""
    numbers = {name: measured(case) for name, case in CASES.items()} | {SYNTHETIC_IMAGES: synthetic()}
    before = json.loads(TABLE.read_text())
    if before["semantics"] == SEMANTICS:
        for name in before["cases"].keys() & numbers.keys():
            check(name, numbers[name], CASES[name].rounding if name in CASES else ROUNDING)
    cases = {name: written(of_case) for name, of_case in numbers.items()}
    TABLE.write_text(json.dumps({"semantics": SEMANTICS, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
