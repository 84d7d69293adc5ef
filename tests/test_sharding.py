"""One step on 1 device, on 8, and on 2 processes with 2 each: the rule on shapes, and equal losses."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from devices import told
from imagined import Imagined
from jax.sharding import PartitionSpec
from test_train import TRUNK, job, of

from scalectl.trainer import checkpoint
from scalectl.trainer.data.batches import Batches
from scalectl.trainer.division import AXES, WHOLE, grid
from scalectl.trainer.events import Checkpoint, Done, Event, Measurement, Progress
from scalectl.trainer.sharding import Layout, cut
from scalectl.trainer.spec import Job, ModelSpec, RunSpec
from scalectl.trainer.step import abstract, shape

WIDE = replace(TRUNK, model=ModelSpec(128, 1, 512, 4, 2), recipe=replace(TRUNK.recipe, lr=1e-3))


@pytest.mark.parametrize(
    ("sides", "axes", "expected"),
    [
        ((1664, 8192), (16, 16), (None, AXES)),
        ((8192, 1664), (16, 16), (AXES,)),
        ((1664, 4992), (16, 16), (("inner",), ("outer",))),
        ((1664, 1664), (16, 16), (("outer",), ("inner",))),
        ((29593, 1664), (16, 16), (None, ("outer",))),
        ((1024, 3072), (2, 4), (None, AXES)),
        ((255, 65537), (2, 2), ()),
        ((128,), (2, 4), ()),
        ((), (2, 4), ()),
    ],
)
def test_an_array_is_cut_along_its_largest_side_that_devices_divide(sides, axes, expected):
    found = list(cut(sides, axes))
    while found and found[-1] is None:
        found.pop()
    assert PartitionSpec(*found) == PartitionSpec(*expected)


def test_a_grid_is_as_square_as_it_can_be():
    expected = [(1, 1), (1, 2), (2, 2), (2, 3), (1, 7), (2, 4), (16, 16)]
    assert [grid(count) for count in (1, 2, 4, 6, 7, 8, 256)] == expected


def test_every_large_array_of_the_state_has_a_share_on_each_device():
    for leaf in jax.tree.leaves(abstract(shape(WIDE))):
        parts = math.prod({"outer": 2, "inner": 4}[name] for names in cut(leaf.shape, (2, 4)) for name in names or ())
        assert parts == (8 if math.prod(leaf.shape) >= 2**16 else 1)


def test_the_state_of_a_small_model_is_whole_on_each_device_unless_it_is_said_to_be_large():
    state, devices = abstract(shape(WIDE)), tuple(range(8))
    count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(state.params))
    whole, divided = Imagined(devices), Imagined(devices, count)
    assert all(where == whole.whole for where in jax.tree.leaves(whole.state(state)))
    for tree in (state, state.params):  # of both there are copies on the devices
        found = jax.tree.leaves(
            jax.tree.map(lambda leaf, at: at.spec == cut(leaf.shape, (2, 4)), tree, divided.state(tree))
        )
        assert all(found)
    assert any(where != divided.whole for where in jax.tree.leaves(divided.state(state)))


def test_parts_of_a_batch_are_those_of_the_whole():
    trunk = replace(TRUNK, data=replace(TRUNK.data, flip=True))
    whole = Batches(trunk).stacked(5, 3)
    parts = [Batches(trunk, slice(start, start + 4)).stacked(5, 3) for start in range(0, 16, 4)]
    for expected, *found in zip(*map(jax.tree.leaves, [whole, *parts]), strict=True):
        np.testing.assert_array_equal(np.concatenate(found, axis=1), expected)


def test_devices_that_cannot_share_a_batch_are_refused():
    with pytest.raises(ValueError, match="16 images can't be shared by 3 devices: give a multiple of 3"):
        Layout(tuple(jax.devices() * 3)).rows(16)


def values(events: list[Event]) -> list[float]:
    return [one.loss for one in of(Progress, events)] + [one.value for one in of(Measurement, events)]


def twenty(folder, **recipe) -> Job:
    trunk = replace(WIDE, recipe=replace(WIDE.recipe, **recipe))
    return job(folder, trunk=trunk, run=RunSpec(trunk, 20, 5), stop=20, checkpoint_every=10)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("recipe", [{}, {"layers": "scan", "remat": "full", "microbatch": 8, "optimizer": "adamw"}])
def test_losses_are_equal_on_one_device_on_eight_and_on_two_processes_of_two(tmp_path, recipe):
    lives = []
    for name, devices, processes in (("one", 1, 1), ("eight", 8, 1), ("two", 2, 2)):
        lives += told(twenty(tmp_path / name / "job", **recipe), tmp_path / name, devices, processes)
    lives += told(twenty(tmp_path / "whole" / "job", **recipe), tmp_path / "whole", 4, whole_below=WHOLE)
    one, *others = lives
    assert len(others) == 4 and len(of(Progress, one)) == 20 and isinstance(one[-1], Done)
    for other in others:
        np.testing.assert_allclose(values(other), values(one), rtol=1e-5)
    assert values(others[1]) == values(others[2])
    assert [one.digest for one in of(Checkpoint, others[1])] == [one.digest for one in of(Checkpoint, others[2])]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_checkpoint_goes_to_any_number_of_devices_and_back(tmp_path):
    (half,) = told(replace(twenty(tmp_path / "job"), stop=10), tmp_path / "one")
    first = of(Checkpoint, half)[-1]
    for name, devices, processes in (("eight", 8, 1), ("two", 2, 2), ("back", 1, 1)):
        for life in told(replace(twenty(tmp_path / "job"), stop=10), tmp_path / name, devices, processes):
            assert life[0].step == 10 and life[-1].digest == first.digest
    whole = told(twenty(tmp_path / "job"), tmp_path / "rest", 2, 2)
    last = of(Checkpoint, whole[0])[-1]
    state, _ = checkpoint.restore(last.path, abstract(shape(WIDE)))
    assert whole[0][0].step == 10 and whole[1][-1].digest == last.digest == checkpoint.sha256(state.params)


CODE = """
import json, re
from dataclasses import replace
import jax
from scalectl.trainer import aot, sharding, step, vit
from test_sharding import UNEVEN
lay, sides = sharding.Layout(tuple(jax.devices()), 0), {}
program = aot.parted(replace(step.shape(UNEVEN), steps=1), 16)
for way in ("divided", "free"):
    lowered = aot.lower(program, lay, aot.arguments(program, lay), UNEVEN, "cpu")
    text = lowered.compile(compiler_options={"xla_backend_optimization_level": 0}).as_text()
    shapes = re.findall("[a-z]+[0-9]+[[]([0-9,]+)[]]", text)
    sides[way] = sorted({int(side) for sides in shapes for side in sides.split(",")})
    vit.by_image = lambda rows: rows
    jax.clear_caches()
print(json.dumps(sides))
"""
# 260 and 516 are multiples of 4 and not of 16: on 4 x 4 devices they divide matrices along both sides, as 256 do G/14's
UNEVEN = replace(
    TRUNK,
    model=ModelSpec(260, 1, 516, 4, 2),
    recipe=replace(TRUNK.recipe, batch_size=176, layers="scan", remat="full", head="map"),
)


@pytest.mark.slow
def test_no_device_holds_a_part_of_every_image_though_parameters_are_divided_along_both_sides():
    assert list(cut((260, 516), (4, 4))) == ["inner", "outer"]
    flags = "--xla_force_host_platform_device_count=16"
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, check=True)
    sides = json.loads(done.stdout)
    tokens = (UNEVEN.data.image_size // 2) ** 2
    every = {176 * tokens, 176 * 4}  # tokens and heads of the batch; its images are as many as the tokens of a device
    assert not every & set(sides["divided"])
    assert every <= set(sides["free"])  # else this test could not fail
