"""What strikes a launch: processes killed, stopped and asked to end, disks, stores and checkpoints damaged."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil
from damage import array_file, flip, truncate
from world import Ended, World

Act = Callable[[World, random.Random], None]
KILLED = -signal.SIGKILL
HERE, RAY = "here", "ray"


@dataclass(frozen=True)
class Fault:
    """One kind of trouble: what to do to a launch that trains, how it has to end then, and what it has to say."""

    name: str
    strike: Act
    codes: tuple[int, ...]  # of the launch that was struck; where 0 is none of them, one that ends so wasn't struck
    says: str = ""  # a pattern of what it prints, or of what the attempts and events in its store say
    mend: Act | None = None  # before the next launch, what a person would do
    backends: tuple[str, ...] = (HERE, RAY)
    disk: bool = False  # whether store and artifacts are on a small disk of their own
    faketime: bool = False  # played by hand only: under libfaketime a launch takes minutes
    nodes: bool = False  # whether it is on a cluster of several nodes, which launches join
    gang: bool = False  # whether two processes train each job
    keeps_store: bool = True  # whether what was measured before is still there afterwards


def to_launcher(number: signal.Signals) -> Act:
    """Send a signal to the launcher alone."""

    def act(world: World, chance: random.Random) -> None:
        assert world.launcher is not None
        world.launcher.send_signal(number)

    return act


def to_group(number: signal.Signals) -> Act:
    """Send a signal to every process of the launcher's group."""

    def act(world: World, chance: random.Random) -> None:
        assert world.launcher is not None
        os.killpg(world.launcher.pid, number)

    return act


def to_worker(number: signal.Signals, kind: str, seconds: float = 20.0) -> Act:
    """Send a signal to the process of a running job, until the store has an attempt that failed as this kind."""

    def act(world: World, chance: random.Random) -> None:
        world.strike_until(kind, lambda: world.worker().send_signal(number), seconds)

    return act


def to_process(name: str) -> Act:
    """Kill a process of Ray by its name, until an attempt in the store was lost with it."""

    def strike(world: World) -> None:
        world.worker()  # IndexError while no job runs
        for process in world.processes():
            if process.name() == name:
                process.kill()

    return lambda world, chance: world.strike_until("node_lost", lambda: strike(world), 60.0)


def to_gang(world: World, chance: random.Random) -> None:
    """Kill one of the processes that train a job together."""

    def strike() -> None:
        world.worker()
        members = [process for process in world.processes() if process.name().startswith("ray::Member")]
        chance.choice(members).kill()

    world.strike_until("node_lost", strike, 60.0)


def node_of(process: psutil.Process) -> psutil.Process:
    """The raylet of the node that a worker is on."""
    return next(parent for parent in process.parents() if parent.name() == "raylet")


def lose_node(world: World, chance: random.Random) -> None:
    """Kill every process of the node that a job is on."""

    def strike() -> None:
        raylet = node_of(world.worker())
        for process in (raylet, *raylet.children(recursive=True)):
            process.kill()

    world.strike_until("node_lost", strike, 120.0)


def drain_node(world: World, chance: random.Random) -> None:
    """Have the cluster announce that it takes away the node that a job is on."""

    def strike() -> None:
        words = node_of(world.worker()).cmdline()
        world.drain(next(word.removeprefix("--node_id=") for word in words if word.startswith("--node_id=")))

    world.strike_until("preempted", strike, 120.0)


def pause_launcher(world: World, chance: random.Random) -> None:
    """Stop the launcher for some seconds, as a laptop that sleeps does."""
    assert world.launcher is not None
    world.launcher.send_signal(signal.SIGSTOP)
    time.sleep(chance.uniform(2, 6))
    world.launcher.send_signal(signal.SIGCONT)


def fill(world: World, chance: random.Random) -> None:
    """Leave no byte free on the disk of the store and the artifacts."""
    with (world.disk / "filler").open("wb", buffering=0) as filler:
        block = bytes(2**16)
        try:
            while filler.write(block):
                pass
        except OSError:
            return


def remove_filler(world: World, chance: random.Random) -> None:
    """Make room on the disk again."""
    (world.disk / "filler").unlink()


def remount(option: str) -> Act:
    """Change whether the disk of the study can be written to."""

    def act(world: World, chance: random.Random) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", str(world.disk)], check=False)

    return act


def refuse_writes(world: World, chance: random.Random) -> None:
    """Make the disk of the study read-only, by force where files are open."""
    blocked = subprocess.run(["mount", "-o", "remount,ro", str(world.disk)], check=False, capture_output=True)
    if blocked.returncode:
        subprocess.run(["mount", "--bind", "-o", "ro", str(world.disk), str(world.disk)], check=True)


def kill_then(act: Act) -> Act:
    """Kill the whole launch, then act on what lies on its disk."""

    def both(world: World, chance: random.Random) -> None:
        to_group(signal.SIGKILL)(world, chance)
        assert world.launcher is not None
        world.launcher.wait()
        act(world, chance)

    return both


def damage(hurt: Callable[[Path], None]) -> Act:
    """Damage some checkpoints, the newest among them."""

    def act(world: World, chance: random.Random) -> None:
        folders = list(world.checkpoints())
        for folder in {*folders[-1:], *chance.sample(folders, len(folders) // 3)}:
            hurt(array_file(folder))

    return act


def remove_checkpoints(world: World, chance: random.Random) -> None:
    """Remove some checkpoints, the newest among them."""
    folders = list(world.checkpoints())
    for folder in {*folders[-1:], *chance.sample(folders, len(folders) // 2)}:
        shutil.rmtree(folder)


def remove_artifacts(world: World, chance: random.Random) -> None:
    """Remove every checkpoint."""
    shutil.rmtree(world.artifacts, ignore_errors=True)


def side_files(store: Path) -> list[Path]:
    """The store and the files that SQLite keeps beside it."""
    return [Path(f"{store}{suffix}") for suffix in ("", "-wal", "-shm")]


def delete_store(world: World, chance: random.Random) -> None:
    """Delete the store while it is in use."""
    for file in side_files(world.store):
        file.unlink(missing_ok=True)


def replace_store(world: World, chance: random.Random) -> None:
    """Put another database in the place of the store while it is in use."""
    delete_store(world, chance)
    with closing(sqlite3.connect(world.store)) as other:
        other.execute("CREATE TABLE notes (text)")


def spoil_store(world: World, chance: random.Random) -> None:
    """Keep a sound copy as a person's backup, then overwrite pages in the middle of the store."""
    with closing(sqlite3.connect(world.store)) as store, closing(sqlite3.connect(world.folder / "backup.db")) as copy:
        store.backup(copy)
    with closing(sqlite3.connect(world.store)) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(world.store.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = b"\xa5" * 8192
    world.store.write_bytes(content)


def restore_backup(world: World, chance: random.Random) -> None:
    """Put the copy back, after a launch has said that the store is damaged."""
    assert world.launch_again() != 0
    assert "damaged" in world.output() or "malformed" in world.output(), world.output()[-2000:]
    delete_store(world, chance)
    shutil.copy(world.folder / "backup.db", world.store)


def step_clock(world: World, chance: random.Random) -> None:
    """Set the clock forward or back by hours."""
    hours = chance.choice([-30, -2, 3, 50])
    (world.folder / "clock").write_text(f"{hours:+d}h\n")


def second_launcher(world: World, chance: random.Random) -> None:
    """Start another launch of the same file; it has to be refused at once."""
    log = world.log
    world.log = world.folder / "second.txt"
    code = world.launch_again()
    said, world.log = world.output(), log
    if code == 0 and world.launcher is not None and world.launcher.poll() == 0:
        raise Ended("the first launch had ended by then")
    assert code == 6, said


def smaller_file(world: World, chance: random.Random) -> None:
    """Kill the launch and take budgets out of the file, launch that, then write the whole file again."""
    world.write(steps="[50]")
    assert world.launch_again() == 0, world.output()[-2000:]
    world.write()


ROUGH = (KILLED,)
ASKED = (130,)
SAVED = "checkpoints are saved"

FAULTS = (
    Fault("launcher killed", to_launcher(signal.SIGKILL), ROUGH),
    Fault("every process killed", to_group(signal.SIGKILL), ROUGH),
    Fault("launcher asked to end", to_launcher(signal.SIGTERM), ASKED, SAVED),
    Fault("launcher interrupted", to_launcher(signal.SIGINT), ASKED, SAVED),
    Fault("terminal lost", to_group(signal.SIGHUP), ASKED, SAVED),
    Fault("every process asked to end", to_group(signal.SIGTERM), ASKED, SAVED),
    Fault("launcher paused", pause_launcher, (0,)),
    Fault("worker killed", to_worker(signal.SIGKILL, "node_lost"), (0,), backends=(RAY,)),
    Fault("worker stopped", to_worker(signal.SIGSTOP, "stalled", 90.0), (0,), backends=(RAY,)),
    Fault("worker asked to end", to_worker(signal.SIGTERM, "preempted"), (0,), backends=(RAY,)),
    Fault("worker aborted", to_worker(signal.SIGABRT, "node_lost"), (0,), "Aborted", backends=(RAY,)),
    Fault("raylet killed", to_process("raylet"), (0,), backends=(RAY,)),
    Fault("GCS killed", to_process("gcs_server"), (0,), backends=(RAY,)),
    Fault("node of a cluster lost", lose_node, (0,), backends=(RAY,), nodes=True),
    Fault("node of a cluster drained", drain_node, (0,), backends=(RAY,), nodes=True),
    Fault("host of a gang killed", to_gang, (0,), backends=(RAY,), gang=True),
    Fault("disk full", fill, (1, 6), "[Nn]o space|disk is full|full", mend=remove_filler, disk=True),
    Fault("disk read-only", refuse_writes, (1, 6), "[Rr]ead-only|readonly", mend=remount("rw"), disk=True),
    Fault("store deleted", delete_store, (6,), "results.db", keeps_store=False),
    Fault("store replaced", replace_store, (6,), "results.db", mend=delete_store, backends=(HERE,), keeps_store=False),
    Fault("store damaged", kill_then(spoil_store), ROUGH, mend=restore_backup, backends=(HERE,), keeps_store=False),
    Fault("checkpoints truncated", kill_then(damage(truncate)), ROUGH, backends=(HERE,)),
    Fault("checkpoints with a flipped bit", kill_then(damage(flip)), ROUGH, backends=(HERE,)),
    Fault("some checkpoints removed", kill_then(remove_checkpoints), ROUGH, backends=(HERE,)),
    Fault("all checkpoints removed", kill_then(remove_artifacts), ROUGH, backends=(HERE,)),
    Fault("second launcher", second_launcher, (0,), backends=(HERE,)),
    Fault("file edited", kill_then(smaller_file), ROUGH, backends=(HERE,)),
)
BY_HAND = (Fault("clock stepped", step_clock, (0,), backends=(HERE,), faketime=True),)
