"""The commands that screens recommend: they do what they say, from where they are read."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Study
from runs import laptop
from test_cli import scalectl

from scalectl.orchestrator.format import command


def after(said: str) -> list[str]:
    """The words of the last next command on a screen."""
    return shlex.split(said.rsplit("Next: scalectl ", 1)[1])


def test_a_command_has_its_file_changes_and_store_quoted():
    line = command(
        "launch",
        "my ex.yaml",
        changes=["grid.seeds=[0, 1]"],
        store="a b.db",
        options={"hold_out": "model=='x'", "law": None},
    )
    words = ["scalectl", "launch", "my ex.yaml", "--set", "grid.seeds=[0, 1]", "--hold-out", "model=='x'"]
    assert shlex.split(line) == [*words, "--store", "a b.db"]


def test_the_usual_store_needs_no_naming(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command("fit", store="results.db") == command("fit", store=tmp_path / "results.db") == "scalectl fit"
    assert command("fit", store=Path("..") / "results.db") == "scalectl fit --store ../results.db"


def test_changes_and_files_with_blanks_reach_the_next_command(tmp_path):
    study = Study(tmp_path)
    file = study.write().rename(tmp_path / "my ex.yaml")
    change = ["--set", "data.sizes=[60, 90]"]
    assert after(scalectl("validate", file, *change).stdout) == ["plan", str(file), *change]
    for words in (["plan", file], ["simulate", file, "--slots", "2"]):
        assert after(scalectl(*words, *change).stdout) == ["launch", str(file), *change]
    done = scalectl("plan", "my ex.yaml", *change, cwd=tmp_path)
    assert scalectl(*after(done.stdout), "-n", cwd=tmp_path).returncode == 0


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("imported")
    laptop()[["model", "data_size", "steps", "params", "flops", "upstream/error"]].to_csv(
        folder / "runs.csv", index=False
    )
    done = scalectl("import", folder / "runs.csv", "--store", folder / "other.db")
    assert done.returncode == 0, done.stderr
    return folder / "other.db"


def test_what_a_fit_was_asked_reaches_the_figure_and_the_prediction(imported):
    asked = ["--metric", "upstream/error", "--where", "model!='mini'", "--law", "power"]
    drawn = after(scalectl("fit", *asked, "--store", imported).stdout)
    assert drawn[:2] == ["plot", "frontier"] and sorted(drawn[2:]) == sorted([*asked, "--store", str(imported)])
    done = scalectl(*drawn, "-o", imported.with_suffix(".png"))
    assert done.returncode == 0, done.stderr
    predicted = [{"C": "1e12"}.get(word, word) for word in after(done.stdout)]
    answer = scalectl(*predicted)
    assert answer.returncode == 0, answer.stderr
    assert after(answer.stdout)[:2] == ["plot", "frontier"]  # no file is known, so that nothing can be suggested


def test_a_figure_without_a_law_leads_to_why_there_is_none(imported):
    asked = ["--metric", "upstream/error", "--where", "flops<1e10"]
    words = after(scalectl("plot", "frontier", *asked, "--store", imported, "-o", imported.with_suffix(".pdf")).stdout)
    assert words[0] == "fit" and scalectl(*words).returncode == 4


def test_the_paper_s_figure_of_a_file_that_is_not_there_is_refused_in_a_line(tmp_path):
    script = Path(__file__).parents[1] / "examples" / "reproduce_paper.py"
    done = subprocess.run([sys.executable, script, tmp_path / "nope.csv"], capture_output=True, text=True)
    assert done.returncode == 1 and "nope.csv" in done.stderr and len(done.stderr.splitlines()) == 1


def test_what_follows_a_prediction_is_about_the_same_law(imported):
    asked = ["--metric", "upstream/error", "--where", "steps>=200", "--x", "flops", "--law", "saturating"]
    said = scalectl("predict", "--store", imported, *asked, "--compute", "1e13").stdout
    assert after(said) == ["plot", "frontier", *asked, "--store", str(imported)]
