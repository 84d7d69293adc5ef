"""The compiled programs of a model: its first state, several optimizer steps in one dispatch, and its reading."""

import time
from collections.abc import Callable, Hashable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scalectl.trainer import kept, stored
from scalectl.trainer.compiling import compiled
from scalectl.trainer.grouping import training
from scalectl.trainer.optimizer import DECAYS, Settings, direction
from scalectl.trainer.packing import small
from scalectl.trainer.padding import padded, some
from scalectl.trainer.sharding import Layout, everywhere
from scalectl.trainer.step import Metrics, Readings, Shape, State, abstract, read, several_steps, zeros

Array = jax.Array

READ_BATCH = 256  # images of one evaluation batch


class Fed(NamedTuple):
    """The batches of a dispatch where its program takes them: how many there are, their images and their labels."""

    count: Any
    images: Any
    labels: Any


@dataclass
class Programs:
    """The programs of a shape, compiled when first asked for, and what that cost whoever holds this."""

    shape: Shape
    compile_seconds: float = 0.0
    compilations: int = 0
    layout: Layout = field(default_factory=everywhere)

    def __post_init__(self) -> None:
        for size in (self.shape.batch_size, self.shape.microbatch):
            self.layout.rows(size)
        self.shape = replace(self.shape, parts=len(self.layout.devices))
        self._compiled = kept.programs(self.shape.model.model)

    def first(self, seed: int) -> State:
        """The state at step 0, as it trains: parameters drawn from `seed`, moments zero, or as one's own begins."""
        of = ("parameters", self.shape, self.layout)  # of the last seed, for trunks on other data
        drawn, params = self._compiled.get(of, (None, None))
        if drawn == seed:
            params = jax.tree.map(np.copy, params)  # a step consumes what it is given
        else:
            params = self._drawn(seed)
            if self.layout.alone and small(params):
                self._compiled[of] = seed, jax.tree.map(np.array, params)
        state = zeros(self.shape)._replace(params=params)
        return self.put(state if self.shape.groups else state._replace(moments=self._moments(params)))

    def put(self, state: State) -> State:
        """A state on the devices as it trains, of one at rest or of such a one; every process has to have the same."""
        return State(*self.layout.put(training(state) if self.shape.groups else state))

    def _moments(self, params: Any) -> Any:
        """What one's own optimizer begins with for parameters, which needn't be zeros."""
        params, name = self.layout.put(params), self.shape.optimizer
        out = lambda: self.layout.state(abstract(self.shape)).moments  # noqa: E731 - asked for on several devices alone
        return self._ready("moments", direction(name).init, params, out=out)(params)

    def _drawn(self, seed: int) -> Any:
        image, like = jnp.zeros((1, *self.shape.images[1:])), abstract(self.shape).params

        def draw(seed: Array) -> Any:
            return self.shape.model.init(jax.random.key(seed), image)

        quick = {"xla_backend_optimization_level": 0}  # runs once, and compiles in half the time
        key, out = np.uint32(seed), lambda: self.layout.state(like)
        return self._ready(kept.FIRST, draw, key, options=quick, out=out, like=like)(key)

    def fed(self, images: Any, labels: np.ndarray) -> Fed:
        """The stacked batches, of which there are at most `shape.steps`, on several devices where there are several.

        Images are an array or Colours. Each process gives its own rows of every batch.
        """

        def put(rows: np.ndarray) -> Any:
            return self.layout.fed(padded(rows, self.shape.steps), None)

        return Fed(np.int32(len(labels)), jax.tree.map(put, images), put(labels))

    def train(self, state: State, images: Any, labels: np.ndarray, numbers: Settings) -> tuple[State, Metrics]:
        """`state`, which is consumed, advanced by the stacked batches, which are as `fed` takes them."""
        return self.advance(state, self.fed(images, labels), numbers)

    def advance(self, state: State, batches: Fed, numbers: Settings) -> tuple[State, Metrics]:
        """`state`, which is consumed, advanced by batches.

        Metrics have one entry for each of `shape.steps`; those after the last batch are zero.
        """
        shape, lay = self.shape, self.layout

        def advance(*arguments: Any) -> tuple[State, Metrics]:
            return several_steps(shape, *arguments)

        kinds = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(batches)]
        name, out = ("train", jax.tree.structure(batches), *kinds), lambda: (lay.state(state), lay.whole)
        options = {"donate": (0,), "out": out, "context": lay.traced, "like": (state, Metrics(*Metrics._fields))}
        program = self._ready(name, advance, state, *batches, numbers, **options)
        advanced: tuple[State, Metrics] = program(state, *batches, numbers)
        return advanced

    def read(self, params: Any, images: Any, labels: Any) -> Readings:
        """What a model says of any number of images, in arrays or in what slices of are arrays.

        All processes give the same images, and have the answers to all of them.
        """
        shape, lay = self.shape, self.layout
        size = -(-READ_BATCH // shape.parts) * shape.parts
        mine = lay.rows(size)

        def look(*arguments: Any) -> Readings:
            return read(shape, *arguments)

        readings = []
        for start in range(0, len(labels), size):
            part = slice(start + mine.start, start + mine.stop)
            batch = lay.fed(some(images, part)), lay.fed(some(labels, part))
            options = {"out": lambda: lay.whole, "context": lay.traced, "like": Readings(*Readings._fields)}
            program = self._ready(("read", batch[1].ndim), look, params, *batch, **options)
            readings.append(program(params, *batch))
        return Readings(*(np.concatenate(parts)[: len(labels)] for parts in zip(*readings, strict=True)))

    def averaged(self, average: Any, params: Any, decay: float) -> Any:
        """The average `decay * average + (1 - decay) * params` (Polyak); `average` is consumed."""

        def towards(average: Any, params: Any, share: Array) -> Any:
            return jax.tree.map(lambda old, new: old + share * (new - old), average, params)

        share, out = np.float32(1.0 - decay), lambda: self.layout.state(average)
        program = self._ready("averaged", towards, average, params, share, donate=(0,), out=out, like=average)
        return program(average, params, share)

    def _ready(self, name: Hashable, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """A program for arguments of these shapes, compiled now unless this process has it."""
        key = (name, self.shape, self.layout, tuple(DECAYS))
        if key not in self._compiled:
            began = time.perf_counter()
            lowered = self._lowered(name, function, arguments, **options)
            self._compiled[key] = compiled(lambda: lowered.compile(compiler_options=options.get("options")))
            self.compile_seconds += time.perf_counter() - began
            self.compilations += 1
        return self._compiled[key]

    def _lowered(self, name: Hashable, function: Callable[..., Any], arguments: Any, **options: Any) -> Any:
        if self.layout.alone:
            return stored.lowered(name, self.shape, function, arguments, **options)
        program = jax.jit(function, donate_argnums=options.get("donate", ()), out_shardings=options["out"]())
        with options.get("context", nullcontext)():
            return program.lower(*arguments)
