"""A model, an optimizer and images of one's own: their counts, what is refused, and what training comes to."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from runs_of_own import added
from test_experiment import refusal, write
from told import from_scratch

from scalectl.extend import model, optimizer, schedule, source
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer import own, state_size
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.split import split
from scalectl.trainer.events import Done, Measurement, Progress
from scalectl.trainer.grouping import resting, training
from scalectl.trainer.memory import Verdict, estimate
from scalectl.trainer.optimizer import own_schedule, settings
from scalectl.trainer.optimizer import schedule as factor
from scalectl.trainer.own_model import Net, counts, flops
from scalectl.trainer.programs import Programs
from scalectl.trainer.spec import ModelSpec
from scalectl.trainer.step import State, abstract, shape
from scalectl.trainer.topology import topology
from scalectl.trainer.train import train
from scalectl.trainer.vit import ViT

STUDY = """\
version: 1
name: mine
models: {nano: {width: 16, depth: 2, num_heads: 2, patch_size: 2, ARCHITECTURE}}
data: {source: digits, sizes: [200]}
train: {batch_size: 50, optimizer: {name: adamw, lr: 3e-3}, schedule: {warmup: 5, timescale: 100}}
budgets: {steps: [40]}
evals: {fewshot: {datasets: [digits], shots: [5]}}
"""
PLAIN, OWN = STUDY.replace(", ARCHITECTURE", ""), STUDY.replace("ARCHITECTURE", "architecture: test-vit")


def vit(net):
    """The built-in ViT, of which all that is known by formulas has to come out by tracing."""
    shape = ModelSpec(*(getattr(net.model, name) for name in ("width", "depth", "mlp_dim", "num_heads", "patch_size")))
    return ViT(shape, net.image_size, net.channels, net.num_classes, net.head, net.head_bias, net.dtype)


def adamw():
    return optax.scale_by_adam(b1=0.9, b2=0.999, mu_dtype=jnp.bfloat16)


class Pooled(nn.Module):
    """A convolution, the mean, and a classifier; wrong in the ways that a test asks for."""

    net: Net

    @nn.compact
    def __call__(self, images):
        wrong = self.net.options.get("wrong", "")
        x = nn.Conv(self.net.model.width, (3, 3))(images)
        if wrong == "normalised":
            x = nn.BatchNorm(use_running_average=True)(x)
        features = x.mean(axis=(1, 2))
        logits = nn.Dense(self.net.num_classes, name="classifier" if wrong == "name" else "head")(features)
        if wrong == "alone":
            return logits
        return logits.astype(jnp.float16) if wrong == "half" else logits, features


def pooled(net):
    if net.options.get("wrong") == "raises":
        raise KeyError("no such layer")
    return Pooled(net)


@pytest.fixture(scope="module", autouse=True)
def mine():
    """What these tests name, which no other test is to see."""

    def add():
        model("test-vit")(vit)
        model("test-pooled")(pooled)
        optimizer("test-adamw")(adamw)

    with added(add):
        yield


def trained(folder, text):
    (cell,) = read(write(folder, text)).cells
    events = list(train(from_scratch(plan(read(folder / "experiments.yaml")).jobs[-1].job, str(folder / "alone"))))
    losses = [event.loss for event in events if isinstance(event, Progress)]
    readings = {event.metric: event.value for event in events if isinstance(event, Measurement)}
    assert isinstance(events[-1], Done)
    return cell, losses, readings


@pytest.mark.slow
def test_a_vit_of_ones_own_counts_and_trains_as_the_built_in_one(tmp_path):
    (tmp_path / "own").mkdir()
    plain, losses, readings = trained(tmp_path, PLAIN)
    own, own_losses, own_readings = trained(tmp_path / "own", OWN.replace("name: adamw", "name: test-adamw"))
    assert own.params == plain.params
    assert [run.flops for run in plan(read(tmp_path / "own" / "experiments.yaml")).runs] == [
        run.flops for run in plan(read(tmp_path / "experiments.yaml")).runs
    ]
    sizes = [state_size.arguments(trunk, 4) for trunk in (own.run.trunk, plain.run.trunk)]
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-3)  # one's own counts the steps of Adam, too
    np.testing.assert_allclose(own_losses, losses, rtol=1e-3)
    assert own_readings["upstream/loss"] == pytest.approx(readings["upstream/loss"], rel=1e-3)
    assert own.run.trunk.model.architecture.startswith("test-vit@")


def test_flops_are_those_of_the_compiler():
    """Convolutions with groups and strides, and what is element-wise, against XLA's analysis; and a loop by hand."""

    def program(x, kernel, grouped):
        y = jax.lax.conv_general_dilated(x, kernel, (2, 2), "VALID")
        y = jax.lax.conv_general_dilated(y, grouped, (1, 1), "VALID", feature_group_count=2)
        return (jnp.maximum(y, 0.0) * 3 + y).sum()

    given = [jnp.ones(sides) for sides in ((1, 3, 9, 9), (8, 3, 3, 3), (6, 4, 2, 2))]
    counted = flops(jax.make_jaxpr(program)(*given).jaxpr)
    assert counted == jax.jit(program).lower(*given).cost_analysis()["flops"]
    looped = jax.make_jaxpr(lambda x: jax.lax.scan(lambda x, _: (x @ x, None), x, length=7)[0])(jnp.ones((5, 5)))
    assert flops(looped.jaxpr) == 7 * 2 * 5**3


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("normalised", "has batch_stats beside its params, which no step would update: normalise by LayerNorm"),
        ("name", "no layer is called head"),
        ("alone", "gives (1, 10) for one image: it has to give logits (1, 10) and the features (1, width)"),
        ("half", "logits and features have to be float32"),
        ("raises", "can't be built: KeyError: 'no such layer'"),
    ],
)
def test_a_model_that_can_not_be_trained_is_refused_before_anything_runs(tmp_path, wrong, words):
    text = STUDY.replace("ARCHITECTURE", f"architecture: test-pooled, options: {{wrong: {wrong}}}")
    message = str(refusal(write(tmp_path, text)))
    assert words in message and "models.nano.architecture: architecture test-pooled" in message


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: None, "can't be traced: AttributeError: 'NoneType' object has no attribute 'update'"),
        (lambda: {}["x"], "can't be traced: KeyError: 'x'"),
        (lambda: optax.stateless(lambda grads, _: 37.0), "has to give a direction of the shape of each gradient"),
    ],
)
def test_an_optimizer_that_can_not_train_is_refused_before_anything_runs(tmp_path, made, words):
    with added(lambda: optimizer("test-wrong")(made)):
        message = str(refusal(write(tmp_path, PLAIN.replace("adamw", "test-wrong"))))
    assert f": error: train.optimizer.name: optimizer test-wrong {words}" in message


@pytest.mark.parametrize(
    ("curve", "words"),
    [
        (lambda after, *_: 1.0 if after < 37 else 0.5, "can't be traced: TracerBoolConversionError"),
        (lambda after, *_: jnp.ones(3), "has to give one number, and gives an array (3,)"),
        (lambda *_: None, "can't be traced: "),
    ],
)
def test_a_schedule_that_can_not_train_is_refused_before_anything_runs(tmp_path, curve, words):
    with added(lambda: schedule("test-wrong", needs_horizon=False, has_timescale=True)(curve)):
        message = str(refusal(write(tmp_path, PLAIN.replace("{warmup", "{name: test-wrong, warmup"))))
    assert "train.schedule.name: schedule test-wrong " in message and words in message


def test_a_schedule_may_say_whole_numbers(tmp_path):
    with added(lambda: schedule("test-whole", needs_horizon=False, has_timescale=True)(lambda *_: 1)):
        (run,) = plan(read(write(tmp_path, PLAIN.replace("{warmup", "{name: test-whole, warmup")))).runs
        recipe = run.spec.trunk.recipe
        assert factor(jnp.int32(37), settings(recipe, None), own_schedule(recipe)).dtype == jnp.float32


@pytest.mark.usefixtures("little_optimised")
def test_a_schedule_of_one_study_is_no_part_of_the_programs_of_another(tmp_path):
    """Such a one compiled them all anew, and where it was wrong, none could train."""
    (run,) = plan(read(write(tmp_path, PLAIN))).runs
    of, batch = shape(run.spec.trunk), (np.zeros((1, 50, 8, 8, 1), np.float32), np.zeros((1, 50), np.int32))

    def compilations():
        programs = Programs(of)
        programs.train(programs.first(3), *batch, settings(run.spec.trunk.recipe, run.spec))
        return programs.compilations

    assert compilations() == 2
    with added(lambda: schedule("test-wrong", needs_horizon=False, has_timescale=True)(lambda *_: 1 / 0)):
        assert compilations() == 0


def test_counts_need_nothing_that_only_some_versions_of_jax_have(monkeypatch):
    of = Net(ModelSpec(16, 2, 64, 2, 2, next(iter(own.names("model").values()))), 8, 1, 10)
    whole = counts.__wrapped__(of)
    monkeypatch.delattr("jax._src.xla_bridge.backends_are_initialized")
    assert counts.__wrapped__(of) == whole


def test_keys_of_a_model_that_no_code_adds_are_refused(tmp_path):
    assert "'vti' is no architecture that code adds" in str(
        refusal(write(tmp_path, STUDY.replace("ARCHITECTURE", "architecture: vti")))
    )
    assert "options: never used: a ViT takes none" in str(
        refusal(write(tmp_path, STUDY.replace("ARCHITECTURE", "options: {registers: 4}")))
    )


def test_options_are_part_of_what_a_run_is(tmp_path):
    text = STUDY.replace("ARCHITECTURE", "architecture: test-pooled, options: {a: 1, b: two}")
    (run,) = plan(read(write(tmp_path, text))).runs
    assert run.spec.trunk.model.options == '{"a":1,"b":"two"}'
    (other,) = plan(read(write(tmp_path, text.replace("a: 1", "a: 2")))).runs
    (same,) = plan(read(write(tmp_path, text.replace("a: 1, b: two", "b: two, a: 1")))).runs
    assert other.id != run.id == same.id


def test_what_no_formula_tells_of_memory_is_unsure_or_too_much(tmp_path):
    (cell,) = read(write(tmp_path, STUDY.replace("ARCHITECTURE", "architecture: test-pooled"))).cells
    assert estimate(cell.run.trunk, topology("v5e:1x1")).verdict is Verdict.UNSURE
    huge = STUDY.replace("ARCHITECTURE", "architecture: test-pooled").replace("width: 16", "width: 100M")
    (cell,) = read(write(tmp_path, huge)).cells
    assert estimate(cell.run.trunk, topology("v5e:1x1")).verdict is Verdict.OVER


def test_moments_of_long_kernels_of_convolutions_come_back_from_their_groups(tmp_path):
    text = STUDY.replace("ARCHITECTURE", "architecture: test-deep").replace("adamw", "adafactor")

    class Deep(nn.Module):
        @nn.compact
        def __call__(self, images):
            x = nn.Conv(40, (3, 3))(nn.Conv(33, (3, 3))(images))
            features = nn.Conv(40, (3, 3))(x).mean(axis=(1, 2))
            return nn.Dense(10, name="head")(features), features

    with added(lambda: model("test-deep")(lambda net: Deep())):
        (cell,) = read(write(tmp_path, text)).cells
        like = abstract(shape(cell.run.trunk))
    rows = iter(range(1, 10_000))

    def numbered(leaf):  # where Optax has no such moment, a single zero stands for it
        return np.full(leaf.shape, 0 if leaf.shape == (1,) else next(rows), leaf.dtype)

    state = State(*jax.tree.map(numbered, tuple(like)))
    back = resting(training(state))
    jax.tree.map(np.testing.assert_array_equal, jax.tree.map(np.asarray, back.moments), state.moments)


def images(count=100, **changes):
    """A function that loads noise, in which some things are otherwise."""
    pixels = np.random.default_rng(37).integers(0, 256, (count, 6, 6, 1)).astype(np.uint8)
    arrays = {"pixels": pixels, "labels": np.arange(count) % 4} | changes
    return lambda: (arrays["pixels"], arrays["labels"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"pixels": np.zeros((100, 6, 5, 1), np.uint8)},
            "images have the shape (100, 6, 5, 1): give an array (count, side, ",
        ),
        ({"pixels": np.zeros((100, 6, 6, 1))}, "images are float64: give uint8, or float32"),
        ({"labels": np.arange(99)}, "labels are int64 (99,): give a whole number for each of 100 images"),
        ({"labels": np.arange(100) - 1}, "labels go from -1 to 98: number the classes from 0"),
    ],
)
def test_images_that_are_none_are_refused_with_what_they_should_be(tmp_path, changes, words):
    with added(lambda: source("test-noise")(images(**changes))):
        message = str(refusal(write(tmp_path, PLAIN.replace("digits", "test-noise").replace("[200]", "[60]"))))
    assert f"4:16: error: data.source: source test-noise: {words}" in message


def test_other_images_make_other_runs_and_a_worker_refuses_them(tmp_path):
    text = PLAIN.replace("digits", "test-noise").replace("[200]", "[60]").replace("patch_size: 2", "patch_size: 3")
    with added(lambda: source("test-noise")(images())):
        (run,) = plan(read(write(tmp_path, text))).runs
        parts = split(run.spec.trunk.data)
        assert (len(parts.pool), len(parts.held_out)) == (80, 20) and run.spec.trunk.data.num_classes == 4
        seen = np.concatenate([part.pixels[:] for part in (parts.pool, parts.held_out)]).mean(axis=(1, 2, 3))
        np.testing.assert_allclose(np.sort(seen), np.sort(images()()[0].mean(axis=(1, 2, 3)) / 127.5 - 1), atol=1e-5)
    with added(lambda: source("test-noise")(images(labels=np.arange(100) % 5))):
        (other,) = plan(read(write(tmp_path, text))).runs
        assert other.id != run.id
        with pytest.raises(Unreadable, match="test-noise: its images have changed since the study was planned"):
            split(run.spec.trunk.data)


@pytest.mark.slow
def test_an_optimizer_begins_with_the_state_that_it_says_and_sees_each_parameter_as_it_is(tmp_path):
    """Plain descent, if only the scale that it keeps is the one that it began with; zeros would train nothing."""
    shapes = []

    def descent():
        def update(grads, scale, params):
            shapes.append({leaf.shape for leaf in jax.tree.leaves(grads)})
            return jax.tree.map(lambda grad: scale * grad, grads), scale

        return optax.GradientTransformation(lambda params: jnp.float32(37.0), update)

    text = PLAIN.replace("adamw, lr: 3e-3", "test-descent, lr: 3e-3, weight_decay: {head: 0, body: 0}")
    with added(lambda: optimizer("test-descent")(descent)):
        _, losses, readings = trained(tmp_path, text)
    assert losses[-1] < 0.9 * losses[0] and readings["upstream/error"] < 0.8
    assert {(16, 48), (16, 10), (10,)} <= shapes[-1]
