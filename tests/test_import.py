"""Other people's runs: what a CSV file may hold, what is refused, and what the store makes of it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import told
from invoking import command
from runs import SHARED
from studies_of_pages import trained

from scalectl import analysis
from scalectl.analysis.selection import select
from scalectl.analysis.store import metrics
from scalectl.orchestrator.cli.status import text as status_text
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.store.headers import Wishes
from scalectl.orchestrator.store.imported import read
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.sheet import InvalidImport

EXAMPLE = Path(__file__).parents[1] / "examples" / "other_runs.csv"


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "others.db"
    assert command("import", EXAMPLE, "--store", path).return_value == 0
    return path


def test_settings_and_compute_go_there_and_every_other_number_is_a_metric(store):
    points, file = analysis.read(store), pd.read_csv(EXAMPLE)
    for name in ("model", "params", "data_size", "steps", "seed", "flops", "core_days", "test_error"):
        assert points[name].tolist() == file[name].tolist()
    assert set(points["origin"]) == {"other_runs.csv"} and set(points["study"]) == {"other_runs"}
    assert list(points.columns[-3:]) == ["note", "digest", "test_error"] and points["width"].isna().all()
    assert points["name"][0] == "tiny-5k-200"


def test_importing_twice_doubles_nothing_and_a_changed_number_replaces_the_old(store, tmp_path):
    changed = tmp_path / "other_runs.csv"
    changed.write_text(EXAMPLE.read_text().replace("0.184", "0.183"))
    said = command("import", changed, "--store", store).stdout
    assert "10 runs imported, 0 of them new; metrics: test_error" in said
    points = analysis.read(store)
    assert len(points) == 10 and points["test_error"].min() == 0.183


def test_runs_that_a_corrected_file_no_longer_has_are_named_with_what_deletes_them(tmp_path):
    file, store = tmp_path / "re.csv", tmp_path / "re.db"
    text = "model,flops,test_error\na,1e18,0.5\nb,1e19,0.4\nc,1e20,0.3\nc,1e20,0.31\n"
    for again in (text, text, text.replace("0.4", "0.41")):
        file.write_text(again)
        assert "keeps" not in command("import", file, "--store", store).stderr
    file.write_text(text.replace("1e20", "2e20").replace("c,2e20,0.31\n", ""))
    said = command("import", file, "--store", store).stderr
    assert "re keeps 2 runs that an earlier re.csv had and this one has not: c, c-s1. If this one replaces it:" in said
    assert f"scalectl import --undo re --store {store}, then import again." in said
    (tmp_path / "other.csv").write_text("model,flops,loss\nd,1e18,0.5\n")
    assert "keeps" not in command("import", tmp_path / "other.csv", "--study", "re", "--store", store).stderr
    assert len(analysis.read(store)) == 6
    assert command("import", "--undo", "re", "--store", store).return_value == 0
    assert "keeps" not in command("import", file, "--store", store).stderr
    assert sorted(analysis.read(store)["flops"]) == [1e18, 1e19, 2e20]


def papers(tmp_path, *options: str) -> pd.DataFrame:
    """Two files of the same settings with a metric each, the second one imported twice."""
    store = tmp_path / "papers.db"
    for name, metric in (("paperA", "tenshot"), ("paperB", "finetune"), ("paperB", "finetune")):
        file = tmp_path / f"{name}.csv"
        file.write_text(f"model,flops,{metric}\nS/16,1e18,0.5\nB/16,1e19,0.4\n")
        assert command("import", file, "--store", store, *options).return_value == 0
    return analysis.read(store)


def test_two_files_with_the_same_settings_are_two_studies(tmp_path):
    found = papers(tmp_path)
    assert found["run"].is_unique and found["study"].tolist() == ["paperA"] * 2 + ["paperB"] * 2
    assert found["tenshot"].dropna().tolist() == found["finetune"].dropna().tolist() == [0.5, 0.4]


def test_what_was_excluded_stays_so_where_a_newer_file_has_another_order(tmp_path):
    """As W&B lists the newest run first: the runs of equal settings are told apart by names and labels."""
    rows = [f"run-{place},B,1e18,{phase},0.{30 + place}" for place, phase in enumerate(["hot", "cool", "hot", "warm"])]
    for listed in (rows[:3], rows[::-1]):
        (tmp_path / "w.csv").write_text("\n".join(["name,model,flops,phase,err", *listed]))
        assert command("import", tmp_path / "w.csv", "--store", tmp_path / "w.db").exception is None
        if len(listed) == 3:
            assert command("exclude", "run-1", "--reason", "spike", "--store", tmp_path / "w.db").exception is None
    points = analysis.read(tmp_path / "w.db")
    assert sorted(points["name"]) == [f"run-{place}" for place in range(4)]
    assert points["name"][points["excluded"]].tolist() == ["run-1"]
    assert points.set_index("name").loc["run-1", ["phase", "err"]].tolist() == ["cool", 0.31]


def test_in_one_study_the_metrics_of_two_files_come_together(tmp_path):
    found = papers(tmp_path, "--study", "papers")
    assert found["tenshot"].tolist() == found["finetune"].tolist() == [0.5, 0.4]


def test_they_are_fitted_and_excluded_like_any_other(store):
    words = ("fit", "--store", store, "--metric", "test_error", "--law", "saturating")
    document = json.loads(command(*words, "-o", "json").stdout)
    assert document["unit"] == "FLOPs" and document["runs"]["used"] == 10
    command("exclude", document["frontier"][0], "--reason", "odd", "--store", store)
    assert json.loads(command(*words, "-o", "json").stdout)["runs"]["excluded"] == 1
    command("include", document["frontier"][0], "--store", store)
    assert json.loads(command(*words, "-o", "json").stdout)["runs"]["excluded"] == 0


def test_the_figure_is_drawn_of_them(store, tmp_path):
    words = ("--store", store, "--metric", "test_error", "--law", "power", "-o", tmp_path / "f.png")
    assert command("plot", "frontier", *words).return_value == 0


def test_runs_of_which_little_is_known_are_drawn_and_grouped_all_the_same(tmp_path):
    file, store = tmp_path / "few.csv", tmp_path / "few.db"
    rows = [f"{'ab'[n % 2]},{10.0**n},{0.1 + 0.8 * 3.0**-n}" for n in range(7)]
    file.write_text("\n".join(["model,images_seen,error", *rows]) + "\n")
    command("import", file, "--store", store)
    words = ("--store", store, "--metric", "error", "--x", "images_seen", "--law", "saturating")
    assert command("plot", "frontier", *words, "-o", tmp_path / "f.png").return_value == 0
    document = json.loads(command("fit", *words, "-o", "json").stdout)
    assert document["params"]["floor"] == pytest.approx(0.1, rel=1e-3)
    assert command("fit", *words, "--isoflop").exception.exit == 4
    assert command("fit", *words, "--per", "data_size").return_value == 4


def test_they_stand_beside_a_study_and_no_plan_or_status_takes_them_for_its_own(study):
    records, found = told.planning(study)
    with records:
        told.write(records, found.jobs)
    before = Store(study.store).status()
    command("import", EXAMPLE, "--store", study.store)
    after = Store(study.store).status()
    assert (after.imported, after.runs, after.studies) == (10, before.runs, before.studies)
    assert "10 imported runs" in status_text(after) and not told.planned(study).missing
    points = analysis.read(study.store)
    assert points["origin"].fillna("own").value_counts().to_dict() == {"own": 2, "other_runs.csv": 10}
    assert command("fit", "--store", study.store, "--study", "other_runs", "--metric", "test_error").return_value == 0


def test_the_name_of_a_planned_study_is_refused(study):
    told.planning(study)[0].close()
    refused = command("import", EXAMPLE, "--study", "small", "--store", study.store).exception
    assert isinstance(refused, Refusal) and "--study" in str(refused)
    assert Store(study.store).status().imported == 0


def test_one_is_shown_by_its_name_with_what_its_file_tells(store):
    command("exclude", "tiny-5k-200", "--reason", "odd", "--store", store)
    said = command("show", "tiny-5k-200", "--store", store).stdout
    assert "imported from other_runs.csv, left out of fits: odd" in said and "test_error" in said
    assert "  steps             200\n" in said and "Next: scalectl fit --study other_runs --metric test_error" in said
    shown = json.loads(command("show", "tiny-5k-200", "--store", store, "-o", "json").stdout)
    row = analysis.read(store).iloc[0]
    assert (shown["id"], shown["flops"], shown["width"], shown["attempts"]) == (row["run"], row["flops"], None, [])
    assert [one["value"] for one in shown["measurements"]] == [row["test_error"]]


def test_commands_for_jobs_say_that_it_has_none(store):
    for words in (["logs", "tiny-5k-200"], ["stop", "tiny-5k-200"], ["retry", "tiny-5k-200"]):
        refused = command(*words, "--store", store).exception
        assert "imported run, which has no jobs. scalectl show" in str(refused)


def test_a_metric_that_differs_from_one_of_the_store_in_its_capitals_alone_is_refused(store, tmp_path):
    file = tmp_path / "others.csv"
    file.write_text("model,flops,Test_Error\na,1e9,0.5\n")
    refused = command("import", file, "--store", store).exception
    assert isinstance(refused, Refusal) and "Test_Error and test_error of the store differ" in str(refused)
    assert len(analysis.read(store)) == 10


HEADER = "model,steps,flops,error,note\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEADER + "a,10,1e9,0.5,x\na,ten,1e9,0.5,x\n", ":3:3: error: steps = ten: not a number"),
        (HEADER + "a,10,1e9,0.5,x\na,20,1e9,much,x\n", ":3:10: error: error = much: not a number"),
        (HEADER + "a,10,1e9,inf,x\n", ":2:10: error: error = inf: not finite"),
        (HEADER + "a,10.5,1e9,0.5,x\n", ":2:3: error: steps = 10.5: not a whole number"),
        (HEADER + "a,-1,1e9,0.5,x\n", ":2:3: error: steps = -1: at least 0"),
        (HEADER + "a,10,0,0.5,x\n", ":2:6: error: flops = 0: compute is above 0"),
        ("model,data_size,flops,err\na,0,1e9,0.5\n", ":2:3: error: data_size = 0: above 0"),
        ("model,params,flops,err\na,0,1e9,0.5\n", ":2:3: error: params = 0: above 0"),
        (HEADER + "a,10,,0.5,x\n", ":2:1: error: no compute"),
        (HEADER + ",10,1e9,0.5,x\n", ":2:1: error: no model"),
        (HEADER + "a,10,1e9\n", ":2:1: error: 3 cells under 5 headers"),
        ("model,error\na,0.5\n", ":1:1: error: no column of compute"),
        ("model,flops,err,err\na,1e9,1,2\n", ":1:17: error: err comes twice: it is column 3 as well"),
        ("model,flops,err,\na,1e9,1,2\n", ":1:1: error: column 4 has no name"),
        ("model,flops,err,Err\na,1e9,1,2\n", ":1:17: error: Err and err differ in their capitals alone"),
        ("model;flops;n;err\na;1e9;1,000;1\n", ":1:1: error: the file has 1,000, which may be 1.000 or more"),
        ("model,flops,err\na,1e9,12.5\nb,1e9,12.3%\nb,x,1\n", ":2:7: error: err = 12.5: other cells have a % sign"),
        (HEADER, ":1:1: error: no run below the header"),
        ("", "error: the file is empty"),
        (HEADER + 'a,10,"1e9,0.5,x\n', "error: not CSV"),
    ],
)
def test_bad_rows_are_refused_with_their_line_and_nothing_is_imported(tmp_path, text, said):
    file = tmp_path / "runs.csv"
    file.write_text(text)
    with pytest.raises(InvalidImport) as refused:
        read(file)
    assert said in str(refused.value) and "nothing was imported" in str(refused.value)
    assert command("import", file, "--store", tmp_path / "none.db").exception.exit == 2
    assert not (tmp_path / "none.db").exists()


def test_all_bad_rows_are_said_at_once(tmp_path):
    file = tmp_path / "runs.csv"
    file.write_text(HEADER + "a,x,1e9,0.5,n\na,10,1e9,0.5,n\na,y,1e9,0.5,n\n")
    with pytest.raises(InvalidImport) as refused:
        read(file)
    assert [problem.spot.line for problem in refused.value.problems] == [2, 4]


def test_what_is_wrong_with_the_header_hides_nothing_that_is_wrong_with_the_rows(tmp_path):
    file = tmp_path / "runs.csv"
    file.write_text("model,steps,flops,err,err\na,x,1e9,0.5,1\na,10,1e9,0.5,1\n")
    with pytest.raises(InvalidImport) as refused:
        read(file, Wishes({"none": "params", "steps": "digest"}, errors=["acc"]))
    assert [problem.spot.line for problem in refused.value.problems] == [1, 1, 1, 1, 2]
    with pytest.raises(InvalidImport) as refused:
        read(file)
    assert [problem.spot.line for problem in refused.value.problems] == [1, 2]


# the curves that Figure 2 of arXiv 2106.04560 draws, and the compute that they are drawn for, in core-days
DRAWN = {
    "imagenet_10shot_error": (0.632602, 0.516441, 0.319038, 0.123565, 20_000),
    "imagenet_finetune_error": (0.258418, 0.009667, 0.353325, 0.094271, 9_000),
}


@pytest.fixture(scope="module")
def paper_store(tmp_path_factory):
    file = SHARED / "data" / "paper" / "jft_runs.csv"
    if not file.exists():
        pytest.skip(f"needs {file}: set SCALECTL_SHARED to the folder of shared data")
    path = tmp_path_factory.mktemp("paper") / "paper.db"
    assert command("import", file, "--store", path).stdout.startswith("266 runs imported, 266 of them new")
    return path


@pytest.mark.parametrize("metric", DRAWN)
def test_the_papers_runs_give_the_curve_that_the_paper_draws(paper_store, metric):
    words = ("fit", "--store", paper_store, "--metric", metric, "--x", "core_days")
    law = json.loads(command(*words, "--where", "data_size==3e9", "-o", "json").stdout)["params"]
    scale, offset, exponent, floor, last = DRAWN[metric]
    compute = np.geomspace(0.3, last, 200)
    drawn = scale * (compute + offset) ** -exponent + floor
    ours = law["scale"] * (compute + law["offset"]) ** -law["exponent"] + law["floor"]
    assert np.mean(np.abs(ours / drawn - 1)) < 0.015


def test_the_interval_of_the_largest_models_holds_what_they_reached(paper_store):
    words = ("fit", "--store", paper_store, "--metric", "imagenet_10shot_error", "--x", "core_days")
    rule = ("--where", "data_size==3e9", "--hold-out", "model in ['G/14', 'g/14']", "-o", "json")
    held = json.loads(command(*words, *rule).stdout)["held_out"]
    assert len(held) == 6 and all(run["low"] <= run["got"] <= run["high"] for run in held)


def test_the_law_of_each_model_of_the_paper_needs_fewer_points_than_that_of_the_study(paper_store):
    words = ("fit", "--store", paper_store, "--metric", "imagenet_10shot_error", "--x", "images_seen")
    document = json.loads(command(*words, "--per", "model", "--law", "saturating", "-o", "json").stdout)
    assert {"L/16", "B/16", "S/16", "Ti/16", "g/14"} <= document["laws"].keys() and "G/14" in document["refused"]


def test_the_example_draws_the_figure_of_a_table_of_runs(tmp_path):
    script, target = EXAMPLE.with_name("reproduce_paper.py"), tmp_path / "figure.png"
    words = [sys.executable, script, EXAMPLE, target, "test_error"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert target.read_bytes().startswith(b"\x89PNG") and "10 on the frontier" in done.stdout


def test_a_measured_loss_is_a_metric_of_its_own_name_and_a_loss_in_words_a_setting(tmp_path):
    file = tmp_path / "losses.csv"
    file.write_text("model,flops,loss\nS/16,1e18,3.7\nB/16,1e19,\n")
    table = read(file)
    assert table.runs[0].metrics == {"upstream/loss": 3.7} and table.runs[1].metrics == {}
    assert "Read as: loss is upstream/loss." in table.notes
    file.write_text("model,flops,loss\nS/16,1e18,softmax\n")
    with pytest.raises(InvalidImport, match="no column is a metric"):
        read(file)
    file.write_text("model,flops,loss,upstream/loss\nS/16,1e18,softmax,3.7\n")
    (run,) = read(file).runs
    assert run.metrics == {"upstream/loss": 3.7} and run.columns["loss"] == "softmax"


def test_of_many_problems_the_first_are_shown_and_all_are_counted(tmp_path):
    file = tmp_path / "many.csv"
    file.write_text("model,flops,error\n" + "S/16,none,0.37\n" * 37)
    with pytest.raises(
        InvalidImport, match="37 errors, of which these are the first 20; nothing was imported"
    ) as caught:
        read(file)
    assert len(caught.value.problems) == 37 and str(caught.value).count("many.csv:") == 20


def test_whole_numbers_keep_all_of_their_digits_from_the_file_to_the_table(tmp_path):
    file, path = tmp_path / "seeds.csv", tmp_path / "seeds.db"
    rows = ("a,9007199254740993,1234567890123456789012,5.7,0.5", "a,9007199254740992,1e21,5.7,0.4", "b,,1e22,,0.3")
    file.write_text("model,seed,flops,params_million,err\n" + "\n".join(rows) + "\n")
    assert command("import", file, "--store", path).stdout.startswith("3 runs imported, 3 of them new")
    points = analysis.read(path)
    assert points["seed"].dropna().tolist() == [2**53 + 1, 2**53] and points["seed"].isna().sum() == 1
    assert points["flops"][0] == float("1234567890123456789012") and points["params"][0] == 5_700_000
    assert command("export", "-o", tmp_path / "e.json", "--store", path).return_value == 0
    assert [run["seed"] for run in json.loads((tmp_path / "e.json").read_text())] == [2**53 + 1, 2**53, None]
    assert list(points[select(points, "seed == 9007199254740993")]["name"]) == ["a-s9007199254740993"]


def test_whole_numbers_above_2_to_the_63_are_refused_in_words(tmp_path):
    file = tmp_path / "seeds.csv"
    file.write_text(
        "model,seed,flops,err\na,9223372036854775807,1e20,1\na,9223372036854775808,1e20,1\na,1e300,1e20,1\n"
    )
    with pytest.raises(InvalidImport) as refused:
        read(file)
    assert [problem.spot.line for problem in refused.value.problems] == [3, 4]
    assert "seeds.csv:3:3: error: seed = 9223372036854775808: above 2^63 - 1, the largest whole" in str(refused.value)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_a_column_that_was_said_to_be_a_setting_is_one_after_an_export(tmp_path, suffix):
    """It came back as a metric, and its runs as seeds of each other."""
    file = tmp_path / "runs.csv"
    file.write_text("model,flops,err,dropout,phase\na,1e18,.3,.1,hot\na,1e18,.4,.2,hot\nb,1e19,.2,.1,cool\n")
    command("import", file, "--setting", "dropout", "--store", tmp_path / "one.db")
    command("export", "-o", tmp_path / f"out{suffix}", "--store", tmp_path / "one.db")
    there = command("import", tmp_path / f"out{suffix}", "--study", "runs", "--store", tmp_path / "two.db")
    assert "metrics: err." in there.output and "Settings, kept for --where: dropout." in there.output
    assert "numbered as seeds" not in there.output
    one, two = (analysis.read(tmp_path / name) for name in ("one.db", "two.db"))
    assert two["dropout"].tolist() == one["dropout"].tolist() == [0.1, 0.2, 0.1]
    assert two["phase"].tolist() == one["phase"].tolist()
    if suffix == ".csv":  # also in a table that says nothing of its columns
        assert metrics(pd.read_csv(tmp_path / "out.csv")) == ["err"]


def test_an_export_of_ours_comes_back_with_what_is_done_and_what_is_excluded(tmp_path):
    """As a colleague gets it: a head's bias is below 0, and runs that are not done have nothing to fit."""
    file = trained(tmp_path).store
    own = analysis.read(file)
    done = own[own["state"] == "done"]
    assert command("exclude", done["name"].iloc[0], "--reason", "power cut", "--store", file).exception is None
    for name in ("runs.csv", "runs.json", "runs.parquet"):
        assert command("export", "-o", tmp_path / name, "--store", file).exception is None
        there = command("import", tmp_path / name, "--store", tmp_path / f"{name}.db")
        assert "Left out: 1 run that the file says are not done." in there.output
        assert "1 run excluded in the file, and so here" in there.output
        points = analysis.read(tmp_path / f"{name}.db")
        assert len(points) == len(done) == len(own) - 1
        same = ["model", "params", "steps", "flops", "head_bias", "upstream/error"]
        assert points[same].to_numpy().tolist() == done[same].to_numpy().tolist()
        assert points["excluded"].tolist() == [True] + [False] * (len(done) - 1)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
@pytest.mark.parametrize(
    "text",
    [
        "model,params,tokens,err\na,1e6,6400,0.3\na,1e6,12800,0.2\na,1e6,12800,0.21\n",
        "model,steps,batch_size,err\na,100,64,0.3\na,200,64,0.2\na,200,64,0.21\n",
    ],
)
def test_runs_whose_compute_was_derived_are_the_same_after_an_export(tmp_path, text, suffix):
    """What was derived is a setting in the export, so that all runs were there twice, and none had its exclusion."""
    store, exported = tmp_path / "store.db", tmp_path / f"export{suffix}"
    (tmp_path / "runs.csv").write_text(text)
    assert command("import", tmp_path / "runs.csv", "--store", store).exception is None
    before = analysis.read(store)
    assert command("exclude", before["run"][0], "--reason", "power cut", "--store", store).exception is None
    assert command("export", "-o", exported, "--store", store).exception is None
    for study, new in (("runs", 0), ("elsewhere", 3)):
        again = command("import", exported, "--study", study, "--store", store)
        assert again.exception is None and f" {new} of them new" in again.stdout
    points = analysis.read(store)
    assert points["run"].is_unique and points["run"][points["study"] == "runs"].tolist() == before["run"].tolist()
    assert points["excluded"].tolist() == [True, False, False] * 2
