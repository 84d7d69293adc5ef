"""Files beside a store that somebody else has put there, and requests that a launcher can't read."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from test_cli import scalectl
from test_lock import HOLD
from told import planning

from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.store.beside import Unusable
from scalectl.orchestrator.store.lock import Locked, holder, holding, working_in
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.store.requests import ask_to_stop, asked_to_stop


@pytest.fixture
def store(tmp_path) -> Path:
    path = tmp_path / "results.db"
    Records(path).close()
    path.with_name("results.db.lock").unlink()
    return path


@pytest.fixture
def target(tmp_path) -> Path:
    """A file of this user that nobody may write over."""
    path = tmp_path / "target"
    path.write_text("37")
    return path


def put(kind: str, path: Path, target: Path) -> None:
    if kind == "link":
        path.symlink_to(target)
    elif kind == "second name":
        path.hardlink_to(target)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()


KINDS = ["link", "second name", "pipe", "folder"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_that_is_no_plain_file_is_refused_and_its_target_stays(store, target, kind):
    lock = Path(f"{store}.lock")
    put(kind, lock, target)
    for attempt in (lambda: Records(store), lambda: holding(store).__enter__(), lambda: holder(store)):
        with pytest.raises(Unusable, match=r"results\.db\.lock is .*Remove it") as refusal:
            attempt()
        assert refusal.value.exit is Exit.STORE
    assert target.read_text() == "37"


def test_status_with_a_pipe_for_a_lock_ends_with_a_message(store):
    os.mkfifo(f"{store}.lock")
    done = scalectl("status", "--store", store)
    assert done.returncode == Exit.STORE and "results.db.lock is no plain file" in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_the_lock_of_artifacts_that_is_no_plain_file_is_refused(tmp_path, target, kind):
    (tmp_path / "artifacts").mkdir()
    put(kind, tmp_path / "artifacts" / "launcher.lock", target)
    with pytest.raises(Refusal, match=r"launcher\.lock is"), working_in(str(tmp_path / "artifacts")):
        pass
    assert target.read_text() == "37"


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_sqlite_does_not_write_through_a_link(store, target, suffix):
    Path(f"{store}{suffix}").unlink(missing_ok=True)
    Path(f"{store}{suffix}").symlink_to(target)
    for attempt in (lambda: Records(store), lambda: Store(store).status()):
        with pytest.raises(Unusable, match="is a link"):
            attempt()
    assert target.read_text() == "37"


def other(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", *map(str, words)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


WORK = """
import sys
from scalectl.orchestrator.store.lock import working_in
with working_in(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has locks of an open file")
def test_whoever_removes_the_lock_file_still_does_not_get_in(store, tmp_path):
    artifacts = tmp_path / "artifacts"
    for words, lock in (((HOLD, store), f"{store}.lock"), ((WORK, artifacts), artifacts / "launcher.lock")):
        with other(*words) as first:
            assert first.stdout and first.stdin and first.stdout.readline() == "held\n"
            Path(lock).unlink()
            with other(*words) as second:
                _, said = second.communicate()
                assert second.returncode == 1 and "Locked: " in said and "whose lock file is gone" in said
            first.stdin.close()
        with other(*words) as third:
            assert third.stdout and third.stdout.readline() == "held\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has locks of an open file")
def test_a_store_that_was_made_while_it_was_held_is_held_itself_too(tmp_path):
    store = tmp_path / "results.db"
    with holding(store) as lock, Records(store, lock):
        Path(f"{store}.lock").unlink()
        done = subprocess.run([sys.executable, "-c", HOLD, store], capture_output=True, text=True, check=False)
        assert "whose lock file is gone" in done.stderr
    with pytest.raises(Locked), Records(store):
        Records(store)


@pytest.mark.parametrize("kind", KINDS)
def test_requests_that_are_no_plain_file_are_warned_of_once_and_ignored(study, target, kind):
    records, _ = planning(study)
    put(kind, Path(f"{study.store}.stop"), target)
    assert [records.stop_requests() for _ in range(3)] == [frozenset()] * 3
    with pytest.raises(Unusable, match=r"results\.db\.stop is"):
        ask_to_stop(study.store, ["37"])
    records.close()
    Records(study.store).close()  # the owner isn't locked out
    (warning,) = [event.text for event in Store(study.store).status().events if event.what == "warning"]
    assert warning.startswith("requests to stop are ignored: ") and target.read_text() == "37"


def test_large_requests_are_warned_of_ignored_and_gone(study):
    records, _ = planning(study)
    requests = Path(f"{study.store}.stop")
    with requests.open("wb") as file:
        file.truncate(2**33)
    assert records.stop_requests() == frozenset() and requests.stat().st_size == 0
    ask_to_stop(study.store, ["37"])
    assert records.stop_requests() == {"37"}
    records.close()
    (warning,) = [event.text for event in Store(study.store).status().events if event.what == "warning"]
    assert "8,589,934,592 bytes" in warning


root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


@pytest.fixture
def nobody(study) -> int:
    """The user nobody, to whom the study's store and folder belong."""
    records, _ = planning(study)
    records.close()
    number = pwd.getpwnam("nobody").pw_uid
    for path in (study.folder, *study.folder.glob("results.db*")):
        os.chown(path, number, -1)
    return number


@root
def test_what_root_asks_for_belongs_to_the_owner_of_the_store(study, nobody):
    ask_to_stop(study.store, ["37"])
    with Records(study.store):
        pass
    files = [*study.folder.glob("results.db*")]
    assert {path.stat().st_uid for path in files} == {nobody} and len(files) >= 3


@root
def test_requests_and_locks_of_others_are_refused_and_no_obstacle_to_stop(study):
    records, _ = planning(study)
    requests = Path(f"{study.store}.stop")
    requests.touch()
    os.chown(requests, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(Unusable, match="is a file of user"):
        asked_to_stop(study.store)
    assert records.stop_requests() == frozenset()
    records.close()
    os.chown(f"{study.store}.lock", pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(Unusable, match="is a file of user"):
        Records(study.store)


def test_another_user_is_told_that_the_launch_could_not_read_a_request(study, monkeypatch):
    records, _ = planning(study)
    monkeypatch.setattr("scalectl.orchestrator.store.requests.os.geteuid", lambda: 3737)
    with pytest.raises(Refusal, match="another user"):
        ask_to_stop(study.store, ["37"])
    records.close()
    assert not Path(f"{study.store}.stop").exists()
