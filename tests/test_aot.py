"""Memory on devices that aren't here: what the rule on shapes gives each, and what the TPU's compiler says."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import pytest
from test_train import TRUNK

from scalectl.trainer.aot import (
    GIB,
    Imagined,
    Unknown,
    arguments,
    compiler_here,
    lower,
    memory,
    on_each,
    parsed,
    parted,
)
from scalectl.trainer.spec import TrunkSpec, preset
from scalectl.trainer.step import abstract, shape

ROOT = Path(__file__).parents[1]


def trunk(name: str, patch_size: int, batch: int) -> TrunkSpec:
    data = replace(TRUNK.data, source="synthetic", image_size=224, channels=3)
    recipe = replace(TRUNK.recipe, batch_size=batch, precision="bfloat16", layers="scan", remat="full")
    return TrunkSpec(preset(name, patch_size), data, recipe, 0)


def test_a_topology_is_a_chip_and_how_many():
    assert [parsed(one) for one in ("v5e:16x16", "v5e:2x2", "v4:2x2x4")] == [("v5e", 256), ("v5e", 4), ("v4", 16)]
    for wrong in ("v5e", "v5e:", "v5e:16", "v9:2x2", "2x2", "v5e:0x2"):
        with pytest.raises(Unknown, match="is not a topology"):
            parsed(wrong)


def test_devices_that_cannot_share_a_batch_are_refused():
    with pytest.raises(ValueError, match="100 images can't be shared by 256 devices"):
        parted(shape(trunk("Ti", 16, 100)), 256)


GIANT = pytest.param("G", 14, 4096, marks=pytest.mark.slow)


@pytest.mark.parametrize(("name", "patch_size", "batch"), [("B", 16, 1024), GIANT])
def test_each_of_256_devices_has_its_share_of_the_state(name, patch_size, batch):
    of, lay = parted(shape(trunk(name, patch_size, batch)), 256), Imagined(tuple(range(256)))
    state, images, _ = arguments(of, lay)
    whole = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(abstract(of)))
    each = sum(map(on_each, jax.tree.leaves(state)))
    assert whole / 256 < each < 2.5 * whole / 256  # biases and norms are whole on each, as are their moments
    assert images.sharding.shard_shape(images.shape) == (of.steps, batch // 256, 224, 224, 3)


def test_a_step_is_lowered_for_256_devices():
    made = trunk("Ti", 16, 512)
    of, lay = parted(shape(made), 256), Imagined(tuple(range(256)))
    program = lower(of, lay, arguments(of, lay), made).as_text()
    assert "mhlo.num_partitions = 256" in program and '"outer"=16, "inner"=16' in program


@pytest.mark.skipif(compiler_here(), reason="is about machines without libtpu")
def test_without_the_compiler_only_arguments_are_known():
    found = memory(trunk("Ti", 16, 512), "v5e:2x2")
    assert found.temporaries is None and not found.compiled and found.fits
    assert found.needed == found.arguments < GIB


@pytest.mark.slow
@pytest.mark.skipif(not compiler_here(), reason="needs libtpu: uv sync --extra aot")
def test_the_compiler_lets_a_small_model_through_and_refuses_a_large_one():
    small = memory(trunk("Ti", 16, 512), "v5e:2x2")
    assert small.compiled and small.fits and small.temporaries > small.arguments
    large = trunk("L", 16, 512)
    large = memory(replace(large, recipe=replace(large.recipe, remat="none")), "v5e:2x2")
    assert not large.fits and large.limit < 16 * GIB < large.temporaries < large.needed


def test_the_benchmark_says_what_it_knows():
    command = [sys.executable, "benchmarks/ahead.py", "Ti/16", "--batch", "512", "--topology", "v5e:16x16"]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert "v5e:16x16, 256 devices: fits" in told
