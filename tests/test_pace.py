"""How long a launch still takes, against sums by hand."""

from dataclasses import replace

import pytest
from told import SECONDS_A_STEP, planned, progress, started, told

from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.launch.pace import Pace
from scalectl.orchestrator.vocabulary import JobState, Slot
from scalectl.trainer.events import Spent

ONE = [Slot("cpu-0")]
STEPS = (16, 16, 4, 8)  # of the jobs of runs with 20 and 40 steps on one trunk: two stretches, two cooldowns


@pytest.fixture
def plan(study):
    return planned(study, steps="[20, 40]")


def carried_out(pace: Pace, clock, job, *, beside: float, compiled: float, starting: float = 0.0) -> None:
    """A job that trains for what its steps say, compiles, and takes some seconds beside both; its worker starts."""
    slot = "cpu-0"
    train = SECONDS_A_STEP * (job.job.stop - job.job.start)
    begun, *events, end = told(job)
    pace.take(News(slot, job))
    clock.seconds += starting
    pace.take(News(slot, job, (begun,)))
    clock.seconds += beside + compiled + train
    spent = Spent(job.job.stop, begin=0.1, compile=compiled, train=train, evaluate=0.2, save=0.3)
    pace.take(News(slot, job, (*events, spent, end), JobState.DONE))


def left(plan, *jobs: int) -> dict[str, float]:
    return {plan.jobs[n].id: float(plan.jobs[n].flops) for n in jobs}


def test_nothing_is_said_before_a_step_was_timed(plan, clock):
    pace = Pace(plan, ONE)
    pace.take(News("cpu-0", plan.jobs[0]))
    clock.seconds += 37
    pace.take(News("cpu-0", plan.jobs[0], (started(),)))
    assert pace.seconds(left(plan, 0, 1, 2, 3)) is None


def test_steps_to_come_take_what_steps_took_however_long_the_first_compiled(plan, clock):
    pace = Pace(plan, ONE)
    pace.take(News("cpu-0", plan.jobs[0]))
    clock.seconds += 37
    pace.take(News("cpu-0", plan.jobs[0], (started(), progress(1), progress(9))))
    rest = left(plan, 0, 1, 2, 3) | {plan.jobs[0].id: plan.jobs[0].flops * 7 / 16}
    assert pace.seconds(rest) == pytest.approx(SECONDS_A_STEP * (7 + 16 + 4 + 8))


def test_what_jobs_take_beside_steps_is_added_for_each_to_come(plan, clock):
    pace = Pace(plan, ONE)
    carried_out(pace, clock, plan.jobs[0], beside=1.7, compiled=37.0, starting=19.0)
    carried_out(pace, clock, plan.jobs[2], beside=2.9, compiled=11.0)
    assert pace.seconds(left(plan, 1, 3)) == pytest.approx(SECONDS_A_STEP * (16 + 8) + 1.7 + 2.9)
    carried_out(pace, clock, plan.jobs[1], beside=1.7, compiled=5.0)  # on a slot that was cold
    assert pace.seconds(left(plan, 3)) == pytest.approx(SECONDS_A_STEP * 8 + 2.9)
    assert pace.seconds({}) == 0.0


def test_a_kind_of_job_that_was_not_compiled_yet_is_compiled_once_more(plan, clock):
    pace = Pace(plan, ONE)
    carried_out(pace, clock, plan.jobs[0], beside=1.7, compiled=37.0)
    assert pace.seconds(left(plan, 1)) == pytest.approx(SECONDS_A_STEP * 16 + 1.7)
    assert pace.seconds(left(plan, 2, 3)) == pytest.approx(SECONDS_A_STEP * (4 + 8) + 2 * 1.7 + 37.0)
    carried_out(pace, clock, plan.jobs[2], beside=1.7, compiled=11.0)
    assert pace.seconds(left(plan, 3)) == pytest.approx(SECONDS_A_STEP * 8 + 1.7)


def test_slots_share_the_work_but_no_chain_of_jobs(study, clock):
    plan = planned(study, steps="[20, 40]", seeds="[0, 1]")
    pace = Pace(plan, [Slot("cpu-0"), Slot("cpu-1")])
    pace.take(News("cpu-0", plan.jobs[0]))
    pace.take(News("cpu-1", plan.jobs[4]))
    pace.take(News("cpu-0", plan.jobs[0], (started(), progress(1), progress(9))))
    assert pace.seconds(left(plan, *range(8))) == pytest.approx(SECONDS_A_STEP * sum(STEPS))
    assert pace.seconds(left(plan, *range(4))) == pytest.approx(SECONDS_A_STEP * (16 + 16 + 8))


def test_speeds_of_earlier_launches_tell_before_a_step_is_timed(study, plan, clock):
    jobs = tuple(replace(job, seconds=0.37 * steps) for job, steps in zip(plan.jobs, STEPS, strict=True))
    pace = Pace(replace(plan, jobs=jobs, measured=True), ONE)
    assert pace.seconds(left(plan, 1, 3)) == pytest.approx(0.37 * (16 + 8))


def test_a_shape_that_was_not_timed_yet_has_the_speed_of_the_nearest_one(plan, clock):
    shapes = (("tiny", 1), ("wide", 30), ("wider", 60), ("small", 2))
    jobs = [replace(job, shape=name, flops=n * job.flops) for job, (name, n) in zip(plan.jobs, shapes, strict=True)]
    mixed = replace(plan, jobs=tuple(jobs))
    pace = Pace(mixed, ONE)
    for job, seconds in ((jobs[0], 1.0), (jobs[1], 7.0)):  # a step of either takes so long
        start = job.job.start
        points = [replace(progress(start + n), device_seconds=seconds * n) for n in (1, 5)]
        pace.take(News("cpu-0", job, (started(start), *points)))
    assert pace.seconds(left(mixed, 2)) == pytest.approx(4 * 2 * 7.0)  # 4 steps of twice the FLOPs of "wide"
    assert pace.seconds(left(mixed, 3)) == pytest.approx(8 * 2 * 1.0)


def test_an_evaluation_that_tells_its_curve_again_has_no_speed(plan, clock):
    job = replace(plan.jobs[2], flops=0)
    pace = Pace(replace(plan, jobs=(job, *plan.jobs[:2])), ONE)
    pace.take(News("cpu-0", job))
    pace.take(News("cpu-0", job, (started(), progress(17), progress(20))))
    assert pace.seconds(left(plan, 0, 1)) is None


def test_what_earlier_launches_took_beside_steps_counts_from_the_beginning(plan, clock):
    shape = plan.jobs[0].shape
    jobs = tuple(replace(job, seconds=0.37 * steps) for job, steps in zip(plan.jobs, STEPS, strict=True))
    pace = Pace(replace(plan, jobs=jobs, measured=True, overheads={(shape, False): 1.7, (shape, True): 2.9}), ONE)
    assert pace.seconds(left(plan, 0, 1, 2, 3)) == pytest.approx(0.37 * sum(STEPS) + 2 * 1.7 + 2 * 2.9)
    carried_out(pace, clock, plan.jobs[0], beside=0.5, compiled=11.0)
    assert pace.seconds(left(plan, 1)) == pytest.approx(SECONDS_A_STEP * 16 + 0.5)


def test_what_a_job_on_its_slot_has_behind_it_is_not_to_come(plan, clock):
    pace = Pace(plan, ONE)
    carried_out(pace, clock, plan.jobs[0], beside=5.0, compiled=0.0)
    pace.take(News("cpu-0", plan.jobs[1]))
    for passed, rest in ((0.0, 5.0), (3.0, 2.0), (9.0, 0.0)):
        clock.seconds += passed
        assert pace.seconds(left(plan, 1)) == pytest.approx(SECONDS_A_STEP * 16 + rest)


def test_a_machine_that_became_faster_is_taken_as_it_is_now(plan, clock):
    pace, device_seconds = Pace(plan, ONE), 0.0
    pace.take(News("cpu-0", plan.jobs[0]))
    for step, each in enumerate([50.0] * 3 + [10.0] * 12, 1):
        device_seconds += each
        pace.take(News("cpu-0", plan.jobs[0], (replace(progress(step), device_seconds=device_seconds),)))
    assert 10.0 * 16 < pace.seconds(left(plan, 1)) < 13.0 * 16  # where the mean of all is 15.7
