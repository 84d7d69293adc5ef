"""One launcher a store, between real processes."""

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from test_cli import scalectl
from test_crash import measured, start
from told import planning, rows

from scalectl.orchestrator.cli.main import scalectl as program
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.store.lock import Holder, Lock, Locked, holder, holding, working_in
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records
from scalectl.trainer import flock

HOLD = """
import sys
from pathlib import Path
from scalectl.orchestrator.store.lock import Lock
held = Lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "results.db"


@pytest.fixture
def other(store) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the store until its stdin ends."""
    command = [sys.executable, "-c", HOLD, str(store)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_launcher_is_refused_with_the_host_pid_and_age_of_the_first(store, other):
    with pytest.raises(Locked) as refusal:
        Records(store)
    said = rf"process {other.pid} on {re.escape(socket.gethostname())}, started \d+ s ago"
    assert re.search(said, str(refusal.value)) and str(store) in str(refusal.value)
    assert refusal.value.exit is Exit.STORE


def test_a_command_that_holds_a_store_is_no_launch(store):
    """`status` and `stop` took an import for one, and had the user follow it."""
    with Records(store, launches=False):
        assert holder(store) is None and Store(store).launcher() is None
        with pytest.raises(Locked, match=rf"held by process {os.getpid()} on .*That is no launch.*try again"):
            Records(store)
    with Records(store):
        assert set(holder(store).to_json()) == {"host", "pid", "started"}
        with pytest.raises(Locked, match="status --watch"):
            Records(store, launches=False)


@pytest.mark.parametrize("verb", ["import runs.csv", "exclude pico-60-20 --reason x", "stop --all"])
def test_verbs_that_write_say_that_they_launch_nothing(study, monkeypatch, verb: str):
    monkeypatch.chdir(study.folder)
    (study.folder / "runs.csv").write_text("model,flops,test_error\na,1e9,0.5\n")
    planning(study)[0].close()
    seen, close = [], Records.close

    def look(records: Records) -> None:
        seen.append((holder(study.store), Store(study.store).status().launcher))
        close(records)

    monkeypatch.setattr(Records, "close", look)
    assert CliRunner().invoke(program, verb.split()).exit_code == 0
    assert seen == [(None, None)]


@pytest.fixture
def made(store) -> None:
    Records(store).close()


def test_a_launcher_of_another_store_is_refused_the_artifacts_of_the_first(study):
    with working_in(str(study.folder / "artifacts")):
        done = scalectl("launch", study.file, "--here")
    assert done.returncode == Exit.STORE and f"process {os.getpid()} on " in done.stderr
    assert "--set artifacts=FOLDER" in done.stderr and not [*study.folder.glob("artifacts/trunks")]
    with working_in(str(study.folder / "artifacts")):
        pass  # released, and free for the next


def test_artifacts_that_can_not_be_written_are_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match="Not a directory"), working_in(str(tmp_path / "file" / "artifacts")):
        pass


def test_status_works_while_another_process_holds_the_store(store, made, other):
    assert Store(store).status().to_json()["launcher"]["pid"] == other.pid


def test_kill_9_lets_the_next_launcher_in(store, other):
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert holder(store) is None
    Records(store).close()


def test_one_process_can_not_hold_a_store_twice_by_any_of_its_names(store):
    link = store.with_name("link.db")
    link.symlink_to(store)
    with Records(store):
        for name in (store, link, store.parent / "." / store.name):
            with pytest.raises(Locked, match=f"process {os.getpid()} on "):
                Records(name)


def test_closing_twice_closes_no_file_of_others(store):
    records = Records(store)
    records.close()
    with store.open("rb") as file:  # takes the number that the lock had
        records.close()
        assert file.read(6) == b"SQLite"


def test_looking_does_not_keep_a_launcher_out(store):
    for _ in range(37):
        assert holder(store) is None
        Lock(store).release()


def test_the_file_of_a_lock_that_nobody_signed_is_no_obstacle(store):
    for text in ("", "{", "37", '{"pid": 37}'):
        store.with_name("results.db.lock").write_text(text)
        assert holder(store) is None
        lock = Lock(store)
        assert holder(store) == Holder(socket.gethostname(), os.getpid(), holder(store).started)
        lock.release()


REFUSED = """
import sys
from pathlib import Path
from scalectl.orchestrator.store.lock import holding
with holding(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_that_wait_for_a_lock_that_is_taken_away_do_not_both_hold_it(store):
    command = [sys.executable, "-c", REFUSED, str(store)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdin and process.stdout.readline() == "held\n"
        waiting = os.open(f"{store}.lock", os.O_RDWR)  # as one that opened it just before it was taken away
        process.stdin.close()
        process.wait()
    assert not [*store.parent.iterdir()]
    fcntl.flock(waiting, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with holding(store), pytest.raises(Locked):
        Records(store)
    os.close(waiting)
    assert not [*store.parent.iterdir()]


def test_a_lock_that_is_taken_away_while_another_waits_for_it_is_made_anew(store, monkeypatch):
    with ExitStack() as stack:
        stack.enter_context(holding(store))
        monkeypatch.setattr("scalectl.orchestrator.store.lock.time.sleep", lambda seconds: stack.close())
        lock = Lock(store)
    with pytest.raises(Locked):
        Lock(store)
    lock.release()


def test_a_program_that_the_launcher_starts_does_not_inherit_the_lock(store):
    records = Records(store)
    child = subprocess.Popen(["sleep", "37"])
    records.close()
    try:
        Records(store).close()
    finally:
        child.kill()
        child.wait()


@pytest.mark.slow
def test_artifacts_are_held_until_the_workers_that_write_there_have_ended(study):
    """A launch that was stopped at once let them go before it ended its workers."""
    study.write(steps="[50000]", checkpoint_every=10**6)
    launcher = start(study, "--slots", "1")
    try:
        while not measured(study):
            assert launcher.poll() is None, (study.folder / "log.txt").read_text()
            time.sleep(0.2)
        (worker,) = rows(study, "SELECT pid FROM attempts")
        launcher.send_signal(signal.SIGINT)
        while "Stopping" not in (study.folder / "log.txt").read_text():
            time.sleep(0.001)
        launcher.send_signal(signal.SIGINT)  # which ends its work at once
        with (study.folder / "artifacts" / "launcher.lock").open() as lock:
            while not flock.acquire(lock.fileno()):
                time.sleep(0.001)
            assert not psutil.pid_exists(worker) or psutil.Process(worker).status() == psutil.STATUS_ZOMBIE
    finally:
        launcher.kill()
        launcher.wait()
