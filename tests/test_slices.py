"""What the nodes of a cluster have for each type of slot, as Ray tells nodes."""

import pytest

from scalectl.orchestrator.cluster.ray_slots import Seats, Slice, lacking, plain, slices, slots
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.plan.placement import Fit
from scalectl.orchestrator.plan.plan import wanted


def node(alive=True, labels=(), **resources):
    return {"Alive": alive, "Labels": dict(labels), "Resources": resources, "NodeID": "37"}


def host(name, number, pod="v5litepod-16", topology="4x4", alive=True):
    labels = {"slice-name": name, "pod-type": pod, "topology": topology, "worker-id": str(number)}
    return node(alive, {f"ray.io/tpu-{key}": value for key, value in labels.items()}, TPU=4.0, CPU=8.0)


WHOLE = [host("a", n) for n in range(4)]
HALF = [host("b", n, alive=n < 3) for n in range(4)]
SMALL = [host("c", n, "v4-16", "2x2x2") for n in range(2)]
GPUS = [node(labels={"ray.io/accelerator-type": "H100"}, GPU=8.0, CPU=64.0), node(GPU=2.0)]


def names(types, nodes):
    return [slot.name for slot in slots(types, nodes)]


def test_a_slice_is_a_slot_only_with_all_of_its_hosts():
    assert slices(HALF) == [Slice("b", "v5litepod-16", 4, 3, 4.0)] and not slices(HALF)[0].intact
    found = slots({"v5e-16": 16.0}, WHOLE + HALF + SMALL)
    assert {slot.name: seats for slot, seats in found.items()} == {
        "v5e-16/0": Seats(4, chips=4.0, kind="v5litepod-16", platform="tpu")
    }
    assert "slice b (v5litepod-16, 3 of 4 hosts alive)" in lacking(["v5e-16"], HALF)


def test_several_types_are_slots_beside_each_other():
    assert names({"v4-16": 16.0, "v5litepod-16": 16.0}, WHOLE + SMALL) == ["v4-16/0", "v5litepod-16/0"]
    assert names({"tpu": 1.0}, WHOLE + SMALL) == ["tpu/0", "tpu/1"]


@pytest.mark.parametrize(
    ("kind", "devices", "count"),
    [("h100", 1.0, 8), ("h100-8", 8.0, 1), ("h100-4", 4.0, 2), ("h100", 0.5, 16), ("h100", 0.4, 16), ("gpu", 1.0, 10)],
)
def test_gpus_are_given_whole_or_in_equal_shares(kind, devices, count):
    found = slots({kind: devices}, GPUS)
    assert len(found) == count
    assert {(seats.gpus, seats.platform, seats.gang) for seats in found.values()} == {(devices, "cuda", False)}


def gpus(kind, *numbers):
    return [node(labels={"ray.io/accelerator-type": kind}, GPU=float(number), CPU=8.0) for number in numbers]


@pytest.mark.parametrize(
    ("numbers", "devices", "count", "hosts", "part"),
    [
        ([8, 8, 8, 8], 16, 2, 2, 8),
        ([8, 8, 8], 16, 1, 2, 8),
        ([8, 4, 4, 4], 16, 1, 4, 4),  # the fewest hosts that have equal parts
        ([8, 8], 12, 1, 2, 6),
        ([4, 4, 4, 4], 8, 2, 2, 4),
        ([16, 8, 8], 16, 1, 1, 16),  # one host is better than two
        ([8], 16, 0, 0, 0),
        ([8, 8], 15, 0, 0, 0),  # which two hosts can't share equally
    ],
)
def test_gpus_that_no_host_has_are_those_of_several(numbers, devices, count, hosts, part):
    found = slots({f"h100-{devices}": float(devices)}, gpus("H100", *numbers))
    assert [(seats.hosts, seats.gpus, seats.kind) for seats in found.values()] == [(hosts, part, "H100")] * count
    assert all(seats.bundle == {"GPU": part} and seats.gang == (hosts > 1) for seats in found.values())


def test_the_hosts_of_a_gang_are_of_one_type():
    mixed = gpus("H100", 8) + gpus("A100", 8) + gpus("B200", 8, 8)
    assert [seats.kind for seats in slots({"gpu-16": 16.0}, mixed).values()] == ["B200"]
    (seats,) = slots({"gpu-16": 16.0}, [node(GPU=8.0)] * 2).values()
    assert seats == Seats(2, gpus=8.0, platform="cuda") and seats.selector == {}


@pytest.mark.parametrize(
    ("name", "label", "devices"),
    [
        ("rtx-6000", "RTX-6000", 1),
        ("geforce-rtx-4090", "GeForce-RTX-4090", 1),
        ("rtx-pro-6000-8", "RTX-PRO-6000", 8),
        ("intel-gpu-max-1550", "Intel-GPU-Max-1550", 1),
        ("v100", "V100", 1),
        ("v100-4", "V100", 4),
        ("my-own-37", "My-Own-37", 1),  # a label by hand
        ("a100-80g", "A100-80G", 1),
    ],
)
def test_gpus_are_known_by_the_whole_of_their_label(name, label, devices):
    found = slots({name: float(devices)}, gpus(label, 8))
    assert [seats.kind for seats in found.values()] == [label] * (8 // devices)
    assert all(seats.selector == {"ray.io/accelerator-type": label} for seats in found.values())


def test_a_refusal_lists_the_types_that_are_there():
    said = lacking(["rtx-600"], [*gpus("RTX-6000", 8, 8), node(GPU=2.0)])
    assert "16 GPUs of type rtx-6000 on 2 hosts, 2 GPUs of no type, which the type gpu takes, on 1 host" in said


def test_a_slice_of_tpu7x_has_another_name_for_ray():
    whole = [host("i", n, "v7x-16", "2x2x2") for n in range(2)]
    assert names({"tpu7x-16": 16.0}, whole) == ["tpu7x-16/0"] and names({"v5e-16": 16.0}, whole) == []


def test_several_cpu_workers_are_a_gang():
    (seats,) = slots({"cpu-2": 2.0}, [node(CPU=3.0)]).values()
    assert seats.hosts == 2 and seats.gang and seats.bundle == {"CPU": 1.0}


def test_jobs_that_take_what_is_there_take_accelerators_before_cpus():
    assert names({"auto": 1.0}, GPUS + SMALL)[-1] == "auto/10"
    assert not plain({"auto": 1.0}, slots({"auto": 1.0}, GPUS))
    assert plain({"auto": 1.0}, {}) and plain({"cpu": 1.0, "h100": 1.0}, {}) and not plain({"h100": 1.0}, {})


class Job:
    def __init__(self, *types, devices=1.0):
        self.fit = Fit(types, devices)


def test_what_jobs_want_is_known_by_type():
    jobs = [Job("h100", devices=0.5), Job("v5e-16", "v5e-32", devices=16.0), Job()]
    assert wanted(jobs) == {"h100": 0.5, "v5e-16": 16.0, "v5e-32": 32.0, "auto": 1.0}
    with pytest.raises(Refusal, match=r"h100 are asked for with 0\.5 and 1 devices"):
        wanted([Job("h100", devices=0.5), Job("h100")])
