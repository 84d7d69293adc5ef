"""What code of one's own adds to scalectl, from a file that a study names under `code:`, or that --code names.

    from scalectl.extend import optimizer

    @optimizer("lion")
    def lion():
        return optax.scale_by_lion(b1=0.9, b2=0.99)

Each name is known together with a hash of the file that adds it and of all that this file imports, but for installed
packages. All raise ValueError for a name that scalectl has itself, or that is none.
"""

import sys
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scalectl.trainer import own, own_code

if TYPE_CHECKING:
    from scalectl.analysis.law import Family
    from scalectl.orchestrator.cluster.base import Backend

__all__ = ["backend", "law", "load", "metric", "model", "optimizer", "schedule", "source"]

Function = TypeVar("Function", bound=Callable[..., Any])


def load(file: str | PathLike[str]) -> None:
    """Run a file of one's own, so that its names are known here; raises own_code.BadCode, with file and line."""
    own_code.load(own_code.read(Path(file).expanduser(), str(file)))


def model(name: str) -> Callable[[Function], Function]:
    """Let `models.NAME.architecture` name a model, which a function makes of a `Net`.

    The function returns a Flax module, or what has its `init` and `apply`: images (B, side, side, channels) from -1 to
    1 to float32 logits (B, classes) and the features (B, width) that they are read from.
    """
    from scalectl.trainer.spec import VIT

    return _adder("model", name, (VIT,))


def optimizer(name: str) -> Callable[[Function], Function]:
    """Let `train.optimizer.name` name an optimizer: a function without arguments that returns an Optax transformation.

    That makes of clipped gradients the direction that is descended; rate, schedule and weight decay are the file's.
    """
    from scalectl.trainer.spec import Optimizer

    return _adder("optimizer", name, _words(Optimizer))


def schedule(name: str, *, needs_horizon: bool, has_timescale: bool) -> Callable[[Function], Function]:
    """Let `train.schedule.name` name a schedule: a function of updates after the warmup, timescale and length.

    It returns the factor of the learning rate, 1 at first. With `needs_horizon` it depends on the length of a run, has
    to end at zero, and runs of several lengths share no trunk.
    """
    from scalectl.trainer.spec import SCHEDULES, ScheduleFacts

    facts = ScheduleFacts(needs_horizon, has_timescale)
    return _adder("schedule", name, SCHEDULES, lambda curve, key: (facts, curve))


def source(name: str, *, num_classes: int | None = None) -> Callable[[Function], Function]:
    """Let `data.source` and `evals.datasets.NAME.source` name images that a function without arguments loads.

    It returns images (count, side, side, channels) and labels (count), whole numbers from 0. Images are float32 from
    -1 to 1, which are kept in memory, or bytes (uint8), which are read as they are needed, also from a `numpy.memmap`.
    """
    from scalectl.trainer.data.registry import sources

    def made(load: Callable[[], tuple[Any, Any]], key: str) -> Callable[[], Any]:
        from functools import cache

        @cache
        def found() -> Any:
            from scalectl.trainer.data.own_source import loaded

            return loaded(name, key, load, num_classes)

        return found

    return _adder("source", name, sources(), made)


def metric(name: str) -> Callable[[Function], Function]:
    """Let `evals.upstream.metrics` name a metric: a function of what a model says of the held-out images.

    That has, as arrays of NumPy, `loss` (images) in nats, `wrong` (images), `features` (images, width), `labels`
    (images), -1 where an image may have several, and `rank` (images): how many classes come before the label. The
    function returns a value for each image that counts, of which the mean is stored with their number; or one number.
    """
    from scalectl.trainer.spec import Upstream

    return _adder("metric", name, _words(Upstream))


def law(name: str, family: "Family", purpose: str) -> None:
    """Let `fits.NAME.law`, `--law` and `scalectl.fit(law=...)` name a law; `purpose` is its line in help texts."""
    from scalectl.analysis.vocabulary import LAWS

    if name in LAWS and name not in _laws:
        raise ValueError(f"law {name!r}: scalectl has one of that name; give yours another")
    if name in _laws:
        LAWS.remove(name)
    LAWS.add(name, family, purpose)
    _laws.add(name)


_laws: set[str] = set()


def backend(name: str) -> "Callable[[type[Backend]], type[Backend]]":
    """Let `launch --backend` name a place where jobs run: a class derived from `orchestrator.cluster.base.Backend`."""
    from scalectl.orchestrator.cluster.backends import BACKENDS

    if name in ("here", "ray"):
        raise ValueError(f"backend {name!r}: scalectl has one of that name; give yours another")

    def added(kind: "type[Backend]") -> "type[Backend]":
        BACKENDS[name] = kind
        return kind

    return added


def _adder(
    kind: str, name: str, builtin: Any, made: Callable[[Any, str], Any] = lambda thing, key: thing
) -> Callable[[Function], Function]:
    """A decorator that adds a function under a name, with the hash of the file that the caller is in."""
    if not isinstance(name, str):
        raise ValueError(f'{kind} without a name: write @{kind}("NAME")')
    version = own_code.version(sys._getframe(2).f_code.co_filename)

    def added(function: Function) -> Function:
        if not callable(function):
            raise ValueError(f"{kind} {name!r}: {function!r} is no function")
        own.add(kind, name, made(function, f"{name}@{version}"), version, builtin)
        return function

    return added


def _words(literal: Any) -> tuple[str, ...]:
    from typing import get_args

    return get_args(literal)
