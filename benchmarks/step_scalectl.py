"""Our side: the programs that `trainer.train` runs, in the order in which it dispatches and reads them."""

import numpy as np
from step_shapes import CLIP, DECAY, LR, TOTAL, WARMUP, Work, timed

from scalectl.trainer.optimizer import settings
from scalectl.trainer.programs import Programs
from scalectl.trainer.spec import DataSpec, RecipeSpec, RunSpec, TrunkSpec
from scalectl.trainer.step import shape


def trunk(work: Work) -> TrunkSpec:
    data = DataSpec("synthetic", 1000, 0, 0, 0, work.side, work.channels, work.classes)
    rates = (LR, CLIP, DECAY, DECAY)
    recipe = RecipeSpec(
        work.batch, work.precision, "gap", 0.0, "sigmoid", "adamw", *rates, WARMUP, 0, schedule="cosine"
    )
    return TrunkSpec(work.model, data, recipe, 0)


class Side:
    def __init__(self, work: Work, images: np.ndarray, labels: np.ndarray) -> None:
        of = trunk(work)
        self.programs, self.at = Programs(shape(of)), settings(of.recipe, RunSpec(of, TOTAL, TOTAL))
        self.images, self.labels = images[None], labels[None]
        self.state = self.programs.first(0)
        first, again = timed(lambda: self.advance(1)), timed(lambda: self.advance(1))
        self.compiling = {name: first[name] - again[name] for name in first}  # which the first step waited for

    def _dispatch(self, count: int):
        images, labels = (np.repeat(rows, count, axis=0) for rows in (self.images, self.labels))
        return self.programs.train(self.state, images, labels, self.at)

    def advance(self, steps: int) -> float:
        told = None
        while steps:
            count, before = min(steps, self.programs.shape.steps), told
            self.state, told = self._dispatch(count)
            steps -= count
            if before:
                np.asarray(before.loss)  # one dispatch late, as the trainer does
        return float(np.asarray(told.loss)[count - 1])
