"""The CPU quotas and memory limits of containers, read from folders as the kernel lays them out."""

import math

import pytest

from scalectl.orchestrator.cluster import capacity as module
from scalectl.orchestrator.cluster.capacity import Capacity, capacity

GIB = 2**30


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of 64 cores and 256 GiB."""
    monkeypatch.setattr(module, "usable", lambda: list(range(64)))
    monkeypatch.setattr(module, "_memory_of_machine", lambda: 256.0 * GIB)


V2 = "25 1 0:22 {top} /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1 = (
    "25 1 0:22 {top} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "26 1 0:23 {top} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)
DOCKER_V2 = {"cpu.max": "200000 100000\n", "memory.max": f"{4 * GIB}\n"}
DOCKER_V1 = {
    "cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
    "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "memory/memory.limit_in_bytes": f"{4 * GIB}\n",
}
BOUNDLESS_V1 = {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000"}
BOUNDLESS_V1 |= {"memory/memory.limit_in_bytes": "9223372036854771712"}
OF_V1 = "4:cpu,cpuacct:{0}\n3:memory:{0}\n"
SLURM = {f"system.slice/job_7/{name}": text for name, text in DOCKER_V2.items()} | {
    "system.slice/job_7/step/cpu.max": "max"
}
CASES = {
    "docker, version 2": ("0::/\n", V2.format(top="/"), DOCKER_V2, 2, 4),
    "a job's group below the root": ("0::/system.slice/job_7/step\n", V2.format(top="/"), SLURM, 2, 4),
    "docker, version 1, by the host's path": (OF_V1.format("/docker/37"), V1.format(top="/docker/37"), DOCKER_V1, 2, 4),
    "version 1, by a path that isn't there": (OF_V1.format("/docker/37"), V1.format(top="/"), DOCKER_V1, 2, 4),
    "half a core": ("0::/\n", V2.format(top="/"), {"cpu.max": "50000 100000"}, 1, 256),
    "two cores and a half": ("0::/\n", V2.format(top="/"), {"cpu.max": "250000 100000"}, 2, 256),
    "version 2 without limits": ("0::/\n", V2.format(top="/"), {"cpu.max": "max 100000", "memory.max": "max"}, 64, 256),
    "version 1 without limits": (OF_V1.format("/"), V1.format(top="/"), BOUNDLESS_V1, 64, 256),
    "no control groups": ("", "", {}, 64, 256),
}


@pytest.mark.parametrize("case", CASES)
def test_the_least_limit_of_a_group_and_those_around_it_holds(case, tmp_path):
    own, mounts, files, cores, memory = CASES[case]
    texts = {"proc/self/cgroup": own, "proc/self/mountinfo": mounts}
    texts |= {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert capacity(tmp_path) == Capacity(cores, memory * GIB)


@pytest.mark.parametrize(("memory", "workers"), [(0.5, 1), (1.5, 1), (3, 4), (256, 64), (math.inf, 64)])
def test_there_are_no_more_workers_than_memory_holds(memory, workers):
    assert Capacity(64, memory * GIB).workers == workers


def test_the_object_store_is_no_smaller_than_ray_takes():
    assert Capacity(64, 0.5 * GIB).object_store == 75 * 2**20
    assert Capacity(64, math.inf).object_store == 100 * 2**20
