"""The readings of a study as an export has them: those of the view, in parts of which no file tells."""

import sqlite3
from contextlib import closing
from hashlib import sha256

import pandas as pd
import pytest
from click.testing import CliRunner
from told import planning, write

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.export import readings
from scalectl.orchestrator.export.content import content
from scalectl.orchestrator.store.database import reading

OTHERS = "model,flops,steps,error\na,1e9,,0.5\nb,2e9,700,0.4\n"


def scale(*words: object) -> None:
    done = CliRunner().invoke(scalectl, [str(word) for word in words], standalone_mode=False)
    assert done.exception is None, done.exception


@pytest.fixture
def store(study):
    """A store of a study with 12 runs, one value of which was not finite, and of two imported ones."""
    records, found = planning(study, models="[pico, nano]", steps="[20, 40]")
    with records:
        write(records, found.jobs)
    with closing(sqlite3.connect(study.store)) as changed, changed:
        changed.execute("UPDATE measurements SET value = NULL, test_images = NULL, settings = 'other' WHERE run = 2")
    (study.folder / "others.csv").write_text(OTHERS)
    scale("import", study.folder / "others.csv", "--store", study.store)
    return study.store


@pytest.mark.parametrize("name", [None, "others"])
def test_they_are_those_of_the_view_in_order(store, name):
    found = content(store, name)
    with reading(store) as connection:
        view = pd.read_sql_table("observations", connection)
    view = view[view["run"].isin(found.points["run"])].sort_values(["run", "metric", "step"], ignore_index=True)
    (table,) = readings.parts(found.measurements)
    pd.testing.assert_frame_equal(table, view, check_dtype=False)
    assert isinstance(found.measurements["name"].dtype, pd.CategoricalDtype) and len(table) > 1
    assert (table["step"].dtype.kind == "i") == (name is None)  # whatever other studies of the store have


@pytest.mark.parametrize("target", ["csv", "jsonl", "parquet"])
def test_a_file_of_several_parts_is_that_of_one(store, tmp_path, monkeypatch, target):
    scale("export", "--to", target, tmp_path / "whole", "--store", store)
    monkeypatch.setattr(readings, "PART", 5)
    scale("export", "--to", target, tmp_path / "parts", "--store", store)
    one, other = (tmp_path / folder / f"measurements.{target}" for folder in ("whole", "parts"))
    if target == "parquet":
        pd.testing.assert_frame_equal(pd.read_parquet(one), pd.read_parquet(other))
    else:
        assert sha256(one.read_bytes()).digest() == sha256(other.read_bytes()).digest()
