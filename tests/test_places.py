"""Where jobs may run: the rates of slots against what makers publish of whole machines."""

import pytest

from scalectl.orchestrator.experiment.resources import Place
from scalectl.orchestrator.plan.placement import basis, fit


@pytest.mark.parametrize(
    (
        "slot_type",
        "printed",
    ),  # PFLOP/s as printed: Cloud TPU's pages of pods; a half of DGX A100 (sparsity), a quarter of DGX H100 (8 bits)
    [
        ("v3-2048", 126),
        ("v4-8192", 1126),
        ("v5p-17920", 4113),
        ("v5e-256", 50.63),
        ("v6e-256", 235),
        ("a100-8", 5 / 2),
        ("h100-8", 32 / 4),
    ],
)
def test_a_slot_is_as_fast_as_the_machine_that_its_type_names(slot_type, printed):
    found = fit(Place(type=(slot_type,), mfu=0.37))
    assert found.flops_per_second == pytest.approx(0.37 * printed * 1e15, rel=0.011)
    assert basis([found]).startswith("37 % of ")


def test_a_type_that_nobody_published_a_rate_of_is_assumed_to_be_slow():
    assert "assumed" in basis([fit(Place(type=("v37-8",)))])


def test_two_names_of_a_chip_are_one():
    names = ("v5litepod-16", "v5e:4x4", "tpu-v5-lite-podslice:4x4", "V5E-16")
    assert {fit(Place(type=(name,))) for name in names} == {fit(Place(type=("v5e-16",)))}


def test_devices_that_a_file_states_are_those_of_its_first_type_alone():
    shared = fit(Place(type=("h100", "h100-8"), devices=0.5))
    assert [shared.devices_on(kind) for kind in ("h100", "h100-8")] == [0.5, 8]
    assert fit(Place(devices=3.0)).devices_on("cpu") == 3.0
    assert fit(Place()).devices_on("cpu") == 1.0
