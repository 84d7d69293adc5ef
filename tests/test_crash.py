"""Real processes killed with -9 in the middle of a study, which then ends as if nothing had happened."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pandas as pd
import pytest
from conftest import GRID, Study

COMMAND = [sys.executable, "-c", "from scalectl.orchestrator.cli.main import main; main()", "launch"]
MEASURED = ["device_seconds", "core_days", "images_per_second", "flops_per_second", "mfu"]


def start(study: Study, *flags: str) -> subprocess.Popen[bytes]:
    with (study.folder / "log.txt").open("ab") as log:
        return subprocess.Popen([*COMMAND, str(study.file), *flags], stdout=log, stderr=log, start_new_session=True)


def launch_to_the_end(study: Study, *flags: str) -> None:
    code = start(study, *flags).wait(timeout=280)
    assert code == 0, (study.folder / "log.txt").read_text()[-3000:]


def launch_and_kill(study: Study, rows: float, *flags: str) -> None:
    """Kill the launcher's whole process group as soon as the store has so many rows of curves."""
    launcher = start(study, *flags)
    try:
        while measured(study) < rows:
            assert launcher.poll() is None, (study.folder / "log.txt").read_text()[-3000:]
            time.sleep(0.05)
    finally:
        os.killpg(launcher.pid, signal.SIGKILL)
        launcher.wait()


def measured(study: Study) -> int:
    """Return how many rows the curves have, 0 also before there are any tables."""
    if not study.store.exists():
        return 0
    with closing(sqlite3.connect(study.store, timeout=30)) as store:
        tables = store.execute("SELECT name FROM sqlite_master WHERE name = 'curves'").fetchall()
        return int(store.execute("SELECT count(*) FROM curves").fetchone()[0]) if tables else 0


def moments(whole: Study, seed: int, kills: int) -> list[float]:
    """Return rows of curves at which to kill, one after the other and none so late that nothing is left."""
    rng = random.Random(seed)
    return sorted(rng.uniform(0, 0.9) * measured(whole) for _ in range(kills))


def points(study: Study) -> pd.DataFrame:
    found = pd.read_sql_table("points", f"sqlite:///{study.store}").sort_values("run", ignore_index=True)
    return found.drop(columns=MEASURED)


def doubled(study: Study) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(study.store)) as store:
        return store.execute("SELECT run, metric FROM observations GROUP BY run, metric HAVING count(*) > 1").fetchall()


def compare(study: Study, whole: Study) -> None:
    pd.testing.assert_frame_equal(points(study), points(whole))
    assert points(study).drop(columns="origin").notna().all(axis=None)  # which imported runs have
    assert doubled(study) == []
    with closing(sqlite3.connect(study.store)) as one, closing(sqlite3.connect(whole.store)) as other:
        query = "SELECT run, step, loss, learning_rate, grad_norm FROM curves ORDER BY run, step"
        assert one.execute(query).fetchall() == other.execute(query).fetchall()


@pytest.mark.slow
def test_killed_three_times_without_ray_a_study_ends_the_same(study, whole):
    launch_to_the_end(whole, "--here")
    study.write(**GRID)
    for rows in moments(whole, 37, kills=3):
        launch_and_kill(study, rows, "--here")
    launch_to_the_end(study, "--here")
    compare(study, whole)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_five_times_on_ray_a_study_ends_the_same(study, whole):
    launch_to_the_end(whole, "--slots", "2")
    study.write(**GRID)
    for rows in moments(whole, 41, kills=5):
        launch_and_kill(study, rows, "--slots", "2")
    launch_to_the_end(study, "--slots", "2")
    compare(study, whole)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_leaves_checkpoints_and_exits_130(study, number):
    study.write(steps="[50000]", checkpoint_every=10**6)
    launcher = start(study, "--here")
    while not measured(study):
        assert launcher.poll() is None
        time.sleep(0.2)
    launcher.send_signal(number)
    assert launcher.wait(timeout=60) == 130
    assert set(points(study)["state"]) == {"stopped"}
    assert "checkpoints are saved" in (study.folder / "log.txt").read_text()
