"""What is refused for its size, before it takes a machine's memory or time; and paths that no file can have."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from invoking import command
from pictures import grey
from pyarrow import parquet
from smallest import STUDY

from scalectl import analysis
from scalectl.orchestrator.cli.shortage import shortage
from scalectl.orchestrator.errors import Exit, InvalidExperiment, NotFound, Refusal
from scalectl.orchestrator.experiment.document import MAX_FILES, read_document
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.store import intake
from scalectl.orchestrator.store.database import NotAStore, reading
from scalectl.orchestrator.store.records import Records


def refused(tmp_path: Path, *overrides: tuple[str, str], study: str = STUDY) -> InvalidExperiment:
    file = tmp_path / "study.yaml"
    file.write_text(study)
    with pytest.raises(InvalidExperiment) as error:
        read(file, overrides)
    return error.value


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("models.nano.depth", "1e15", "parameters: no cluster holds them"),
        ("models.nano.mlp_dim", "1e15", "parameters: no cluster holds them"),
        ("train.batch_size", "1e15", "at once: no cluster holds them"),
        ("data", "{source: synthetic, sizes: [350], num_classes: 1e15}", "labels go up to 2,147,483,646"),
        ("data", "{source: synthetic, sizes: [350], image_size: 1e15}", "pixels are more than 65,535"),
        ("grid.extra", "[{model: nano, data_size: 350, steps: 1e15}]", "more than 1e9"),
        ("budgets", "{device_hours: [1e300], flops_per_second: 1e300}", "more than 1e9"),
        ("models.nano.depth", "9" * 4000, "a number of too many digits"),
        ("models.nano.depth", "0x" + "f" * 4000, "a number of too many digits"),
        ("data.source", "folder:~nobody-of-this-name/x", "home directory"),
        ("store", "a" * 300, "File name too long"),
    ],
)
def test_what_nothing_can_hold_is_one_error_at_its_place(tmp_path, key, value, said):
    (problem,) = refused(tmp_path, (key, value)).problems
    assert said in problem.message and problem.spot.source.startswith(f"--set {key}")


def test_labels_of_files_that_no_label_can_be_are_refused(tmp_path):
    columns = {"image": [{"bytes": grey(7)}] * 10, "label": pa.array([2**62] * 10, pa.int64())}
    parquet.write_table(pa.table(columns), tmp_path / "train.parquet")
    data = "{source: parquet:train.parquet, sizes: [2], image_size: 8}"
    problems = refused(tmp_path, ("data", data)).problems
    assert any("labels go up to 2,147,483,646" in one.message and one.key == "data.source" for one in problems)


@pytest.mark.parametrize("typed", ['"a\\0b"', "a" * 300, "~nobody-of-this-name/x", "loop", "/dev/zero"])
def test_a_path_that_no_file_can_have_is_refused_at_extends(tmp_path, typed):
    (tmp_path / "loop").symlink_to("loop")
    (problem,) = refused(tmp_path, study=f"extends: {typed}\n{STUDY}").problems
    assert problem.key == "extends" and problem.spot.place.endswith(":1:10")


def test_files_that_extend_each_other_are_laid_over_each_other_up_to_a_number(tmp_path):
    for n in range(MAX_FILES + 1):
        (tmp_path / f"{n}.yaml").write_text(f"extends: {n + 1}.yaml\nk{n}: {{a: 1}}\nk0: {{b{n}: {n}, b0: {n}}}\n")
    (tmp_path / f"{MAX_FILES}.yaml").write_text("k0: {c: 1}\n")
    document = read_document(tmp_path / "1.yaml")
    assert document.value["k0"] == {"c": 1, "b0": 1} | {f"b{n}": n for n in range(1, MAX_FILES)}
    assert document.spot(("k0", "b0")).source.endswith("/1.yaml") and document.spot(("k0", "c")).line == 1
    with pytest.raises(InvalidExperiment, match=f"more than {MAX_FILES} files"):
        read_document(tmp_path / "0.yaml")


@pytest.fixture
def store(tmp_path):
    """A store with six imported runs of the study others."""
    file, path = tmp_path / "others.csv", tmp_path / "results.db"
    file.write_text("model,flops,error\n" + "".join(f"m{n},{n}e9,0.{n}\n" for n in range(1, 7)))
    assert command("import", file, "--store", path).return_value == 0
    return path


def wide(tmp_path: Path, metrics: int) -> Path:
    file = tmp_path / "wide.csv"
    file.write_text("model,flops," + ",".join(f"m{n}" for n in range(metrics)) + "\na,1e9" + ",1" * metrics + "\n")
    return file


@pytest.mark.slow
def test_more_metrics_than_points_can_bear_are_refused_by_name(store, tmp_path):
    error = command("import", wide(tmp_path, 1990), "--store", store).exception
    assert isinstance(error, Refusal)
    most = int(str(error).split(" has room for ")[1].split()[0].replace(",", ""))
    first = most - 1  # one metric is there already
    assert most > 1900 and f"Too many are m{first}, m{first + 1}, " in str(error)
    assert len(analysis.read(store)) == 6
    assert command("import", wide(tmp_path, first + 1), "--store", store).exception is not None
    assert command("import", wide(tmp_path, first), "--store", store).return_value == 0
    assert len(analysis.read(store)) == 7  # the view bears just as many


def test_an_import_is_taken_back_and_a_store_that_it_spoilt_is_whole_again(store, tmp_path, monkeypatch):
    before = analysis.read(store)
    with monkeypatch.context() as earlier:  # versions that refused nothing
        earlier.setattr(intake, "most_metrics", lambda: 10**6)
        assert command("import", wide(tmp_path, 1990), "--store", store).return_value == 0
    with pytest.raises(ValueError, match="too many columns"):
        analysis.read(store)
    assert "1 imported run of wide" in command("import", "--undo", "wide", "--store", store).stdout
    assert analysis.read(store).equals(before)
    assert isinstance(command("import", "--undo", "wide", "--store", store).exception, NotFound)


def test_a_damaged_page_is_noticed_by_the_next_writer_who_names_what_helps(store):
    assert command("db", "check", "--store", store).return_value == 0
    copy = store.with_name("copy.db")
    assert command("db", "backup", copy, "--store", store).return_value == 0
    whole = store.read_bytes()
    size, middle = int.from_bytes(whole[16:18], "big"), 2
    store.write_bytes(whole[: middle * size] + b"\x37" * size + whole[(middle + 1) * size :])
    for words in (["exclude", "m3", "--reason", "odd"], ["db", "check"]):
        error = command(*words, "--store", store).exception
        assert error.exit is Exit.STORE and f"{copy} is a sound copy" in str(error)
    copy.unlink()
    assert ".recover" in str(command("db", "check", "--store", store).exception)


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM imports; END", "the trigger 't'"),
        (
            "DROP VIEW points; CREATE VIEW points AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c)"
            " SELECT x FROM c",
            "the view 'points'",
        ),
        ("DROP TABLE events; CREATE VIEW events AS SELECT 1 AS id", "the view 'events'"),
        ("DROP TABLE imported", "the table 'imported'"),
    ],
)
def test_objects_of_others_and_lost_ones_are_refused_by_name(store, sql, name):
    with closing(sqlite3.connect(store)) as connection:
        connection.executescript(sql)
    error = command("status", "--store", store).exception
    assert error.exit is Exit.STORE and name in str(error)


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("UPDATE imports SET steps = 'some'", "imports.steps is 'some'"),
        ("UPDATE imported SET value = 'low'", "imported.value is 'low'"),
        ("UPDATE imports SET at = 'yesterday'", "imports.at is 'yesterday'"),
    ],
)
def test_a_value_that_its_column_can_not_have_is_named_by_readers_and_writers(store, sql, name):
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(sql)
    for words in (["show", "m3"], ["exclude", "m3", "--reason", "odd"], ["db", "check"]):
        error = command(*words, "--store", store).exception
        assert isinstance(error, NotAStore) and name in str(error)


def test_the_log_of_another_store_replaces_nothing(store, tmp_path):
    before = store.read_bytes()
    other = tmp_path / "other.db"
    with Records(other) as records:
        records.note("warning", "of another store")
        store.with_name("results.db-wal").write_bytes(other.with_name("other.db-wal").read_bytes())
    for use in (lambda: Records(store), lambda: reading(store).__enter__()):
        with pytest.raises(NotAStore, match="the log of another store"):
            use()
    assert store.read_bytes() == before
    for ending in ("wal", "shm"):
        store.with_name(f"results.db-{ending}").unlink(missing_ok=True)
    assert len(analysis.read(store)) == 6


@pytest.mark.parametrize(
    ("error", "lacking"),
    [
        (MemoryError(), "memory"),
        (RuntimeError("can't start new thread"), "threads or processes"),
        (OSError(24, "Too many open files"), "open files"),
        (ImportError("x.so: failed to map segment from shared object"), "memory"),
        (ValueError("odd"), ""),
    ],
)
def test_what_the_system_ran_out_of_is_named(error, lacking):
    assert lacking in shortage(error) and bool(shortage(error)) == bool(lacking)
