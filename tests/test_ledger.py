"""Every second of every slot is in the ledger once: by hand, and in real launches."""

import itertools
import os
import signal
import subprocess
import time

import pytest
from conftest import Study
from test_crash import COMMAND, measured, start
from test_schedule import planned
from told import rows, started

from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.format import duration, share
from scalectl.orchestrator.goodput import ENTRIES, goodput, shares, total
from scalectl.orchestrator.launch import session
from scalectl.orchestrator.launch.ledger import Ledger
from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.plan.plan import Caps
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.vocabulary import JobState
from scalectl.trainer.events import Done, Event, Failed, Spent, Stopped

COLUMNS = ", ".join(f"{entry}_seconds" for entry in ENTRIES)


class Clock:
    def __init__(self) -> None:
        self.now = 370.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def books():
    clock = Clock()
    return clock, Ledger(["a", "b"], clock)


def at(clock: Clock, seconds: float) -> None:
    clock.now = 370.0 + seconds


def placed(slot: str) -> News:
    return News(slot, planned("job", 37.0))


def heard(slot: str, *events: Event, state: JobState = JobState.RUNNING) -> News:
    return News(slot, planned("job", 37.0), events, state)


def entries(**seconds: float) -> object:
    return pytest.approx(dict.fromkeys(ENTRIES, 0.0) | seconds)


def test_a_job_that_ends_leaves_nothing_lost(books):
    clock, ledger = books
    at(clock, 2)
    ledger.take(placed("a"))
    at(clock, 7)
    ledger.take(heard("a", started(), Spent(0, 1.5, 2.0, 0.0, 0.0, 0.0)))
    at(clock, 31)
    ledger.take(heard("a", Spent(37, 1.75, 5.0, 13.0, 4.0, 0.25), Done(37, "", 0.0, 5.0, 1), state=JobState.DONE))
    at(clock, 40)
    # 5 s from placing to its start, of which 2 compiled; 1.5 of the rest are its own, and 31 - 7 is told but for 3.5
    assert ledger.entries()["a"] == entries(
        acquire=3.25 + 3.5, compile=5.0, step=13.0, evaluate=4.0, checkpoint=0.25, idle=2 + 9
    )
    assert ledger.entries()["b"] == entries(idle=40)


def test_work_is_lost_until_a_checkpoint_holds_it(books):
    clock, ledger = books
    ledger.take(placed("a"))
    at(clock, 1)
    ledger.take(heard("a", started(), Spent(0, 0.25, 0.5, 0, 0, 0)))
    at(clock, 11)
    assert ledger.entries()["a"] == entries(acquire=0.5, compile=0.5, lost=10)
    ledger.take(heard("a", Spent(16, 0.25, 2.5, 7, 0, 0.5)))
    at(clock, 18)
    assert ledger.entries()["a"] == entries(acquire=0.5, compile=2.5, step=7, checkpoint=0.5, lost=7.5)


@pytest.mark.parametrize(("end", "lost"), [(Failed("node_lost", 16, "died"), 9), (Stopped(16), 0)])
def test_what_came_after_the_last_checkpoint_of_a_job_that_failed_is_lost(books, end, lost):
    clock, ledger = books
    ledger.take(placed("a"))
    at(clock, 1)
    ledger.take(heard("a", started(), Spent(0, 0, 0.5, 0, 0, 0), Spent(16, 0, 0.5, 7, 0, 0)))
    at(clock, 17)
    ledger.take(heard("a", end, state=JobState.RETRIED))
    at(clock, 20)
    found = ledger.entries()["a"]
    assert found["lost"] == pytest.approx(lost) and found["idle"] == pytest.approx(3)
    assert sum(found.values()) == pytest.approx(20)


def test_a_slot_that_never_answers_was_being_acquired(books):
    clock, ledger = books
    ledger.take(placed("b"))
    at(clock, 37)
    ledger.take(heard("b", Failed("no_capacity", 0, "none"), state=JobState.FAILED))
    assert ledger.entries()["b"] == entries(acquire=37)


def test_goodput_is_the_share_of_steps_and_evaluations():
    whole = total([{"step": 30, "lost": 10}, {"evaluate": 7, "idle": 53}])
    assert goodput(whole) == pytest.approx(0.37)
    assert goodput(total([])) is None


def test_the_last_lines_of_a_launch_and_the_status_tell_the_same_books(study, monkeypatch):
    """The time from the last entry in the store to the last line was idle in one and unknown to the other."""
    clock = itertools.count()  # each look at it takes a second
    monkeypatch.setattr(session, "Ledger", lambda slots: Ledger(slots, lambda: next(clock)))
    outcome = session.carry_out(read(study.file), Caps(), backend="here")
    books = Store(study.store).status().ledger
    assert (
        f"goodput {share(goodput(books))} of 1 slot x {duration(sum(books.values()))}: {shares(books)}" == outcome.books
    )


def ledger_of(study: Study) -> list[tuple[float, ...]]:
    return rows(study, f"SELECT seconds, {COLUMNS} FROM ledger ORDER BY launch, slot")


@pytest.mark.slow
def test_the_books_of_a_launch_on_ray_add_up_to_its_wall_time(study):
    study.write(steps="[40, 80]", sizes="[60, 90]")
    began = time.monotonic()
    done = subprocess.run([*COMMAND, str(study.file), "--slots", "2"], capture_output=True, text=True, timeout=200)
    wall = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert "goodput " in done.stdout and "of 2 slots x " in done.stdout
    found = ledger_of(study)
    assert len(found) == 2 and found[0][0] == pytest.approx(found[1][0], rel=0.001) and 0 < found[0][0] < wall
    for seconds, *parts in found:
        assert sum(parts) == pytest.approx(seconds, rel=0.01)
    sums = dict(zip(ENTRIES, (sum(column) for column in list(zip(*found, strict=True))[1:]), strict=True))
    assert sums["lost"] == 0 and min(sums["acquire"], sums["step"], sums["evaluate"], sums["checkpoint"]) > 0
    (trained_seconds,) = rows(study, "SELECT sum(device_seconds) FROM attempts")
    (compiled,) = rows(study, "SELECT sum(compile_seconds) FROM attempts")
    assert sums["step"] == pytest.approx(trained_seconds, rel=0.25) and sums["compile"] == pytest.approx(compiled)
    (jobs_seconds,) = rows(study, "SELECT 86400 * sum(julianday(ended) - julianday(started)) FROM attempts")
    assert 2 * found[0][0] - sums["idle"] == pytest.approx(jobs_seconds, rel=0.2)


@pytest.mark.slow
def test_a_launcher_that_is_killed_has_lost_what_no_checkpoint_held(study):
    study.write(steps="[50000]", checkpoint_every=10**6)
    launcher = start(study, "--here")
    while not measured(study):
        assert launcher.poll() is None
        time.sleep(0.2)
    time.sleep(3)
    os.killpg(launcher.pid, signal.SIGKILL)
    launcher.wait()
    ((seconds, *parts),) = ledger_of(study)
    found = dict(zip(ENTRIES, parts, strict=True))
    assert sum(parts) == pytest.approx(seconds)
    assert found["lost"] > 1.5 and found["step"] == 0
