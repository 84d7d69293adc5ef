"""Runs that are not done, predicted beforehand: against a planted law, against `predict`, as commands, and judged."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import told as told_by_hand
from click.testing import CliRunner
from runs import METRIC, table

from scalectl import analysis
from scalectl.analysis.checks import Refused
from scalectl.analysis.foretold import foretell, judge
from scalectl.analysis.surrogate import Forecast
from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.store.records import Records

NOISE = 0.01


def runs(seed: int = 0) -> pd.DataFrame:
    """Six sizes, six lengths and two data sizes on a law at awkward scales; runs know their parameters."""
    m, S, U = (
        axis.ravel() for axis in np.meshgrid(np.geomspace(1e6, 1e9, 6), np.geomspace(1e5, 1e8, 6), [3.5e4, 1.4e6])
    )
    error = 0.071 + 0.31 * (m / 3.7e6) ** -0.33 + 0.27 * (S / 1.3e6) ** -0.41 + 0.05 * (U / 370.0) ** -0.28
    error *= np.exp(NOISE * np.random.default_rng(seed).normal(size=len(m)))
    every = table(m * S, error).assign(images_seen=S, data_size=U, params=m / 6)
    return every.assign(name=[f"run {n}" for n in every.index]).sort_values("flops", ignore_index=True)


def parted(every: pd.DataFrame, share: float = 0.8) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cheaper runs, and the costlier ones as if they were still to come."""
    count = int(share * len(every))
    return every[:count].reset_index(drop=True), every[count:].reset_index(drop=True)


@pytest.fixture(scope="module")
def told():
    done, left = parted(runs())
    return foretell(done, left, METRIC)


def test_the_costlier_runs_of_a_planted_law_end_in_their_intervals(told):
    judged = judge(pd.DataFrame(told.to_json()["runs"]), runs())
    assert len(judged.runs) == len(judged.offs) == 15 and told.rests_on == 57
    assert judged.inside >= 12 and np.sqrt(np.mean(np.square(judged.offs))) < 0.05
    assert judged.chance > 0.05 and "too narrow" not in str(judged)


def test_predictions_and_their_warnings_have_one_law(monkeypatch):
    """It was found twice, which took most of the time."""
    found, of = [], Forecast.of
    monkeypatch.setattr(Forecast, "of", lambda *given: found.append(given) or of(*given))
    foretell(*parted(runs()), METRIC)
    assert len(found) == 1


def test_a_run_is_predicted_as_its_size_with_its_data_is():
    done, left = parted(runs())
    left = left[left["data_size"] == left["data_size"].max()].reset_index(drop=True)
    run, row = foretell(done, left, METRIC).runs[0], left.iloc[0]
    asked = {"params": row["params"], "data": row["images_seen"], "data_size": row["data_size"]}
    same = analysis.predict(done, METRIC, **asked)
    assert run.estimate == pytest.approx(same.estimate, rel=1e-3)
    assert run.high / run.low == pytest.approx(same.high / same.low, rel=1e-2)


def test_how_far_a_run_lies_outside_is_told(told):
    done, left = parted(runs())
    far = left.assign(images_seen=left["images_seen"].max() * 100, flops=left["flops"].max() * 100)
    found = foretell(done, far, METRIC)
    assert all(run.decades_outside > 1 for run in found.runs) and "decades outside the data" in str(found)
    assert min(run.decades_outside for run in told.runs) == 0


def test_what_repeats_are_worth_is_not_guessed():
    done, left = parted(runs().assign(data_size=1e9))
    found = foretell(done, left.assign(data_size=1e6), METRIC)
    refused = [run for run in found.runs if run.refused]
    assert refused and all(run.estimate is None and "epochs" in run.refused for run in refused)
    assert len(judge(pd.DataFrame(found.to_json()["runs"]), runs()).runs) == len(found.runs) - len(refused)


@pytest.mark.parametrize("untold", [{"columns": "data_size"}, {}])
def test_distinct_images_that_only_the_question_tells_are_refused(untold):
    """They stood beside the logarithm of 1, and 2.6 became 1.7 when the same was said aloud."""
    done, left = (part.drop(**untold) if untold else part.assign(data_size=np.nan) for part in parted(runs()))
    size = {"params": 1e8, "data": 1e7}
    assert 0.1 < analysis.predict(done, METRIC, **size).estimate < 0.4
    for ask in (
        lambda: analysis.predict(done, METRIC, **size, data_size=1e7),
        lambda: analysis.predict(done, METRIC, **size, data_size=1e2),
        lambda: foretell(done, left.assign(data_size=1e6), METRIC),
    ):
        with pytest.raises(Refused, match="no run says how many of its images differ"):
            ask()
    found = foretell(done, left, METRIC)
    assert all(run.data_size is None and run.low < run.estimate < run.high for run in found.runs)


def test_candidates_without_a_data_size_have_that_of_the_largest_set():
    done, left = parted(runs())
    largest = foretell(done, left.assign(data_size=1.4e6), METRIC)
    assert foretell(done, left.drop(columns="data_size"), METRIC) == largest
    assert foretell(done, left.assign(data_size=left["data_size"].where(left["data_size"] < 1e6)), METRIC) == foretell(
        done, left, METRIC
    )
    alike, same = done.assign(data_size=1e6), left.drop(columns="data_size")
    found = foretell(alike, same, METRIC)
    assert [run.estimate for run in found.runs] == pytest.approx(list(left[METRIC]), rel=0.3)
    assert {run.data_size for run in found.runs} == {1e6}


def test_runs_that_tell_no_data_size_among_others_saw_each_image_once():
    done, _ = parted(runs())
    few = done.assign(data_size=done["data_size"].where(done.index == 0, np.nan))
    with pytest.raises(Refused, match=r"10 epochs of .* runs of 1 epochs and fewer"):
        analysis.predict(few.assign(data_size=few["data_size"] * 1e6), METRIC, params=1e8, data=1e13, data_size=1e12)


def test_intervals_that_miss_are_called_too_narrow_and_the_sign_is_told(told):
    worse = runs().assign(**{METRIC: lambda every: every[METRIC] * 1.2})
    judged = judge(pd.DataFrame(told.to_json()["runs"]), worse)
    assert judged.inside < 12 and judged.chance < 0.01
    assert "too narrow" in str(judged) and "above what was predicted" in str(judged)
    assert judged.inside == 0 and "in under 0.001 % of cases" in str(judged)


def test_runs_that_are_not_done_or_are_excluded_or_gone_judge_nothing(told):
    every = runs()
    first, second, third = told.runs[:3]
    every.loc[every["run"] == first.run, "state"] = "failed"
    every.loc[every["run"] == second.run, "excluded"] = True
    judged = judge(pd.DataFrame(told.to_json()["runs"]), every[every["run"] != third.run])
    states = {run.run: run.state for run in judged.runs if run.got is None}
    assert states == {first.run: "failed", second.run: "excluded", third.run: "unknown"}
    assert len(judged.offs) == len(told.runs) - 3


def test_an_error_of_0_is_no_logarithm_and_judged_all_the_same(told):
    """It ended as a file without predictions: math domain error."""
    every = runs()
    every.loc[every["run"] == told.runs[0].run, METRIC] = 0.0
    judged = judge(pd.DataFrame(told.to_json()["runs"]), every)
    assert judged.done == len(told.runs) == len(judged.offs) + 1
    assert judged.runs[0].inside is False and judged.runs[0].off is None
    assert f"done: {judged.done} of" in str(judged) and json.dumps(judged.to_json())


def test_a_table_without_what_is_needed_is_refused():
    done, left = parted(runs())
    with pytest.raises(Refused, match="no column images_seen"):
        foretell(done, left.drop(columns="images_seen"), METRIC)
    with pytest.raises(Refused, match="no run is left"):
        foretell(done, left[:0], METRIC)
    with pytest.raises(Refused, match="no column estimate, low, high"):
        judge(left.assign(metric=METRIC), done)


def law(m: float, S: float, U: float) -> float:
    return 0.05 + 0.3 * (m / 3.7e6) ** -0.1 + 0.2 * (S / 1.3e6) ** -0.2 + 0 * U


@pytest.fixture
def half(study, monkeypatch):
    monkeypatch.chdir(study.folder)
    return told_by_hand.half_done(study, law)


def invoked(*words: str, code: int = 0) -> str:
    """What a command says, as the user at its terminal sees it."""
    done = CliRunner().invoke(scalectl, [*words])
    if isinstance(done.exception, Refusal):
        assert done.exception.exit == code
        return str(done.exception)
    assert done.exit_code == code, done.output
    return done.output


def test_what_is_kept_before_the_launch_is_judged_after_it(half):
    shown = invoked("predict", "--missing", "experiments.yaml")
    assert "6 not done, from 12 that are" in shown and "Next: scalectl launch experiments.yaml" in shown
    Path("kept.csv").write_text(invoked("predict", "--missing", "experiments.yaml", "-o", "csv"))
    Path("kept.jsonl").write_text(invoked("predict", "--missing", "experiments.yaml", "-o", "jsonl"))
    assert "done: 0 of 6 predicted runs" in invoked("predict", "--check", "kept.csv")
    with Records(half.store) as records:
        found = told_by_hand.planned_again(half, records)
        told_by_hand.write(records, [job for job in found.jobs if not job.is_cooldown])
        for run in found.missing[:4]:
            ends = [job for job in found.jobs if job.id == run.id]
            told_by_hand.write(records, ends, law(run.flops_per_image, 16e4 * run.spec.steps, 0))
    judged = json.loads(invoked("predict", "--check", "kept.csv", "-o", "json"))
    assert (judged["predicted"], judged["done"]) == (6, 4)
    assert judged == json.loads(invoked("predict", "--check", "kept.jsonl", "-o", "json"))
    for run in judged["runs"][:4]:
        assert run["inside"] == (run["low"] <= run["got"] <= run["high"])
    rows = invoked("predict", "--check", "kept.csv", "--columns", "name,got,inside", "-o", "jsonl").splitlines()
    assert [json.loads(row)["inside"] for row in rows][4:] == [None, None]
    left = invoked("predict", "--missing", "experiments.yaml")
    assert "2 not done, from 16 that are" in left


def test_a_run_whose_id_looks_like_a_number_is_found_again(half, tmp_path):
    """As 12e45 would be, which a table of numbers takes for infinity."""
    rows = "run,name,metric,estimate,low,high\n0012345678,a,upstream/error,0.5,0.4,0.6\n12e450000000,b,x,1,1,1\n"
    Path("kept.csv").write_text(rows)
    judged = json.loads(invoked("predict", "--check", "kept.csv", "-o", "json"))
    assert [run["run"] for run in judged["runs"]] == ["0012345678", "12e450000000"]


def test_a_store_that_is_named_is_the_one_that_is_asked(half):
    """--store was taken, and the store of the file asked."""
    half.store.rename(half.folder / "moved.db")
    assert "results.db" in invoked("predict", "--missing", "experiments.yaml", code=Exit.NOT_FOUND)
    shown = invoked("predict", "--missing", "experiments.yaml", "--store", "moved.db")
    assert "6 not done, from 12 that are" in shown and "--store moved.db > prediction.csv" in shown


@pytest.mark.parametrize(
    ("name", "text", "code", "said"),
    [
        ("none.csv", None, Exit.NOT_FOUND, "isn't there"),
        ("other.csv", "a,b\n1,2\n", Exit.INVALID, "no column run"),
        (
            "words.csv",
            "run,name,metric,estimate,low,high\nr,r,m,half,0,1\n",
            Exit.INVALID,
            "could not convert",
        ),
        ("empty.csv", "", Exit.INVALID, "predict --missing -o csv"),
        ("kept.xlsx", "", Exit.INVALID, r".csv or .jsonl"),
    ],
)
def test_a_file_that_has_no_predictions_is_refused(half, name, text, code, said):
    if text is not None:
        Path(name).write_text(text)
    assert said in invoked("predict", "--check", name, code=code)


def test_nothing_is_predicted_where_all_runs_have_ended(half):
    half.file.write_text(half.file.read_text().replace(", 80]", "]"))
    assert "no run is left to predict" in invoked("predict", "--missing", "experiments.yaml", code=Exit.REFUSED)


@pytest.mark.parametrize(
    "words",
    [
        ("--missing", "experiments.yaml", "--compute", "1e12"),
        ("--check", "kept.csv", "--metric", "upstream/loss"),
        ("--run", "pico", "--missing", "experiments.yaml"),
        ("--missing", "experiments.yaml", "--check", "kept.csv"),
        ("--missing", "experiments.yaml", "--law", "power"),
    ],
)
def test_questions_that_exclude_each_other_are_refused(words):
    assert " only" in invoked("predict", *words, code=2)
