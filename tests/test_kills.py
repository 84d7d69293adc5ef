"""Launchers killed at random points: the real planner, record and loop, and a cluster that pretends to train."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from conftest import Study
from told import SECONDS_A_STEP, progress, rows, started

from scalectl.orchestrator.cluster.base import Cluster
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch.config import LaunchConfig
from scalectl.orchestrator.launch.loop import launch
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.known import known
from scalectl.orchestrator.store.records import Records
from scalectl.trainer.events import Checkpoint, Done, Event, Measurement
from scalectl.trainer.spec import Job

EVERY = 4  # steps between checkpoints


class Killed(BaseException):
    """The end of a launcher's process, as far as it can notice."""


class Fuse:
    """Ends the launcher at its nth act, or never."""

    def __init__(self, acts: float) -> None:
        self.acts = acts

    def burn(self) -> None:
        self.acts -= 1
        if self.acts < 0:
            raise Killed


class Dying:
    """The same object, that burns a fuse before and after each of its methods."""

    def __init__(self, target: Any, fuse: Fuse) -> None:
        self._target, self._fuse = target, fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*words: Any, **more: Any) -> Any:
            self._fuse.burn()
            answer = found(*words, **more)
            self._fuse.burn()
            return answer

        return call


class Pretended(Cluster):
    """Slots whose jobs take no time: they leave checkpoints on disk and tell what a trainer would."""

    types: ClassVar[dict[str, str]] = {}

    def __init__(self, slots: int, chance: random.Random, trained: Counter[tuple[str, int]]) -> None:
        self.slots = tuple(f"slot-{n}" for n in range(slots))
        self.begun: list[str] = []
        self._chance, self._trained = chance, trained
        self._streams: dict[str, Iterator[list[Event]]] = {}

    def start(self, slot: str, job: Job) -> None:
        assert slot not in self._streams
        self.begun.append(job.id)
        self._streams[slot] = self._stream(job)

    def events(self, timeout: float) -> list[tuple[str, list[Event]]]:
        slot = self._chance.choice(sorted(self._streams))
        batch = next(self._streams[slot])
        if isinstance(batch[-1], Done):
            del self._streams[slot]
        return [(slot, batch)]

    def stop(self, slot: str) -> None: ...

    def close(self) -> None: ...

    def _stream(self, job: Job) -> Iterator[list[Event]]:
        assert job.start == 0 or Path(job.origin or "").exists()
        first = max((int(path.name) for path in Path(job.folder).glob("*")), default=job.start)
        yield [started(first), *(progress(step) for step in range(job.start + 1, first + 1))]  # as a checkpoint tells
        for step in range(first + 1, job.stop + 1):
            self._trained[(job.run and job.id) or job.folder.split("/")[-2], step] += 1
            ends = step == job.stop
            if step % EVERY and not ends:
                yield [progress(step)]
            else:
                folder = Path(job.folder) / str(step)
                folder.mkdir(parents=True)
                yield [progress(step), Checkpoint(step, str(folder), f"{step:064x}", ends, SECONDS_A_STEP * step)]
        values = [Measurement(name, job.stop, 0.25, text) for name, text in job.evals.metrics().items()]
        yield [*values, Done(job.stop, f"{job.stop:064x}", SECONDS_A_STEP * job.stop, 0.0, 0)]


def live(study: Study, chance: random.Random, trained: Counter[tuple[str, int]], acts: float) -> bool:
    """One life of a launcher; returns whether it came to the end of the study."""
    before = set(rows(study, "SELECT id FROM runs WHERE state = 'done'")) if study.store.exists() else set()
    experiment, cluster, fuse = read(study.file), Pretended(2, chance, trained), Fuse(acts)
    try:
        with Records(study.store) as records:
            record = known(study.store)
            found = plan(experiment, record)
            records.plan(found, experiment)
            parts = Dying(records, fuse), Dying(cluster, fuse)
            for _ in launch(found, *parts, record.checkpoints, LaunchConfig()):
                fuse.burn()
    except Killed:
        return False
    finally:
        assert not before.intersection(cluster.begun)  # nothing finished runs again
    return True


@pytest.mark.parametrize("least", [12, pytest.param(50, marks=pytest.mark.slow)])
def test_a_launcher_killed_at_random_points_loses_and_doubles_nothing(tmp_path, least):
    chance, kills, studies = random.Random(37), 0, 0
    while kills < least:
        folder, studies = tmp_path / f"study-{studies}", studies + 1
        folder.mkdir()
        study, trained, killed = Study(folder), Counter(), 0
        study.write(sizes="[60, 90]", steps="[10, 20]", checkpoint_every=EVERY)
        while not live(study, chance, trained, chance.randrange(150) if kills + killed < least else float("inf")):
            killed += 1
        kills += killed
        found = plan(read(study.file))
        assert set(rows(study, "SELECT state FROM runs")) == {"done"}
        assert rows(study, "SELECT count(*) FROM measurements") == [3 * len(found.runs)]
        needed = {(job.owner, step) for job in found.jobs for step in range(job.job.start + 1, job.job.stop + 1)}
        assert trained.keys() == needed
        assert rows(study, "SELECT count(*) FROM progress") == [len(needed)]
        again = sum(trained.values()) - len(needed)
        assert again <= killed * 2 * EVERY  # of two slots, each since its last checkpoint
    assert kills >= least
