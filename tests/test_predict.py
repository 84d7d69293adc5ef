"""Predictions from planted laws at awkward scales, from the closed form, and as a command."""

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from runs import METRIC, doubly, planted, table

from scalectl import analysis
from scalectl.analysis.allocation import Allocation
from scalectl.analysis.budgets import isoflop
from scalectl.analysis.checks import Refused
from scalectl.analysis.contradiction import contradiction
from scalectl.analysis.fitting import fit
from scalectl.analysis.sizes import SizeLaw
from scalectl.analysis.spread import spread
from scalectl.analysis.surrogate import Forecast
from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.experiment.rules import SETTINGS
from scalectl.orchestrator.report import fits

LAW = doubly(4.0e8, 37e16, 0.55, 0.02, "FLOPs")
POINTS = planted(LAW, 1e16, 1e20, 30, 20, 0.01, seed=7).assign(images_seen=1e6)
# L(N, D) with the best size in closed form: arXiv 2203.15556, equation 4
E, A, B, ALPHA, BETA = 1.69, 406.4, 410.7, 0.34, 0.28


def sizes(noise: float = 0.0, seed: int = 3) -> pd.DataFrame:
    """Eight sizes at nine budgets of 6 N D, each a factor of 1.5 from the next, around the best one."""
    rows = [(N, C / 6 / N) for C in np.geomspace(1e18, 1e21, 9) for N in best(C)[0] * 1.5 ** np.arange(-3.5, 4)]
    N, D = np.array(rows).T
    loss = (E + A * N**-ALPHA + B * D**-BETA) * np.exp(noise * np.random.default_rng(seed).normal(size=len(N)))
    return table(6 * N * D, loss).assign(params=N, images_seen=D, batch_size=512, model=[f"{n:.3g}" for n in N])


def best(C: float) -> tuple[float, float]:
    lean = (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA))
    return lean * (C / 6) ** (BETA / (ALPHA + BETA)), (C / 6) ** (ALPHA / (ALPHA + BETA)) / lean


def test_an_error_and_a_compute_are_those_of_the_planted_law_within_the_interval():
    found = analysis.predict(POINTS, compute=1e21)
    assert found.low < float(LAW(1e21)) < found.high
    back = analysis.predict(POINTS, error=found.estimate)
    assert back.estimate == pytest.approx(1e21, rel=1e-6) and back.low < 1e21 < (back.high or np.inf)


def test_an_interval_beyond_all_numbers_is_infinite():
    """Far below the runs of the laptop study NumPy warned of an overflow, on the screen."""
    wide = replace(fit(POINTS, METRIC, draws=50).average, stretch=1e6)
    low, high = wide.around([1e12])
    assert low[0] == 0 and np.isinf(high[0])


def test_sizes_images_and_steps_are_said_as_the_plan_says_them():
    found = Allocation(361_000, 74_300, 2_640_000, 335_000, 5_230, "law of size and images seen", None, 0.0)
    assert str(found).startswith("361 k parameters (74.3 k to 2.64 M), 335 k images, 5.23 k steps (law of")
    assert ", 2.45e+22 images, 999 T steps (" in str(replace(found, images_seen=2.45e22, steps=9.99e14))


def test_the_interval_of_a_compute_is_the_band_read_across():
    error = 0.05
    found = analysis.predict(POINTS, error=error)
    low, high = fit(POINTS, METRIC).band([found.low, found.high])
    assert low[0] == pytest.approx(error, rel=1e-3) and high[1] == pytest.approx(error, rel=1e-3)


def test_the_least_compute_for_an_error_is_no_edge_of_where_it_was_looked_for():
    """Far below the data the lower edge fell to 0, and its crossing at 1e-12 of the least compute was told."""
    points = planted(doubly(4.0, 0.0, 0.1, 0.02, "FLOPs"), 1e16, 1e20, 14, 0, 0.01, seed=3)
    found = fit(points, METRIC)
    error = float(found(1e18))
    asked = analysis.predict(points, error=error)
    assert 1e15 < asked.low < asked.estimate < asked.high
    assert analysis.predict(points, error=float(found.band([1e16])[1][0])).low == 0.0  # it may be there from the start
    low, _ = found.band([1e4, 1e8, 1e12])
    assert (low >= found.band([found.frontier["flops"].iloc[0]])[0]).all()


def test_the_interval_of_a_compute_holds_its_estimate_without_noise_too():
    compute = np.geomspace(1e14, 1e18, 24)
    points = table(compute, 0.05 + 3e3 * (compute + 1e13) ** -0.3)
    for error in np.geomspace(0.06, 0.3, 12):
        found = analysis.predict(points, error=float(error), x="flops")
        assert found.low <= found.estimate <= found.high


@pytest.mark.parametrize("compute", [5e-324, 1e-300, 1e300, 1.7e308])
def test_the_ends_of_all_numbers_are_decades_outside_and_have_no_best_size(compute):
    found = analysis.predict(sizes(0.01), compute=compute)
    assert 250 < found.decades_outside < 350 and "decade outside the sizes" in found.allocation_refused
    with pytest.raises(Refused, match=r"that lies [0-9]+ decades outside the data"):
        analysis.predict(sizes(0.01), params=compute, data=compute)


def test_images_have_no_best_size_and_runs_that_are_not_done_no_part_in_it():
    assert analysis.predict(sizes(), x="images_seen", compute=1e10).allocation is None
    planned = sizes().iloc[[0]].assign(run="planned", state="planned", params=1e15, images_seen=1e15)
    one, other = (
        analysis.predict(points, compute=1e23).allocation
        for points in (sizes(), pd.concat([sizes(), planned], ignore_index=True))
    )
    assert one.decades_outside == other.decades_outside > 0


def test_what_lies_beyond_the_numbers_is_said_to():
    points = table(np.geomspace(1e12, 1e17, 12), 0.8 * np.geomspace(1e12, 1e17, 12) ** -0.02)
    with pytest.raises(Refused, match="beyond the largest number"):
        analysis.predict(points, error=1e-7, law="power")


@pytest.mark.parametrize(("compute", "decades"), [(1e18, 0), (1e21, 1), (1e13, 3)])
def test_how_far_outside_the_data_it_is(compute, decades):
    found = analysis.predict(POINTS, compute=compute)
    assert found.decades_outside == pytest.approx(decades, abs=0.2)
    assert any("outside" in warning for warning in found.warnings) == (found.decades_outside > 1)


def test_the_best_size_is_that_of_the_closed_form():
    found = analysis.predict(sizes(), compute=1e22).allocation
    N, D = best(1e22)
    assert (found.params, found.images_seen) == (pytest.approx(N, rel=0.1), pytest.approx(D, rel=0.1))
    assert found.steps == pytest.approx(found.images_seen / 512) and found.source == "IsoFLOP minima"


def test_without_minima_the_law_of_size_and_data_says_it():
    points = sizes()[::2]  # four sizes a budget
    found = analysis.predict(points, compute=1e22).allocation
    assert found.source == "law of size and images seen"
    assert found.params == pytest.approx(best(1e22)[0], rel=0.05)
    ahead = analysis.predict(points, compute=1e23).allocation
    beyond = [getattr(ahead, name) / points[name].max() for name in ("params", "images_seen")]
    assert ahead.decades_outside == pytest.approx(np.log10(max(beyond))) and max(beyond) > 1
    assert ahead.params_low < best(1e23)[0] < ahead.params_high
    far = analysis.predict(points, compute=1e26)
    assert far.allocation is None and "more than 1 decade outside the sizes of the runs" in str(far)


def test_the_best_size_has_the_error_that_a_question_about_that_size_gets():
    for points in (sizes(0.002), sizes(0.002)[::2]):
        found = analysis.predict(points, compute=1e22)
        size = found.allocation
        again = analysis.predict(points, params=size.params, data=size.images_seen)
        assert size.expected.estimate == pytest.approx(again.estimate, rel=1e-3)
        assert again.low < found.estimate < again.high
        assert not [warning for warning in found.warnings if "size" in warning]


def test_seeds_are_taken_as_the_law_takes_them():
    random = np.random.default_rng(11)
    points = pd.concat([POINTS.assign(seed=seed, run=POINTS["run"] + f"-{seed}") for seed in (0, 1)], ignore_index=True)
    points[METRIC] *= np.exp(0.05 * random.normal(size=len(points)))
    answers = {seeds: analysis.predict(points, compute=1e21, seeds=seeds).estimate for seeds in ("mean", "each")}
    assert answers["mean"] != answers["each"]
    assert answers == {seeds: float(fit(points, METRIC, seeds=seeds)(1e21)) for seeds in answers}


def test_a_frontier_and_sizes_that_exclude_each_other_are_told():
    points = sizes(0.002)[::2]
    lucky = points.assign(params=np.nan, run=[f"{run}-b" for run in points["run"]])
    lucky[METRIC] = 0.7 * lucky[METRIC]  # of runs that tell no size
    found = analysis.predict(pd.concat([points, lucky], ignore_index=True), compute=1e22)
    assert any("the law of size and images expects" in warning for warning in found.warnings)


def test_a_frontier_that_the_ends_of_a_grid_bend_is_told():
    """A dense grid of 12 sizes and lengths: its dearest runs are far from the best size of their compute."""
    N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(5e6, 3e8, 12), np.geomspace(1e7, 3e9, 12)))
    error = 0.03 + 0.2 * (N / 1e7) ** -0.4 + 0.3 * (D / 1e8) ** -0.35
    error *= np.exp(0.003 * np.random.default_rng(1).normal(size=len(N)))
    points = table(6 * N * D, error).assign(params=N, images_seen=D, data_size=1e12)
    said = analysis.predict(points, METRIC, compute=10 * 6 * N.max() * D.max())
    assert said.allocation.expected.high > said.low > said.allocation.expected.estimate  # the intervals meet
    assert "for the grid ends there" in " ".join(said.warnings)
    inside = analysis.predict(points, METRIC, compute=6 * N.max() * D.max() / 100)
    assert "grid ends" not in " ".join(inside.warnings)


def test_a_size_differs_from_its_compute_where_patches_differ():
    points = sizes(0.002)
    other = points.assign(flops=4 * points["flops"], run=[f"{run}-b" for run in points["run"]])
    other[METRIC] = 0.9 * other[METRIC]  # four times the tokens of an image
    both = pd.concat([points, other], ignore_index=True)
    found = analysis.predict(both, params=2e9, data=3e10)
    assert any("patch size or resolution" in warning for warning in found.warnings)
    assert not analysis.predict(points, params=2e9, data=3e10).warnings
    nearly = pd.concat([points, other.assign(params=1.01 * other["params"])], ignore_index=True)
    found = analysis.predict(nearly, params=2e9, data=3e10)
    assert any("patch size or resolution" in warning for warning in found.warnings)


def repeated(distinct: list[float], most: float) -> pd.DataFrame:
    """Runs on sets of images that they see up to `most` times, which are then worth ever less."""
    rows = [
        (N, U * epochs, U) for U in distinct for N in np.geomspace(1e6, 1e9, 6) for epochs in EPOCHS[most >= EPOCHS]
    ]
    N, D, U = np.array(rows).T
    loss = truth(N, D, U) * np.exp(0.003 * np.random.default_rng(5).normal(size=len(N)))
    return table(6 * N * D, loss).assign(params=N, images_seen=D, data_size=U)


EPOCHS = np.array([0.25, 0.5, 1, 2, 4, 8, 16, 32])


def truth(N, D, U):
    """Hoffmann's form with repeats worth what Muennighoff et al. (arXiv 2305.16264) fitted."""
    again = np.maximum(D / U - 1, 0)
    worth = np.minimum(D, U) * (1 + 15.4 * (1 - np.exp(-again / 15.4)))
    return 0.05 + 2.0 * N**-0.25 + 9.0 * worth**-0.3


def test_images_that_are_seen_again_are_worth_less_or_their_worth_is_unknown():
    known = repeated([1e5, 1e6, 1e7], 16)
    found = analysis.predict(known, params=1e9, data=3.2e8)
    assert found.low < truth(1e9, 3.2e8, 1e7) < found.high and found.high / found.low < 1.2
    fewer = analysis.predict(known, params=1e9, data=1e7, data_size=1e6)
    assert fewer.low < truth(1e9, 1e7, 1e6) < fewer.high
    assert any("32 epochs of 10,000,000 images" in warning for warning in found.warnings)
    with pytest.raises(Refused, match=r"17 epochs of 10,000,000 images.*runs of 4 epochs and fewer"):
        analysis.predict(repeated([1e5, 1e6, 1e7], 4), params=1e9, data=1.7e8)
    with pytest.raises(Refused, match="40 epochs"):
        analysis.predict(repeated([1e7], 4), params=1e9, data=4e8)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.inf])
def test_a_run_whose_data_size_is_no_amount_is_named(wrong):
    points = repeated([1e5, 1e6, 1e7], 4)
    points.loc[3, "data_size"] = wrong
    with pytest.raises(Refused, match=f"has data_size = {wrong:g}: it is finite and above 0. Leave the run out"):
        analysis.predict(points, params=1e9, data=1e7)
    assert "data_size" in str(analysis.predict(points, compute=1e16))
    points.loc[3, "data_size"] = np.nan
    assert analysis.predict(points, params=1e9, data=1e7).estimate > 0


def test_what_a_study_holds_out_is_in_no_answer():
    """Best sizes and laws of groups had the runs that predictions leave out."""
    points = sizes(0.002)
    points = points.reindex(columns=list(dict.fromkeys([*points, *SETTINGS])))
    held = points["flops"] > 3e20
    points.loc[held, ["seed", METRIC]] = 1, 0.1
    wanted = Fit(metric=METRIC, hold_out={"seed": 1})
    kept = points[~held].reset_index(drop=True)
    assert fits.minima(points, wanted).to_json() == isoflop(kept, METRIC).to_json()
    assert fits.predicted(points, wanted, compute=1e21) == analysis.predict(kept, compute=1e21)
    assert set(fits.fit_per(points, wanted, "model")[1]) == set(kept["model"])


def test_a_best_size_is_refused_as_it_is_when_asked_for_by_its_size():
    found = analysis.predict(repeated([1e5, 1e6, 1e7], 4), compute=1e17)
    assert found.allocation is None
    assert "epochs of 10,000,000 images" in found.allocation_refused and "4 epochs and fewer" in str(found)


def test_a_size_with_its_data_is_predicted():
    found = analysis.predict(sizes(0.002), params=2e9, data=3e10)
    truth = E + A * 2e9**-ALPHA + B * 3e10**-BETA
    assert found.low <= truth <= found.high and found.high / found.low < 1.05
    assert analysis.predict(sizes(), params=1e13, data=3e10).warnings


def test_what_has_no_answer_is_refused():
    with pytest.raises(Refused, match=r"the law's floor is 0\.0"):
        analysis.predict(POINTS, error=0.001)
    with pytest.raises(Refused, match="frontier points"):
        analysis.predict(POINTS[:3], compute=1e21)
    with pytest.raises(ValueError, match="ask for"):
        analysis.predict(POINTS, compute=1e21, error=0.1)


@pytest.fixture
def store(tmp_path):
    rows = sizes()[["params", "images_seen", "batch_size", "flops", METRIC, "model"]].rename(
        columns={METRIC: "test_loss"}
    )
    rows["model"] = "m" + rows["model"]
    whole = rows.assign(params=rows["params"].round().astype(int), images_seen=rows["images_seen"].round().astype(int))
    file, store = tmp_path / "runs.csv", tmp_path / "results.db"
    whole.to_csv(file, index=False)
    assert CliRunner().invoke(scalectl, ["import", str(file), "--store", str(store)]).exit_code == 0
    return str(store)


def ask(store: str, *options: str):
    return CliRunner().invoke(scalectl, ["predict", "--store", store, "--metric", "test_loss", *options])


def test_the_command_answers_in_json(store):
    answer = ask(store, "--compute", "1e22", "-o", "json")
    assert answer.exit_code == 0, answer.exception
    found = json.loads(answer.stdout)
    assert {"asked", "estimate", "low", "high", "level", "decades_outside", "allocation", "warnings"} <= set(found)
    assert found["asked"] == {"compute": 1e22} and found["allocation"]["steps"] > 0
    assert found["allocation"]["decades_outside"] == 0  # 1e22 is inside the budgets of these runs
    found = json.loads(ask(store, "--params", "2B", "--data", "30B", "-o", "json").stdout)
    assert found["asked"] == {"params": 2e9, "data": 3e10}
    assert found["estimate"] == pytest.approx(E + A * 2e9**-ALPHA + B * 3e10**-BETA, rel=0.01)
    assert "90 % interval" in ask(store, "--error", "2.2").output


def test_its_exit_codes(store):
    assert ask(store).exit_code == 2 and ask(store, "--compute", "2X").exit_code == 2
    assert ask(store, "--params", "2B").exit_code == 2
    assert ask(store, "--compute", "1e22", "--error", "0.1").exit_code == 2
    assert ask(store, "--compute", "1e22", "--data-size", "2").exit_code == 2
    refused = ask(store, "--error", "0.01").exception
    assert isinstance(refused, Refusal) and int(refused.exit) == 4
    refused = ask(store, "--compute", "1e22", "--where", "flops<1e19").exception
    assert isinstance(refused, Refusal) and int(refused.exit) == 4


def test_runs_without_the_images_that_they_have_seen_have_no_best_size_and_it_says_so():
    points = sizes().assign(images_seen=np.nan)
    found = analysis.predict(points, compute=1e22)
    assert found.allocation is None and "measured runs has images_seen" in str(found)


def test_a_figure_is_saved_under_a_name_as_text(tmp_path):
    analysis.plot(sizes(), "frontier").save(str(tmp_path / "figure.png"))
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_prediction_from_thousands_of_runs_needs_little_memory_and_no_less_is_known():
    """With 10,000 runs it took 16 GB, and did not end within minutes."""
    few = sizes(noise=0.01)
    many = pd.concat([sizes(0.01, seed).assign(seed=seed) for seed in range(50)], ignore_index=True)
    many["run"] = [f"run-{place}" for place in range(len(many))]
    tracemalloc.start()
    asked = analysis.predict(many, params=3e9, data=6e10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(many) == 3_600 and peak < 500 * 2**20
    truth = E + A * 3e9**-ALPHA + B * 6e10**-BETA
    before = analysis.predict(few, params=3e9, data=6e10)
    assert asked.low < truth < asked.high and asked.high - asked.low <= before.high - before.low


def test_runs_are_left_out_of_a_forecast_evenly():
    places = np.repeat(np.arange(20.0)[:, None], 3, axis=1)
    assert spread(places, 20).tolist() == list(range(20))
    two = spread(np.tile(places, (5, 1)), 40)
    assert two.tolist() == sorted(two) and np.bincount(two % 20).tolist() == [2] * 20  # of each place
    assert len({*(two // 20)}) == 5  # not the first ones, which are the best where rows come by their error
    assert np.ptp(np.diff(spread(places, 7))) <= 1 and spread(places, 7)[[0, -1]].tolist() == [0, 19]


def test_a_bent_frontier_is_told_by_an_error_and_where_the_best_size_is_too_far_to_be_named():
    """The band ten times beyond was 7 % above the planted optimum, and only an answer with a best size said so."""
    random = np.random.default_rng(302)
    N = np.repeat(np.geomspace(4e7, 2e9, 8), 4)
    D = N * np.exp(random.uniform(np.log(4), np.log(120), len(N)))
    loss = (0.35 + 30 * N**-0.22 + 60 * D**-0.25) * np.exp(0.004 * random.normal(size=len(N)))
    points = table(6 * N * D, loss).assign(params=N, images_seen=D, model=[f"{n:.3g}" for n in N])
    compute = 100 * (6 * N * D).max()
    sizes = np.geomspace(1e7, 1e13, 2001)
    optimum = (0.35 + 30 * sizes**-0.22 + 60 * (compute / 6 / sizes) ** -0.25).min()
    said = analysis.predict(points, METRIC, compute=compute)
    assert said.allocation is None and said.low > optimum and "for the grid ends there" in " ".join(said.warnings)
    back = analysis.predict(points, METRIC, error=said.estimate)
    assert any("for the grid ends there" in warning for warning in back.warnings)


def test_a_band_whose_ends_are_not_known_excludes_nothing():
    points = sizes(0.01)
    compute = 2 * points["flops"].max()
    assert list(contradiction(SizeLaw.of(points, METRIC, "flops"), fit(points, METRIC, draws=0), compute)) == []


def test_one_law_of_size_and_images_names_the_best_size_and_questions_the_band(monkeypatch):
    """It is most of what a prediction takes, and was found twice."""
    points, found, of = sizes(0.01), [], Forecast.of
    monkeypatch.setattr(Forecast, "of", lambda *runs: found.append(runs) or of(*runs))
    said = analysis.predict(points, METRIC, compute=2 * points["flops"].max())
    assert said.allocation and len(found) == 1
