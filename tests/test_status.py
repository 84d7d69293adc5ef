"""The screen and the JSON of a store at every moment of a study."""

import itertools
import json
import math
import sqlite3
from contextlib import closing

import pytest
from invoking import command
from sqlalchemy import Engine, event
from told import SECONDS_A_STEP, checkpoint, planning, progress, started, told, write

from scalectl import analysis
from scalectl.analysis.checks import Refused
from scalectl.orchestrator.cli.status import text as status_text
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch.ledger import Ledger
from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.launch.pruning import prune
from scalectl.orchestrator.store.lock import holding
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records
from scalectl.trainer.events import Failed, Skipped, Stopped
from scalectl.trainer.flops import training_flops


def say(study) -> str:
    """The screen with its runs, which every test holds to its width."""
    for width in (80, 120, 100):
        text = status_text(Store(study.store).status(), runs=True, width=width)
        lines = [line for line in text.splitlines() if not line.startswith("Next: ") and str(study.store) not in line]
        assert max(map(len, lines), default=0) <= width  # a path is not broken
    json.dumps(Store(study.store).status().to_json(), allow_nan=False)
    return text


def test_a_planned_study_shows_its_runs_and_why_they_will_run(study, begun):
    begun[0].close()
    text = say(study)
    assert text.startswith("small · 2 planned\n  0 % of ") and "no launch is running\n" in text
    assert text.count("0/20") == text.count("0/40") == 1 and text.count("   waits for a launch: new") == 2
    assert text.endswith("Next: scalectl launch FILE")


def test_runs_that_wait_for_a_running_trunk_show_how_far_it_has_come(study, begun):
    records, found = begun
    write(records, found.jobs[:1])
    records.write(records.start(found.jobs[1], "cpu-1"), [started(16), progress(20)])
    text = say(study)
    assert "pico-60 trunk 16 to 32   cpu-1      20/32   25 %" in text
    assert "16/20" in text and "20/40" in text
    (job,) = Store(study.store).status().running
    assert job.seconds_left == pytest.approx(12 * SECONDS_A_STEP) and job.images_per_second == 16 / SECONDS_A_STEP


def test_the_work_of_a_study_is_each_missing_step_once(study, begun):
    records, found = begun
    records.write(records.start(found.jobs[0], "cpu-0"), [started(), progress(6)])
    trunk = found.jobs[0].job.trunk
    assert Store(study.store).status().to_json()["flops"] == {
        "done": training_flops(trunk, 6),
        "total": training_flops(trunk, 44),
    }


def test_the_time_left_is_what_the_launch_says_it_is(study, begun):
    """Of this launch alone: one that was killed said what nobody waits for any more."""
    records, _ = begun
    books = Ledger(["cpu-0"])
    assert Store(study.store).status().seconds_left is None
    for seconds in (None, 37.5):
        records.keep(books.entries(), seconds)
        assert Store(study.store).status().seconds_left == seconds
    assert "38 s left" in say(study)
    records.close()
    assert Store(study.store).status().seconds_left is None
    with Records(study.store) as later:
        assert Store(study.store).status().seconds_left is None
        later.keep(books.entries(), 4.0)
        assert Store(study.store).status().seconds_left == 4.0


def test_a_resumed_attempt_shows_the_step_that_it_goes_on_from(study, begun):
    records, found = begun
    job = found.jobs[0]
    records.write(records.start(job, "cpu-0"), [started(), progress(10), checkpoint(job, 10, kept=False), Stopped(10)])
    records.write(records.start(job, "cpu-0"), [started(10)])
    (running,) = Store(study.store).status().running
    assert (running.step, running.attempt, running.loss) == (10, 2, 0.37 + 0.1)


def test_a_loss_that_is_not_finite_is_shown_as_missing(study, begun):
    records, found = begun
    records.write(records.start(found.jobs[0], "cpu-0"), [started(), progress(3, math.nan)])
    assert "3/16   19 %     --" in say(study)


def test_what_a_killed_launcher_left_is_said(study, begun):
    records, found = begun
    records.write(records.start(found.jobs[0], "cpu-0"), [started(), progress(3)])
    records.close()
    text = say(study)
    assert "no launch is running; the last ended with 1 job under way" in text and "ATTEMPT" not in text
    assert Store(study.store).status().seconds_left is None


def test_a_done_study_names_its_best_run_and_the_next_command(study, begun):
    records, found = begun
    for value, job in zip([0, 0, 0.5, 0.25], found.jobs, strict=True):
        records.write(records.start(job, "here"), told(job, value=value))
    records.close()
    text = say(study)
    assert text.startswith("small · 2 done\n  100 % of ")
    assert "best: pico-60-40  upstream/error 0.25 at " in text
    assert text.endswith(f"Next: scalectl fit --store {study.store}")
    assert Store(study.store).status().unfinished == 0


def test_an_excluded_run_is_not_the_best(study, begun):
    records, found = begun
    write(records, found.jobs)
    records.exclude(found.runs[0].id, "wrong images")
    found = Store(study.store).status()
    assert found.best.steps == 40 and found.to_json()["excluded"] == 1
    assert "done, excluded" in say(study)


def test_a_long_reason_is_whole_but_no_wider_than_the_screen(study, begun):
    records, found = begun
    reason = "OSError: " + " ".join(f"shard-{n:05}.parquet" for n in range(37))
    records.write(records.start(found.jobs[0], "here"), [started(), Failed("user_error", 3, reason)])
    records.settle(found.jobs[0].runs, "failed", "user_error", reason)
    text = say(study)
    assert "failed (user_error): pico-60-20  OSError: shard-00000.parquet" in text
    assert "shard-00036.parquet" in text and "…" in text


def test_a_damaged_checkpoint_stays_in_sight_until_the_next_launch(study, begun):
    records, found = begun
    torn = "checkpoint /study/trunks/37/8 can't be used: torn. It was moved to /study/trunks/37/8.corrupt."
    records.write(records.start(found.jobs[0], "here"), [Skipped(8, "/study/trunks/37/8", torn)])
    write(records, found.jobs)
    for _ in range(10):
        records.note("done", "something else")
    assert f"warning: {found.jobs[0].job.name}: checkpoint /study/trunks/37/8" in say(study)
    assert torn in str(Store(study.store).status().to_json()["events"])
    records.plan(found, read(study.file))
    for _ in range(10):
        records.note("done", "something else")
    assert "warning" not in say(study)


def test_what_a_diverged_run_had_left_is_not_waited_for(study, begun):
    records, found = begun
    write(records, found.jobs[:3])
    records.write(records.start(found.jobs[3], "here"), [started(32), progress(34)])
    records.settle([found.runs[1].id], "diverged", "nonfinite", "loss is nan")
    work = Store(study.store).status().to_json()["flops"]
    assert work["done"] == work["total"] == training_flops(found.jobs[0].job.trunk, 32 + 4 + 2)
    assert "100 % of" in say(study) and Store(study.store).status().unfinished == 0


def test_all_runs_diverged_at_once_is_a_screen_too(study, begun):
    records, found = begun
    records.settle(found.jobs[0].runs, "diverged", "nonfinite", "loss is nan")
    records.close()
    assert "2 diverged" in say(study) and f"Next: scalectl logs {found.runs[0].name} --store" in say(study)
    page = command("report", "-o", study.folder / "page.html", "--store", study.store).stdout
    assert "Next: scalectl status --runs" in page and "scalectl fit" not in page
    with pytest.raises(Refused, match=r"no run is done: 2 diverged\. scalectl status --runs says why"):
        analysis.fit(analysis.read(study.store))


def test_a_store_with_no_study_says_so(study):
    from scalectl.orchestrator.store.records import Records

    Records(study.store).close()
    assert "holds no study yet" in " ".join(say(study).split())  # however long the path is


def test_goodput_is_that_of_the_launch_that_runs_now(study, begun):
    records, found = begun
    books = Ledger(["here"], clock=itertools.count().__next__)
    books.take(News("here", found.jobs[0]))
    records.keep(books.entries())
    assert "goodput of this launch so far" in say(study)
    records.close()
    assert "goodput of the last launch" in say(study)
    with holding(study.store):  # a launch that waits for slots
        assert "goodput of the last launch" in say(study)
    with Records(study.store) as records:
        records.plan(found, read(study.file))
        assert "goodput of the last launch" in say(study)  # in its first seconds it has no books


def test_a_reason_of_thousands_of_letters_is_cut_in_the_table(study, begun):
    records, found = begun
    records.settle([found.runs[0].id], "failed", "user_error", "RESOURCE_EXHAUSTED: " + "x" * 2000)
    lines = status_text(Store(study.store).status(), runs=True, width=None).splitlines()
    (row,) = [line for line in lines if " 0/20 " in line]
    assert "RESOURCE_EXHAUSTED: xxx" in row and len(row) < 300 and row.endswith("x…")
    assert any(line.endswith("x" * 2000) for line in lines)  # where it stands by itself


def test_runs_that_were_pruned_are_counted_and_not_shown(study, begun):
    begun[0].close()
    planning(study, steps="[20]")[0].close()
    assert Store(study.store).status().counts["planned"] == 2
    prune(read(study.file), lambda found: True)
    text = say(study)
    assert "1 pruned run, which no study has any more" in text and "pico-60-40" not in text


def test_status_does_not_wait_for_a_writer(study, begun):
    with closing(sqlite3.connect(study.store, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE runs SET reason = 'half written'")
        assert "half written" not in say(study)
        writer.execute("ROLLBACK")


def asked(study, runs: int, readings: int) -> list[str]:
    """The SQL of the status of so many runs, the first of which has told so many readings."""
    records, found = planning(study, steps=str([*range(20, 20 + runs // 10)]), seeds=str([*range(10)]))
    records.write(records.start(found.jobs[0], "here"), [started(), *(progress(n) for n in range(1, readings))])
    records.close()
    said: list[str] = []

    def hear(*given: object) -> None:
        said.append(str(given[2]))

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        assert len(Store(study.store).status().runs) == runs
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
    return said


def test_a_thousand_runs_are_told_by_the_statements_that_tell_ten(study, whole):
    few = asked(study, 10, 2)
    assert few and asked(whole, 1000, 5000) == few
