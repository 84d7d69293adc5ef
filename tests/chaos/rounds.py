"""A round of chaos: a launch is struck at a random point, and held against one that nothing struck."""

import random
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conftest import Study
from faults import FAULTS, HERE, RAY, Fault
from test_crash import compare, doubled
from world import Ended, World

FLAGS = {HERE: ("--here",), RAY: ("--slots", "2")}
LAUNCHES = 3  # that a study may take to its end after it was struck
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
DISK_BYTES = 64 * 2**20


class Skipped(Exception):  # noqa: N818 - nothing went wrong
    """A round that this machine can't play; says why."""


@dataclass(frozen=True)
class Round:
    """What happened in a round."""

    seed: int
    backend: str
    fault: str
    code: int
    launches: int
    seconds: float


def chosen(seed: int) -> tuple[Fault, str]:
    """The fault and the backend of a round: each fault in turn, on each of its backends in turn."""
    turn, place = divmod(seed, len(FAULTS))
    fault = FAULTS[place]
    return fault, fault.backends[(turn + place) % len(fault.backends)]


@contextmanager
def disk(folder: Path, needed: bool) -> Iterator[Path]:
    """A small disk of its own for a study whose disk is struck; its own folder for others."""
    if not needed:
        yield folder
        return
    place = folder / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        raise Skipped("it takes the right to mount a disk")
    try:
        yield place
    finally:
        while subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True).returncode == 0:
            pass


def clock(world: World) -> dict[str, str]:
    """The variables that let a round set the clock of its processes, but not how long things take."""
    if FAKETIME is None:
        raise Skipped("it takes libfaketime")
    file = world.folder / "clock"
    file.write_text("+0\n")
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def play(seed: int, whole: Study) -> Round:
    """One round; raises AssertionError where a promise was broken, and Skipped where it can't be played here."""
    fault, backend = chosen(seed)
    chance, began = random.Random(seed), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
    try:
        with disk(folder, fault.disk) as place:
            world = World(folder, FLAGS[backend])
            world.disk = place
            world.write()
            if fault.faketime:
                world.environment = clock(world)
            try:
                code, launches = struck(world, fault, chance, whole)
            finally:
                world.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Round(seed, backend, fault.name, code, launches, time.monotonic() - began)


def struck(world: World, fault: Fault, chance: random.Random, whole: Study) -> tuple[int, int]:
    """Launch, strike, launch until done, and compare; the exit code of the launch that was struck, and launches."""
    steps = int(chance.uniform(0.05, 0.8) * World(whole.folder, ()).count("progress"))
    memory = shared_memory()
    world.begin()
    try:
        world.wait_for(max(1, steps))
    except Ended as ended:
        raise AssertionError(f"ended before it was struck: {ended}") from ended
    measured = set(world.rows("SELECT run, metric, step, value FROM measurements"))
    fault.strike(world, chance)
    code = world.finish()
    assert code in fault.codes, f"exit code {code}, not one of {fault.codes}: {world.output()[-2000:]}"
    says = world.output() + "".join(
        f"{kind} {reason}" for kind, reason in world.rows("SELECT kind, reason FROM attempts")
    )
    assert re.search(fault.says, says), f"nothing says {fault.says!r}: {says[-2000:]}"
    done = dict(world.rows(ATTEMPTS_OF_THE_DONE))
    if fault.mend is not None:
        fault.mend(world, chance)
    launches = until_done(world)
    if fault.keeps_store:
        assert measured <= set(world.rows("SELECT run, metric, step, value FROM measurements")), "measurements are lost"
        after = dict(world.rows(ATTEMPTS_OF_THE_DONE))
        again = [job for job, attempts in done.items() if after[job] != attempts]
        assert not again or "checkpoint" in fault.name, f"jobs that were done ran again: {again}"
    study = Study(world.folder)
    study.store = world.store
    compare(study, whole)
    assert doubled(study) == []
    nothing_left(world, memory)
    return code, launches


ATTEMPTS_OF_THE_DONE = (
    "SELECT jobs.id, count(*) FROM jobs JOIN attempts ON attempts.job = jobs.id"
    " WHERE jobs.state = 'done' GROUP BY jobs.id"
)


def until_done(world: World) -> int:
    """How many launches it took until one exits with 0."""
    for launches in range(1, LAUNCHES + 1):
        if world.launch_again() == 0:
            return launches
    raise AssertionError(f"not done after {LAUNCHES} launches: {world.output()[-3000:]}")


def shared_memory() -> set[str]:
    """The files of shared memory on this machine."""
    return {file.name for file in Path("/dev/shm").iterdir()}


def nothing_left(world: World, memory: set[str], seconds: float = 15.0) -> None:
    """Raise AssertionError where a process, shared memory or a session folder of the round is still there."""
    deadline = time.monotonic() + seconds
    while processes := world.processes():
        assert time.monotonic() < deadline, f"still there: {[process.cmdline()[:3] for process in processes]}"
        time.sleep(0.2)
    orphans = [name for name in shared_memory() - memory if not mapped(name)]
    assert not orphans, f"shared memory left: {orphans}"


def mapped(name: str) -> bool:
    """Whether any process maps a file of shared memory."""
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            if f"/dev/shm/{name}" in maps.read_text():
                return True
        except OSError:
            continue
    return False
