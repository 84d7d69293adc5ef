"""What a launch shows: plain lines where nobody looks, bars on a terminal, and times that hold."""

import io
import re
from dataclasses import replace

import pytest
from told import planned, planning, progress, started, told, write

from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.launch.progress import Tally
from scalectl.orchestrator.launch.screens import Lines, Live, screen
from scalectl.orchestrator.vocabulary import JobState, Slot
from scalectl.trainer.events import Failed, Noticed, Skipped, Stopped

SLOTS = [Slot("cpu-0")]


@pytest.fixture
def plan(study):
    """Two runs on one trunk, in four jobs: 0 to 16, 16 to 32, 16 to 20 and 32 to 40; 44 steps in all."""
    return planned(study, steps="[20, 40]")


def done(job) -> News:
    return News("cpu-0", job, tuple(told(job)), JobState.DONE)


def failed(job, step: int, state: JobState = JobState.FAILED) -> News:
    trace = "Traceback (most recent call last):\n  File ...\nOSError: disk on fire\n"
    return News("cpu-0", job, (started(job.job.start), Failed("user_error", step, trace)), state)


def printed(plan, *news: News) -> list[str]:
    out = io.StringIO()
    shown = Lines(Tally(plan, SLOTS), out)
    for one in news:
        shown.take(one)
    return out.getvalue().splitlines()


def test_where_nobody_looks_each_run_leaves_one_plain_line(plan, clock):
    lines = printed(plan, *map(done, plan.jobs))
    assert [line.split("  ")[0] for line in lines] == ["done", "done"]
    assert "pico-60-20  upstream/loss 0.25  upstream/error 0.25  1/2" in lines[0]
    assert lines[1].endswith("2/2  0 s left") and "\x1b" not in "".join(lines)


def test_a_long_silence_ends_with_a_line_on_how_far_it_is(plan, clock):
    out, spoken = io.StringIO(), []
    shown = Lines(Tally(plan, SLOTS), out)
    for step in (3, 11, 13):  # 29 s, 58 s and 87 s from the beginning
        clock.seconds += 29
        shown.take(News("cpu-0", plan.jobs[0], (progress(step),)))
        spoken.append(len(out.getvalue().splitlines()))
    assert spoken == [0, 1, 1]
    assert re.fullmatch(r"working   25 % of the FLOPs  0/2  \d+ s left\n", out.getvalue())


def test_what_was_measured_is_shown_in_whatever_batch_it_came(plan, clock):
    job = plan.jobs[2]
    *events, end = told(job)
    (line,) = printed(plan, News("cpu-0", job, tuple(events)), News("cpu-0", job, (end,), JobState.DONE))
    assert "upstream/loss 0.25  upstream/error 0.25" in line


def test_a_damaged_checkpoint_is_a_warning_when_it_is_found(plan, clock):
    job, torn = plan.jobs[0], Skipped(8, "/runs/8", "checkpoint /runs/8 can't be used: torn")
    (line,) = printed(plan, News("cpu-0", job, (torn, started(4), progress(5))))
    assert line == f"warning   {job.job.name}: checkpoint /runs/8 can't be used: torn"


def test_what_a_job_notices_of_its_images_is_a_warning(plan, clock):
    job, seen = plan.jobs[0], Noticed(0, "5 pictures to evaluate on are among the training pictures of pets")
    (line,) = printed(plan, News("cpu-0", job, (started(0), seen, progress(5))))
    assert line == f"warning   {job.job.name}: {seen.text}"


def test_a_failure_is_one_line_with_its_cause(plan, clock):
    assert printed(plan, failed(plan.jobs[0], 8, JobState.RETRIED), failed(plan.jobs[0], 8)) == [
        "retried   pico-60 trunk 0 to 16: user_error: OSError: disk on fire  0/2  time left: measuring",
        "failed    pico-60 trunk 0 to 16: user_error: OSError: disk on fire  0/2  0 s left",
    ]


def test_a_stop_says_where_its_checkpoint_is(plan, clock):
    (line,) = printed(plan, News("cpu-0", plan.jobs[0], (started(), Stopped(1037)), JobState.STOPPED))
    assert line.startswith("stopped   pico-60 trunk 0 to 16 at step 1,037; its checkpoint is saved")
    assert line.endswith("  0/2")  # most of its work is left, which takes as long as ever
    (line,) = printed(plan, News("cpu-0", plan.jobs[0], (Stopped(0),), JobState.STOPPED))  # it waited for its slot
    assert line.startswith("stopped   pico-60 trunk 0 to 16 before its first step  0/2")


def test_the_share_is_that_of_all_steps_and_the_time_left_is_said_once_there_is_a_basis(plan, clock):
    tally = Tally(plan, SLOTS)
    assert tally.left == "time left: measuring"
    tally.take(News("cpu-0", plan.jobs[0], (started(), progress(3), progress(11))))
    assert tally.share == pytest.approx(11 / 44) and tally.left == "8 s left"  # 33 steps


def test_what_an_earlier_launch_did_is_no_work_to_come(plan, clock):
    tally = Tally(plan, SLOTS)
    tally.take(News("cpu-0", plan.jobs[0], (started(12),)))
    assert tally.share == pytest.approx(12 / 44) and tally.left == "time left: measuring"
    tally.take(News("cpu-0", plan.jobs[0], (progress(13), progress(14))))
    assert tally.left == "8 s left"  # 30 steps


def test_what_a_failure_takes_with_it_is_not_waited_for(plan, clock):
    tally = Tally(plan, SLOTS)
    for news in (done(plan.jobs[0]), failed(plan.jobs[1], 16), done(plan.jobs[2])):
        tally.take(news)
    assert tally.share == 1.0 and tally.left == "0 s left" and tally.ended == 1


@pytest.mark.parametrize("state", [JobState.DIVERGED, JobState.STOPPED])
def test_when_everything_ends_at_once_nothing_is_left(plan, clock, state):
    tally = Tally(plan, SLOTS)
    tally.take(failed(plan.jobs[0], 0, state))
    assert tally.share == 1.0 and tally.left == "0 s left"


def test_a_run_that_is_evaluated_anew_is_named_without_the_kind_of_its_job(study):
    records, found = planning(study, steps="[20]")
    write(records, found.jobs)
    records.close()
    again = planned(study, steps="[20]", shots="[5]")
    (line,) = printed(again, done(again.jobs[0]))
    assert line.startswith("done      pico-60-20  fewshot/digits/5shot/error 0.25")


def test_bars_survive_all_kinds_of_news(plan, capsys):
    with Live(Tally(plan, SLOTS)) as shown:
        shown.take(News("cpu-0", plan.jobs[0]))
        shown.take(News("cpu-0", plan.jobs[0], (started(), progress(3))))
        for news in (failed(plan.jobs[0], 3, JobState.RETRIED), *map(done, plan.jobs)):
            shown.take(news)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("events", "note"),
    [((), "starting"), ((started(),), "compiling"), ((started(), progress(3)), "3/16  loss")],
)
def test_the_bar_of_a_slot_says_what_its_job_does(plan, capsys, monkeypatch, events, note):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    with Live(Tally(plan, SLOTS)) as shown:
        shown.take(News("cpu-0", plan.jobs[0]))
        if events:
            shown.take(News("cpu-0", plan.jobs[0], events))
    assert note in capsys.readouterr().err


def test_names_are_shown_as_they_are_and_what_is_done_at_once(plan, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    with Live(Tally(replace(plan, study="a [/x] b"), SLOTS)) as shown:
        for job in plan.jobs[:3]:
            shown.take(done(job))
    said = capsys.readouterr().err
    assert "a [/x] b" in said and "1/2 runs" in said


def test_the_screen_is_plain_where_stderr_is_no_terminal(plan, capsys):
    with screen(Tally(plan, SLOTS)) as shown:
        assert isinstance(shown, Lines)
