"""What results.db is as a file: who may read it, what is refused, and what happens when the file goes wrong."""

import hashlib
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from dataclasses import fields
from pathlib import Path

import pytest
from conftest import Study, stored
from sqlalchemy.exc import IntegrityError
from told import planning, progress, rows, started, told, write

from scalectl import analysis
from scalectl.orchestrator.cli.status import text as status_text
from scalectl.orchestrator.errors import Exit, NotFound
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.report.fits import study_points
from scalectl.orchestrator.store.beside import check_journals
from scalectl.orchestrator.store.database import (
    APPLICATION,
    NewerStore,
    NotAStore,
    Unusable,
    reading,
)
from scalectl.orchestrator.store.file_systems import shared_file_system
from scalectl.orchestrator.store.known import MEASURED, known
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.store.tables import runs
from scalectl.orchestrator.store.upgrading import VERSION
from scalectl.trainer.spec import DataSpec, RecipeSpec


@pytest.fixture
def begun(study):
    """A store that is open, with two runs planned in four jobs and the first job done."""
    records, found = planning(study)
    write(records, found.jobs[:1])
    yield records, found
    records.close()


def status(path: Path):
    return Store(path).status()


def test_a_log_that_its_last_writer_takes_away_is_no_error(study):
    """It was there when it was looked for, and gone when it was looked at."""
    planning(study)[0].close()
    coming = f"""
import sqlite3
while True:
    store = sqlite3.connect({str(study.store)!r})
    store.execute("UPDATE studies SET name = name")
    store.commit()
    store.close()
"""
    with subprocess.Popen([sys.executable, "-c", coming]) as writer:
        try:
            for _ in range(20_000):
                check_journals(study.store)
        finally:
            writer.kill()


def foreign(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE runs (id TEXT)")
        other.commit()
    return path


def test_only_its_owner_may_read_the_store(study, begun):
    files = sorted(study.folder.glob("results.db*"))
    assert [path.name for path in files] == ["results.db", "results.db-shm", "results.db-wal", "results.db.lock"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_the_store_is_one_file_when_nobody_writes(study, begun):
    begun[0].close()
    assert sorted(path.name for path in study.folder.glob("results.db*")) == ["results.db", "results.db.lock"]


def test_it_has_a_write_ahead_log_a_stamp_and_a_version(study, begun):
    stamps = [rows(study, f"PRAGMA {name}") for name in ("journal_mode", "application_id", "user_version")]
    assert stamps == [["wal"], [APPLICATION], [VERSION]]
    assert rows(study, "PRAGMA integrity_check") == ["ok"] and not rows(study, "PRAGMA foreign_key_check")


def test_tables_and_views_are_those_of_this_version(study, begun):
    """Stores of one version that lacked a column, as it was added without another, were refused by some verbs.

    After a change raise VERSION, let tests/stores have a store of the version before, and put the new hash here.
    """
    known = hashlib.sha256()
    for kind, name, sql in sorted(rows(study, "SELECT type, name, coalesce(sql, '') FROM sqlite_master")):
        columns = [column[1:] for column in rows(study, f'PRAGMA table_xinfo("{name}")')]
        view = " ".join(sql.split()) if kind == "view" else ""
        known.update(repr((kind, name, columns, view)).encode())
    assert (VERSION, known.hexdigest()[:12]) == (12, "c2af157931ea")


@pytest.mark.parametrize("query", ["SELECT test_images FROM points", MEASURED])
def test_what_a_run_measured_last_is_looked_up_and_not_searched_for_among_all_before(study, begun, query):
    """SQLite began with the readings of a run, of which it may have thousands, where the order was left to it."""
    plan = [text for *_, text in rows(study, f"EXPLAIN QUERY PLAN {query}")]
    looked_up = [text for text in plan if "measurements" in text]
    assert looked_up and all("(run=? AND metric=? AND step=?)" in text for text in looked_up), plan


def test_a_row_that_points_nowhere_is_refused(begun):
    records, _ = begun
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        records.note("lost", "its job is in no plan", job="37")


def test_a_reader_can_not_write(study, begun):
    with pytest.raises(Unusable, match="readonly"), reading(study.store) as connection:
        connection.exec_driver_sql("DELETE FROM runs")


def test_a_newer_store_is_refused_and_says_what_to_do(study, begun):
    begun[0].close()
    with closing(sqlite3.connect(study.store)) as store:
        store.execute(f"PRAGMA user_version = {VERSION + 36}")
    before = study.store.read_bytes()
    for use in (Records, known, status):
        with pytest.raises(NewerStore, match="upgrade scalectl") as refusal:
            use(study.store)
        assert refusal.value.exit is Exit.STORE
    assert study.store.read_bytes() == before


def test_an_older_store_gains_the_settings_that_came_later(study, begun):
    begun[0].close()
    whole = rows(study, "SELECT * FROM points")
    with closing(sqlite3.connect(study.store)) as store:
        store.executescript("DROP VIEW points; DROP VIEW curves; DROP VIEW observations")
        store.executescript("DROP TABLE imported; DROP TABLE imports")
        store.executescript("ALTER TABLE runs DROP COLUMN stratified; PRAGMA user_version = 1")
        store.executescript("ALTER TABLE runs DROP COLUMN flops_per_second; ALTER TABLE progress DROP COLUMN mfu")
    assert Store(study.store).status().imported == 0
    planning(study)[0].close()
    assert rows(study, "SELECT * FROM points") == whole
    assert rows(study, "PRAGMA user_version") == [VERSION]


KINDS = [("trunk", "v5e-16"), ("trunk", "cpu"), ("cooldown", "cpu"), ("evaluation", "cpu")]


def test_an_older_store_is_read_as_a_new_one_and_stays_as_it_is(old):
    before = old.store.read_bytes()
    said = [line.split("  ")[1] for line in Store(old.store).logs("pico-60-20-s0")]
    assert said[:2] == [
        "pico-60-s0 trunk 0 to 16: attempt 1 on slot v5e-16/3 on node-37, process 4242, from step 0",
        "pico-60-s0 trunk 0 to 16: stopped at step 3",
    ]
    last = [line for line in said if "cooldown: " in line or "evaluation: " in line]
    assert [line.split(": ")[0].split("-s0 ")[1] for line in last] == 2 * ["cooldown"] + 2 * ["evaluation"]
    shown = Store(old.store).run("pico-60-20-s0").to_json()["attempts"]
    assert [(attempt["job_kind"], attempt["slot_type"]) for attempt in shown] == KINDS
    (speeds,) = known(old.store).speeds.values()
    assert list(speeds) == ["v5e-16", "cpu"]
    assert Store(old.store).status().counts["done"] == 1
    assert old.store.read_bytes() == before and rows(old, "PRAGMA user_version") == [5]


def test_an_older_store_that_is_written_to_is_a_new_one_from_then_on(old):
    Records(old.store).close()
    assert rows(old, "SELECT job_kind, slot_type FROM attempts ORDER BY id") == KINDS
    named = [("trunk", "pico-60-s0"), ("evaluation", "pico-60-20-s0")]
    assert rows(old, "SELECT kind, run_name FROM jobs ORDER BY kind DESC") == named
    assert rows(old, "PRAGMA user_version") == [VERSION] and rows(old, "PRAGMA integrity_check") == ["ok"]


def test_runs_of_an_older_store_have_the_devices_that_the_types_of_their_slots_name(study):
    """Until version 11 each slot counted as one device."""
    stored(study, 10)
    with closing(sqlite3.connect(study.store)) as store, store:
        store.execute("UPDATE attempts SET slot_type = 'v5e-16' WHERE job IN (SELECT id FROM jobs WHERE run = 2)")
    before = dict(rows(study, "SELECT number, core_days FROM runs"))
    with reading(study.store) as copy:
        assert copy.exec_driver_sql("SELECT devices FROM runs ORDER BY number").all() == [(1.0,), (16.0,)]
    Records(study.store).close()
    assert dict(rows(study, "SELECT number, core_days FROM runs")) == {1: before[1], 2: pytest.approx(16 * before[2])}
    kept = rows(study, "SELECT run, core_seconds / device_seconds FROM checkpoints ORDER BY run")
    assert kept == [(None, 1), (None, 1), (1, 1), (2, 16)]


def test_of_the_slots_of_a_job_of_an_older_store_the_one_that_it_ended_on_counts(study):
    """It was the one that any job had first, if another job had them the other way round."""
    stored(study, 10)
    copied = "job, job_kind, slot, started, state, slot_type"
    again = f"INSERT INTO attempts ({copied}) SELECT job, job_kind, slot, started"
    with closing(sqlite3.connect(study.store)) as store, store:
        store.execute("UPDATE attempts SET slot_type = iif(id = 1, 'v5e-16', 'h100-8')")
        store.execute("UPDATE attempts SET state = 'preempted' WHERE id = 1")
        store.execute(f"{again}, 'done', 'h100-8' FROM attempts WHERE id = 1")
        store.execute(f"{again}, 'lost', 'v5e-16' FROM attempts WHERE id = 2")
        store.execute(f"{again}, 'done', 'v5e-16' FROM attempts WHERE job_kind = 'cooldown'")
        store.execute("UPDATE attempts SET job_kind = 'evaluation' WHERE id > 6")
    Records(study.store).close()
    assert rows(study, "SELECT devices FROM runs") == [8, 8]
    kept = rows(study, "SELECT step, round(core_seconds / device_seconds) FROM checkpoints ORDER BY step")
    assert kept == [(16, 8), (20, 8), (32, 16), (40, 8)]


def test_a_copy_of_an_older_store_can_not_be_written_to(old):
    with pytest.raises(Unusable, match="readonly"), reading(old.store) as connection:
        connection.exec_driver_sql("DELETE FROM runs")


def test_a_store_of_version_6_has_the_runs_that_its_studies_listed(study):
    """Also where it is only read; the run that had left the file is none of them."""
    stored(study, 6)
    for _ in range(2):
        names = dict(rows(study, "SELECT id, name FROM runs"))
        of_study = {name: [names[run] for run in Store(study.store).study(name).runs] for name in ("small", "other")}
        assert of_study == {"small": ["pico-60-20-s0"], "other": ["pico-60-40-s0"]}
        assert Store(study.store).status().unlisted == 1
        Records(study.store).close()
    assert rows(study, "PRAGMA user_version") == [VERSION] and not rows(study, "PRAGMA foreign_key_check")


def test_a_store_of_version_7_has_the_test_images_of_its_own_measurements(study):
    """Also where it is only read; nobody knows those of the imported ones."""
    stored(study, 7)
    with closing(sqlite3.connect(study.store)) as store, store:
        store.execute('UPDATE measurements SET settings = \'{"data":{"held_out":37}}\' WHERE metric = 3')
    for _ in range(2):
        read_off = Store(study.store).run("pico-60-40").measurements
        assert [row["test_images"] for row in read_off] == [360, 360, 37]
        assert [row["test_images"] for row in Store(study.store).run("b-s1").measurements] == [None]
        Records(study.store).close()
    assert rows(study, "PRAGMA user_version") == [VERSION] and rows(study, "PRAGMA integrity_check") == ["ok"]
    assert rows(study, "SELECT DISTINCT labels FROM imports") == [""]


@pytest.mark.parametrize("use", [Records, known, status])
def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path, use):
    path = foreign(tmp_path / "photos.db")
    before = path.read_bytes()
    with pytest.raises(NotAStore, match="another program"):
        use(path)
    assert path.read_bytes() == before


DAMAGES = {
    "text": lambda whole: b"version: 1\n" * 300,
    "no header": lambda whole: bytes(100) + whole[100:],
    "half": lambda whole: whole[: len(whole) // 2],
    "head only": lambda whole: whole[:50],
    "no pages": lambda whole: whole[:100] + b"\x37" * (len(whole) - 100),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    """A store that is closed, as bytes."""
    study = Study(tmp_path_factory.mktemp("whole"))
    planning(study)[0].close()
    return study.store.read_bytes()


@pytest.mark.parametrize("use", [Records, known, status])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_named_and_left_as_it_is(tmp_path, whole, damage, use):
    bad = tmp_path / "bad.db"
    bad.write_bytes(DAMAGES[damage](whole))
    before = bad.read_bytes()
    with pytest.raises(NotAStore, match=r"bad\.db is not a store, or is damaged") as refusal:
        use(bad)
    assert refusal.value.exit is Exit.STORE and bad.read_bytes() == before


def test_damage_under_a_running_launcher_ends_it_with_the_name_of_the_store(study, begun):
    records, found = begun
    records.close()
    size = study.store.stat().st_size
    records = Records(study.store)
    with study.store.open("r+b") as file:
        file.seek(4096)
        file.write(b"\x37" * (size - 4096))
    with closing(records), pytest.raises(NotAStore, match=r"results\.db is not a store, or is damaged"):
        records.plan(found, read(study.file))


def test_a_store_that_is_not_there_is_not_made_by_looking(tmp_path):
    with pytest.raises(NotFound, match="no store here"):
        Store(tmp_path / "none.db").status()
    assert known(tmp_path / "none.db").states == {} and list(tmp_path.iterdir()) == []


def test_an_empty_file_becomes_a_store(study):
    study.store.touch()
    with pytest.raises(NotFound, match="empty file"):
        Store(study.store).status()
    planning(study)[0].close()
    assert len(known(study.store).states) == 2


@pytest.mark.parametrize("place", ["/proc/scalectl.db", "{0}/experiments.yaml/results.db", "{0}"])
def test_a_place_where_no_store_can_be_is_a_refusal(study, place):
    with pytest.raises(Unusable) as refusal:
        Records(place.format(study.folder))
    assert refusal.value.exit is Exit.STORE


@contextmanager
def as_nobody():
    """Give up root for a moment: root may write to any folder."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_folder_that_is_read_only_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        with as_nobody(), pytest.raises(Unusable, match=r"results\.db\.lock: Permission denied\. What changes"):
            Records(Path(folder) / "results.db")


def test_a_store_can_be_read_where_nobody_can_write():
    with tempfile.TemporaryDirectory() as name:
        study = Study(Path(name))
        planning(study)[0].close()
        for path in (study.store, study.folder):
            os.chown(path, 65534, 65534) if os.geteuid() == 0 else None
        study.folder.chmod(0o555)
        with as_nobody():
            assert Store(study.store).status().counts["planned"] == 2
            assert len(known(study.store).states) == 2
            assert len(analysis.read(study.store)) == 2 and analysis.measurements(study.store).empty
        study.folder.chmod(0o755)


def test_a_store_that_pandas_cant_read_is_a_refusal(study):
    planning(study)[0].close()
    with closing(sqlite3.connect(study.store)) as connection, connection:
        connection.execute("DROP VIEW points")
    with pytest.raises(Unusable, match="has lost the view 'points'"):
        study_points(study.store, None)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_deleted_under_a_running_launcher_stops_it(study, begun, replaced):
    records, found = begun
    attempt = records.start(found.jobs[1], "here")
    for path in study.folder.glob("results.db*"):
        path.unlink()
    if replaced:
        Records(study.store).close()
    with pytest.raises(Unusable, match="moved, deleted or replaced"):
        records.write(attempt, told(found.jobs[1]))


@contextmanager
def full_disk(size: int):
    """Let no file grow beyond `size` bytes, as a full disk would."""
    before, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk_loses_the_batch_and_nothing_before_it(study, begun):
    records, found = begun
    attempt = records.start(found.jobs[1], "here")
    batch = [started(16), *(progress(n) for n in range(17, 5000))]
    size = (study.folder / "results.db-wal").stat().st_size
    with full_disk(size + 40_000), pytest.raises(Unusable, match=r"results\.db: (disk I/O error|.*full)"):
        records.write(attempt, batch)
    assert rows(study, "SELECT max(step) FROM progress") == [16]
    records.write(attempt, batch)
    assert rows(study, "SELECT max(step) FROM progress") == [4999]


@pytest.mark.parametrize("waiting", [False, True])
def test_a_store_can_be_read_on_a_full_disk(study, waiting):
    """The file that readers of one store share is one more, for which there was no room; a log has it beside it."""
    planning(study)[0].close()
    with closing(sqlite3.connect(study.store)) as connection:
        if waiting:
            connection.execute("DELETE FROM runs WHERE number = 1")
            connection.commit()
        with full_disk(0):
            assert Store(study.store).status().counts["planned"] == 2 - waiting
            assert len(known(study.store).states) == 2 - waiting
            assert len(analysis.read(study.store)) == 2 - waiting and analysis.measurements(study.store).empty


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
filer:/home /home nfs4 rw 0 0
/dev/sdb1 /home/scratch xfs rw 0 0
//nas/labs /mnt/my\\040lab cifs rw 0 0
bucket /mnt/b\xfccket fuse.gcsfuse rw 0 0
mountpoint-s3 /mnt/s3 fuse rw 0 0
box /mnt/box fuse.overlayfs-of-nobody rw 0 0
encfs /mnt/crypt fuse.encfs rw 0 0
drvfs /mnt/c 9p rw,aname=drvfs 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ada/results.db", "nfs4"),
        ("/home/scratch/results.db", ""),
        ("/homely/results.db", ""),
        ("/mnt/my lab/results.db", "cifs"),
        ("/mnt/s3/results.db", "fuse.mountpoint-s3"),
        ("/mnt/box/results.db", "fuse.overlayfs-of-nobody"),
        ("/mnt/crypt/results.db", ""),
        ("/mnt/c/results.db", "9p"),
    ],
)
def test_a_file_system_that_others_share_is_known_by_its_mount(tmp_path, path, kind):
    (tmp_path / "mounts").write_bytes(MOUNTS.encode("latin-1"))
    assert shared_file_system(Path(path), tmp_path / "mounts") == kind


SHARED = """nfs4 lustre gpfs wekafs panfs ocfs2 gfs2 ceph fuse.ceph-fuse fuse.rclone fuse.blobfuse2 fuse.grpcfuse
fakeowner drvfs 9p vboxsf virtiofs"""


@pytest.mark.parametrize("kind", SHARED.split())
def test_file_systems_of_networks_clusters_and_hosts_are_shared(tmp_path, kind):
    (tmp_path / "mounts").write_text(f"anything / {kind} rw 0 0\n")
    assert shared_file_system(tmp_path, tmp_path / "mounts") == kind


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs", "fuseblk", "fuse.fuse-overlayfs"])
def test_file_systems_of_one_machine_are_not(tmp_path, kind):
    (tmp_path / "mounts").write_text(f"anything / {kind} rw 0 0\n")
    assert shared_file_system(tmp_path, tmp_path / "mounts") == ""


def test_where_mounts_are_not_told_no_file_system_is_suspected(tmp_path):
    assert shared_file_system(tmp_path, tmp_path / "none") == ""


def test_a_network_file_system_is_warned_of_in_the_history(study, monkeypatch):
    monkeypatch.setattr("scalectl.orchestrator.store.records.shared_file_system", lambda _: "nfs4")
    planning(study)[0].close()
    assert "warning: the store is on nfs4" in status_text(Store(study.store).status())


def test_a_setting_that_came_later_has_in_older_stores_the_value_that_it_has_in_older_runs():
    later = [one for spec in (DataSpec, RecipeSpec) for one in fields(spec) if "later" in one.metadata]
    assert len(later) >= 10
    for one in later:
        assert runs.c[one.name].server_default.arg == str(int(one.default) if one.type in (bool, int) else one.default)


def test_a_name_that_no_file_can_have_is_a_refusal(tmp_path):
    with pytest.raises(Unusable, match="File name too long"), reading(tmp_path / ("x" * 300)):
        pass


def test_a_store_that_stays_busy_is_told_with_what_to_do(tmp_path, monkeypatch):
    Records(tmp_path / "results.db").close()
    monkeypatch.setattr("scalectl.orchestrator.store.database.BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(tmp_path / "results.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unusable, match=r"locked\. Another program holds it: end that"):
            Records(tmp_path / "results.db")
