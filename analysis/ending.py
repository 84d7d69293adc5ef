"""Where a run that is not done will end: its training loss, and a metric that is measured at the end of runs.

The loss is extrapolated along the learning rate that the run will have. How much a falling learning rate lowers it,
finished runs of the study show. The metric is that of shorter runs with the same settings, continued; or else what
finished runs with such a loss have.

Letters of shapes: N readings, S steps ahead, R effects of the learning rate, K runs.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from scalectl.analysis import annealing
from scalectl.analysis.bootstrap import LEVEL
from scalectl.analysis.checks import Refused
from scalectl.analysis.curve import measured, rises
from scalectl.analysis.documents import known
from scalectl.analysis.extrapolation import along, annealed, effects, extrapolate
from scalectl.analysis.gaussian_process import Floats, Forecast
from scalectl.analysis.notebook import Report
from scalectl.analysis.runs import of_settings
from scalectl.analysis.store import metrics, of_trunk
from scalectl.analysis.values import interval, value

LOSS = "loss"
_READINGS = 4  # fewer tell nothing of an end
_SHORTER = 3  # runs with the same settings, from which on their ends are continued
_LIKE = 5  # finished runs from which on their losses tell their metric
_WATCHED = 4  # finished runs whose cooldowns are looked at
_APART = 0.3  # standard deviation of the logarithm of the effect, from run to run
_LAST = 0.02  # share of the steps over which the last losses are averaged


@dataclass(frozen=True)
class End:
    """A quantity at the end of a run with its 90 % interval, and what it rests on."""

    metric: str
    estimate: float
    low: float
    high: float
    basis: str


@dataclass(frozen=True, repr=False)
class Ending(Report):
    """What a run that is at `step` of its `steps` will end with; `refused` has why a metric is missing."""

    run: str
    name: str
    step: int
    steps: int
    ends: tuple[End, ...]
    refused: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """It as a JSON object."""
        document: dict[str, Any] = known({**asdict(self), "level": LEVEL})
        return document

    def __str__(self) -> str:
        lines = [f"{self.name} · trained to step {self.step:,} of {self.steps:,}"]
        for end in self.ends:
            name = end.metric
            if name == LOSS:
                name = "training loss of a batch"
            ends = interval(end.metric, end.low, end.high)
            lines.append("")
            lines.append(
                f"  {name} at the end: {value(end.metric, end.estimate)} ({ends}, {100 * LEVEL:.0f} % interval)"
            )
            lines.append(f"    from {end.basis}")
        lines += [f"\n  {metric} at the end: refused: {why}" for metric, why in self.refused.items()]
        return "\n".join(lines)


@dataclass(frozen=True)
class RatesAhead:
    """The learning rates of a run at some steps after its last reading, the last of them that of its end [S]."""

    step: Floats
    rate: Floats


def readings_by_run(curves: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The readings of the training loss that are above 0, by run and step; `curves` is the view of a store."""
    usable = (curves["loss"] > 0) & curves["learning_rate"].notna() & (curves["step"] > 0)
    readings = curves[usable].drop_duplicates(["run", "step"]).sort_values("step", ignore_index=True)
    return {str(run): group for run, group in readings.groupby("run", observed=True)}


def last_step(row: pd.Series, readings: Mapping[str, pd.DataFrame]) -> int:
    """The step of the last reading of a run.

    Raises Refused for a run that is done or has diverged, and for one with too few readings.
    """
    if row["state"] in ("done", "diverged"):
        raise Refused(f"{row['name']} is {row['state']}: there is nothing to predict.")
    number = len(readings.get(row["run"], ()))
    if not number:
        raise Refused(f"{row['name']} can't be predicted yet: neither it nor its trunk has been trained.")
    if number < _READINGS:
        raise Refused(f"{row['name']} can't be predicted yet: {number} readings of its loss, {_READINGS} are needed.")
    return int(readings[row["run"]]["step"].iloc[-1])


def ending(
    points: pd.DataFrame, readings: Mapping[str, pd.DataFrame], run: str, rates: RatesAhead, metric: str = LOSS
) -> Ending:
    """Where a run of the table `points` will end, given the readings of the loss of its runs.

    Raises what `last_step` raises, and Refused for a loss that rises.
    """
    row = points[points["run"] == run].iloc[0]
    step = last_step(row, readings)
    done = points[(points["state"] == "done") & ~points["excluded"].astype(bool) & (points["run"] != run)]
    loss, end_of_loss = _loss(row, readings, done, rates)
    ends, refused = [end_of_loss], {}
    if metric != LOSS:
        try:
            ends.append(_metric(row, readings, done, loss, metric))
        except Refused as why:
            refused[metric] = str(why)
    return Ending(run, row["name"], step, int(row["steps"]), tuple(ends), refused)


def _loss(
    row: pd.Series, readings: Mapping[str, pd.DataFrame], done: pd.DataFrame, rates: RatesAhead
) -> tuple[Forecast, End]:
    """The logarithm of the loss of a batch at the end of a run, and the loss itself."""
    step_N, loss_N, rate_N = _columns(readings[row["run"]])
    if rises(measured(step_N, loss_N)[0].v):
        raise Refused(f"the training loss of {row['name']} rises; scalectl logs {row['run']} shows it.")
    basis = f"{len(step_N):,} readings of its loss"
    schedule = annealing.schedule(step_N, rates.step, np.concatenate([rate_N, rates.rate])).at_end()
    if schedule.varies:
        prior_R, runs = _prior(row, readings, done)
        forecast, freedom = annealed(schedule, loss_N, prior_R)
        basis += f" and its learning rate, {_effect(runs)}"
    else:
        forecast, freedom = along(step_N, loss_N, rates.step[-1:])
    return forecast, _end(LOSS, forecast, freedom, basis)


def _effect(runs: int) -> str:
    """What the effect of the learning rate rests on."""
    if not runs:
        return "whose effect no finished run shows yet"
    if runs == 1:
        return "whose effect is that in a finished run"
    return f"whose effect is that in {runs} finished runs"


def _prior(row: pd.Series, readings: Mapping[str, pd.DataFrame], done: pd.DataFrame) -> tuple[Floats, int]:
    """The logarithm of the prior of the learning rate's effect, and the number of finished runs that it comes from.

    They are those most like the run. Each is an example: how far they lie apart is added to how well each is known.
    """
    distance = (done["model"] != row["model"]).astype(float) + np.abs(np.log(done["steps"] / row["steps"]))
    weights: list[Floats] = []
    for run in done.loc[distance.sort_values(kind="stable").index, "run"]:
        if len(readings.get(run, ())) < _READINGS or len(weights) == _WATCHED:
            continue
        step_N, loss_N, rate_N = _columns(readings[run])
        schedule = annealing.schedule(step_N, np.empty(0), rate_N)
        if schedule.down.any():
            weights.append(effects(schedule, loss_N, annealing.PRIOR))
    if not weights:
        return annealing.PRIOR, 0
    log_R, weight_KR = np.log(annealing.EFFECTS), np.array(weights)
    mean_K = weight_KR @ log_R
    variance = (weight_KR @ log_R**2 - mean_K**2).mean() + mean_K.var() + _APART**2
    return -((log_R - mean_K.mean()) ** 2) / (2 * variance), len(weights)


def _columns(readings: pd.DataFrame) -> Floats:
    """Step, loss and learning rate of each reading [3, N]."""
    return readings[["step", "loss", "learning_rate"]].to_numpy(float).T


def _metric(
    row: pd.Series, readings: Mapping[str, pd.DataFrame], done: pd.DataFrame, loss: Forecast, metric: str
) -> End:
    """A metric at the end of a run: that of shorter runs continued, or that of finished runs with such a loss."""
    if metric not in metrics(done):
        raise Refused(f"unknown metric {metric!r}: the store has {', '.join(metrics(done)) or 'none yet'}.")
    runs = done[done[metric] > 0]
    settings = [name for name in of_trunk(runs) if name in runs]  # with its seed: of one trunk
    shorter = runs[of_settings(runs, row, settings) & (runs["steps"] < row["steps"])]
    log_metric = np.log(shorter[metric].to_numpy(float)[shorter["steps"].argsort()])
    if len(shorter) >= _SHORTER and not rises(log_metric):
        y, low, high = extrapolate(shorter["steps"], shorter[metric], [float(row["steps"])])
        steps = ", ".join(f"{step:,}" for step in sorted(shorter["steps"]))
        basis = f"the ends of {len(shorter)} shorter runs with its settings, of {steps} steps"
        return End(metric, float(y[0]), float(low[0]), float(high[0]), basis)
    runs = runs[(runs["data_size"] == row["data_size"]) & runs["run"].isin(list(readings))]
    if len(runs) < _LIKE:
        needed = f"{_SHORTER} shorter runs with its settings, or of {_LIKE} runs with as many training images"
        raise Refused(f"it needs {metric} of {needed}; done are {len(shorter)} and {len(runs)}.")
    last_K = np.array([_last_loss(readings[run]) for run in runs["run"]])
    basis = f"the loss above, and what {len(runs)} finished runs have at theirs"
    return _through(last_K, np.log(runs[metric].to_numpy(float)), loss, metric, basis)


def _last_loss(readings: pd.DataFrame) -> float:
    """The logarithm of the loss at the end of a run, the mean of its last readings."""
    last = readings["loss"][readings["step"] >= (1 - _LAST) * readings["step"].max()]
    return float(np.log(last).mean())


def _through(last_K: Floats, log_K: Floats, loss: Forecast, metric: str, basis: str) -> End:
    """A metric that goes with a forecast loss, by a line through the logarithms of finished runs."""
    off_K = last_K - last_K.mean()
    squares = float(off_K @ off_K) or np.inf  # all losses alike: no slope
    slope, freedom = float(off_K @ log_K) / squares, len(last_K) - 2
    noise = float(np.sum((log_K - log_K.mean() - slope * off_K) ** 2)) / freedom
    away = loss.mean - last_K.mean()
    variance = noise * (1 + 1 / len(last_K) + away**2 / squares) + slope**2 * loss.variance
    return _end(metric, Forecast(log_K.mean() + slope * away, variance), freedom, basis)


def _end(metric: str, forecast: Forecast, freedom: int, basis: str) -> End:
    middle, reach = forecast.mean[0], stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(forecast.variance[0])
    estimate, low, high = (float(np.exp(log)) for log in (middle, middle - reach, middle + reach))
    return End(metric, estimate, low, high, basis)
