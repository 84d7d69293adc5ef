"""Laws over all runs and over other columns than compute, runs that share noise, and how the command says all of it."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from invoking import command
from runs import METRIC, doubly, laptop, table

import scalectl as package
from scalectl.analysis import fit_surface
from scalectl.analysis.bootstrap import Drawn
from scalectl.analysis.checks import Refused
from scalectl.analysis.fitting import fit
from scalectl.analysis.law import Law, family
from scalectl.orchestrator.cli.main import scalectl

BY_SIZE = family("saturating").law("parameters", scale=12.0, exponent=0.27, floor=0.08)


def trained_alike(sizes: int = 8, noise: float = 0.02, seed: int = 3) -> pd.DataFrame:
    """Three lengths of each size; the longest lie on a law of size, the others above it, however dear they are."""
    random, params = np.random.default_rng(seed), np.repeat(np.geomspace(3e5, 3e8, sizes), 3)
    steps = np.tile([100, 300, 900], sizes)
    error = BY_SIZE(params) * np.exp(noise * random.normal(size=len(params)))
    models = [f"m{size:.3g}" for size in params]
    columns = {"params": params, "steps": steps, "model": models, "images_seen": 64 * steps}
    return table(6 * params * 64 * steps, error).assign(**columns)


def test_a_law_over_all_runs_is_that_of_the_middle_of_them_and_not_of_the_lowest():
    points = trained_alike(noise=0.1)
    every = fit(points, METRIC, "params", runs="all", draws=200)
    lowest = fit(points, METRIC, "params", law="saturating", draws=0)
    at = np.geomspace(1e6, 1e8, 5)
    assert every(at) == pytest.approx(BY_SIZE(at), rel=0.06) and np.mean(lowest(at) / BY_SIZE(at)) < 0.93
    low, high = every.band(np.array([1e6, 1e8, 1e10]))
    assert (low < BY_SIZE([1e6, 1e8, 1e10])).all() and (BY_SIZE([1e6, 1e8, 1e10]) < high).all()
    assert len(every.frontier) == every.counts.used == 24 and every.law.unit == "parameters"
    assert every.to_json()["fitted_to"] == "all" and "all of 24 runs" in str(every)
    assert "x the largest model size" in str(every) and "by luck" not in str(every)


def test_intervals_over_all_runs_hold_the_planted_law_nine_times_in_ten():
    inside = []
    for seed in range(10):
        found = fit(trained_alike(noise=0.05, seed=seed), METRIC, "params", runs="all", draws=60)
        at = np.geomspace(3e5, 3e9, 6)
        low, high = found.band(at)
        inside.append((low <= BY_SIZE(at)) & (BY_SIZE(at) <= high))
    assert 0.83 <= np.mean(inside) <= 1


def test_repeats_that_no_draw_can_have_on_its_frontier_are_left_out_and_others_count_as_before():
    random = np.random.default_rng(2)
    measured, repeats, trunks = random.normal(size=60), np.repeat(np.arange(12), 5), random.integers(0, 40, 60)
    drawn = Drawn(measured, repeats, trunks, frontier=True)
    times = np.random.default_rng(3).multinomial(12, np.full(12, 1 / 12), size=200)[:, repeats]
    least = np.where(times > 0, measured, np.inf)
    on = np.array([[cost < min([np.inf, *row[:n]]) for n, cost in enumerate(row)] for row in least])
    counted, rows = drawn.weights(200, seed=3), drawn.rows
    assert len(rows) < 40 and not np.delete(on, rows, axis=1).any()
    assert ((counted > 0) == on[:, rows]).all()
    alone = np.bincount(trunks)[trunks[rows]] == 1  # whose trunk weighs 1
    assert (counted[:, alone] == (times * on)[:, rows][:, alone]).all()


def test_too_few_values_are_refused_with_the_laws_that_they_carry_however_many_runs_there_are():
    few = trained_alike(sizes=5)
    said = r"5 different values of params among 15 runs, and a law with 4 parameters needs 6\. Add runs with other"
    with pytest.raises(Refused, match=said + r" model sizes\. With fewer: --law saturating needs 5 and --law power"):
        fit(few, METRIC, "params", runs="all")
    assert fit(few, METRIC, "params", runs="all", law="saturating", draws=0).law.params()["exponent"] > 0
    with pytest.raises(Refused, match=r"runs over 0\.[0-9]+ decades of model size"):
        fit(few.assign(params=np.linspace(1e6, 2e6, 15)), METRIC, "params", runs="all")
    with pytest.raises(Refused, match="has no column params"):
        fit(few.drop(columns="params"), METRIC, "params", runs="all")
    with pytest.raises(Refused, match="unknown compute 'parms': give one of flops"):
        fit(few, METRIC, "parms", runs="all")
    for word, options in {"runs = 'most'": {"runs": "most"}, "correlation = 2": {"correlation": 2}}.items():
        with pytest.raises(Refused, match=word):
            fit(few, METRIC, **options)


def test_held_out_runs_of_a_law_over_all_runs_are_predicted_one_by_one():
    points = trained_alike()
    held = list(points["run"][points["params"] == points["params"].max()])
    found = fit(points, METRIC, "params", runs="all", hold_out=held, draws=100)
    assert {run.run for run in found.held_out} == {*held} and found.counts.held_out == 3
    assert all(run.low < run.got < run.high for run in found.held_out)


LAWS = [(0.4, 3.0, 0.35, 0.03), (0.4, 0.0, 0.3, 0.05), (0.5, 0.0, 0.2, 0.0), (0.9, 5.0, 0.3, 0.0)]


def of_trunks(seed: int, shared: float = 0.02, own: float = 0.002) -> tuple[pd.DataFrame, Law]:
    """Eight models with a trunk each, best at a compute of their own, whose runs share 2 % of noise; and their law."""
    law, random = doubly(*LAWS[seed % 4], "FLOPs"), np.random.default_rng(seed)
    middle = np.repeat(10 ** (np.arange(8) / 2 + 0.25), 12)
    compute = middle * np.tile(np.logspace(-1, 1, 12), 8)
    trunk = np.repeat(random.normal(size=8), 12)
    worse = 1 + 0.04 * np.log(compute / middle) ** 2
    error = law(compute) * worse * np.exp(shared * trunk + own * random.normal(size=96))
    models = [f"m{size:.3g}" for size in middle]
    points = table(compute, error).assign(model=models, params=middle, steps=(100 * compute / middle).astype(int))
    points = points[compute <= middle.max()].reset_index(drop=True)
    points.attrs["columns"] = {"model": "trunk", "params": "trunk", "seed": "trunk", METRIC: "metric"}
    return points, law


@pytest.mark.slow
def test_intervals_of_runs_that_share_the_noise_of_a_trunk_hold_the_law_ten_times_beyond():
    """Drawn one by one, runs held it in 66 % of such studies."""
    inside = []
    for seed in range(16):
        points, law = of_trunks(seed)
        low, high = fit(points, METRIC, draws=60).band([1e5])
        inside.append(float(low[0]) <= float(law(1e5)) <= float(high[0]))
    assert np.mean(inside) >= 0.85


def test_that_runs_share_a_trunk_widens_intervals():
    points, _ = of_trunks(1)
    alone = points.copy()
    alone.attrs = {}
    wide, narrow = (float(np.log(np.divide(*fit(runs, METRIC, draws=100).band([1e5])))[0]) for runs in (points, alone))
    assert abs(wide) > 1.1 * abs(narrow)


def test_a_surface_draws_whole_trunks():
    random, trunk = np.random.default_rng(0), np.repeat(np.arange(7), 6)
    N, D = np.repeat(np.geomspace(1e6, 3e8, 7), 6), np.tile(np.geomspace(1e7, 1e9, 6), 7)
    L = (1.7 + 400 * N**-0.34 + 400 * D**-0.28) * np.exp(0.02 * random.normal(size=7)[trunk])
    alone, together = fit_surface(N, D, L), fit_surface(N, D, L, trunks=[f"t{number}" for number in trunk])
    assert alone.alpha == together.alpha
    (low, high), (least, most) = (surface.bootstrap(100)["alpha"] for surface in (alone, together))
    assert most - least > 1.2 * (high - low)
    with pytest.raises(Refused, match="trunks must be a list as long as N"):
        fit_surface(N, D, L, trunks=trunk[1:])


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("over")
    trained_alike().rename(columns={METRIC: "error"})[["model", "params", "images_seen", "flops", "error"]].to_csv(
        folder / "family.csv", index=False
    )
    result = CliRunner().invoke(scalectl, ["import", f"{folder}/family.csv", "--store", f"{folder}/family.db"])
    assert result.exit_code == 0
    return folder / "family.db"


def test_the_command_line_a_notebook_and_the_figure_have_the_same_law(imported, tmp_path):
    words = ("--store", imported, "--metric", "error", "--over", "params", "--runs", "all")
    document = json.loads(command("fit", *words, "-o", "json").stdout)
    opened = package.open(imported).fit("error", over="params", runs="all")
    assert document == json.loads(json.dumps(opened.to_json())) and document["compute"] == "params"
    drawn = command("plot", "frontier", *words, "-o", tmp_path / "law.png")
    assert drawn.return_value == 0 and "--x params --runs all" in drawn.stdout
    beside = json.loads((tmp_path / "law.json").read_text())
    assert beside["fit"]["params"] == document["params"] and beside["unit"] == "parameters"
    predicted = json.loads(command("predict", *words, "--compute", "1e9", "-o", "json").stdout)
    assert predicted["estimate"] == pytest.approx(float(opened(1e9))) and predicted["allocation"] is None
    figure = package.open(imported).plot("frontier", "error", over="params", runs="all")
    assert figure.axes[0].get_xlabel() == "Model size (parameters)"
    assert "all of 24 runs" in figure.axes[0].get_title(loc="left")


def test_compute_is_the_usual_column_and_seeds_and_correlation_can_be_said_wherever_laws_are(imported, tmp_path):
    words = ("--store", imported, "--metric", "error", "--over", "compute", "--seeds", "each")
    assert json.loads(command("fit", *words, "-o", "json").stdout)["compute"] == "flops"
    for verb in (("fit",), ("predict", "--compute", "1e12"), ("plot", "frontier", "-o", tmp_path / "f.png")):
        assert command(*verb, *words, "--correlation", "0.2").return_value == 0
        assert "is not in the range 0<=x<=1" in str(command(*verb, *words, "--correlation", "2").exception)


def test_the_correlation_that_is_said_reaches_the_law():
    points = laptop().assign(test_images=360)
    narrow, wide = (fit(points, correlation=share, draws=50).band([1e13]) for share in (0.0, 1.0))
    assert np.log(wide[1] / wide[0]) > np.log(narrow[1] / narrow[0])


def rising() -> pd.DataFrame:
    """An accuracy of eight sizes and four lengths."""
    N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e6, 1e9, 8), np.geomspace(1e8, 1e10, 4)))
    return table(6 * N * D, 0.95 - 3.0 * N**-0.2 - 10.0 * D**-0.3).assign(params=N, images_seen=D)


def test_what_rises_with_compute_is_refused_by_whatever_is_asked():
    points = rising()
    for ask in (
        lambda: fit(points, METRIC, "params", runs="all"),
        lambda: package.predict(points, METRIC, params=1e8, data=1e9),
        lambda: package.isoflop(points, METRIC),
        lambda: package.predict(points, METRIC, compute=1e20),
        lambda: package.suggest(points, points, 1e20, METRIC),
    ):
        with pytest.raises(Refused, match=r"rises with (compute|model size)"):
            ask()


def test_runs_that_are_all_alike_have_no_law():
    points = rising().assign(**{METRIC: 0.3})
    with pytest.raises(Refused, match=r"all runs have upstream/error = 0\.3: nothing of it depends on model size"):
        fit(points, METRIC, "params", runs="all", law="power")
    with pytest.raises(Refused, match="1 frontier point"):
        fit(points.assign(**{METRIC: 0.0}), METRIC)  # a warning is an error here
