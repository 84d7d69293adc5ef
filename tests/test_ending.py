"""Where a run under way will end: planted trunks with their cooldowns, and the command on a store under way."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from runs import METRIC
from told import planning, told

from scalectl.analysis.checks import Refused
from scalectl.analysis.ending import Ending, RatesAhead, ending, readings_by_run
from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Exit, Refusal

BUDGETS = (250, 500, 1000, 2000)
STEP = np.arange(1.0, BUDGETS[-1] + 1)


def rates(steps: int) -> np.ndarray:
    """The rates of a run: warmup, nothing, and a cooldown over its last fifth."""
    step = STEP[:steps]
    return 1e-3 * np.minimum(step / 37, 1) * np.minimum(1, (steps + 1 - step) / (0.2 * steps))


def losses(steps: int, seed: int, effect: float = 0.15, exponent: float = 0.4) -> np.ndarray:
    """Losses that fall with the sum of the rates, and as the rate comes down; 2 % noise."""
    rate = rates(steps)
    fallen = 1 - rate / np.maximum.accumulate(rate)
    noise = np.random.default_rng(seed).normal(0, 0.02, steps)
    return (3 * np.cumsum(1e3 * rate + 3) ** -exponent + 0.2) * np.exp(noise - effect * fallen)


def error(steps: int, seed: int = 0) -> float:
    """The error at the end of a run."""
    return float(losses(steps, seed)[-20:].mean() ** 0.7 / 3)


def runs_and_curves(done: Sequence[int], under_way: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A study whose runs of `done` steps are done, and whose longest one has been trained for `under_way` steps."""
    rows, curves = [], []
    for steps in (*done, BUDGETS[-1]):
        state, last, value = "done", steps, error(steps)
        if steps == BUDGETS[-1]:
            state, last, value = "running", under_way, np.nan
        rows.append({"run": f"r{steps}", "name": f"femto-{steps}", "state": state, "excluded": False, "steps": steps})
        rows[-1] |= {"model": "femto", "data_size": 350, "seed": 0, METRIC: value}
        curve = {"run": f"r{steps}", "step": STEP[:last], "loss": losses(steps, seed + steps)[:last]}
        curves.append(pd.DataFrame(curve | {"learning_rate": rates(steps)[:last]}))
    return pd.DataFrame(rows), pd.concat(curves, ignore_index=True)


def predicted_end(done: Sequence[int], under_way: int, seed: int = 0) -> Ending:
    points, curves = runs_and_curves(done, under_way, seed)
    longest = BUDGETS[-1]
    ahead = RatesAhead(STEP[under_way:], rates(longest)[under_way:])
    return ending(points, readings_by_run(curves), f"r{longest}", ahead, METRIC)


TRUTH = float(losses(BUDGETS[-1], 0)[-20:].mean())


@pytest.mark.parametrize("under_way", [800, 1600, 1800])
def test_the_end_of_a_run_lies_inside(under_way):
    predicted = predicted_end(BUDGETS[:3], under_way)
    loss, metric = predicted.ends
    assert loss.low < TRUTH < loss.high and abs(np.log(loss.estimate / TRUTH)) < 0.06
    assert metric.low < error(BUDGETS[-1]) < metric.high
    assert (predicted.step, predicted.steps) == (under_way, BUDGETS[-1])
    assert f"{under_way:,} readings of its loss" in loss.basis and "that in 3 finished runs" in loss.basis
    assert "3 shorter runs with its settings, of 250, 500, 1,000 steps" in metric.basis


def test_imported_runs_with_labels_are_no_runs_of_its_settings():
    """Labels are settings of imported runs, and missing of others."""
    points, curves = runs_and_curves([250, 500, 1000], 600)
    words = points.assign(phase=np.nan, final=pd.array([None] * len(points), "boolean"))
    others = words.assign(run=[f"o{n}" for n in range(len(words))], phase="hot", final=True, **{METRIC: 0.9})
    both = pd.concat([words, others.assign(state="done")], ignore_index=True)
    both = both.assign(final=both["final"].astype("boolean"))
    ahead = RatesAhead(STEP[600:], rates(BUDGETS[-1])[600:])
    told = ending(both, readings_by_run(curves), f"r{BUDGETS[-1]}", ahead, METRIC)
    assert told.ends[1] == predicted_end([250, 500, 1000], 600).ends[1]


def test_finished_cooldowns_tell_how_far_the_next_one_falls():
    blind, informed = (predicted_end(done, 1600).ends[0] for done in ((), BUDGETS[:3]))
    assert "no finished run shows yet" in blind.basis and blind.low < TRUTH < blind.high
    assert informed.high / informed.low < 0.8 * blind.high / blind.low
    assert "in a finished run" in predicted_end(BUDGETS[:1], 1600).ends[0].basis


def test_a_metric_without_shorter_runs_is_that_of_runs_with_such_a_loss():
    points, curves = runs_and_curves(BUDGETS[:3], 1600)
    twins = [(points.assign(run=points["run"] + "x", model="pico"), curves.assign(run=curves["run"] + "x"))]
    points = pd.concat([points.assign(model=["a", "b", "c", "d"]), twins[0][0].iloc[:3]], ignore_index=True)
    curves = pd.concat([curves, twins[0][1]], ignore_index=True)
    ahead = RatesAhead(STEP[1600:], rates(2000)[1600:])
    metric = ending(points, readings_by_run(curves), "r2000", ahead, METRIC).ends[1]
    assert "what 6 finished runs have at theirs" in metric.basis and metric.low < error(2000) < metric.high


def test_what_a_metric_needs_is_said():
    predicted = predicted_end(BUDGETS[:2], 800)
    assert len(predicted.ends) == 1
    needed = "3 shorter runs with its settings, or of 5 runs with as many training images; done are 2 and 2"
    assert needed in predicted.refused[METRIC] and needed in str(predicted)


def test_what_has_no_end_to_predict_is_refused():
    points, curves = runs_and_curves(BUDGETS[:3], 800)
    readings, ahead = readings_by_run(curves), RatesAhead(STEP[800:], rates(2000)[800:])
    with pytest.raises(Refused, match="femto-500 is done"):
        ending(points, readings, "r500", ahead)
    with pytest.raises(Refused, match="neither it nor its trunk has been trained"):
        ending(points, {}, "r2000", ahead)
    with pytest.raises(Refused, match="2 readings of its loss, 4 are needed"):
        ending(points, {"r2000": readings["r2000"][:2]}, "r2000", ahead)
    rising = readings["r2000"].assign(loss=1 - 0.5 / STEP[:800])
    with pytest.raises(Refused, match="the training loss of femto-2000 rises"):
        ending(points, {"r2000": rising}, "r2000", ahead)


def test_the_command_predicts_a_run_whose_trunk_is_under_way(study):
    records, plan = planning(study, steps="[20, 40]", sizes="[60, 120]")
    trunk = next(job for job in plan.jobs if job.job.run is None and job.job.trunk.data.size == 60)
    records.write(records.start(trunk, "here"), told(trunk)[:-3])  # its end is not told yet
    records.close()
    trained, untrained = (next(run.name for run in plan.runs if run.spec.trunk.data.size == size) for size in (60, 120))
    store = ["--store", str(study.store)]

    def command(*arguments: str):
        return CliRunner().invoke(scalectl, ["predict", *store, *arguments])

    answer = command("--run", trained, "-o", "json")
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    assert document["name"] == trained and 0 < document["step"] < document["steps"]
    (loss,) = document["ends"]
    assert loss["metric"] == "loss" and loss["low"] < loss["estimate"] < loss["high"]
    assert "readings of its loss and its learning rate" in loss["basis"]
    for words, code, reason in (
        ((untrained,), Exit.REFUSED, "neither it nor its trunk has been trained"),
        (("nobody",), Exit.NOT_FOUND, "no run 'nobody'"),
        ((trained, "--metric", "upstream/errr"), Exit.REFUSED, "unknown metric 'upstream/errr'"),
    ):
        refusal = command("--run", *words).exception
        assert isinstance(refusal, Refusal) and refusal.exit == code and reason in str(refusal)
    both = command("--run", trained, "--compute", "1e9")
    assert both.exit_code == Exit.INVALID and "--run goes with" in both.output
