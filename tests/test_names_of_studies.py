"""A run that is in two studies: each has names of its own for the model, and so for the run."""

import csv
import io

import pytest
from invoking import command
from told import planned_again, planning, rows, write

from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch.pruning import prune
from scalectl.orchestrator.page.document import document
from scalectl.orchestrator.report.fits import study_points
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records


@pytest.fixture
def shared(study):
    """Three runs that `small` calls by pico and `later`, which was planned after it, by tiny; two of them in both."""
    records, plan = planning(study, steps="[20, 40, 80]")
    with records:
        write(records, plan.jobs, value=0.37)
    text = study.write(steps="[20, 40]").read_text()
    study.file.write_text(text.replace("name: small", "name: later").replace("pico:", "tiny:"))
    with Records(study.store) as records:
        planned_again(study, records)
    return study


NAMES = {
    "small": {"pico-60-20", "pico-60-40", "pico-60-80"},
    "later": {"tiny-60-20", "tiny-60-40"},
}


@pytest.mark.parametrize("name", NAMES)
def test_a_study_that_is_asked_for_has_its_own_names(shared, name):
    page = document(shared.store, name, thorough=False)
    assert set(page["runs"]["name"]) == NAMES[name]
    assert any(part.startswith(f"best: {min(NAMES[name])} ") for part in page["summary"])
    words = ["export", "-o", shared.folder / "runs.csv", "--study", name, "--store", shared.store]
    assert command(*words).exception is None
    rows = list(csv.DictReader(io.StringIO((shared.folder / "runs.csv").read_text())))
    assert {row["name"] for row in rows} == NAMES[name] and {row["study"] for row in rows} == {name}


def test_any_study_s_name_names_the_run(shared):
    store = Store(shared.store)
    assert store.ids(["pico-60-20"]) == store.ids(["tiny-60-20"])
    assert store.run("pico-60-80").run["name"] == "pico-60-80"
    shown = command("show", "pico-60-20", "--store", shared.store).stdout.splitlines()
    assert shown[0].startswith("tiny-60-20 · ") and shown[1].startswith("  pico-60-20 is its name in another study")
    assert "another study" not in command("show", "tiny-60-20", "--store", shared.store).stdout


def test_a_run_that_leaves_a_study_has_the_name_of_the_one_that_keeps_it(shared):
    """All of `small` but this one were of one model in SQL: it stayed `tiny` there."""
    shared.file.write_text(shared.file.read_text().replace("[20, 40]", "[20]"))
    prune(read(shared.file), lambda found: True)
    named = "SELECT points.name, model, study FROM points ORDER BY steps"
    assert rows(shared, named) == [
        ("tiny-60-20", "tiny", "later"),
        ("pico-60-40", "pico", "small"),
        ("pico-60-80", "pico", "small"),
    ]


def test_runs_that_a_file_lacks_follow_the_new_names_of_its_models(study):
    """Names that changed places left the long runs behind: `pico` was then both shapes, and each seed a model."""
    text = study.write(steps="[20, 40]").read_text()
    text = text.replace("\ndata:", "\n  nano: {width: 16, depth: 2, num_heads: 2, patch_size: 4}\ndata:", 1)
    swapped = text.replace("nano:", "other:").replace("pico:", "nano:").replace("other:", "pico:")
    for edited in (text, swapped.replace("[20, 40]", "[20]")):
        study.file.write_text(edited)
        with Records(study.store) as records:
            write(records, planned_again(study, records).jobs)
    request, points = study_points(study.store, "small")
    assert dict(zip(points["name"], points["width"], strict=True)) == {
        "nano-60-20": 8,
        "nano-60-40": 8,
        "pico-60-20": 16,
        "pico-60-40": 16,
    }
    assert {name.partition("-")[0] for name in request.names.values()} == {*request.runs.values()} == {"nano", "pico"}
    assert set(zip(points["model"], points["width"], strict=True)) == {("nano", 8), ("pico", 16)}
