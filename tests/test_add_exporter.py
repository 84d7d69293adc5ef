"""An exporter is one function: a toy one is registered from outside, and the three that are there lose nothing."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.report import exports

ROWS = {
    "name": ["short", "long", "longest"],
    "model": ["nano", "mini", "mini"],
    "steps": [10, 20, 40],
    "flops": [1e9 / 3, 2e9 / 3, 4e9 / 3],
    "error": [0.1 + 0.2, 0.25, None],
}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("exports")
    pd.DataFrame(ROWS).to_csv(folder / "runs.csv", index=False)
    done = scale("import", folder / "runs.csv", "--store", folder / "results.db")
    assert done.exception is None
    return str(folder / "results.db")


def scale(*words: object):
    return CliRunner().invoke(scalectl, [str(word) for word in words], standalone_mode=False)


def read_json(path) -> pd.DataFrame:
    return pd.DataFrame(json.loads(path.read_text()))


@pytest.mark.parametrize(
    ("suffix", "read"),
    [(".csv", pd.read_csv), (".CSV", pd.read_csv), (".json", read_json), (".parquet", pd.read_parquet)],
)
def test_a_file_has_every_run_with_all_digits_of_its_numbers(store, tmp_path, suffix, read):
    path = tmp_path / "new" / f"runs{suffix}"
    done = scale("export", "--store", store, "-o", path)
    assert done.stdout == f"3 runs written to {path}.\n"
    points = read(path).sort_values("steps")
    for column in ("name", "model", "steps", "flops"):
        assert points[column].tolist() == ROWS[column]
    assert points["error"].tolist()[:2] == ROWS["error"][:2] and pd.isna(points["error"].iloc[2])
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_where_and_study_choose_runs(store, tmp_path):
    path = tmp_path / "some.json"
    assert scale("export", "--store", store, "--where", "model=mini", "-o", path).stdout.startswith("2 runs")
    refused = scale("export", "--store", store, "--study", "other", "-o", tmp_path / "none.csv").exception
    assert refused.exit == Exit.NOT_FOUND and not (tmp_path / "none.csv").exists()


def test_nothing_is_overwritten_unless_that_is_asked_for(store, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("mine")
    refused = scale("export", "--store", store, "-o", path).exception
    assert refused.exit == Exit.REFUSED and "--force" in str(refused) and path.read_text() == "mine"
    assert scale("export", "--store", store, "-o", path, "--force").exception is None
    assert len(pd.read_csv(path)) == 3


def test_an_exporter_from_outside_writes_its_suffix(store, tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "EXPORTERS", dict(exports.EXPORTERS))

    @exports.exporter(".names")
    def names(points: pd.DataFrame, path) -> None:
        path.write_text(" ".join(sorted(points["name"])))

    assert scale("export", "--store", store, "-o", tmp_path / "runs.names").exception is None
    assert (tmp_path / "runs.names").read_text() == "long longest short"


def test_a_suffix_that_nobody_writes_is_a_wrong_word_with_those_that_are_there(store, tmp_path):
    refused = scale("export", "--store", store, "-o", tmp_path / "runs.jsn").exception
    assert refused.exit == Exit.INVALID
    assert ".csv, .json, .parquet" in str(refused) and "Did you mean '.json'?" in str(refused)


def test_an_exporter_that_fails_leaves_the_file_that_was_there(store, tmp_path, monkeypatch):
    path = tmp_path / "runs.csv"
    path.write_text("mine")

    def full(points: pd.DataFrame, path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(exports.EXPORTERS, ".csv", full)
    refused = scale("export", "--store", store, "-o", path, "--force").exception
    assert str(refused) == f"{path}: No space left on device." and refused.exit == Exit.REFUSED
    assert path.read_text() == "mine" and [file.name for file in tmp_path.iterdir()] == ["runs.csv"]
