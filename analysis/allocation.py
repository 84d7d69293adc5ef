"""The best model size for a compute: from the minima of equal budgets, or else from a law of size and images."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scalectl.analysis.budgets import IsoFlop, isoflop_beside
from scalectl.analysis.checks import Refused
from scalectl.analysis.counting import count
from scalectl.analysis.lowest import Interval
from scalectl.analysis.runs import usable
from scalectl.analysis.sizes import FAR, SizeLaw, Sizes, size_law
from scalectl.analysis.vocabulary import SEEDS

NOWHERE = 100.0  # decades beyond the data, from which on products of sizes and images may be no floats
ISOFLOP, SIZE_LAW = "IsoFLOP minima", "law of size and images seen"


@dataclass(frozen=True)
class Allocation:
    """The model size with its 90 % interval, the images seen and, where all runs have one batch, steps of the least
    error for a compute; the error that the law of size and images expects there; and how many decades the size or the
    images lie outside those of the runs.
    """

    params: float
    params_low: float
    params_high: float
    images_seen: float
    steps: float | None
    source: str  # where it comes from
    expected: Interval | None
    decades_outside: float
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        between = f"({count(self.params_low)} to {count(self.params_high)})"
        size, source = f"{count(self.params)} parameters {between}, {count(self.images_seen)} images", self.source
        if self.steps:
            size = f"{size}, {count(self.steps)} steps"
        if self.decades_outside:
            source = f"{source}, {self.decades_outside:.1f} decades outside the runs"
        return f"{size} ({source})"


def best_size(
    points: pd.DataFrame, metric: str, x: str, compute: float, seeds: str = SEEDS[0], sizes: Sizes | None = None
) -> Allocation:
    """The best size for a compute; `sizes` is the law of size and images of these points where it is known already.

    It is that of the IsoFLOP minima where their growth is determined, and else that of a law of size and images; where
    both say one and they exclude each other, a warning tells it. Raises Refused, with both reasons, where the points
    carry neither, where it lies more than a decade beyond the sizes of the runs, and for more epochs than are known.
    """
    runs = usable(points, metric, x, "params", "images_seen")
    if decades_beyond(compute, runs[x]) > NOWHERE:
        raise Refused(_far_from_sizes(compute))
    law, no_law = sizes = sizes or size_law(points, metric, x)
    minima, no_minima = _minima(points, metric, x, seeds, sizes)
    by_law, beyond = None, ""
    if law:
        try:
            by_law = _of_law(law, runs, compute)
        except Refused as refused:
            beyond = str(refused)
    if minima and minima.params.determined:
        return _of_minima(minima, law, by_law, runs, compute)
    if by_law:
        return by_law
    if beyond:
        raise Refused(beyond)
    raise Refused(f"{no_minima} Nor has it a law of size and images: {no_law}")


def _minima(points: pd.DataFrame, metric: str, x: str, seeds: str, sizes: Sizes) -> tuple[IsoFlop | None, str]:
    try:
        minima = isoflop_beside(sizes, points, metric, x, seeds)
    except Refused as refused:
        return None, str(refused)
    return minima, "The growth of the IsoFLOP minima is not determined."


def _of_law(law: SizeLaw, runs: pd.DataFrame, compute: float) -> Allocation:
    size, images, expected = law.best(compute)
    warnings = tuple(law.warnings(images))
    return _allocation(size, images, runs, SIZE_LAW, expected, warnings)


def _of_minima(
    minima: IsoFlop, law: SizeLaw | None, by_law: Allocation | None, runs: pd.DataFrame, compute: float
) -> Allocation:
    size = minima.best(compute)
    images, expected, warnings = minima.images_seen(compute), None, list[str]()
    if not np.isfinite([size.estimate, images]).all() or decades_beyond(size.estimate, runs["params"]) > FAR:
        raise Refused(_far_from_sizes(compute))
    if law:
        warnings += law.warnings(images)
        expected = law.expected(size.estimate, images)
    if by_law and not size.meets(by_law.params_low, by_law.params_high):
        ends = f"{count(by_law.params)} parameters ({count(by_law.params_low)} to {count(by_law.params_high)})"
        warnings.append(f"the law of size and images names another best size: {ends}")
    return _allocation(size, images, runs, ISOFLOP, expected, tuple(warnings))


def _far_from_sizes(compute: float) -> str:
    return f"at {compute:.3g} it lies more than {FAR:g} decade outside the sizes of the runs."


def _allocation(
    size: Interval, images: float, runs: pd.DataFrame, source: str, expected: Interval | None, warnings: tuple[str, ...]
) -> Allocation:
    beyond = max(decades_beyond(size.estimate, runs["params"]), decades_beyond(images, runs["images_seen"]))
    steps = _steps(runs, images)
    return Allocation(size.estimate, size.low, size.high, images, steps, source, expected, beyond, warnings)


def _steps(points: pd.DataFrame, images: float) -> float | None:
    """The steps that see so many images, where all runs have one batch size."""
    if "batch_size" not in points:
        return None
    batches = points["batch_size"].dropna().unique()
    if len(batches) != 1:
        return None
    return images / float(batches[0])


def decades_beyond(number: float, known: pd.Series) -> float:
    """The decades by which a number lies beyond the ends of what is known; 0 between them."""
    log, least, most = np.log10([number, known.min(), known.max()])
    return float(max(log - most, least - log, 0.0))
