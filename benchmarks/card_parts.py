"""The parts of `card.py`: a model whose steps are timed, and the ways in which its batches come."""

import importlib
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

import jax
import numpy as np
from decode import photographs
from step_scalectl import trunk
from step_shapes import CPU, GPU, SMALL, TOTAL, Work

from scalectl.trainer import step
from scalectl.trainer.attention import Attention
from scalectl.trainer.data import squares
from scalectl.trainer.data.batches import Batches
from scalectl.trainer.data.colours import Colours
from scalectl.trainer.data.loader import Loader
from scalectl.trainer.data.registry import Part
from scalectl.trainer.data.split import split
from scalectl.trainer.feed import Feed
from scalectl.trainer.flops import training_flops
from scalectl.trainer.optimizer import settings
from scalectl.trainer.programs import Fed, Programs
from scalectl.trainer.spec import DataSpec, RunSpec, TrunkSpec


@dataclass(frozen=True)
class Sizes:
    """How large everything is; the first of the models is fed in all ways."""

    models: dict[str, Work]
    pico: Work
    matrix: int = 8192
    steps: int = 20
    pictures: int = 512  # of which an epoch is
    readers: tuple[int, ...] = (0, 8, 15)
    cache: int = 256  # pixels of cached images that crops are taken of


LARGE = Sizes(GPU, CPU["tiny"])
TINY = Sizes(SMALL, SMALL["smallest"], matrix=64, steps=2, pictures=8, readers=(1,), cache=12)
ATTENTIONS: tuple[Attention, ...] = ("own", "xla", "cudnn")


class Card:
    """Measurements that go on for so many minutes, and the rate that they are shares of."""

    def __init__(self, sizes: Sizes, minutes: float) -> None:
        self.sizes, self.end = sizes, time.monotonic() + 60 * minutes
        self.rate = float("nan")

    def say(self, part: str, what: str, measure: Callable[[], str]) -> None:
        """Print what a measurement gives, or why there is none."""
        if time.monotonic() > self.end:
            found = "left out: the minutes are over"
        else:
            try:
                found = measure()
            except Exception as error:  # an attention that this device lacks, or no memory: the other parts go on
                found = f"failed: {str(error).splitlines()[0][:120] or type(error).__name__}"
        print(f"{part:9} {what:34} {found}", flush=True)

    def speed(self, of: TrunkSpec, steps: int, seconds: float) -> str:
        """Images a second, and the share of the measured rate."""
        images, work = steps * of.recipe.batch_size / seconds, training_flops(of, steps) / seconds
        return f"{images:10.1f} images/s {100 * work / self.rate:6.2f} % of the rate"


class Training:
    """A model whose steps are timed, however its batches come."""

    def __init__(self, of: TrunkSpec, attention: Attention = "auto") -> None:
        began = time.perf_counter()
        self.of, self.at = of, settings(of.recipe, RunSpec(of, TOTAL, TOTAL))
        shape = step.shape(of)
        self.programs = Programs(replace(shape, model=shape.model.clone(attention=attention)))
        self.state = self.programs.first(0)
        self.began = began

    def time(self, take: Callable[[], Fed], steps: int) -> float:
        """The seconds of some steps, the first and its compiling left out; the loss is read one dispatch late."""
        told = self._advance(take())
        jax.block_until_ready(told)
        self.compiling = time.perf_counter() - self.began
        began = time.perf_counter()
        for _ in range(steps):
            before, told = told, self._advance(take())
            np.asarray(before.loss)
        jax.block_until_ready(told)
        return time.perf_counter() - began

    def _advance(self, batches: Fed) -> step.Metrics:
        self.state, told = self.programs.advance(self.state, batches, self.at)
        return told


def drawn(work: Work) -> tuple[np.ndarray, np.ndarray]:
    """Images as bytes (1, batch, side, side, 3), and labels (1, batch)."""
    random = np.random.default_rng(5)
    shape = (1, work.batch, work.side, work.side, 3)
    return random.integers(0, 256, shape, np.uint8), random.integers(0, work.classes, shape[:2]).astype(np.int32)


def resident(card: Card, work: Work, speeds: dict[Attention, float], attention: Attention) -> str:
    """The speed of one batch that stays on the device; the seconds of a step are kept for the attention."""
    of, steps = trunk(work), card.sizes.steps
    training = Training(of, attention)
    batch = jax.device_put(training.programs.fed(Colours(drawn(work)[0]), drawn(work)[1]))
    seconds = training.time(lambda: batch, steps)
    speeds[attention] = seconds / steps
    return f"{card.speed(of, steps, seconds)} compiled in {training.compiling:.0f} s{memory()}"


def memory() -> str:
    """The most bytes that the device has held, where it tells."""
    held = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    if held is None:
        return ""
    return f", at most {held / 2**30:.1f} GiB"


class Ready:
    """Batches in host memory, the same in every step, that have to be put on the device."""

    def __init__(self, images: Any, labels: np.ndarray) -> None:
        self.images, self.labels, self.reads = images, labels, True

    def stacked(self, count: int) -> tuple[Any, np.ndarray]:
        return self.images, self.labels

    def close(self) -> None:
        """Nothing is held."""


def fed(card: Card, loader: Any, of: TrunkSpec, attention: Attention) -> str:
    """The speed of batches that a loader gives, and the share of the time in which the device waited for them."""
    training, steps, waited = Training(of, attention), card.sizes.steps, []

    with closing(Feed(loader, training.programs, repeat(1))) as feed:

        def take() -> Fed:
            batches, seconds = feed.take(lambda: not training.state.step.is_ready())
            waited.append(seconds)
            return batches

        seconds = training.time(take, steps)
    return f"{card.speed(of, steps, seconds)}, waited {100 * sum(waited[1:]) / seconds:.0f} %"


def pictures(card: Card, work: Work, folder: Path) -> TrunkSpec:
    """The same model on JPEGs in a parquet file, cropped and mirrored."""
    file, of = folder / "photographs.parquet", trunk(work)
    if not file.exists():
        photographs(folder, card.sizes.pictures)
    content = Part("parquet", str(file)).contents().digest
    more = {"crop": True, "flip": True, "resize": work.side, "content": content, "path": str(file)}
    data = DataSpec("parquet", card.sizes.pictures, 0, 0, 0, work.side, 3, work.classes, **more)
    return replace(of, data=data)


def read(card: Card, of: TrunkSpec, readers: int, attention: Attention) -> str:
    """The speed on pictures with so many readers, or on cached images of which it says how fast they were made."""
    made, steps = "", card.sizes.steps + 1
    if of.data.cached:
        began = time.perf_counter()
        for _ in squares.write(of.data, split(of.data).pool):
            pass
        made = f"; cached at {of.data.cached / (time.perf_counter() - began):.0f} images/s"
    return fed(card, Loader(Batches(of), 0, 10 * steps, readers), of, attention) + made


def pico(card: Card, *, fixed: bool) -> str:
    """The speed of full dispatches of the smallest model."""
    of, dispatches = trunk(card.sizes.pico), 10 * card.sizes.steps
    training = Training(of)
    steps = training.programs.shape.steps
    images, labels = (np.repeat(rows, steps, axis=0) for rows in drawn(card.sizes.pico))
    batch = jax.device_put(training.programs.fed(Colours(images), labels))
    if fixed:
        training.programs = Scanned(training.programs)
    seconds = training.time(lambda: batch, dispatches)
    return f"{card.speed(of, steps * dispatches, seconds)}, {1e6 * seconds / steps / dispatches:.0f} us a step"


class Scanned:
    """The programs of a shape, with a scan of a fixed length for full dispatches."""

    def __init__(self, programs: Programs) -> None:
        shape = programs.shape

        def scanned(state: step.State, images: Any, labels: Any, numbers: Any) -> Any:
            def body(state: step.State, rows: Any) -> Any:
                return step.one_step(shape, state, *rows, numbers)

            return jax.lax.scan(body, state, (images, labels))

        self._program = jax.jit(scanned, donate_argnums=0)

    def advance(self, state: step.State, batches: Fed, numbers: Any) -> Any:
        return self._program(state, batches.images, batches.labels, numbers)


def peer(card: Card, work: Work, name: str) -> str:
    """The speed of a peer's loop on the same bytes as float32, or that the peer isn't installed."""
    try:
        side_of = importlib.import_module(f"step_{name}").Side
    except ModuleNotFoundError as lacking:
        return f"left out: no module {lacking.name}"
    images, labels = drawn(work)
    side = side_of(work, images[0] / np.float32(127.5) - np.float32(1), labels[0])
    side.batch = jax.device_put(side.batch)
    side.advance(1)
    began = time.perf_counter()
    side.advance(card.sizes.steps)
    return card.speed(trunk(work), card.sizes.steps, time.perf_counter() - began)
