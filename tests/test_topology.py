"""Slices of TPUs: what is rented, and the spellings of one slice."""

import pytest

from scalectl.trainer.topology import GENERATIONS, Topology, Unknown, generation, topology

SPELLINGS = {
    "v5e:4x4": ["v5e-16", "v5litepod-16", "V5E:4x4", "tpu-v5-lite-podslice:4x4", "tpu-v5-lite-podslice-4x4", "v5e/4x4"],
    "v5e:2x4": ["v5e-8", "v5e:4x2", "tpu-v5-lite-device:2x4"],
    "v5e:1x1": ["v5e-1"],
    "v6e:16x16": ["v6e-256", "tpu-v6e-slice:16x16", "TPU-V6E:16x16"],
    "v4:2x2x2": ["v4-16", "tpu-v4-podslice:2x2x2"],
    "v3:4x4": ["v3-32", "tpu-v3-slice:4x4"],
    "v5p:4x4x12": ["v5p-384", "v5p:12x4x4", "tpu-v5p-slice:4x4x12"],
    "tpu7x:2x2x1": ["tpu7x-8", "v7x-8"],
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_all_spellings_of_a_slice_are_one(name):
    assert {str(topology(text)) for text in [name, *SPELLINGS[name]]} == {name}
    assert {topology(text).slot for text in [name, *SPELLINGS[name]]} == {topology(name).slot}


def test_sides_alone_are_of_the_generation_that_is_known():
    assert str(topology("4x4", generation("v6e"))) == "v6e:4x4"
    with pytest.raises(Unknown, match="write one such as v5e:4x4"):
        topology("4x4")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("v5e:3x3", "the nearest are v5e:2x4 .v5e-8. and v5e:4x4"),
        ("v5e:2x2x2", "slices of v5e have 2 sides"),
        ("v4:4x4", "slices of v4 have 3 sides"),
        ("v5e:16x32", "the largest is v5e:16x16 .v5e-256."),
        ("v3-33", "the nearest are v3:4x4 .v3-32. and v3:4x8"),
        ("v5p-99999", "the largest is"),
        ("v4:1x1x1", "no such slice"),
        ("v5e:16", "is not a topology"),
        ("v5e", "is not a topology"),
        ("v9:2x2", "of v2, v3, v4, v5e, v5p, v6e, tpu7x"),
        ("v5e:0x2", "no such slice"),
        ("v5e:99999999999999999999x2", "is not a topology"),
        ("", "is not a topology"),
    ],
)
def test_what_is_not_rented_is_refused_with_what_is(text, hint):
    with pytest.raises(Unknown, match=hint):
        topology(text)


def test_devices_are_counted_as_jax_counts_them():
    # what libtpu 0.0.42.1 says of each
    devices = {
        "v2:2x2": 8,
        "v3:4x4": 32,
        "v4:2x2x1": 4,
        "v5e:1x1": 1,
        "v5p:2x2x1": 4,
        "v6e:16x16": 256,
        "tpu7x:4x4x4": 128,
    }
    assert {text: topology(text).devices for text in devices} == devices


@pytest.mark.parametrize("name", GENERATIONS)
def test_slices_grow_to_no_more_than_a_pod_and_each_has_a_name(name):
    chosen = GENERATIONS[name]
    shapes = list(chosen.shapes)
    chips = [Topology(chosen, shape).chips for shape in shapes]
    assert chips == sorted(chips) and chips[-1] <= chosen.pod and len(set(shapes)) == len(shapes)
    for slices in (Topology(chosen, shape) for shape in shapes):
        assert topology(str(slices)) == slices and topology(slices.slot).chips == slices.chips
