"""The runs that count, and the best of them at each compute: the running minimum of the error."""

import difflib
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalectl.analysis.checks import RUN, Refused, a_table, above_0, checked, excluded
from scalectl.analysis.store import images_of, metrics, of_trunk
from scalectl.analysis.vocabulary import AXES, is_accuracy

METRIC, COMPUTE = "upstream/error", "flops"  # by default
_ONE = 1.002  # factor between computes that are one: sizes and tokens are rounded
_SEED = {"seed", "trunk", "study", "test_images"}  # what runs of one cell may differ in
_LENGTH = ("steps", "images_seen", "flops")  # of which one says how long a run was
_SHAPE = ["width", "depth", "mlp_dim", "num_heads", "patch_size"]  # of one model, whatever head it has
_HEAD = 2  # blocks of a model that its head is smaller than: attention with an MLP, and a layer of its own
_TIME = ("device_seconds", "core_days")  # which tells that where nothing else does; of two seeds it is never the same


def frontier(points: pd.DataFrame, metric: str = METRIC, x: str = COMPUTE) -> pd.DataFrame:
    """The runs that no cheaper or equally cheap run equals or beats, cheapest first; raises what `usable` raises.

    Compute that differs by rounding alone, up to 0.2 %, is equal. Of an accuracy the higher beats the lower.
    """
    return running_best(usable(points, metric, x), metric, x)


def running_best(usable: pd.DataFrame, metric: str, x: str) -> pd.DataFrame:
    """The frontier of runs that `usable` returned; of an accuracy that of the highest."""
    if not is_accuracy(metric):
        return front_of(usable, metric)
    turned = in_order(usable.assign(**{metric: -usable[metric]}), metric, x)
    front = front_of(turned, metric)
    return front.assign(**{metric: -front[metric]})


def best_of_each(runs: pd.DataFrame, metric: str, column: str) -> pd.DataFrame:
    """The best run of each value of a column, in its order: that of the lowest metric, or of the highest accuracy."""
    groups = runs.groupby(column)[metric]
    best = groups.idxmax() if is_accuracy(metric) else groups.idxmin()
    return runs.loc[best].sort_values(column)


def front_of(usable: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The runs, of those that `usable` returned, whose metric lies below that of all before: those of a law."""
    return usable[is_best(usable[metric].to_numpy()[None])[0]].reset_index(drop=True)


def usable(points: pd.DataFrame, metric: str, x: str = COMPUTE, *needed: str) -> pd.DataFrame:
    """The runs that are done, not excluded and measured, and have what is `needed` of numbers above 0, as `in_order`
    has them.

    Raises Refused for a metric or column of compute that is unknown or measured nowhere, for columns that are missing,
    and for values that no error or run can have.
    """
    a_table(points)
    _know(points, metric, x)
    points = checked(points, RUN, (metric, x, *needed))
    done = _counted(points)
    runs = points[list(dict.fromkeys(["run", metric, x, *needed]))]  # all columns are taken once, in the end
    runs = runs[done & runs[metric].notna() & runs[x].notna()]
    if runs.empty:
        raise Refused(_without_runs(points, int(done.sum()), metric, x))
    _check(runs, metric, x)
    complete = runs.dropna(subset=list(needed))
    if complete.empty:
        lacking = [name for name in needed if runs[name].isna().all()] or needed
        raise Refused(f"none of {len(runs)} measured runs has {' and '.join(lacking)}. {_source(points)}")
    above_0(complete, needed)
    runs = points.take(complete.index[_order(complete, metric, x)]).reset_index(drop=True)
    return runs.assign(test_images=images_of(runs, metric))


def lacking(points: pd.DataFrame, metric: str, x: str, *needed: str) -> str:
    """What is told of measured runs that lack a number which others have, and so are left out; nothing without such."""
    runs = usable(points, metric, x)
    names = [name for name in needed if name in runs and runs[name].isna().any()]
    if not names:
        return ""
    number = int(runs[names].isna().any(axis=1).sum())
    return f"{number} of {len(runs)} measured runs left out: no {' or '.join(names)} is known of them."


def without(points: pd.DataFrame, hold_out: Collection[str]) -> pd.DataFrame:
    """The runs that are not held out; raises Refused where all that are done are."""
    kept = points[~among(points["run"], hold_out)]
    done = int(_counted(points).sum())
    if done and not _counted(kept).any():
        raise Refused(f"{_all_done(done)} held out: hold out fewer, a law needs some.")
    return kept


def among(ids: "pd.Series[Any]", chosen: Iterable[Any]) -> NDArray[np.bool_]:
    """Whether each id is one of those chosen: of thousands `isin` takes fifty times as long on Arrow's texts."""
    known = set(chosen)
    return np.array([run in known for run in ids.tolist()], bool)


def _all_done(number: int) -> str:
    """The beginning of a sentence about all runs that are done."""
    if number == 1:
        return "the only run that is done is"
    return f"all {number:,} runs that are done are"


def _counted(points: pd.DataFrame) -> "pd.Series[bool]":
    """Whether each run is done and not excluded."""
    return (points["state"] == "done") & ~excluded(points)


def _without_runs(points: pd.DataFrame, done: int, metric: str, x: str) -> str:
    """Why a table has no run with a metric and the column `x`, and what to do."""
    if done:
        return f"none of {done} done runs has {metric} and {x}. {_source(points)}"
    if number := int((points["state"] == "done").sum()):
        return f"{_all_done(number)} excluded. scalectl include RUN takes one back."
    states = points["state"].value_counts()  # of runs that are planned, that failed, that diverged ...
    if len(states):
        numbers = ", ".join(f"{number:,} {state}" for state, number in states.items())
        return f"no run is done: {numbers}. scalectl status --runs says why."
    return f"no run is done. {_source(points)}"


def in_order(runs: pd.DataFrame, metric: str, x: str) -> pd.DataFrame:
    """The runs by the column `x`, then error, then id; where `x` differs by rounding alone, by error."""
    return runs.iloc[_order(runs, metric, x)].reset_index(drop=True)


def _order(runs: pd.DataFrame, metric: str, x: str) -> NDArray[np.int64]:
    """The places of the runs in that order."""
    spent, error = runs[x].to_numpy(float), runs[metric].to_numpy(float)
    by_x = np.lexsort((_ranks(runs["run"], spent, error), error, spent))
    return by_x[np.lexsort((error[by_x], _firsts(spent[by_x], _ONE)))]  # which keeps the order of equal ones


def _ranks(ids: "pd.Series[str]", spent: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.int64]:
    """The place of each id among those of all runs that are as good at the same compute as another; 0 of the rest."""
    order, ranks, tied = np.lexsort((error, spent)), np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
    same = (np.diff(spent[order]) == 0) & (np.diff(error[order]) == 0)
    tied[order[1:][same]] = tied[order[:-1][same]] = True
    if tied.any():
        ranks[tied] = np.unique(ids[tied].to_numpy(object), return_inverse=True)[1]
    return ranks


def _firsts(values: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """The least of the values that each is one with: from the first of them on, those up to a factor above it."""
    firsts, place = np.unique(values, return_inverse=True)
    first = -np.inf
    for number, value in enumerate(firsts.tolist()):
        if value > factor * first:
            first = value
        firsts[number] = first
    return np.asarray(firsts[place])


def repeats(usable: pd.DataFrame, x: str) -> NDArray[np.int64]:
    """A number for each run [N], the same where model, data size and length are."""
    return _alike(usable, ("model", "data_size"), x)


def trunks(runs: pd.DataFrame) -> NDArray[np.int64]:
    """A number for each run [N], the same where they branched off one trunk and so share its noise.

    Of a table that doesn't say which columns the runs of a trunk share, and of imported runs, each is alone.
    """
    alone = np.arange(len(runs))
    if not runs.attrs.get("columns"):
        return alone
    settings = [name for name in of_trunk(runs) if name in runs]
    settings = [name for name in settings if differs(runs[name])] or settings[:1]
    groups = runs.groupby(settings, dropna=False, sort=False, observed=True).ngroup().to_numpy()
    if "origin" in runs:
        groups = np.where(runs["origin"].isna(), groups, groups.max() + 1 + alone)
    return np.asarray(groups)


def cells(usable: pd.DataFrame, x: str) -> NDArray[np.int64]:
    """A number for each run [N], the same for runs that differ in their seed alone."""
    settings = dict.fromkeys([*of_trunk(usable), "cooldown", "batch_size"])
    return _alike(usable, [name for name in settings if name not in _SEED], x)


def model_sizes(runs: pd.DataFrame) -> "pd.Series[float]":
    """The size of each run in parameters: of models of one shape that differ in their head that of the smallest.

    Those that differ by more, as mixtures of experts do, are sizes of their own.
    """
    shape, sizes = runs.reindex(columns=_SHAPE), runs["params"].to_numpy(float, copy=True)
    if not shape.isna().all(axis=None):
        blocks = pd.to_numeric(shape["depth"], errors="coerce")  # of others it may be any text
        for rows in shape.assign(depth=blocks.where(blocks >= 1)).groupby(_SHAPE).indices.values():
            sizes[rows] = _firsts(sizes[rows], 1 + _HEAD / blocks.iloc[rows[0]])
    return pd.Series(sizes, runs.index)


def of_settings(runs: pd.DataFrame, row: pd.Series, names: Iterable[str]) -> "pd.Series[bool]":
    """Whether each run has these settings of another one: the same values, and none where it has none."""
    alike = pd.Series(data=True, index=runs.index)
    for name in names:
        if pd.isna(row[name]):
            alike &= runs[name].isna()
        else:
            alike &= (runs[name] == row[name]).fillna(value=False)
    return alike


def line_of(runs: pd.DataFrame, row: pd.Series) -> pd.DataFrame:
    """The runs that differ from another one, which is one of them, in their length and seed alone."""
    settings = [name for name in dict.fromkeys(["model", *of_trunk(runs)]) if name in runs and name not in _SEED]
    return runs[of_settings(runs, row, [name for name in settings if differs(runs[name])])]


def differs(column: "pd.Series[Any]") -> bool:
    """Whether a column has more than one value, of which a missing one is one."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "bi":  # which has none that is missing
        return bool((column.to_numpy() != column.to_numpy()[:1]).any())
    return column.nunique(dropna=False) > 1


def _alike(runs: pd.DataFrame, settings: Iterable[str], x: str) -> NDArray[np.int64]:
    """A number for each run [N], the same where settings and length are: steps, images seen and FLOPs, as far as they
    are known, and the column `x` without FLOPs, or the time without all of them.
    """
    known = [name for name in dict.fromkeys([*settings, *_LENGTH]) if name in runs]
    keys = [runs[name] for name in known]
    unsaid = runs.reindex(columns=_LENGTH).isna()
    keys.append(runs[x].where(unsaid["flops"]))
    keys += [runs[name].where(unsaid.all(axis=1)) for name in _TIME if name in runs]
    keys = [key for key in keys if differs(key)] or keys[:1]
    return runs.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()


def is_best(error_BN: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a row, sorted by compute, falls below all that came before."""
    before_BN = np.minimum.accumulate(error_BN, axis=1)[:, :-1]
    return error_BN < np.concatenate([np.full((len(error_BN), 1), np.inf), before_BN], axis=1)


def known_column(x: str) -> None:
    """Raise Refused for a column that no law is over."""
    if str(x) not in AXES:
        raise Refused(f"unknown compute {x!r}: give one of {', '.join(AXES)}.")


def _know(points: pd.DataFrame, metric: str, x: str) -> None:
    known_column(x)
    known = metrics(points)
    if str(metric) not in known:
        wanted = str(metric)
        near, note = difflib.get_close_matches(wanted, known, n=1), ""
        if "acc" in wanted.rpartition("/")[2] and (errors := [name for name in known if name.endswith("error")]):
            near, note = difflib.get_close_matches(wanted, errors, n=1, cutoff=0), " It is 1 - accuracy."
        guess = f" did you mean {near[0]!r}?{note}" if near else ""
        raise Refused(f"unknown metric {metric!r}:{guess} The store has {', '.join(known) or 'no metric yet'}.")


def _source(points: pd.DataFrame) -> str:
    if "origin" in points and len(points) and points["origin"].notna().all():
        return "Imported runs have what their file tells, and cells may be empty."
    return "A launch measures what `evals` asks for, at the end of each run."


def _check(runs: pd.DataFrame, metric: str, x: str) -> None:
    """Raise Refused for the first run whose numbers can't be those of an error at some compute."""
    if runs["run"].duplicated().any():
        twice = runs["run"][runs["run"].duplicated()].iloc[0]
        raise Refused(f"run {twice} is in the table twice: keep one row a run.")
    error, spent = runs[metric].to_numpy(float), runs[x].to_numpy(float)
    bad = ~(np.isfinite(error) & (error >= 0) & np.isfinite(spent) & (spent > 0))
    if bad.any():
        row = runs[bad].iloc[0]
        values = f"{metric} = {row[metric]:g} at {x} = {row[x]:g}"
        raise Refused(
            f"run {row['run']} has {values}: errors are finite and at least 0, compute is above 0. Exclude it."
        )
