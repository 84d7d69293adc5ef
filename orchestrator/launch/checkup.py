"""What a launch would meet on this machine: packages, devices, memory, its file, the store, the disk, variables."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from scalectl.orchestrator.cluster.accelerators import unusable
from scalectl.orchestrator.cluster.capacity import capacity
from scalectl.orchestrator.cluster.start import ignored
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.reading import Experiment, read
from scalectl.orchestrator.format import USUAL, counted, size
from scalectl.orchestrator.launch.disk import free
from scalectl.orchestrator.launch.versions import incomparable, too_new, too_old
from scalectl.orchestrator.redact import redacted
from scalectl.orchestrator.store.database import check
from scalectl.orchestrator.store.file_systems import shared_file_system
from scalectl.trainer import environment
from scalectl.trainer.data.storage import remote

PACKAGES = ("scalectl", "jax", "jaxlib", "flax", "optax", "ray", "sqlalchemy", "numpy", "scipy", "pandas", "matplotlib")
PATIENCE = 120.0  # seconds that JAX may look for its devices
FULL_DISK = 10**5  # bytes; no checkpoint finds room in less
LITTLE_DISK = 10**9  # bytes; checkpoints of a study of small models take less
LITTLE_MEMORY = 2 * 2**30  # bytes: Ray and two workers with small models
# Without looking for garbage, and without an end: Python's own takes as long as to ask.
_DEVICES = """
import gc, json, os
gc.disable()
import jax
print(json.dumps([[d.platform, d.device_kind] for d in jax.devices()]), flush=True)
os._exit(0)
"""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, what was there, and what to do where it is not as it should be."""

    subject: str
    state: Literal["ok", "warning", "error"]
    text: str
    advice: str = ""


def checkup(file: Path) -> Iterator[Finding]:
    """Yield what was looked at, in the order in which a launch of `file` would need it; nothing is changed."""
    yield Finding("Python", "ok", f"{platform.python_version()}, {sys.executable}")
    yield from _packages()
    yield _devices()
    yield from (Finding("devices", "warning", sentence) for sentence in unusable().values())
    yield _machine()
    store, artifacts = file.absolute().parent / USUAL, ""
    try:
        experiment = read(file)
    except Refusal as refusal:
        first = str(refusal).splitlines()[0]
        yield Finding("file", "error", first, f"scalectl validate {file} says all of it; scalectl init writes one.")
    else:
        yield _file(file, experiment)
        store, artifacts = Path(experiment.store), experiment.artifacts
    yield from _store(store)
    yield from _disks(store, artifacts)
    if note := ignored():
        yield Finding("variables", "warning", note, "Unset them, and nothing changes.")


def _packages() -> Iterator[Finding]:
    found, missing = dict[str, str](), []
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Finding("packages", "error", f"not installed: {', '.join(missing)}", "pip install scalectl")
        return
    yield Finding("packages", "ok", ", ".join(f"{name} {number}" for name, number in found.items()))
    for name in incomparable(found):
        text = f"{name} {found[name]} is a version that can't be compared with those that were tested"
        yield Finding("packages", "warning", text, f"Should something fail, install a release: pip install {name}")
    for name, needed in too_old(found).items():
        yield Finding(
            "packages",
            "error",
            f"{name} {found[name]} is too old: {needed} is needed",
            f"pip install '{name}>={needed}'",
        )
    for name, newest in too_new(found).items():
        text = f"{name} {found[name]} is newer than any that was tested: {newest}"
        yield Finding("packages", "warning", text, f"pip install '{name}<={newest}', should something fail.")


def _devices() -> Finding:
    """The devices that a job would find, as another process sees them: this one takes none."""
    kept = dict(os.environ)
    environment.clear(kept)
    try:
        command = [sys.executable, "-P", "-c", _DEVICES]
        done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return Finding(
            "devices", "error", f"JAX has found none in {PATIENCE:.0f} s", "A process may hold them: see nvidia-smi."
        )
    if done.returncode:
        cause = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        return Finding(
            "devices", "error", redacted(f"JAX doesn't start: {cause}"), "Set JAX_PLATFORMS=cpu to do without them."
        )
    devices = json.loads(done.stdout.splitlines()[-1])
    kinds = dict.fromkeys(f"{where} ({kind})" for where, kind in devices)
    return Finding("devices", "ok", f"{counted(len(devices), 'device')}: {', '.join(kinds)}")


def _machine() -> Finding:
    here = capacity()
    text = f"{counted(here.cores, 'core')}, {size(here.memory)} of memory: {counted(here.workers, 'worker')} at a time"
    if here.memory < LITTLE_MEMORY:
        return Finding("machine", "warning", text, "Ray alone takes 1 GB: launch --here does without it.")
    return Finding("machine", "ok", text)


def _file(file: Path, experiment: Experiment) -> Finding:
    text = f"{file}: study {experiment.name}, {counted(len(experiment.cells), 'cell')}"
    if experiment.warnings:
        advice = f"scalectl validate {file} shows what."
        return Finding("file", "warning", f"{text}, {counted(len(experiment.warnings), 'warning')}", advice)
    return Finding("file", "ok", text)


def _store(store: Path) -> Iterator[Finding]:
    if kind := shared_file_system(store.absolute().parent):
        advice = "Keep the store on a disk of this machine: SQLite's locks can't be trusted there."
        yield Finding("file system", "warning", f"{store} lies on {kind}", advice)
    if not store.exists():
        yield Finding("store", "ok", f"{store} will be made by the first launch")
        return
    try:
        check(store)
    except Refusal as refusal:
        yield Finding("store", "error", str(refusal), "docs/results.md says how a store is restored.")
        return
    yield Finding("store", "ok", f"{store} is sound, {size(store.stat().st_size)}")


def _disks(store: Path, artifacts: str) -> Iterator[Finding]:
    """Yield the room for the store, and that for checkpoints where these lie on another disk of this machine."""
    here = _there(store.absolute().parent)
    yield _disk(here)
    if artifacts and not remote(artifacts):
        folder = _there(Path(artifacts))
        if folder.stat().st_dev != here.stat().st_dev or not os.access(folder, os.W_OK):
            yield _disk(folder)


def _there(folder: Path) -> Path:
    """The folder, or the nearest one around it that is there."""
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _disk(folder: Path) -> Finding:
    room_left, is_quota = free(folder)
    text = f"{size(room_left)} free at {folder}"
    if is_quota:
        text = f"{size(room_left)} of your quota left at {folder}"
    if not os.access(folder, os.W_OK):
        return Finding("disk", "error", f"{folder} can't be written", "Name another store or artifacts in the file.")
    clear = "scalectl prune removes those that nobody needs."
    if room_left < FULL_DISK:
        return Finding("disk", "error", text, f"There is no room for checkpoints: {clear}")
    if room_left < LITTLE_DISK:
        return Finding("disk", "warning", text, f"Checkpoints may fill it: {clear}")
    return Finding("disk", "ok", text)
