"""The next commands that verbs name: of the study that was spoken of, with options that it has."""

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import Study
from told import planned_again, planning, write

import scalectl
from scalectl.orchestrator.cli.main import scalectl as command
from scalectl.orchestrator.cli.predict import next_command
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.store.snapshot import LAUNCHED, work

OTHERS = "model,params,flops,accuracy,test_error\na,1000,1e9,0.5,0.5\nb,2000,2e9,0.6,0.4\n"


@pytest.fixture
def mixed(study, monkeypatch):
    """A store with a study of its own that is done, and a file of other people's runs."""
    monkeypatch.chdir(study.folder)
    records, found = planning(study, steps="[20, 40]")
    with records:
        write(records, found.jobs)
    (study.folder / "others.csv").write_text(OTHERS)
    return study


def following(*words: object) -> list[str]:
    """The words of the command that a verb names."""
    output = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False).stdout
    return shlex.split(output.rpartition("Next: scalectl ")[2].strip())


def test_an_import_beside_a_study_of_ones_own_names_the_command_that_fits_it(mixed):
    assert following("import", "others.csv") == ["fit", "--study", "others", "--metric", "test_error"]
    alone = ["fit", "--metric", "test_error", "--store", "alone.db"]
    assert following("import", "others.csv", "--store", "alone.db") == alone


def test_an_excluded_run_of_others_names_the_command_that_fits_them(mixed):
    following("import", "others.csv")
    wanted = ["fit", "--study", "others", "--metric", "test_error"]
    for verb in (["exclude", "a", "--reason", "copied wrongly"], ["include", "a"], ["show", "a"]):
        assert following(*verb) == wanted


def test_a_run_of_another_study_of_ones_own_names_the_command_that_fits_that(mixed):
    first = Store(mixed.store).status().runs[0]
    assert following("exclude", first.id, "--reason", "x") == ["fit"]
    later = Study(mixed.folder)
    mixed.file.write_text(mixed.write(steps="[80]").read_text().replace("name: small", "name: later"))
    with Records(mixed.store) as records:
        planned_again(later, records)
    assert following("include", first.id) == ["fit", "--study", first.study]


def test_a_store_of_imported_runs_alone_is_fitted_without_an_option(study, monkeypatch):
    """The last study imported is fitted: the store's first metric may be that of another one."""
    monkeypatch.chdir(study.folder)
    (study.folder / "others.csv").write_text(OTHERS)
    (study.folder / "more.csv").write_text(OTHERS.replace("test_error", "eval_loss"))
    for name in ("others.csv", "more.csv"):
        following("import", name)
    assert following("status") == ["fit"]
    assert "test_error" not in CliRunner().invoke(command, ["fit"]).stderr


def test_the_budget_that_a_prediction_proposes_is_that_of_what_was_trained(mixed):
    """Shared trunks were counted once for each of their runs, and planned runs as well."""
    mixed.write(steps="[20, 40, 80, 1000]")
    with Records(mixed.store) as records:
        planned_again(mixed, records)
        records.note(LAUNCHED, f"scalectl launch {mixed.file}")
    status = Store(mixed.store).status()
    trained, _ = work(status.runs)
    points = scalectl.read(mixed.store)
    words = shlex.split(next_command(mixed.store, points, "small", {}))
    assert words == ["scalectl", "suggest", words[2], "--budget", f"{trained:.1g}"]
    assert Path(words[2]).absolute() == mixed.file
    assert trained < sum(run.flops for run in status.runs if run.state == "done")
    asked = {"study": "small", "metric": "upstream/loss", "where": "steps>20", "seeds": "each", "correlation": 0.3}
    kept = ["--metric", "upstream/loss", "--seeds", "each", "--correlation", "0.3"]
    assert shlex.split(next_command(mixed.store, points, "small", asked)) == [*words, *kept]


def test_a_prediction_of_others_runs_names_the_figure_of_the_same_law(mixed):
    following("import", "others.csv")
    asked = {"study": "others", "metric": "test_error", "where": "model!=c", "x": "params", "law": "power"}
    words = ["--study", "others", "--metric", "test_error", "--where", "model!=c", "--x", "params", "--law", "power"]
    found = shlex.split(next_command(mixed.store, scalectl.read(mixed.store), "others", asked))
    assert found == ["scalectl", "plot", "frontier", *words]


def test_a_fit_without_any_run_names_no_figure_that_would_be_refused_too(study):
    records, found = planning(study, steps="[20, 40]")
    with records:
        write(records, found.jobs)
        for run in found.runs:
            records.exclude(run.id, "copied wrongly")
    refused = CliRunner().invoke(command, ["fit", "--store", str(study.store)], standalone_mode=False)
    assert refused.return_value == 4 and "runs that are done are excluded" in refused.stderr
    assert "Next:" not in refused.output
