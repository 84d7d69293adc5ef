"""The verbs on the store as a file: what `db check` names and mends, and stores of every older version."""

import fcntl
import gc
import json
import os
import re
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import stored
from told import everything, planning, rows, write

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.page.live import Feed
from scalectl.orchestrator.store import measured
from scalectl.orchestrator.store.beside import Unusable
from scalectl.orchestrator.store.database import NotAStore, check, copy_to, version_of
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.store.requests import ask_to_stop
from scalectl.orchestrator.store.soundness import remedy
from scalectl.orchestrator.store.upgrading import VERSION, upgrade

VERSIONS = [int(path.stem.removeprefix("version")) for path in (Path(__file__).parent / "stores").glob("*.sql")]


def db(study, *words):
    done = CliRunner().invoke(scalectl, ["db", *words, "--store", str(study.store)], standalone_mode=False)
    assert done.exception is None, done.exception
    return done.return_value, done.stdout


def test_what_is_left_to_mend_is_rows_and_a_document_too(study, kept):
    shutil.rmtree(kept[0])
    code, text = db(study, "check", "-o", "json")
    (problem,) = json.loads(text)["problems"]
    assert code is Exit.WORK_LEFT and kept[0] in problem["text"] and problem["repairable"] and not problem["repaired"]
    assert db(study, "check", "-o", "csv", "--columns", "repairable,repaired") == (
        code,
        "repairable,repaired\nTrue,False\n",
    )
    code, text = db(study, "check", "--repair", "-o", "jsonl", "--columns", "repaired")
    assert code is Exit.DONE and json.loads(text) == {"repaired": True}
    assert json.loads(db(study, "check", "-o", "json")[1])["problems"] == []


@pytest.fixture
def kept(study):
    """A study whose store and checkpoints fit together, with the paths of its checkpoints."""
    records, planned = planning(study, steps="[20, 40]")
    write(records, planned.jobs)
    records.close()
    assert db(study, "check") == (Exit.DONE, f"{study.store} is sound.\n")
    return rows(study, "SELECT path FROM checkpoints WHERE kept ORDER BY path")


def test_a_checkpoint_that_is_gone_is_named_and_its_row_removed(study, kept):
    measured = rows(study, "SELECT * FROM measurements")
    shutil.rmtree(kept[0])
    code, text = db(study, "check")
    assert code is Exit.WORK_LEFT and kept[0] in text and kept[1] not in text and "Next: scalectl db check" in text
    assert rows(study, "SELECT count(*) FROM checkpoints WHERE kept") == [len(kept)]  # a look changes nothing
    code, text = db(study, "check", "--repair")
    assert code is Exit.DONE and "repaired: " in text
    assert rows(study, "SELECT path FROM checkpoints WHERE kept ORDER BY path") == kept[1:]
    assert db(study, "check")[0] is Exit.DONE and rows(study, "SELECT * FROM measurements") == measured


def test_artifacts_that_are_all_gone_may_come_back(study, kept):
    shutil.move(study.folder / "artifacts", study.folder / "elsewhere")
    for _ in range(2):
        code, text = db(study, "check", "--repair")
        assert code is Exit.WORK_LEFT and f"none of {len(kept)} checkpoints" in text and "--repair" not in text
    shutil.move(study.folder / "elsewhere", study.folder / "artifacts")
    assert db(study, "check")[0] is Exit.DONE


def test_a_folder_of_no_run_is_named_and_stays(study, kept):
    folder = Path(kept[0]).parents[1] / "0123456789ab" / "40"
    folder.mkdir(parents=True)
    code, text = db(study, "check", "--repair")
    assert code is Exit.WORK_LEFT and str(folder.parent) in text and folder.exists()


def test_what_a_killed_launch_left_running_is_put_down_as_stopped(study):
    records, planned = planning(study, steps="[20]")
    records.start(planned.jobs[-1], "here")
    assert db(study, "check")[0] is Exit.DONE  # the launch works
    records.close()
    assert "1 job written down as running" in db(study, "check")[1]
    assert db(study, "check", "--repair")[0] is Exit.DONE
    assert rows(study, "SELECT state FROM attempts") == ["lost"] and rows(study, "SELECT state FROM runs") == [
        "stopped"
    ]
    assert db(study, "check")[0] is Exit.DONE


def test_requests_that_nobody_takes_are_dropped(study, kept):
    ask_to_stop(study.store, ["0123456789ab"])
    assert "requests to stop" in db(study, "check")[1]
    assert db(study, "check", "--repair")[0] is Exit.DONE and db(study, "check")[0] is Exit.DONE


def test_a_worker_that_outlived_its_launch_is_named(study, kept):
    (folder, *_) = rows(study, "SELECT folder FROM jobs")
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, text = db(study, "check", "--repair")
        assert code is Exit.WORK_LEFT and folder in text and "still writes" in text
    finally:
        os.close(file)
    assert db(study, "check")[0] is Exit.DONE


@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_of_each_older_version_is_upgraded_once_and_keeps_its_rows(study, version):
    stored(study, version)
    before = everything(study)
    assert version_of(study.store) == version < VERSION
    assert db(study, "check")[0] in (Exit.DONE, Exit.WORK_LEFT)  # its artifacts are elsewhere
    assert version_of(study.store) == version  # a look upgrades nothing
    assert db(study, "upgrade") == (Exit.DONE, f"{study.store} upgraded from version {version} to {VERSION}.\n")
    after = everything(study)
    assert {table: len(lines) for table, lines in after.items() if table in before and table != "members"} == {
        table: len(lines) for table, lines in before.items() if table != "members"
    }
    assert db(study, "upgrade") == (Exit.DONE, f"{study.store} is of version {VERSION} already.\n")
    shown = [Store(study.store).run(run).run["devices"] for run in rows(study, "SELECT id FROM runs")]
    assert shown and {type(devices) for devices in shown} == {float}  # as in a new store


@pytest.fixture
def upgrades(monkeypatch):
    """The copies of stores that were upgraded, an entry for each time."""
    done = []

    def counted(connection):
        done.append(connection.connection.dbapi_connection)
        upgrade(connection)

    monkeypatch.setattr("scalectl.orchestrator.store.older.upgrade", counted)
    return done


def test_a_command_makes_one_upgraded_copy_of_an_older_store(study, upgrades):
    """A page made six, each as large as the store."""
    stored(study, VERSIONS[0])
    os.utime(study.store, (0, 0))
    words = ["report", "-o", str(study.folder / "page.html"), "--store", str(study.store)]
    assert CliRunner().invoke(scalectl, words).exit_code == Exit.DONE and len(upgrades) == 1


def test_an_older_store_that_has_changed_is_copied_again(study, upgrades):
    stored(study, VERSIONS[0])
    os.utime(study.store, (0, 0))
    store = Store(study.store)
    named = store.studies()
    for number in (1, 2):
        with closing(sqlite3.connect(study.store)) as old, old:
            old.execute("UPDATE studies SET name = ?", (f"changed {number}",))
        os.utime(study.store, (number, number))  # long ago, and so sure to tell the next change
        assert store.studies()[0] == store.studies()[0] == f"changed {number}" != named[0]
    assert len(upgrades) == 3
    os.utime(study.store)  # a moment ago: it may change again without another time
    assert store.studies() == store.studies() and len(upgrades) == 5


def test_an_older_store_is_read_by_a_link_as_its_launch_writes_it(study):
    """The log lies beside the file, and not beside the link."""
    stored(study, VERSIONS[0])
    link = study.folder / "link.db"
    link.symlink_to(study.store)
    with closing(sqlite3.connect(study.store)) as launch:
        launch.execute("PRAGMA journal_mode=WAL")
        for number in (1, 2):
            with launch:
                launch.execute("UPDATE studies SET name = ?", (f"changed {number}",))
            os.utime(study.store, (0, 0))
            os.utime(f"{study.store}-wal", (number, number))
            assert Store(link).studies()[0] == f"changed {number}"


def test_what_a_thread_kept_of_an_older_store_is_closed_with_it(study, caplog):
    """It was left to the collector of garbage, which failed in another thread, and said so."""
    stored(study, VERSIONS[0])

    def look():
        for number in range(2):
            os.utime(study.store, (number, number))
            Store(study.store).studies()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    gc.collect()
    assert not caplog.records


@pytest.mark.parametrize("long", [Records, Feed])
def test_what_goes_on_for_long_keeps_no_copy_that_nobody_reads(study, upgrades, long):
    """A launch kept one until its end, and a live page one more than it has threads."""
    stored(study, VERSIONS[0])
    os.utime(study.store, (0, 0))
    Store(study.store).studies()
    with closing(long(study.store)), pytest.raises(sqlite3.ProgrammingError, match="closed"):
        upgrades[0].execute("SELECT 1")


def test_every_older_version_has_a_store():
    assert VERSIONS and sorted(VERSIONS) == [*range(min(VERSIONS), VERSION)]


def test_a_backup_during_a_launch_is_whole_and_can_be_upgraded(study):
    records, planned = planning(study, steps="[20, 40]")
    write(records, planned.jobs[:1])
    code, _ = db(study, "backup", str(study.folder / "copy.db"))
    write(records, planned.jobs[1:])
    records.close()
    assert code is Exit.DONE
    study.store = study.folder / "copy.db"
    assert rows(study, "SELECT count(*) FROM jobs WHERE state = 'done'") == [1]
    assert db(study, "upgrade")[0] is Exit.DONE


def test_a_backup_takes_the_place_of_nothing_and_makes_its_folders(study):
    """It ended with the code of a store that a launch is using, and with the bare text of the system."""
    planning(study)[0].close()
    before = study.store.read_bytes()
    for file, reason in ((study.store, "is there already"), (study.store / "x.db", "is there already")):
        with pytest.raises(Refusal, match=reason) as refused:
            scalectl.main(["db", "backup", str(file), "--store", str(study.store)], standalone_mode=False)
        assert refused.value.exit is Exit.REFUSED and str(refused.value).endswith("Give another file.")
    assert study.store.read_bytes() == before
    copy = study.folder / "new" / "folder" / "copy.db"
    assert db(study, "backup", str(copy))[0] is Exit.DONE and copy.stat().st_mode & 0o777 == 0o600


def test_a_backup_that_fails_leaves_no_file(study, monkeypatch):
    planning(study)[0].close()

    def full(_, **options):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("scalectl.orchestrator.store.database.sqlite3.connect", full)
    with pytest.raises(Unusable, match="disk is full"):
        copy_to(study.store, study.folder / "copy.db")
    assert not (study.folder / "copy.db").exists()


def test_a_damaged_store_is_no_backup_of_itself(study):
    planning(study)[0].close()
    whole = bytearray(study.store.read_bytes())
    size = int.from_bytes(whole[16:18], "big")
    whole[2 * size : 3 * size] = bytes([0xFF]) * size
    damaged = study.folder / "damaged.db"
    damaged.write_bytes(whole)
    with pytest.raises(NotAStore, match=f"damaged.db is damaged.*{study.store.name} is a sound copy"):
        copy_to(damaged, study.folder / "new" / "copy.db")
    assert list((study.folder / "new").iterdir()) == []


def test_the_store_of_another_study_is_no_copy_of_a_damaged_one(study, tmp_path):
    records, plan = planning(study)
    write(records, plan.jobs[:1])
    records.close()
    first, damaged = study.folder / "first.db", study.folder / "results.db"
    copy_to(damaged, first)
    with closing(sqlite3.connect(first)) as connection, connection:
        connection.execute("UPDATE events SET at = '2001-01-01 00:00:00.000000' WHERE id = 1")
    assert f"{first} is" not in remedy(damaged) and "No sound copy is beside it" in remedy(damaged)
    copy_to(damaged, study.folder / "second.db")
    assert remedy(damaged).startswith(f"{study.folder / 'second.db'} is a sound copy")


def test_prune_is_also_a_verb_of_the_store(study):
    from scalectl.orchestrator.cli.db import db as group

    assert group.commands["prune"] is scalectl.commands["prune"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE measurements SET run = 'pico' WHERE run = 2", "measurements.run is 'pico'"),
        ("UPDATE measurements SET metric = 'loss' WHERE metric = 2 AND run = 2", "measurements.metric is 'loss'"),
        ("UPDATE measurements SET step = x'37' WHERE metric = 1 AND run = 2", "measurements.step is \"b'7'\""),
        ("UPDATE measurements SET value = 'low' WHERE metric = 2 AND run = 2", "measurements.value is 'low'"),
        ("UPDATE measurements SET run = 37 WHERE run = 2", "a row of measurements belongs to one of runs that is gone"),
        ("UPDATE measurements SET run = -1 WHERE run = 2", "a row of measurements belongs to one of runs that is gone"),
        ("DELETE FROM metrics WHERE id = 2", "a row of measurements belongs to one of metrics that is gone"),
        ("DELETE FROM trunks WHERE number = 1", "a row of runs belongs to one of trunks that is gone"),
    ],
)
def test_what_other_programs_did_to_the_rows_of_a_store_is_named(study, kept, change, said):
    with closing(sqlite3.connect(study.store)) as store, store:
        assert store.execute(change).rowcount
    with pytest.raises(NotAStore, match=re.escape(said)):
        check(study.store)


def test_the_keys_of_measurements_are_found_by_their_index(study, kept):
    """Each row of them was read for each of its columns, of millions."""
    for answer in (measured.ODD, measured.MISSING):
        plan = [text for *_, text in rows(study, f"EXPLAIN QUERY PLAN {measured.query(answer)}")]
        assert any("measurements" in text for text in plan) and not any("SCAN measurements" in text for text in plan)
