"""What one accelerator does with models, attentions and ways to feed it: one process, a line after every part.

uv run python benchmarks/card.py [--minutes 5] [--big-vision FOLDER] [--tiny]

The parts, in this order; one that would begin after the minutes is left out, and said to be:

rate       products of 8192 x 8192 matrices in bfloat16; shares of other lines are of this rate
resident   B/16 at batch 256 on one batch that stays on the device, with each attention
fed        the best of them, fed from host memory with float32, then with bytes
readers    the same on JPEGs, decoded by 0, 8 and 15 processes, then on cached images, whole and cropped
pico       16 steps a dispatch of a model of width 8: the loop of an open number of rounds, and a scan of a fixed one
resident   L/16 at batch 128, as B/16
linen      B/16 of a plain loop of Flax Linen and Optax, as `step.py` has it
big_vision B/16 of the model, the optimizer and the step of big_vision, where it is installed or cloned to FOLDER

--tiny takes shapes that say nothing of speed, for a test on a CPU.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

if "PJRT_NPROC" not in os.environ and "--tiny" not in sys.argv:
    os.environ["PJRT_NPROC"] = str(os.cpu_count())  # threads that compile

ENVIRONMENT = dict(os.environ)  # our trainer sets PJRT_NPROC to 1, and JAX reads it when it starts

import jax  # noqa: E402
import numpy as np  # noqa: E402
import step_side  # noqa: E402
from card_parts import (  # noqa: E402
    ATTENTIONS,
    LARGE,
    TINY,
    Card,
    Ready,
    drawn,
    fed,
    peer,
    pico,
    pictures,
    read,
    resident,
)
from step_scalectl import trunk  # noqa: E402
from step_shapes import Work  # noqa: E402

from scalectl.trainer.attention import Attention  # noqa: E402
from scalectl.trainer.data.colours import Colours  # noqa: E402

os.environ |= ENVIRONMENT
PEERS = ("linen", "big_vision")


def matrices(card: Card) -> str:
    step_side.RATE_SIZE = card.sizes.matrix
    card.rate = step_side.rate("bfloat16")
    return f"{card.rate:10.3e} FLOP/s"


def measure(card: Card, folder: Path) -> None:
    """Print a line for every part."""
    (name, work), *others = card.sizes.models.items()
    card.say("rate", f"{card.sizes.matrix} x {card.sizes.matrix}, bfloat16", lambda: matrices(card))
    best = compared(card, name, work)
    ways_to_feed(card, name, work, best)
    ways_to_read(card, name, work, best, folder)
    for loop, fixed in (("open loop", False), ("fixed scan", True)):
        card.say("pico", loop, lambda fixed=fixed: pico(card, fixed=fixed))
    for other, large in others:
        compared(card, other, large)
    for side in PEERS:
        card.say(side, f"{name}, resident", lambda side=side: peer(card, work, side))


def compared(card: Card, name: str, work: Work) -> Attention:
    """The attention with which a model is fastest on a batch that stays on the device."""
    speeds: dict[Attention, float] = {}
    for way in ATTENTIONS:
        card.say("resident", f"{name}, attention {way}", lambda way=way: resident(card, work, speeds, way))
    return min(speeds, key=lambda way: speeds[way], default="own")


def ways_to_feed(card: Card, name: str, work: Work, attention: Attention) -> None:
    images, labels = drawn(work)
    ways = {"float32": images / np.float32(127.5) - np.float32(1), "bytes": Colours(images)}
    for kind, batch in ways.items():
        ready = Ready(batch, labels)
        what = f"{name}, attention {attention}, {kind}"
        card.say("fed", what, lambda ready=ready: fed(card, ready, trunk(work), attention))


def ways_to_read(card: Card, name: str, work: Work, attention: Attention, folder: Path) -> None:
    of, sizes = pictures(card, work, folder), card.sizes
    whole = replace(of, data=replace(of.data, crop=False, cached=of.data.size))
    parts = replace(of, data=replace(of.data, cached=of.data.size, cache=sizes.cache))
    trunks = {f"JPEGs, {number} readers": (of, number) for number in sizes.readers}
    most = sizes.readers[-1]
    trunks |= {"cached, whole": (whole, most), f"cached, crops of {sizes.cache}": (parts, most)}
    for what, (trunk_of, number) in trunks.items():
        card.say("readers", f"{name}, {what}", lambda t=trunk_of, n=number: read(card, t, n, attention))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--big-vision", metavar="FOLDER", help="a clone of github.com/google-research/big_vision")
    parser.add_argument("--tiny", action="store_true")
    asked = parser.parse_args()
    sizes = LARGE
    if asked.tiny:
        sizes = TINY
    if asked.big_vision:
        sys.path.append(asked.big_vision)
    device = jax.devices()[0]
    print(f"{device.device_kind}, {len(os.sched_getaffinity(0))} cores, JAX {jax.__version__}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        measure(Card(sizes, asked.minutes), Path(folder))


if __name__ == "__main__":
    main()
