"""Schedule, optimizers and decay against the paper's formulas in plain NumPy."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalectl.trainer.grouping import training
from scalectl.trainer.optimizer import NEVER, Settings, clip, direction, schedule, settings, updated
from scalectl.trainer.presets import preset
from scalectl.trainer.spec import DataSpec, ModelSpec, RecipeSpec, RunSpec, TrunkSpec
from scalectl.trainer.step import Shape, State, gradient, one_step
from scalectl.trainer.vit import ViT

pytestmark = pytest.mark.usefixtures("little_optimised")

RNG = np.random.default_rng(23)
PAPER = Settings(8e-4, 1.0, 3.0, 0.03, 10_000, 10_000, NEVER, 1)


@pytest.mark.parametrize("step", [10_000, 37_000, 1_000_000])
def test_the_schedule_is_a_reciprocal_square_root_after_warmup(step):
    assert float(schedule(step, PAPER)) == pytest.approx((10_000 / step) ** 0.5, rel=1e-6)


def test_warmup_is_linear_and_loses_no_step():
    assert float(schedule(0, PAPER)) == pytest.approx(1e-4)
    assert float(schedule(4_999, PAPER)) == pytest.approx(0.5)
    assert float(schedule(9_999, PAPER)) == 1.0


def test_the_cooldown_is_linear_and_begins_where_the_trunk_is():
    cooled = PAPER._replace(total=120_000, cooldown=50_000)
    assert float(schedule(70_000, cooled)) == float(schedule(70_000, PAPER))
    assert float(schedule(95_000, cooled)) == pytest.approx(0.5 * (10_000 / 95_000) ** 0.5)
    assert 0 < float(schedule(119_999, cooled)) < 1e-5


def rates(name, timescale, steps, cooldown):
    """The rates of a run with the paper's warmup, or of its trunk, as a function of the step."""
    recipe = RecipeSpec(
        4096, "float32", "map", -10.0, "sigmoid", "adafactor", 8e-4, 1, 3, 0.03, 10_000, timescale, schedule=name
    )
    trunk = TrunkSpec(preset("B", 16), DataSpec("digits", 1, 1, 0, 0, 8, 1, 10), recipe, 0)
    at = settings(recipe, RunSpec(trunk, steps, cooldown) if steps else None)
    return lambda step: schedule(step, at)


# the shapes that Figure 7 of the paper draws, and a half cosine: step after warmup, factor
@pytest.mark.parametrize(
    ("name", "timescale", "points"),
    [
        ("linear", 0, {10_000: 1.0, 65_000: 0.5, 92_500: 0.25}),
        ("cosine", 0, {10_000: 1.0, 65_000: 0.5, 46_666.6667: 0.75, 101_666.6667: (1 - 3**0.5 / 2) / 2}),
        ("constant", 10_000, {10_000: 1.0, 30_000: 0.55, 50_000: 0.1, 100_000: 0.1, 115_000: 0.05}),
        ("trapezoidal", 0, {10_000: 1.0, 100_000: 1.0, 110_000: 1.0, 115_000: 0.5}),
        ("rsqrt", 10_000, {10_000: 1.0, 40_000: 0.5, 90_000: 1 / 3}),
    ],
)
def test_each_schedule_has_the_shape_of_its_name(name, timescale, points):
    needs_horizon = name in ("linear", "cosine")
    factor = rates(name, timescale, 120_000, 120_000 if needs_horizon else 10_000)
    assert float(factor(4_999)) == pytest.approx(0.5)
    assert {step: float(factor(step)) for step in points} == pytest.approx(points, rel=1e-5)
    assert 0 <= float(factor(119_999)) < 1.01e-4


@pytest.mark.parametrize(("name", "timescale"), [("rsqrt", 10_000), ("constant", 10_000), ("trapezoidal", 0)])
def test_before_its_cooldown_a_run_has_the_rates_of_the_trunk_to_the_bit(name, timescale):
    cooled, trunk = rates(name, timescale, 120_000, 50_000), rates(name, timescale, None, None)
    np.testing.assert_array_equal(cooled(jnp.arange(70_001)), trunk(jnp.arange(70_001)))


# section 3.4 of the paper: overhead of 0.5 times the parameters instead of 2, and 1.5 with Adam
@pytest.mark.parametrize(("name", "least", "most"), [("adafactor", 0.50, 0.53), ("adamw", 1.5, 1.501)])
@pytest.mark.parametrize("size", [("Ti", 16), ("B", 16), ("L", 16), ("g", 14), ("G", 14)])
def test_the_state_is_as_small_as_the_paper_says(name, least, most, size):
    vit = ViT(preset(*size), 224, 3, 29_593, "map", -10.0, "bfloat16")
    params = jax.eval_shape(vit.init, jax.random.key(0), jnp.zeros((1, 224, 224, 3)))
    state = jax.eval_shape(direction(name).init, params)
    weight = [sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree)) for tree in (state, params)]
    assert least <= weight[0] / weight[1] <= most


def gradients(shape, count=3):
    return np.random.default_rng(11).normal(size=(count, *shape)).astype(np.float32) * 1e-3


def bfloat16(values):
    return np.asarray(jnp.asarray(values, jnp.bfloat16), np.float32)


def test_adafactor_is_the_papers_modification_of_it():
    rows, columns, mean = np.zeros(32), np.zeros(40), np.zeros((32, 40))
    optimizer = direction("adafactor")
    state = optimizer.init(jnp.zeros((32, 40)))
    for t, grad in enumerate(gradients((32, 40)), 1):
        decay = min(0.999, 1 - t**-0.8)
        rows = decay * rows + (1 - decay) * (grad**2).mean(axis=1)
        columns = decay * columns + (1 - decay) * (grad**2).mean(axis=0)
        scaled = grad / np.sqrt(np.outer(rows, columns) / rows.mean())
        # an average, not a sum, kept and multiplied in bfloat16; neither clipped nor scaled by the parameters
        expected = bfloat16(bfloat16(0.9) * mean) + 0.1 * scaled
        mean = bfloat16(expected)
        found, state = optimizer.update(jnp.asarray(grad), state, jnp.ones((32, 40)))
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-6)


def test_adafactors_second_moment_never_freezes():
    optimizer = direction("adafactor")
    state = optimizer.init(jnp.zeros(3))
    late = jax.tree.map(lambda leaf: jnp.asarray(10**6, leaf.dtype) if leaf.dtype == jnp.int32 else leaf, state)
    _, after = optimizer.update(jnp.ones(3), late, jnp.zeros(3))
    second = [leaf for leaf in jax.tree.leaves(after) if leaf.shape == (3,) and leaf.dtype == jnp.float32]
    np.testing.assert_allclose(second[0], 1 - 0.999, rtol=1e-3)


def test_adamw_descends_along_adam():
    first = second = np.zeros(5)
    optimizer = direction("adamw")
    state = optimizer.init(jnp.zeros(5))
    for t, grad in enumerate(gradients((5,)), 1):
        first = 0.9 * first + 0.1 * grad
        second = 0.999 * second + 0.001 * grad**2
        expected = first / (1 - 0.9**t) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
        first = bfloat16(first)
        found, state = optimizer.update(jnp.asarray(grad), state)
        np.testing.assert_allclose(found, expected, rtol=2e-2)


VIT = ViT(ModelSpec(32, 1, 64, 1, 2), 8, 1, 37, "map", -3.0, "float32")


@cache
def program(function, optimizer):
    """A compiled function of the step of a small model."""
    return jax.jit(partial(function, Shape(VIT, 16, "sigmoid", optimizer, 1)))


def whole_step(optimizer, clip_norm):
    """Parameters of a small model before and after its first step, and the gradient that it had, by path."""
    of = Shape(VIT, 16, "sigmoid", optimizer, 1)
    images, labels = RNG.normal(size=of.images).astype(np.float32), RNG.integers(0, 37, 16)
    params = jax.jit(VIT.init)(jax.random.key(5), images)
    params = jax.tree.map(lambda leaf: leaf + 0.01 * RNG.normal(size=leaf.shape).astype(np.float32), params)
    state = training(State(np.int32(0), params, direction(optimizer).init(params)))
    after, told = program(one_step, optimizer)(state, images, labels, PAPER._replace(clip_norm=clip_norm, warmup=4))
    _, grads = program(gradient, "adamw")(params, images, labels)  # which no optimizer changes
    trees = (params, after.params, grads)
    flat = [
        {
            jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf, np.float64)
            for path, leaf in jax.tree_util.tree_leaves_with_path(tree["params"])
        }
        for tree in trees
    ]
    return *flat, told


def first_direction(optimizer, grad):
    """What the optimizer makes of its first gradient, when its second moment is that gradient squared."""
    if optimizer == "adamw":
        return grad / (np.abs(grad) + 1e-8)
    second = grad**2 + 1e-30
    if sorted(grad.shape)[-2:-1] >= [32]:
        down, across = np.argsort(grad.shape, kind="stable")[-2:]
        row, column = second.mean(axis=across, keepdims=True), second.mean(axis=down, keepdims=True)
        second = row * column / row.mean(axis=down, keepdims=True)
    return 0.1 * grad / np.sqrt(second)


@pytest.mark.parametrize("clip_norm", [1e-3, 1e9])
@pytest.mark.parametrize("optimizer", ["adafactor", "adamw"])
def test_a_whole_step_is_that_of_the_formulas(optimizer, clip_norm):
    """Clip, direction, decay of the first match (head kernel, any kernel, nothing else), a quarter of warmup."""
    before, after, grads, told = whole_step(optimizer, clip_norm)
    norm = np.sqrt(sum((grad**2).sum() for grad in grads.values()))
    assert float(told.grad_norm) == pytest.approx(norm, rel=1e-4)
    assert float(told.learning_rate) == pytest.approx(8e-4 / 4)
    decays = {}
    for path, grad in grads.items():
        kernel = path.endswith("kernel")
        decay = 3.0 if path == "head/kernel" else 0.03 if kernel else 0.0
        decays.setdefault(decay, []).append(path.split("/")[-1])
        towards = first_direction(optimizer, grad * min(1.0, clip_norm / norm))
        expected = -8e-4 / 4 * (towards + decay * before[path])
        np.testing.assert_allclose(after[path] - before[path], expected, rtol=0.02, atol=2e-7, err_msg=path)
    assert len(decays[3.0]) == 1 and set(decays[0.03]) == {"kernel"}
    assert {"bias", "scale", "positions", "probe"} == set(decays[0.0])


def test_sgd_sums_its_momentum_in_bfloat16():
    total, optimizer = np.zeros(5), direction("sgd")
    state = optimizer.init(jnp.zeros(5))
    for grad in gradients((5,)):
        expected = bfloat16(bfloat16(0.9) * total) + grad
        total = bfloat16(expected)
        found, state = optimizer.update(jnp.asarray(grad), state)
        np.testing.assert_allclose(found, expected, rtol=2e-2, atol=1e-6)
    assert [leaf.dtype for leaf in jax.tree.leaves(state)] == [jnp.bfloat16]


def test_decay_is_strong_on_the_heads_kernel_weak_on_others_and_none_on_the_rest():
    names = {"head": {"kernel": 1.0, "bias": 1.0}, "block": {"kernel": 1.0, "scale": 1.0}, "positions": 1.0}
    params = {"params": jax.tree.map(jnp.asarray, names)}
    still = jax.tree.map(jnp.zeros_like, params)
    found = updated(params, still, jnp.asarray(0.01), PAPER)["params"]
    assert float(found["head"]["kernel"]) == pytest.approx(1 - 0.01 * 3.0)
    assert float(found["block"]["kernel"]) == pytest.approx(1 - 0.01 * 0.03)
    assert [float(one) for one in (found["head"]["bias"], found["block"]["scale"], found["positions"])] == [1, 1, 1]


@pytest.mark.parametrize(("most", "norm_after"), [(1.0, 1.0), (37.0, 5.0)])
def test_gradients_are_clipped_by_their_norm_together(most, norm_after):
    clipped, norm = clip({"a": jnp.asarray([3.0]), "b": jnp.asarray([[0.0, 4.0]])}, most)
    assert float(norm) == pytest.approx(5.0)
    assert float(jnp.hypot(clipped["a"][0], clipped["b"][0, 1])) == pytest.approx(norm_after)
