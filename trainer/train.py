"""One job: from its latest checkpoint to its last step, as a stream of events."""

import json
import math
import os
import platform
import socket
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import cache
from importlib.metadata import version

import jax
import numpy as np

from scalectl.trainer import checkpoint
from scalectl.trainer.checkpoint import Corrupt, Saved
from scalectl.trainer.claim import check
from scalectl.trainer.counting import counted
from scalectl.trainer.data import squares
from scalectl.trainer.data.batches import Batches
from scalectl.trainer.data.copies import newly_counted, words
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.loader import Loader
from scalectl.trainer.data.pictures import BadImage
from scalectl.trainer.data.split import parts, split
from scalectl.trainer.environment import pinned
from scalectl.trainer.evalset import Interrupted
from scalectl.trainer.evaluate import NotFinite, can_be_measured, evaluations
from scalectl.trainer.events import (
    Alive,
    Checkpoint,
    Done,
    Event,
    Failed,
    Measurement,
    Noticed,
    Progress,
    Skipped,
    Spent,
    Started,
    Stop,
    Stopped,
)
from scalectl.trainer.feed import Feed, dispatches
from scalectl.trainer.flops import training_flops
from scalectl.trainer.hardware import peak, utilisation
from scalectl.trainer.multihost import Stopping
from scalectl.trainer.optimizer import settings
from scalectl.trainer.programs import Programs
from scalectl.trainer.sharding import Layout, everywhere
from scalectl.trainer.spec import DataSpec, Job
from scalectl.trainer.step import Metrics, State, abstract, shape
from scalectl.trainer.timing import Laps, Speed
from scalectl.trainer.writer import Writer

POINTS_A_DOUBLING = 64  # of the training curve, while that means more than one point in MAX_SPACING steps
MAX_SPACING = 1000


class Diverged(Exception):  # noqa: N818 - a result, not an error of the program
    """A loss, a gradient or an evaluation that is not finite, at `step`."""

    def __init__(self, step: int, reason: str) -> None:
        super().__init__(reason)
        self.step = step


def train(job: Job, stopping: Stop | None = None, layout: Layout | None = None) -> Iterator[Event]:
    """Yield Started, then progress, checkpoints and measurements, then one of Done, Stopped and Failed.

    Damaged checkpoints are reported first, as Skipped. A checkpoint is reported once it is complete, when training has
    gone on already; Done and Stopped come after the last one. `stopping` asks for a checkpoint and Stopped. A job
    always comes to the same numbers on the same machine, wherever it was interrupted; whatever its last checkpoint knew
    is reported again. `layout` is over the devices to train on, by default those of `sharding.everywhere`.

    JAX has the options of `environment.PINNED` meanwhile. Raises ValueError where it was started with other settings
    before the trainer was imported, and Superseded where a newer attempt has claimed the folder.
    """
    with pinned():
        yield from _train(job, stopping, layout or everywhere())


def _train(job: Job, stopping: Stop | None, layout: Layout) -> Iterator[Event]:
    programs = Programs(shape(job.trunk), layout=layout)
    together = Stopping(stopping or threading.Event(), programs.layout)
    laps = Laps(programs)
    try:
        check(job.folder, job.token)
        can_be_measured(job.trunk.data, job.evals, layout)
        state, saved = yield from _latest(job, programs)
        yield _started(saved)
        if saved.step < job.stop:
            for _ in squares.write(job.trunk.data, split(job.trunk.data).pool):
                yield Alive(saved.step)
        laps.end("begin")
        yield laps.spent(saved.step)
        training = _Training(job, programs, state, saved, laps)
        with closing(training):
            yield from _copies(job.trunk.data, saved.step)
            yield from training.retold()
            yield from training.steps(together)
        yield from training.end(together)
    except Corrupt as error:
        yield Failed("checkpoint_corrupt", job.start, str(error))
    except Diverged as error:
        yield Failed("nonfinite", error.step, str(error))
    except (Unreadable, BadImage) as error:
        yield Failed("bad_config", job.start, str(error))


def logged(step: int) -> bool:
    """Whether the curve has a point after `step` updates; more and more sparsely, at most 1000 steps apart."""
    return step % min(MAX_SPACING, 2 ** max(0, (step // POINTS_A_DOUBLING).bit_length() - 1)) == 0


def _latest(job: Job, programs: Programs) -> Generator[Skipped, None, tuple[State, Saved]]:
    """The state to go on from: the job's newest sound checkpoint, what it branches off, or step 0."""
    like = abstract(programs.shape)
    for step in reversed(checkpoint.steps(job.folder)):
        if job.start < step <= job.stop:
            path = f"{job.folder}/{step}"
            try:
                return checkpoint.restore(path, like)
            except Corrupt as error:
                yield Skipped(step, path, str(error))
    if job.start == 0:
        return programs.first(job.trunk.seed), Saved(0, "", "", 0.0, ())
    if job.origin is None:
        raise Corrupt(f"no checkpoint of the trunk at step {job.start:,} is left")
    return checkpoint.restore(job.origin, like)


def _copies(data: DataSpec, step: int) -> Iterator[Noticed]:
    """Yield how many pictures are trained on and evaluated on, if this job is the first that could count them."""
    if data.content:
        train_part, test_part = parts(data)
        if number := newly_counted(train_part, test_part):
            yield Noticed(step, words(number, data.name or data.source, apart=train_part != test_part))


def _started(saved: Saved) -> Started:
    return Started(saved.step, socket.gethostname(), os.getpid(), jax.devices()[0].device_kind, _versions())


@cache
def _versions() -> str:
    packages = ("scalectl", "jax", "jaxlib", "flax", "optax", "numpy", "orbax-checkpoint")
    return json.dumps({"python": platform.python_version()} | {name: version(name) for name in packages})


class _Training:
    """A state on its way from one step to the next, and the clock that runs while the device works."""

    def __init__(self, job: Job, programs: Programs, state: State, saved: Saved, laps: Laps) -> None:
        self.job, self.programs, self.saved = job, programs, saved
        self.numbers = settings(job.trunk.recipe, job.run)
        self.state = programs.put(state)
        kinds = [device.device_kind for device in programs.layout.devices]
        self.peak = peak(kinds, job.trunk.recipe.precision)
        self.step = saved.step
        batches = Batches(job.trunk, programs.layout.rows(job.trunk.recipe.batch_size))
        counts = dispatches(self.step, job.stop, job.checkpoint_every, programs.shape.steps)
        self.feed = Feed(Loader(batches, self.step, job.stop, job.workers or 0), programs, counts)
        self.latest: Metrics | None = None  # of the last dispatch
        self.writer = Writer(job.folder, job.token)
        self.seconds = saved.device_seconds
        self.curve = list(saved.curve) if self._own(saved) else []
        self.since = 0.0  # when the clock last stood still
        self.speed = Speed()
        self.laps = laps
        self.saving: Spent | None = None  # what the checkpoint that is being written will have cost

    def _own(self, saved: Saved) -> bool:
        return saved.path.startswith(f"{self.job.folder}/")

    def close(self) -> None:
        """Wait for the checkpoint that is being written, and end the readers."""
        self.writer.close()
        self.feed.close()

    def retold(self) -> Iterator[Event]:
        """Yield what the job's own checkpoint knows, in case it was killed before all of that was recorded."""
        yield from self.curve
        if self._own(self.saved):
            yield self._checkpoint(self.saved)

    def steps(self, stopping: Stopping) -> Iterator[Event]:
        """Yield the events of all steps that are left, or of those before all were asked to stop."""
        self.laps.end("begin")
        self.since = time.perf_counter()
        pending: tuple[int, Metrics] | None = None
        while not stopping.is_set() and self.step < self.job.stop:
            begun, metrics = self.step, self._advance()
            before, pending = pending, (self.step - begun, metrics)
            yield Alive(self.step)
            if before:  # reported only now, so that the device worked meanwhile
                yield from self._tell(begun, *before)
            yield from self._complete()
            if self._at_checkpoint():
                yield from self._tell(self.step, *pending)
                pending = None
                yield from self._save()
        if pending:
            yield from self._tell(self.step, *pending)
            yield from self._save()
        yield from self._complete(wait=True)

    def end(self, stopping: Stopping) -> Iterator[Event]:
        """Yield Stopped where steps or evaluations are left, else the run's measurements and Done."""
        self.laps.end("save")
        stopped = self.step < self.job.stop
        try:
            if self.job.run and not stopped:
                yield from self._measurements(stopping)
        except Interrupted:
            stopped = True
        self.laps.end("evaluate")
        yield self.laps.spent(self.step)
        if stopped:
            yield Stopped(self.step)
            return
        spent = (self.programs.compile_seconds, self.programs.compilations)
        yield Done(self.step, self.saved.digest, self.seconds, *spent, self._rates(self.step, self.seconds)[-1])

    def _measurements(self, stopping: Stopping) -> Iterator[Event]:
        """Yield what the weights are worth; raises Diverged, though not where only weights tuned further did."""
        evals, data = self.job.evals, self.job.trunk.data
        wanted = evals.metrics()
        try:
            for score in evaluations(self.programs, self.state.params, data, evals, stopping):
                yield Measurement(score.metric, self.step, score.value, wanted[score.metric], score.test_images)
        except NotFinite as error:
            raise Diverged(self.step, f"{error} is not finite after {counted(self.step, 'step')}") from error

    def _at_checkpoint(self) -> bool:
        return self.step == self.job.stop or self.step % self.job.checkpoint_every == 0

    def _advance(self) -> Metrics:
        compiled = self.programs.compile_seconds
        batches, waited = self.feed.take(self._busy)
        if self.latest is None:  # readers have to start first
            self.laps.end("begin")
        else:
            self.laps.waited(waited)
        self.state, self.latest = self.programs.advance(self.state, batches, self.numbers)
        self.step += int(batches.count)
        self.since += self.programs.compile_seconds - compiled
        return self.latest

    def _busy(self) -> bool:
        """Whether the device still works on the last dispatch."""
        return self.latest is not None and not self.latest.loss.is_ready()

    def _tell(self, end: int, count: int, metrics: Metrics) -> Iterator[Event]:
        """Yield the points of the curve among the `count` steps up to `end`; raises Diverged."""
        loss, rate, norm = (np.asarray(values)[:count].astype(float).tolist() for values in metrics)
        now = time.perf_counter()
        elapsed, begun = now - self.since, self.seconds
        self.seconds += elapsed
        rates = self._rates(*self.speed.over(count, elapsed))
        for i, step in enumerate(range(end - count + 1, end + 1)):
            finite = math.isfinite(loss[i]) and math.isfinite(norm[i])
            if logged(step) or step == self.job.stop or not finite:
                clock = begun + elapsed * (i + 1) / count
                event = Progress(step, loss[i], rate[i], norm[i], clock, *rates)
                self.curve.append(event)
                yield event
            if not finite:
                quantity = "loss"
                if math.isfinite(loss[i]):
                    quantity = "gradient"
                raise Diverged(step, f"the {quantity} is not finite at step {step:,}")
        self.since = time.perf_counter()

    def _rates(self, steps: int, seconds: float) -> tuple[float, float, float | None]:
        """Images and training FLOPs a second, and the MFU that they are."""
        images, work = steps * self.job.trunk.recipe.batch_size, training_flops(self.job.trunk, steps)
        return images / seconds, work / seconds, utilisation(work / seconds, self.peak)

    def _save(self) -> Iterator[Event]:
        """Begin the next checkpoint, once the one before is complete and reported."""
        yield from self._complete(wait=True)
        self.saving = self.laps.spent(self.step)
        self.writer.begin(self.state, self.seconds, self.curve)
        self.laps.end("save")
        self.since = time.perf_counter()

    def _complete(self, *, wait: bool = False) -> Iterator[Event]:
        """Yield the checkpoint that is complete by now, if one is; the clock stands still meanwhile."""
        began = time.perf_counter()
        self.laps.end("train")
        for saved in self.writer.complete(wait=wait):
            self.saved = saved
            yield self._checkpoint(saved)
            if self.saving:
                yield self.saving
        self.laps.end("save")
        self.since += time.perf_counter() - began

    def _checkpoint(self, saved: Saved) -> Checkpoint:
        kept = saved.step == self.job.stop
        return Checkpoint(saved.step, saved.path, saved.digest, kept, saved.device_seconds)
