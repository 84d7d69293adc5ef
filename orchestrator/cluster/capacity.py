"""The capacity of this process: the cores, CPU quota and memory of the machine or container that it may use.

Control groups of both versions are read, https://docs.kernel.org/admin-guide/cgroup-v2.html and .../cgroup-v1/: the
group of this process and those around it, for the least of their limits holds.
"""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scalectl.orchestrator.cluster.process import usable

RAY_BYTES, WORKER_BYTES = 2**30, 2**29  # that Ray's own processes take, and a worker with a small model
STORE_BYTES, LEAST_STORE_BYTES = 100 * 2**20, 75 * 2**20  # of Ray's object store, which takes no less


@dataclass(frozen=True)
class Capacity:
    """The cores that this process may keep busy, and the bytes of memory that it may use; math.inf where unknown."""

    cores: int
    memory: float

    @property
    def workers(self) -> int:
        """How many workers run at a time: one a core, as far as there is memory for them."""
        if math.isinf(self.memory):
            return self.cores
        return max(1, min(self.cores, int((self.memory - RAY_BYTES) // WORKER_BYTES)))

    @property
    def object_store(self) -> int:
        """The bytes of Ray's object store: it holds no more than batches of events."""
        return int(max(LEAST_STORE_BYTES, min(STORE_BYTES, self.memory / 20)))


def capacity(root: Path = Path("/")) -> Capacity:
    """The capacity of this process; `root` is where the folders /proc and /sys lie."""
    quotas = [_quota(folder) for folder in _groups("cpu", root)]
    limits = [_memory_limit(folder) for folder in _groups("memory", root)]
    cores = max(1, math.floor(min([len(usable()), *quotas])))
    return Capacity(cores, min([_memory_of_machine(), *limits]))


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """The folders of the control groups that hold this process for a controller, and of those around them."""
    own = dict(_own_groups(controller, root))
    for line in _text(root / "proc/self/mountinfo").splitlines():
        mount, _, kind = line.partition(" - ")
        version, _, options = kind.partition(" ")
        fields = mount.split(" ")
        if version not in own or (version == "cgroup" and controller not in options.split(" ")[-1].split(",")):
            continue
        top = root / fields[4].lstrip("/")
        yield top
        with suppress(ValueError):  # a container may see its own group alone, by another path than /proc has
            inside = Path(own[version]).relative_to(fields[3])
            yield from (top / part for part in [inside, *inside.parents] if part != Path())


def _own_groups(controller: str, root: Path) -> Iterator[tuple[str, str]]:
    """The path of this process's group in each version that has the controller, by the name of its file system."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield "cgroup2", path
        elif controller in controllers.split(","):
            yield "cgroup", path


def _quota(folder: Path) -> float:
    """The cores that a group may keep busy."""
    words = _text(folder / "cpu.max").split()
    words = words or [_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    try:
        quota, period = (float(word) for word in words)
    except ValueError:  # "max", or nothing
        return math.inf
    if quota <= 0 or period <= 0:
        return math.inf
    return quota / period


def _memory_limit(folder: Path) -> float:
    """The bytes that a group may use."""
    text = _text(folder / "memory.max") or _text(folder / "memory.limit_in_bytes")
    try:
        return float(text)
    except ValueError:
        return math.inf


def _memory_of_machine() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError):  # a system that doesn't tell
        return math.inf


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
