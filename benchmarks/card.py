"""What one accelerator does with models, attentions and ways to feed it: one process, a line after every part.

uv run python benchmarks/card.py [--minutes 5] [--tiny]

The parts, in this order; one that would begin after the minutes is left out, and said to be:

rate       products of 8192 x 8192 matrices in bfloat16; shares of other lines are of this rate
resident   B/16 at batch 256 on one batch that stays on the device, with each attention
fed        the best of them, fed from host memory with float32, then with bytes
readers    the same on JPEGs, decoded by 0, 8 and 15 processes, then on cached images, whole and cropped
pico       16 steps a dispatch of a model of width 8: the loop of an open number of rounds, and a scan of a fixed one
resident   L/16 at batch 128, as B/16
linen      B/16 of a plain loop of Flax Linen and Optax, as `step.py` has it

--tiny takes shapes that say nothing of speed, for a test on a CPU.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

if "PJRT_NPROC" not in os.environ and "--tiny" not in sys.argv:
    os.environ["PJRT_NPROC"] = str(os.cpu_count())  # threads that compile

ENVIRONMENT = dict(os.environ)  # our trainer sets PJRT_NPROC to 1, and JAX reads it when it starts

import jax  # noqa: E402
import numpy as np  # noqa: E402
import step_side  # noqa: E402
from decode import photographs  # noqa: E402
from step_scalectl import trunk  # noqa: E402
from step_shapes import CPU, GPU, SMALL, TOTAL, Work  # noqa: E402

from scalectl.trainer import step, vit  # noqa: E402
from scalectl.trainer.data import squares  # noqa: E402
from scalectl.trainer.data.batches import Batches  # noqa: E402
from scalectl.trainer.data.colours import Colours  # noqa: E402
from scalectl.trainer.data.loader import Loader  # noqa: E402
from scalectl.trainer.data.registry import Part  # noqa: E402
from scalectl.trainer.data.split import split  # noqa: E402
from scalectl.trainer.feed import Feed  # noqa: E402
from scalectl.trainer.flops import training_flops  # noqa: E402
from scalectl.trainer.optimizer import settings  # noqa: E402
from scalectl.trainer.spec import DataSpec, RunSpec, TrunkSpec  # noqa: E402

os.environ |= ENVIRONMENT
PICO = "pico"


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
ATTENTIONS = ("own", "xla", "cudnn")


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

    def __init__(self, of: TrunkSpec) -> None:
        began = time.perf_counter()
        self.of, self.at = of, settings(of.recipe, RunSpec(of, TOTAL, TOTAL))
        self.programs = step.Programs(step.shape(of))
        self.state = self.programs.first(0)
        self.began = began

    def time(self, take: Callable[[], step.Fed], steps: int) -> float:
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

    def _advance(self, batches: step.Fed) -> step.Metrics:
        self.state, told = self.programs.advance(self.state, batches, self.at)
        return told


@contextmanager
def attention(name: str) -> Iterator[None]:
    """Attention by our own products, or by JAX's function in one of its implementations."""

    def attend(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        q, k, v = (x[:, :, None] for x in (q, k, v))
        return jax.nn.dot_product_attention(q, k, v, implementation=name)[:, :, 0]

    own = vit.attend
    if name != "own":
        vit.attend = attend
        step._compiled.clear()
    try:
        yield
    finally:
        vit.attend = own
        if name != "own":
            step._compiled.clear()


def drawn(work: Work) -> tuple[np.ndarray, np.ndarray]:
    """Images as bytes (1, batch, side, side, 3), and labels (1, batch)."""
    random = np.random.default_rng(5)
    shape = (1, work.batch, work.side, work.side, 3)
    return random.integers(0, 256, shape, np.uint8), random.integers(0, work.classes, shape[:2]).astype(np.int32)


def resident(card: Card, work: Work, speeds: dict[str, float], name: str) -> str:
    """The speed of one batch that stays on the device; the seconds of a step are kept for the attention."""
    of, steps = trunk(work), card.sizes.steps
    with attention(name):
        training = Training(of)
        batch = jax.device_put(training.programs.fed(Colours(drawn(work)[0]), drawn(work)[1]))
        seconds = training.time(lambda: batch, steps)
    speeds[name] = seconds / steps
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


def fed(card: Card, work: Work, loader: Any, of: TrunkSpec) -> str:
    """The speed of batches that a loader gives, and the share of the time in which the device waited for them."""
    training, steps, waited = Training(of), card.sizes.steps, []

    with closing(Feed(loader, training.programs, repeat(1))) as feed:

        def take() -> step.Fed:
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


def read(card: Card, work: Work, of: TrunkSpec, readers: int) -> str:
    """The speed on pictures with so many readers, or on cached images of which it says how fast they were made."""
    made, steps = "", card.sizes.steps + 1
    if of.data.cached:
        began = time.perf_counter()
        for _ in squares.write(of.data, split(of.data).pool):
            pass
        made = f"; cached at {of.data.cached / (time.perf_counter() - began):.0f} images/s"
    return fed(card, work, Loader(Batches(of), 0, 10 * steps, readers), of) + made


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

    def __init__(self, programs: step.Programs) -> None:
        shape = programs.shape

        def scanned(state: step.State, images: Any, labels: Any, numbers: Any) -> Any:
            def body(state: step.State, rows: Any) -> Any:
                return step.one_step(shape, state, *rows, numbers)

            return jax.lax.scan(body, state, (images, labels))

        self._program = jax.jit(scanned, donate_argnums=0)

    def advance(self, state: step.State, batches: step.Fed, numbers: Any) -> Any:
        return self._program(state, batches.images, batches.labels, numbers)


def linen(card: Card, work: Work) -> str:
    """The speed of the peer's loop on the same bytes as float32."""
    from step_linen import Side

    images, labels = drawn(work)
    side = Side(work, images[0] / np.float32(127.5) - np.float32(1), labels[0])
    side.batch = jax.device_put(side.batch)
    side.advance(1)
    began = time.perf_counter()
    side.advance(card.sizes.steps)
    return card.speed(trunk(work), card.sizes.steps, time.perf_counter() - began)


def matrices(card: Card) -> str:
    step_side.RATE_SIZE = card.sizes.matrix
    card.rate = step_side.rate("bfloat16")
    return f"{card.rate:10.3e} FLOP/s"


def measure(card: Card, folder: Path) -> None:
    sizes = card.sizes
    (name, work), *others = sizes.models.items()
    card.say("rate", f"{sizes.matrix} x {sizes.matrix}, bfloat16", lambda: matrices(card))
    speeds: dict[str, float] = {}
    for way in ATTENTIONS:
        card.say("resident", f"{name}, attention {way}", lambda way=way: resident(card, work, speeds, way))
    best = min(speeds, key=lambda way: speeds[way], default="own")
    with attention(best):
        images, labels = drawn(work)
        ways = {"float32": images / np.float32(127.5) - np.float32(1), "bytes": Colours(images)}
        for kind, batch in ways.items():
            ready = Ready(batch, labels)
            card.say(
                "fed", f"{name}, attention {best}, {kind}", lambda ready=ready: fed(card, work, ready, trunk(work))
            )
        of = pictures(card, work, folder)
        whole = replace(of, data=replace(of.data, crop=False, cached=of.data.size))
        parts = replace(of, data=replace(of.data, cached=of.data.size, cache=sizes.cache))
        trunks = {f"JPEGs, {number} readers": (of, number) for number in sizes.readers}
        most = sizes.readers[-1]
        trunks |= {"cached, whole": (whole, most), f"cached, crops of {sizes.cache}": (parts, most)}
        for what, (trunk_of, number) in trunks.items():
            card.say("readers", f"{name}, {what}", lambda t=trunk_of, n=number: read(card, work, t, n))
    for loop, fixed in (("open loop", False), ("fixed scan", True)):
        card.say(PICO, loop, lambda fixed=fixed: pico(card, fixed=fixed))
    for other, large in others:
        for way in ATTENTIONS:
            card.say("resident", f"{other}, attention {way}", lambda w=large, way=way: resident(card, w, {}, way))
    card.say("linen", f"{name}, resident", lambda: linen(card, work))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--tiny", action="store_true")
    asked = parser.parse_args()
    sizes = LARGE
    if asked.tiny:
        sizes = TINY
    device = jax.devices()[0]
    print(f"{device.device_kind}, {len(os.sched_getaffinity(0))} cores, JAX {jax.__version__}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        measure(Card(sizes, asked.minutes), Path(folder))


if __name__ == "__main__":
    main()
