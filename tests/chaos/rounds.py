"""A round of chaos: a launch is struck at a random point, and held against one that nothing struck."""

import random
import re
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from conftest import Study
from faults import BY_HAND, FAULTS, HERE, RAY, Fault
from test_crash import compare, doubled
from world import Ended, World

FLAGS = {HERE: ("--here",), RAY: ("--slots", "2")}
PLAYS = {backend: [fault for fault in FAULTS if backend in fault.backends] for backend in (HERE, RAY)}
RAY_EACH_TURN = 5  # rounds on Ray after each fault was played once without it, which takes a tenth of the time
PAIRS = "resources: {default: {device: cpu, type: cpu-2}}\n"
LAUNCHES = 3  # that a study may take to its end after it was struck
TRIES = 4  # to strike a launch before it ends, each time earlier
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
    """The fault and the backend of a round: every fault without Ray in turn, and then some of those on Ray."""
    turn, place = divmod(seed, len(PLAYS[HERE]) + RAY_EACH_TURN)
    if place < len(PLAYS[HERE]):
        return PLAYS[HERE][place], HERE
    place += turn * RAY_EACH_TURN - len(PLAYS[HERE])
    return PLAYS[RAY][place % len(PLAYS[RAY])], RAY


def named(name: str) -> tuple[Fault, str]:
    """The fault of this name, on the first of its backends; also one that is played by hand only."""
    fault = next(fault for fault in FAULTS + BY_HAND if fault.name == name)
    return fault, fault.backends[0]


def flags_of(fault: Fault, backend: str) -> tuple[tuple[str, ...], str]:
    """The flags of a launch, and what its file has besides."""
    if fault.gang:
        return (), PAIRS
    return FLAGS[backend], ""


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


def play(fault: Fault, backend: str, seed: int, whole: Study) -> Round:
    """One round; raises AssertionError where a promise was broken, and Skipped where it can't be played here."""
    chance, began = random.Random(seed), time.monotonic()
    share = chance.uniform(0.05, 0.8)  # of the steps of the study, before the strike
    says = ""
    for _ in range(TRIES):
        try:
            code, launches = once(fault, backend, seed, share, whole)
        except Ended as ended:
            share, says = share / 2, str(ended)
        else:
            return Round(seed, backend, fault.name, code, launches, time.monotonic() - began)
    raise AssertionError(f"the launch ended before it was struck, {TRIES} times: {says}")


def once(fault: Fault, backend: str, seed: int, share: float, whole: Study) -> tuple[int, int]:
    """Play in a folder of its own; raises Ended where the launch ended before it was struck."""
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
    try:
        with disk(folder, fault.disk) as place:
            world = World(folder, *flags_of(fault, backend))
            world.disk = place
            world.write()
            if fault.faketime:
                world.environment = clock(world)
            try:
                if fault.nodes:
                    world.join_nodes()
                return struck(world, fault, random.Random(seed), share, whole)
            finally:
                world.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def struck(world: World, fault: Fault, chance: random.Random, share: float, whole: Study) -> tuple[int, int]:
    """Launch, strike, launch until done, and compare; the exit code of the launch that was struck, and launches."""
    with closing(sqlite3.connect(whole.store)) as store:
        (steps,) = store.execute("SELECT count(*) FROM progress").fetchone()
    memory = shared_memory()
    world.begin()
    world.wait_for(max(1, int(share * steps)))
    measured = set(world.rows(MEASURED))
    fault.strike(world, chance)
    code = world.finish()
    if code == 0 and 0 not in fault.codes:
        raise Ended(world.output()[-2000:])
    assert code in fault.codes, f"exit code {code}, not one of {fault.codes}: {world.output()[-2000:]}"
    reasons = world.rows("SELECT kind, reason FROM attempts")
    says = world.output() + "".join(f"{kind} {reason}" for kind, reason in reasons)
    assert re.search(fault.says, says), f"nothing says {fault.says!r}: {says[-2000:]}"
    done = dict(world.rows(ATTEMPTS_OF_THE_DONE))
    if fault.mend is not None:
        fault.mend(world, chance)
    launches = until_done(world)
    if fault.keeps_store:
        assert measured <= set(world.rows(MEASURED)), "measurements are lost"
        after = dict(world.rows(ATTEMPTS_OF_THE_DONE))
        again = [job for job, attempts in done.items() if after[job] != attempts]
        assert not again or "checkpoint" in fault.name, f"jobs that were done ran again: {again}"
    study = Study(world.folder)
    study.store = world.store
    compare(study, whole)
    assert doubled(study) == []
    world.leave_nodes()
    nothing_left(world, memory)
    return code, launches


MEASURED = "SELECT run, metric, step, value FROM measurements"
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
    """Whether any process maps a file of shared memory; by its number, as semaphores are made under another name."""
    try:
        number = str((Path("/dev/shm") / name).stat().st_ino)
    except FileNotFoundError:
        return True  # it is gone by now
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            lines = maps.read_text().splitlines()
        except OSError:
            continue
        if any(number in line.split()[4:5] and "/dev/shm/" in line for line in lines):
            return True
    return False
