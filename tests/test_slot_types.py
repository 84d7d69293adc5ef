"""Types of slots: one spelling of each, and what is said to whoever writes another."""

import re

import pytest
from test_cli import scalectl

from scalectl.orchestrator.experiment.resources import Place, Resources
from scalectl.orchestrator.plan.placement import fit
from scalectl.orchestrator.slot_types import NoSlotType, devices_of, slot_type
from scalectl.orchestrator.vocabulary import parted
from scalectl.trainer.topology import GENERATIONS, Topology


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("H100", "h100"),
        ("H100-8", "h100-8"),
        ("h100-16", "h100-16"),
        ("v5litepod-16", "v5e-16"),
        ("V5E-16", "v5e-16"),
        ("v5e:4x4", "v5e-16"),
        ("tpu-v5-lite-podslice:4x4", "v5e-16"),
        ("v3-2048", "v3-2048"),
        ("v4-8", "v4-8"),
        ("v7x-16", "tpu7x-16"),
        ("v37-8", "v37-8"),  # of a generation that isn't here yet
        ("V100", "v100"),
        ("v100-8", "v100-8"),
        ("RTX-6000", "rtx-6000"),
        ("A100-80G", "a100-80g"),
        ("cpu-2", "cpu-2"),
        ("gpu", "gpu"),
        ("tpu", "tpu"),
    ],
)
def test_a_type_has_one_spelling(typed, meant):
    assert slot_type(typed) == meant == slot_type(meant)


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("8xh100", "write h100-8 for a job on 8 GPUs, or h100 for a job on each"),
        ("8 x H100", "write h100-8 "),
        ("8*h100", "write h100-8 "),
        ("h100:8", "write h100-8 "),
        ("H100x8", "write h100-8 "),
        ("h100 8", "write h100-8 "),
        ("h100/8", "write h100-8 "),
        ("2xrtx-6000", "write rtx-6000-2 "),
        ("2xv5e-16", "write v5e-16, one slot; launch --slots 2xv5e-16 takes 2 of them"),
        ("2xcpu", "write cpu-2 for a job on 2 of them together"),
        ("v5e", "write v5e-16, or another size"),
        ("v5e-7", "v5e-4.*v5e-8"),
        ("v5e-512", "v5e-256"),
        ("tpu-16", "write v5e-16"),
        ("4x4", "write v5e-16"),
        ("8", "h100-8"),
        ("nvidia-h100-80gb", "write h100 "),
        ("NVIDIA H100 80GB HBM3", "write h100 "),
        ("nvidia-tesla-v100", "write v100 "),
        ("NVIDIA GeForce RTX 4090", "write geforce-rtx-4090 "),
        ("h100-0", "write h100 "),
        ("auto", "leave it out for any slot, or write device: auto"),
    ],
)
def test_what_is_no_type_is_refused_with_the_right_spelling(typed, hint):
    with pytest.raises(NoSlotType, match=f"^{re.escape(repr(typed))} is not a type of slot$") as refused:
        slot_type(typed)
    assert re.search(hint, refused.value.hint), refused.value.hint


def test_the_number_of_a_product_counts_no_devices():
    types = {"rtx-6000": 1, "geforce-rtx-4090": 1, "rtx-6000-2": 2, "intel-gpu-max-1550": 1, "h100-8": 8, "v5e-16": 16}
    assert {name: devices_of(name) for name in types} == types
    assert parted("rtx-6000-2") == ("rtx-6000", 2)
    assert fit(Place(type=("geforce-rtx-4090",))).devices == 1


@pytest.mark.parametrize("name", GENERATIONS)
def test_the_devices_of_a_slice_are_those_of_its_topology(name):
    slices = [Topology(GENERATIONS[name], shape) for shape in GENERATIONS[name].shapes]
    assert [devices_of(whole.slot) for whole in slices] == [whole.devices for whole in slices]
    assert all(fit(Place(type=(whole.slot,))).devices == whole.devices for whole in slices)


@pytest.mark.parametrize(
    ("slot_type", "why"),
    [
        ("v3-32", "a chip of v3 is 2 devices"),
        ("tpu7x-16", "a chip of tpu7x is 2 devices"),
        ("v5p-16", "a device of v5p is a chip, and the number in the name counts its 2 cores"),
        ("v5e-16", "leave devices out\n"),
    ],
)
def test_a_wrong_number_of_devices_is_explained_by_what_the_name_counts(study, slot_type, why):
    study.write(f"resources: {{default: {{type: {slot_type}, devices: 4}}}}\n")
    assert why in scalectl("validate", study.file).stderr


def test_every_wrong_type_of_a_file_is_said_at_its_place(study):
    types = "{default: {type: [8xh100, v5litepod-16], devices: 1.5}, rules: [{when: {model: pico}, use: {type: v5e}}]}"
    study.write(f"resources: {types}\n")
    done = scalectl("validate", study.file)
    assert done.returncode == 2 and "3 errors" in done.stderr
    assert "resources.default.type[0]: '8xh100' is not a type of slot" in done.stderr and "write h100-8" in done.stderr
    assert "resources.default.devices: 1.5 is not a number of devices" in done.stderr
    assert "resources.rules[0].use.type: 'v5e' is not a type of slot" in done.stderr


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("{device: tpu, type: h100}", "device: a slot of type h100 has no TPU"),
        ("{device: cpu, type: [h100, v5e-16]}", "device: a slot of type h100 or v5e-16 has no CPU"),
        ("{device: gpu, type: cpu-2}", "device: a slot of type cpu-2 has no GPU"),
        ("{type: v5e-16, devices: 8}", "devices: a slot of type v5e-16 has 16, not 8"),
        ("{type: v3-32, devices: 16}", "devices: a slot of type v3-32 has 32, not 16"),  # it counts cores
        ("{type: v4-16, devices: 16}", "devices: a slot of type v4-16 has 8, not 16"),  # of two cores
        ("{type: cpu-2, devices: 3}", "devices: a slot of type cpu-2 has 2, not 3"),
        ("{device: cpu, devices: 4}", "devices: a slot of type cpu has 1, not 4"),
        ("{type: cpu, devices: 0.5}", "devices: a slot of type cpu has 1, not 0.5"),
    ],
)
def test_a_slot_that_nobody_has_is_one_error_at_its_key_in_the_default_and_in_a_rule(study, place, said):
    rule = f"rules: [{{when: {{model: pico}}, use: {place}}}]"
    for resources, path in (
        (f"{{default: {place}}}", "default"),
        (f"{{default: {{type: h100, devices: 0.5}}, {rule}}}", "rules[0].use"),
    ):
        study.write(f"resources: {resources}\n")
        done = scalectl("validate", study.file)
        assert done.returncode == 2 and "1 error;" in done.stderr
        assert re.search(rf"yaml:\d+:\d+: error: resources.{re.escape(path)}.{re.escape(said)}\n", done.stderr)


@pytest.mark.parametrize(
    "place",
    [
        "{device: tpu, type: v3-32}",
        "{device: gpu, type: rtx-6000, devices: 1}",
        "{type: intel-gpu-8, devices: 1}",
        "{device: gpu, devices: 8}",
        "{type: cpu-2, devices: 2}",
        "{type: h100, devices: 0.5}",
        "{device: tpu, devices: 16}",
        "{type: v2-16, devices: 16}",
        "{type: v3-16, devices: 16}",
        "{type: v4-16, devices: 8}",
        "{type: v5e-16, devices: 16}",
        "{type: v5p-16, devices: 8}",
        "{type: v6e-16, devices: 16}",
        "{type: tpu7x-16, devices: 16}",
    ],
)
def test_a_slot_that_somebody_has_is_valid(study, place):
    study.write(f"resources: {{default: {place}}}\n")
    done = scalectl("validate", study.file)
    assert done.returncode == 0 and "warning" not in done.stdout


def test_a_wrong_place_hides_nothing_that_is_wrong_with_the_grid(study):
    study.write("resources: {default: {type: 8xh100}}\n", steps="[1]")
    done = scalectl("validate", study.file)
    assert "'8xh100' is not a type of slot" in done.stderr and "budgets.steps[0]: 1 step" in done.stderr


def test_devices_of_any_slot_are_a_warning(study):
    study.write("resources: {default: {devices: 4}}\n")
    done = scalectl("validate", study.file)
    assert done.returncode == 0 and "a slot of any device has one GPU or a whole slice" in done.stdout + done.stderr


def test_a_rule_with_another_slot_takes_no_devices_from_the_default():
    halves = Place(device="gpu", type=("h100",), devices=0.5, priority=2.0)
    cpu, large, shared, same = (
        Resources(default=halves).laid_over(use)
        for use in (Place(device="cpu"), Place(type=("h100-8",)), Place(devices=0.25), Place(type=("h100",)))
    )
    assert (fit(same).types, fit(same).devices) == (("h100",), 0.5)
    assert (fit(cpu).types, fit(cpu).devices) == (("cpu",), 1)
    assert (fit(large).types, fit(large).devices, fit(large).priority) == (("h100-8",), 8, 2.0)
    assert (fit(shared).types, fit(shared).devices) == (("h100",), 0.25)


@pytest.mark.parametrize(
    ("place", "batch", "said"),
    [
        ("{type: v4-16}", 20, "20 images can't be shared by the 8 devices of a slot of type v4-16"),
        ("{type: [h100, h100-8]}", 20, "20 images can't be shared by the 8 devices of a slot of type h100-8"),
        ("{device: gpu, devices: 3}", 20, "20 images can't be shared by the 3 devices of a slot of type gpu"),
        ("{type: v4-16}", 24, ""),
        ("{type: h100, devices: 0.5}", 21, ""),
        ("{device: tpu}", 21, ""),
    ],
)
def test_a_batch_that_the_devices_of_its_slot_cannot_share_is_a_warning_at_its_line(study, place, batch, said):
    text = study.write(f"resources: {{default: {place}}}\n").read_text()
    study.file.write_text(text.replace("batch_size: 16", f"batch_size: {batch}"))
    done = scalectl("validate", study.file)
    assert done.returncode == 0 and ("can't be shared" in done.stdout + done.stderr) == bool(said)
    assert said in done.stdout + done.stderr
    if said:
        assert re.search(r"yaml:\d+:\d+: warning: train.batch_size: ", done.stdout + done.stderr)
