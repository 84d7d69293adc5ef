"""What the runs say of a model size with the images that it sees, and of the best size for a compute."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from scalectl.analysis.checks import Refused, above_0, checked
from scalectl.analysis.counting import counted
from scalectl.analysis.enough import rise
from scalectl.analysis.law import Floats
from scalectl.analysis.lowest import Interval, interval_of, least_of, lowest
from scalectl.analysis.measured import measured_apart
from scalectl.analysis.noise import typical_images
from scalectl.analysis.outlook import Outlook
from scalectl.analysis.repetition import KNOWN_EPOCHS
from scalectl.analysis.runs import model_sizes, trunks, usable
from scalectl.analysis.surrogate import Forecast, positions
from scalectl.analysis.vocabulary import AXES

LEAST = 6  # runs that a law of size and images needs
FAR = 1.0  # decades beyond the sizes of the runs in which a best size is looked for
_SPLITS = 81
_SAME, _ALIKE = 1.001, 1.05  # factor between two costs of an image that are one; that models of one size may have
_NEAR, _APART = 1.1, 1.2  # factor between sizes that are nearly one, as of patches of 16 and 32; that these may have
_UNTOLD = "no run says how many of its images differ (data_size): give the runs theirs, or leave data_size out."


@dataclass(frozen=True, eq=False)
class SizeLaw:
    """The law of model size, images seen and distinct images of a table of runs; `x` is its column of compute."""

    runs: pd.DataFrame
    metric: str
    x: str

    @staticmethod
    def of(points: pd.DataFrame, metric: str, x: str) -> "SizeLaw":
        """The law of the runs that have all of these; raises Refused where they can't carry it, or rise."""
        cost = _cost(points, x)
        runs = usable(points, metric, cost, "params", "images_seen")
        if "data_size" in runs:  # which some runs may lack
            runs = checked(runs, (), ("data_size",))
            above_0(runs.dropna(subset=["data_size"]), ("data_size",))
        runs = runs[runs[metric] > 0].reset_index(drop=True)
        runs = runs.astype(dict.fromkeys({"params", "images_seen", cost}, float))  # whole numbers would overflow
        _enough(runs)
        if rising := rise(runs, metric, cost):
            raise Refused(rising)
        return SizeLaw(runs, metric, cost)

    def expected(self, params: float, images: float, distinct: float | None = None) -> Interval:
        """The error of a run of this size that sees so many images, of which `distinct` differ, by default all of the
        largest data set of the runs.

        Raises Refused for more epochs than are known, and for `distinct` images where no run tells its own.
        """
        if distinct is None:
            distinct = self.distinct
        elif self.distinct is None:
            raise Refused(_UNTOLD)
        self.known_epochs(images, distinct)
        place_13 = self._places(np.array([params]), np.array([images]), distinct)
        return interval_of(self._outlook(place_13, distinct))

    def best(self, compute: float) -> tuple[Interval, float, Interval]:
        """The parameters of the least expected error at a compute, the images seen, and that error.

        Raises Refused where it lies further than a decade beyond the sizes of the runs, and for more epochs than are
        known.
        """
        params, found = self._sizes_at(compute, FAR + 0.5)
        ends = np.log10([self.runs["params"].min(), self.runs["params"].max()])
        at = int(found.mean.argmin())
        outside = max(np.log10(params[at]) - ends[1], ends[0] - np.log10(params[at]))
        if outside > FAR:
            raise Refused(f"at {compute:.3g} it lies more than {FAR:g} decade outside the sizes of the runs.")
        size = lowest(np.log(params), found)
        seen = compute / (size.estimate * float(self._rate(np.array([size.estimate]))[0]))
        self.known_epochs(seen)
        return size, seen, interval_of(least_of(found))

    def least(self, compute: float) -> Interval:
        """The least expected error at a compute of sizes up to a decade beyond those of the runs.

        Raises Refused for more epochs than are known.
        """
        params, found = self._sizes_at(compute, FAR)
        size = params[[found.mean.argmin()]]
        self.known_epochs(compute / float((size * self._rate(size))[0]))
        return interval_of(least_of(found))

    def _sizes_at(self, compute: float, beyond: float) -> tuple[Floats, Outlook]:
        """Sizes up to so many decades beyond those of the runs, and what is expected of them at a compute."""
        ends = np.log10([self.runs["params"].min(), self.runs["params"].max()])
        params = np.logspace(ends[0] - beyond, ends[1] + beyond, _SPLITS)
        images = compute / (params * self._rate(params))
        return params, self._outlook(self._places(params, images, self.distinct), self.distinct)

    def at_compute(self, compute: float, params_M: Floats) -> Floats:
        """The expected errors [M] of these sizes at a compute."""
        images_M = compute / (params_M * self._rate(params_M))
        return self._outlook(self._places(params_M, images_M, self.distinct), self.distinct).mean

    def of_runs(self, others: pd.DataFrame) -> Outlook:
        """The errors of other runs, as a table with images_seen, the column of compute and data_size as `completed`
        has it.
        """
        places_M3 = positions(self.completed(others), self.x)
        return self._forecast_of(places_M3).at(places_M3)

    def outside(self, others: pd.DataFrame) -> Floats:
        """How many decades each of other runs [M] lies beyond these, in compute per image, images seen or distinct
        images, whichever is most.
        """
        own_N3, other_M3 = positions(self.runs, self.x), positions(self.completed(others), self.x)
        beyond_M3 = np.maximum(other_M3 - own_N3.max(axis=0), own_N3.min(axis=0) - other_M3)
        return np.asarray(np.maximum(beyond_M3, 0.0).max(axis=1) / np.log(10))

    def completed(self, others: pd.DataFrame) -> pd.DataFrame:
        """Other runs with a data_size each, that of the largest data set of these where they don't say one.

        They have none where these tell none; Refused is raised where only they do.
        """
        said = others.reindex(columns=["data_size"])["data_size"]
        if self.distinct is not None:
            return others.assign(data_size=said.fillna(self.distinct))
        if said.notna().any():
            raise Refused(_UNTOLD)
        return others.drop(columns="data_size", errors="ignore")

    @property
    def distinct(self) -> float | None:
        """The distinct images of the largest data set, where that is known."""
        if "data_size" not in self.runs or self.runs["data_size"].isna().all():
            return None
        return float(self.runs["data_size"].max())

    def warnings(self, images: float, distinct: float | None = None) -> Iterator[str]:
        """Yield what makes an answer at so many images, of which `distinct` differ, doubtful."""
        yield from measured_apart(self.runs, self.metric)
        if not self._one_cost:
            yield (
                "models of one size differ in the compute of an image (patch size or resolution): their middle is used;"
                " choose by --where"
            )
        if self._forecast.wider > 1:
            yield (
                f"the law of size and images was too sure when it predicted the costliest runs from the others:"
                f" its intervals are made {self._forecast.wider:.2g} times as wide"
            )
        distinct = distinct or self.distinct
        if distinct is not None:
            epochs, most = images / distinct, self._epochs
            if epochs > max(KNOWN_EPOCHS, most):
                yield f"{epochs:,.0f} epochs of {distinct:,.0f} images; the runs have at most {most:,.0f}"

    @cached_property
    def _epochs(self) -> float:
        """The most epochs of any run; one whose distinct images aren't known saw each once."""
        seen = self.runs["images_seen"]
        return float((seen / self.runs["data_size"].fillna(seen)).max())

    def refusal(self, images: float, distinct: float | None) -> str:
        """Why nothing is said of so many images, of which `distinct` differ; or nothing."""
        if distinct is None or not images / distinct > KNOWN_EPOCHS >= self._epochs:
            return ""
        return (
            f"{images / distinct:,.0f} epochs of {distinct:,.0f} images: what images are worth that are seen so often"
            f" is not known from runs of {self._epochs:.2g} epochs and fewer. Add runs that repeat their images,"
            f" or ask for {KNOWN_EPOCHS * distinct:.3g} images at most."
        )

    def known_epochs(self, images: float, distinct: float | None = None) -> None:
        """Raise Refused where images are seen more often than is known what that is worth."""
        if refusal := self.refusal(images, distinct or self.distinct):
            raise Refused(refusal)

    @cached_property
    def _forecast(self) -> Forecast:
        return self._forecast_of(None)

    def _forecast_of(self, new_M3: Floats | None) -> Forecast:
        """The forecast for positions that may differ in what these runs have in common."""
        known_N3 = positions(self.runs, self.x)
        if new_M3 is not None and (np.ptp(known_N3, axis=0) > 0).all():
            return self._forecast  # these runs have nothing in common
        errors, images = self.runs[self.metric].to_numpy(float), typical_images(self.runs, self.metric) or np.inf
        return Forecast.of(known_N3, errors, trunks(self.runs), new_M3, images)

    def _outlook(self, places_M3: Floats, distinct: float | None) -> Outlook:
        if distinct is None or distinct == self.distinct:
            return self._forecast.at(places_M3)
        return self._forecast_of(places_M3).at(places_M3)

    def _places(self, params: Floats, images: Floats, distinct: float | None) -> Floats:
        table = pd.DataFrame({"images_seen": images, self.x: params * self._rate(params) * images})
        if distinct is not None:
            table["data_size"] = distinct
        return positions(table, self.x)

    def _rate(self, params: Floats) -> Floats:
        """The compute of an image for each parameter at these sizes, between those of the runs."""
        known = np.log(self._rates)
        return np.asarray(np.exp(np.interp(np.log(params), known.index.to_numpy(float), known.to_numpy(float))))

    @cached_property
    def _rates(self) -> pd.Series:
        """The compute of an image for each parameter, the median of each size; by log size."""
        return self._each.groupby(np.log(self.runs["params"])).median()

    @cached_property
    def _each(self) -> pd.Series:
        return self.runs[self.x] / (self.runs["params"] * self.runs["images_seen"])

    @property
    def _one_cost(self) -> bool:
        groups = self._each.groupby(self.runs["params"])
        if (groups.max() > _ALIKE * groups.min()).any():
            return False
        steps = np.diff(self._rates.index.to_numpy(float)), np.abs(np.diff(np.log(self._rates.to_numpy(float))))
        return not ((steps[0] < np.log(_NEAR)) & (steps[1] > np.log(_APART))).any()


Sizes = tuple[SizeLaw | None, str]  # a law, or why there is none


def size_law(points: pd.DataFrame, metric: str, x: str) -> Sizes:
    """The law of size and images of the points, and why they carry none where that is so."""
    try:
        return SizeLaw.of(points, metric, x), ""
    except Refused as refused:
        return None, str(refused)


def _cost(points: pd.DataFrame, x: str) -> str:
    """The column of compute that size is counted in: one that grows with the size of a model."""
    if x in AXES and not AXES[x].cost and "flops" in points:
        return "flops"
    return x


def _enough(runs: pd.DataFrame) -> None:
    if len(runs) < LEAST:
        raise Refused(
            f"{counted(len(runs), 'run')} with sizes and errors above 0, and a law of size and images needs {LEAST}."
        )
    size, images = model_sizes(runs), runs["images_seen"]
    for values, name, plural in ((size, "model size", "model sizes"), (images, "images_seen", "amounts of images")):
        if values.max() < _SAME * values.min():
            raise Refused(f"all runs have one {name}, {values.iloc[0]:.6g}; add other {plural}.")
    logs = np.log(runs[["params", "images_seen"]].to_numpy(float))
    if np.linalg.svd(logs - logs.mean(axis=0), compute_uv=False)[1] < np.log(_SAME):
        raise Refused("params and images_seen of all runs lie on one line in log-log; vary one while the other stays.")
