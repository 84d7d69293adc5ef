"""A chip's part of a step doesn't grow with the slice: what the TPU's compiler said of benchmarks/slices.csv."""

import sys
from itertools import pairwise
from pathlib import Path

import pytest

from scalectl.trainer.memory import compiler_here

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from slices import MODELS, every_image, read, step, trunk

STEPS = {(one.model, one.topology): one for one in read()}
GROWING = ("v5e:2x2", "v5e:4x4", "v5e:8x8", "v5e:8x16", "v5e:16x16")
SMALL, LARGE = "v5e:4x4", "v5e:16x16"


def test_no_chip_has_a_part_of_every_image_in_any_model_of_the_paper():
    assert {model for model, place in STEPS if place == LARGE} == {*MODELS}
    assert not [one for one in STEPS.values() if one.every]


@pytest.mark.parametrize("model", MODELS)
def test_more_chips_take_no_more_of_each(model):
    """From one slice to the next the compiler may lay out a little differently; over all of them nothing grows."""
    steps = [STEPS[model, place] for place in GROWING]
    for smaller, larger in pairwise(steps):
        assert larger.images > smaller.images
        assert larger.peak <= 1.05 * smaller.peak and larger.accessed <= 1.05 * smaller.accessed
    assert steps[-1].peak <= steps[0].peak and steps[-1].accessed <= steps[0].accessed


@pytest.mark.parametrize("model", MODELS)
def test_sixteen_times_the_chips_take_no_more_of_each(model):
    """Peaks but not bytes of small models are equal; larger ones have a smaller part of the state."""
    small, large = STEPS[model, SMALL], STEPS[model, LARGE]
    assert large.images == 16 * small.images
    assert large.peak <= small.peak and large.accessed <= small.accessed


def test_an_array_of_every_image_is_found():
    """19 images a chip of 256, of 256 tokens each."""
    every = ["f32[4864,224,224,3]", "bf16[1245184,1664]", "bf16[19922944,104]"]
    own = ["bf16[4864,1664]", "bf16[19,256,1664]", "f32[77824,104]", "f32[19,224,224,3]", "bf16[1664,29593]"]
    assert every_image(" ".join(every + own), trunk("G/14", LARGE)) == [
        text[text.index("[") + 1 : -1] for text in every
    ]
    assert every_image("bf16[304,196,768]", trunk("B/16", SMALL)) == ["304,196,768"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not compiler_here(), reason="needs libtpu: uv sync --extra aot")
def test_the_compiler_gives_no_chip_of_256_a_part_of_every_image():
    found = step("B/32", LARGE)
    assert found.every == "" and found.peak < 1.5 * STEPS["B/32", LARGE].peak
