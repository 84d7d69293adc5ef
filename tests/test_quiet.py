"""Verbs that write something say nothing of it with -q; what went wrong they say all the same."""

import pytest
from invoking import command
from runs import laptop
from told import filled, rows

COLUMNS = ["name", "model", "params", "data_size", "steps", "seed", "flops", "upstream/error"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a store and a file of other people's runs."""
    made = tmp_path_factory.mktemp("quiet")
    filled(made)
    laptop()[COLUMNS].to_csv(made / "others.csv", index=False)
    return made


@pytest.mark.parametrize(
    "words",
    [
        ["export", "--to", "csv", "{}/out"],
        ["export", "-o", "{}/runs.csv"],
        ["export", "--bundle", "{}/study.zip"],
        ["import", "{}/others.csv"],
        ["plot", "frontier", "-o", "{}/frontier.png"],
        ["report", "-o", "{}/report.html"],
        ["db", "backup", "{}/copy.db"],
        ["db", "upgrade"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_verb_that_writes_is_silent_on_demand(folder, words, monkeypatch):
    monkeypatch.chdir(folder)
    done = command(*[word.format(folder) for word in words], "-q", "--store", folder / "results.db")
    assert done.exception is None and done.output == "", done.exception or done.output
    written = [word.format(folder) for word in words if "{}" in word]
    assert all((folder / path).exists() for path in written)


def test_a_verb_that_changes_something_is_silent_on_demand(tmp_path):
    study = filled(tmp_path)
    (run, *_) = rows(study, "SELECT id FROM runs")
    store = ("-q", "--store", study.store)
    for words in (
        ["exclude", run, "--reason", "a spike", *store],
        ["include", run, *store],
        ["stop", "--all", *store],
        ["retry", "--failed", *store],
        ["init", tmp_path / "new.yaml", "-q"],
        ["prune", study.file, "--yes", "-q", "--set", "budgets.steps=[20]"],
    ):
        done = command(*words)
        assert done.exception is None and done.output == "", words
    assert (tmp_path / "new.yaml").exists() and rows(study, "SELECT count(*) FROM members") == [1]


def test_what_goes_wrong_is_said_all_the_same(folder, tmp_path):
    refused = command("export", "-q", "--to", "csv", folder, "--store", folder / "results.db")
    assert "refused" in str(refused.exception)
    (tmp_path / "bad.csv").write_text("name,model,steps,upstream/error\na,m,10,0.5\nb,m,ten,0.5\n")
    wrong = command("import", "-q", tmp_path / "bad.csv", "--store", tmp_path / "results.db")
    assert "steps = ten" in str(wrong.exception)
