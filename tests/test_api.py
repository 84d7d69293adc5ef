"""The public API as a user writes it: `import scalectl`, and words for laws, figures and columns."""

import inspect
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from runs import METRIC, laptop
from test_cli import HEAVY

import scalectl
from scalectl.orchestrator.cli.main import scalectl as program

WORDS = {"points", "metric", "x", "compute", "per", "law", "where", "hold_out", "draws", "seed"}
SYNONYMS = {"by", "family", "column", "model_law", "group", "axis", "error_column"}
FUNCTIONS = ["fit", "fit_each", "frontier", "isoflop", "plot", "predict", "suggest"]


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    return laptop().assign(images_seen=lambda points: 64 * points["steps"])


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_scalectl_loads_no_library():
    heavy = {*HEAVY, "numpy", "sqlalchemy", "pydantic", "click"}
    code = f"import sys, scalectl\nscalectl.__all__, dir(scalectl)\nprint(sorted({heavy!r} & set(sys.modules)))"
    assert python(code) == "[]\n"


def test_reading_and_planning_load_neither_jax_nor_ray(study):
    code = (
        f"import sys, scalectl\nscalectl.plan({str(study.file)!r})\nprint(sorted({{'jax', 'ray'}} & set(sys.modules)))"
    )
    assert python(code) == "[]\n"


@pytest.mark.parametrize("name", scalectl.__all__)
def test_every_name_is_there_with_a_docstring(name):
    assert name in dir(scalectl)
    assert inspect.getdoc(getattr(scalectl, name))


def test_the_version_is_that_of_the_package():
    assert scalectl.__version__.count(".") == 2 and "__version__" in dir(scalectl)


def test_a_name_that_is_not_there_is_said_as_python_says_it():
    with pytest.raises(AttributeError, match=r"module 'scalectl' has no attribute 'fitt'"):
        _ = scalectl.fitt


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_have_one_word_for_one_thing(name):
    words = list(inspect.signature(getattr(scalectl, name)).parameters)
    assert words[0] == "points" and not SYNONYMS & {*words}
    assert words.index("metric") + 1 == words.index("x")


def test_the_command_line_has_the_same_words():
    for verb, words in {
        "fit": {"metric", "x", "law", "per", "hold_out"},
        "predict": {"metric", "x", "law", "compute"},
    }.items():
        assert words <= {str(option.name) for option in program.commands[verb].params}


def test_from_points_to_a_law_and_a_prediction(points):
    law = scalectl.fit(points, METRIC, law="saturating", draws=20)
    assert "E = a C^-b + c" in str(law) and law._repr_html_().startswith("<")
    front = scalectl.frontier(points, METRIC)
    assert front["run"].tolist() == law.frontier["run"].tolist()
    prediction = scalectl.predict(points, METRIC, law="saturating", compute=float(front["flops"].iloc[-1]))
    assert prediction.low <= prediction.estimate <= prediction.high


def test_a_group_is_named_alike_whether_other_runs_have_a_data_size_or_not(points):
    points = points.assign(data_size=np.where(np.arange(len(points)) % 2, 5000, 20000))
    unknown = points.assign(run="more-" + points["run"], data_size=np.nan)
    alone, beside = (
        scalectl.fit_each(each, METRIC, per="data_size", law="power", draws=0).groups
        for each in (points, pd.concat([points, unknown], ignore_index=True))
    )
    assert list(alone) == list(beside) == ["5000", "20000"]


def test_groups_figures_and_refusals(points, tmp_path):
    groups = scalectl.fit_each(points, METRIC, per="model", law="power", draws=0)
    assert set(groups.groups) == set(points["model"])
    scalectl.plot(points, "frontier", METRIC, law="power", draws=0).save(tmp_path / "F.svg")
    assert json.loads((tmp_path / "F.json").read_text())["figure"] == "frontier"
    with pytest.raises(scalectl.Refused, match="unknown law 'powr'"):
        scalectl.fit(points, METRIC, law="powr")


def test_a_plan_prints_as_the_command_does_and_holds_its_runs(study):
    plan = scalectl.plan(study.file)
    command = CliRunner().invoke(program, ["plan", str(study.file)], standalone_mode=False)
    assert f"{plan}\n" == command.stdout and repr(plan) == str(plan)
    assert len(plan.runs) == plan.document["total"]["runs"] and set(plan.runs["state"]) == {"planned"}
    assert plan._repr_html_().startswith("<pre>") and "&lt;" not in plan.text


def test_what_the_orchestrator_refuses_is_a_refused_too(study, tmp_path):
    study.file.write_text(study.file.read_text().replace("warmup", "wramup"))
    with pytest.raises(scalectl.Refused, match="did you mean 'warmup'"):
        scalectl.plan(study.file)
    with pytest.raises(scalectl.Refused, match=r"none\.db"):
        scalectl.status(tmp_path / "none.db")


def test_a_status_prints_as_the_command_does(points, tmp_path):
    points[["model", "data_size", "steps", "params", "flops", METRIC]].to_csv(tmp_path / "runs.csv", index=False)
    store = tmp_path / "results.db"
    CliRunner().invoke(program, ["import", str(tmp_path / "runs.csv"), "--store", str(store)], standalone_mode=False)
    command = CliRunner().invoke(program, ["status", "--runs", "--store", str(store)], standalone_mode=False)
    assert f"{scalectl.status(store)}\n" == command.stdout
    assert len(scalectl.read(store)) == len(points)


def test_results_say_at_the_prompt_what_they_print(points):
    law = scalectl.fit(points, METRIC, draws=20)
    assert repr(law) == str(law) and "<function" not in repr(scalectl.fit_each(points, METRIC, per="model"))
    with pytest.raises(scalectl.Refused, match="foo"):
        scalectl.plot(points, "frontier", METRIC, law="foo")
