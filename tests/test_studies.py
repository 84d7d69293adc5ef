"""The studies that come with scalectl are valid, and what they publish is what their tables say."""

import importlib
import importlib.util
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from pictures import cifar10
from scipy import stats

from scalectl import analysis
from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.experiment.reading import read

ROOT = Path(__file__).parents[1]
CIFAR10 = ROOT / "studies" / "cifar10"
OF_TABLES = "bottleneck", "samples", "isoflops", "sharing", "spent", "transfer"
OF_PARTS = "decay", "pooling", "other_trainer", "same_start"


@pytest.mark.parametrize("name", ["experiments.yaml", "studies/synthetic.yaml"])
def test_a_study_is_valid_without_warnings(name):
    experiment = read(ROOT / name)
    assert experiment.cells and experiment.warnings == ()


def test_the_study_of_cifar10_is_valid_where_its_files_are():
    overrides = [("data.source", f"parquet:{cifar10('train')}"), ("data.test", str(cifar10("test")))]
    experiment = read(ROOT / "studies" / "cifar10.yaml", overrides)
    assert len(experiment.cells) == 36 and experiment.warnings == ()
    assert experiment.cells[0].run.trunk.data.held_out == 10_000


def test_the_commands_in_the_header_of_the_papers_study_work_as_written():
    """Run where the study lies, with any machine's number of cores."""
    header = (ROOT / "studies" / "paper.yaml").read_text().partition("\nversion:")[0]
    commands = re.findall(r"^# +scalectl (.+)$", header, re.M)
    assert [command.split()[0] for command in commands] == ["plan", "simulate", "simulate"]
    screens = []
    for command in commands:
        words = [str(ROOT / word) if word.startswith("studies/") else word for word in shlex.split(command)]
        done = CliRunner().invoke(scalectl, words, standalone_mode=False)
        assert done.exception is None, done.output
        screens.append(done.stdout)
    plan, proposed, given = screens
    slots = re.search(r"about \d+ d [^\n]*on (\d+) slots? of v3-32, (\d+) of v3-128, (\d+) of v3-512\.", plan)
    counts = dict(zip(["v3-32", "v3-128", "v3-512"], slots.groups(), strict=True))
    assert all(f"{count} x {slot_type}" in proposed for slot_type, count in counts.items())
    assert "16 x v3-32" in given and "280 of 280 runs" in given


def test_what_is_done_of_the_study_of_cifar10_is_there_after_an_import(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(scalectl, ["import", str(ROOT / "studies/cifar10/done.zip")], standalone_mode=False)
    assert done.exception is None, done.exception
    points = analysis.read(tmp_path / "results.db").query("state == 'done'")
    assert len(points) >= 94 and points["upstream/error"].between(0.1, 0.9).all()
    assert points["fewshot/cifar10/10shot/error"].notna().all() and set(points["data_size"]) == {
        1500,
        5000,
        15000,
        50000,
    }


def test_the_report_of_cifar10_has_the_numbers_of_its_tables(monkeypatch):
    """All blocks but those of laws, whose last digit differs by processor."""
    monkeypatch.syspath_prepend(str(CIFAR10))
    holds("report", "REPORT.md", "state", "models", "outcomes", "reached", *OF_TABLES, *OF_PARTS)


def test_poolings_are_compared_seed_by_seed(monkeypatch):
    """Seeds share their batches: of two columns the chance is that of the paired t test, which a common shift keeps."""
    monkeypatch.syspath_prepend(str(CIFAR10))
    recipes = importlib.import_module("recipes")
    seeds = pd.DataFrame({"gap": [0.1, 0.5, 0.9], "map": [0.11, 0.53, 0.92]})
    paired = stats.ttest_rel(seeds["gap"], seeds["map"]).pvalue
    assert recipes.chance_of_columns(seeds) == pytest.approx(paired)
    assert stats.f_oneway(seeds["gap"], seeds["map"]).pvalue > 0.9 > 0.2 > paired


def test_what_came_of_the_prediction_is_said_alike_wherever_it_is_said():
    outcome = re.search(r"`prediction_of_the_largest.csv`: .*?; (.+?);", (CIFAR10 / "REPORT.md").read_text())
    inside, of = re.search(r"interval: (\d+) of (\d+)", outcome[1]).groups()
    assert outcome[1] in (ROOT / "docs" / "first_study.md").read_text()
    assert (
        of == "10"
        and f"ten largest runs were written down before any of them was trained: {inside} lie"
        in " ".join((ROOT / "README.md").read_text().split())
    )


def test_the_prediction_of_cifar10_has_the_numbers_of_its_file(monkeypatch):
    """Also after the predicted runs were trained: what it rests on is what was done before."""
    monkeypatch.syspath_prepend(str(CIFAR10))
    holds("prediction", "PREDICTION.md", "rested", "held_out")


def holds(script: str, page: str, *names: str) -> None:
    """Whether a page has the blocks of its script, with these as the script returns them, and its figures."""
    found = importlib.util.spec_from_file_location(f"{script}_of_cifar10", CIFAR10 / f"{script}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    text = (CIFAR10 / page).read_text()
    block = re.compile(r"<!-- (?!end)(\w+) -->\n(.*?)<!-- end -->", re.S)
    blocks = dict(block.findall(text))
    assert set(blocks) == set(module.BLOCKS)
    for name in names:
        assert blocks[name] == module.BLOCKS[name]() + "\n", name
    for figure in re.findall(r"\]\((figures/.+?)\)", text):
        assert (CIFAR10 / figure).exists()
