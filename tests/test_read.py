"""results.db in pandas: the same table as pandas' own, and a refusal where there is none."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pandas as pd
import pytest
import told
from conftest import Study, stored

from scalectl import analysis
from scalectl.analysis.drawing.trunks import trunks
from scalectl.analysis.runs import usable
from scalectl.analysis.store import metrics
from scalectl.orchestrator.store.reading import Store


@pytest.fixture
def store(study):
    records, found = told.planning(study, steps="[20, 40]")
    with records:
        told.write(records, [job for job in found.jobs if not job.job.run or job.job.run.steps == 20])
    return study.store


def test_it_is_the_table_that_pandas_reads(store):
    theirs = pd.read_sql_table("points", f"sqlite:///{store}").astype({"test_images": "Int64"})
    pd.testing.assert_frame_equal(analysis.read(store), theirs)
    pd.testing.assert_frame_equal(analysis.read(f"sqlite:///{store}"), theirs)


def test_every_column_has_the_type_of_what_it_holds(store):
    found = analysis.read(str(store))
    kinds = {name: found[name].dtype.kind for name in ("excluded", "params", "images_seen", "flops", "upstream/error")}
    assert kinds == {"excluded": "b", "params": "i", "images_seen": "i", "flops": "f", "upstream/error": "f"}
    assert set(found["state"]) == {"done", "planned"}


def test_no_store_is_said_and_none_is_made(tmp_path):
    for store in (tmp_path / "none.db", f"sqlite:///{tmp_path}/none.db"):
        with pytest.raises(FileNotFoundError, match=r"none\.db: there is no store here"):
            analysis.read(store)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to look at"])
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path, content):
    file = tmp_path / "results.db"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"results\.db"):
        analysis.read(file)
    assert file.read_bytes() == content


def test_importing_it_loads_no_heavy_library():
    heavy = {"pandas", "numpy", "scipy", "matplotlib", "sqlalchemy"}
    code = f"import sys, analysis; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_measurements_are_the_readings_of_the_view(store):
    found = analysis.measurements(store)
    theirs = pd.read_sql_table("observations", f"sqlite:///{store}")[["run", "metric", "step", "value", "test_images"]]
    order = ["run", "metric", "step"]
    plain = found.astype({name: theirs[name].dtype for name in ("run", "metric", "test_images")})
    left, right = (one.sort_values(order, ignore_index=True) for one in (plain, theirs))
    pd.testing.assert_frame_equal(left, right)
    assert len(found) and set(found["run"].cat.categories) == set(analysis.read(store)["run"])


def test_a_store_without_readings_has_an_empty_table_of_the_same_types(study, store):
    empty = Study(study.folder / "empty")
    empty.folder.mkdir()
    empty.write()
    with told.planning(empty)[0]:
        pass
    kinds = analysis.measurements(store).dtypes.map(lambda kind: kind.name)
    assert list(analysis.measurements(empty.store).dtypes.map(lambda kind: kind.name)) == list(kinds)


def test_a_reading_that_was_not_finite_is_nan(store):
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE measurements SET value = NULL WHERE metric = 1")
    found = analysis.measurements(store)
    assert found["value"].isna().any() and found["value"].notna().any()
    assert found["value"].dtype.kind == "f"


def test_test_images_that_are_not_known_are_missing_also_in_an_older_store(study, store, tmp_path):
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE measurements SET test_images = NULL WHERE metric = 1")
    found = analysis.measurements(store)
    assert found["test_images"].isna().any() and set(found["test_images"].dropna()) == {told.TEST_IMAGES}
    (tmp_path / "older").mkdir()
    older = stored(Study(tmp_path / "older"), 7).store
    assert analysis.measurements(older)["test_images"].isna().all()
    assert analysis.read(older)["test_images"].isna().all()


def test_a_store_says_what_each_column_of_its_points_is(store):
    points = analysis.read(store)
    roles = points.attrs["columns"]
    assert set(roles) == set(points.columns)
    assert {roles[name] for name in ("flops", "device_seconds", "mfu", "state", "steps")} == {"run"}
    assert {roles[name] for name in ("model", "data_size", "lr", "seed", "origin")} == {"trunk"}
    assert [name for name, role in roles.items() if role == "metric"] == metrics(points)
    assert metrics(points) == metrics(points[points["state"] == "done"].reset_index(drop=True))


def test_an_older_store_is_read_as_before(store):
    said = metrics(analysis.read(store))
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DROP VIEW columns")
    older = analysis.read(store)
    assert metrics(older) == said and older.attrs["columns"] == {}


def test_a_new_cost_is_no_metric_and_parts_no_line(tmp_path):
    """A store of a later version, whose runs have a cost that this one has never heard of."""
    points = pd.DataFrame({"run": ["a", "b", "c"], "state": "done", "excluded": False, "model": "pico"})
    points = points.assign(steps=[10, 20, 40], flops=[1e9, 2e9, 4e9], digest="", joules=[3.0, 5.0, 9.0])
    points["upstream/error"] = [0.5, 0.4, 0.3]
    roles = {**dict.fromkeys(points.columns, "run"), "model": "trunk", "upstream/error": "metric"}
    with closing(sqlite3.connect(tmp_path / "later.db")) as connection, connection:
        points.to_sql("points", connection, index=False)
        pd.DataFrame(roles.items(), columns=["name", "role"]).to_sql("columns", connection, index=False)
    later = analysis.read(tmp_path / "later.db")
    assert metrics(later) == ["upstream/error"]
    with pytest.raises(analysis.Refused, match="unknown metric 'joules'"):
        analysis.frontier(later, "joules")
    ((model, xs, _),) = trunks(later, usable(later, "upstream/error"), "upstream/error", "flops")
    assert model == "pico" and xs.tolist() == [1e9, 2e9, 4e9]


def test_of_too_many_curves_those_of_chosen_trunks_alone_are_read(study):
    records, found = told.planning(study, models="[pico, nano]", sizes="[60, 120]")
    with records:
        told.write(records, found.jobs)
    given, runs = [], analysis.read(study.store)["run"].to_list()
    every = list(Store(study.store).segments(runs))
    first = every[0].trunk
    some = list(Store(study.store).segments(runs, lambda trunks: given.extend(trunks) or {first}))
    assert given == [segment.trunk for segment in every]
    assert some == [segment for segment in every if segment.trunk == first] and 0 < len(some) < len(every)
