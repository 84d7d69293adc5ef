"""What is left of a job that an earlier launch began, and what that costs."""

import pytest
from told import SECONDS_A_STEP, checkpoint, planned, planning, progress, rows, started

from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.launch.progress import Tally
from scalectl.orchestrator.plan.plan import Caps
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.vocabulary import Slot
from scalectl.trainer.flops import training_flops


def test_a_job_that_was_cut_off_costs_the_steps_after_its_newest_checkpoint(study):
    records, before = planning(study, steps="[20, 40]")  # 0 to 16, 16 to 32, 16 to 20, 32 to 40
    first = before.jobs[0]
    with records:
        records.write(records.start(first, "here"), [started(), progress(8), checkpoint(first, 8, kept=False)])
    after = planned(study, steps="[20, 40]")
    trunk = first.job.trunk
    assert [job.id for job in after.jobs] == [job.id for job in before.jobs]
    assert [(job.first_step, job.steps) for job in after.jobs] == [(8, 8), (16, 16), (16, 4), (32, 8)]
    assert after.flops == before.flops - training_flops(trunk, 8) == sum(job.flops for job in after.jobs)
    assert after.jobs[0].seconds == pytest.approx(8 * SECONDS_A_STEP)
    Caps(max_flops=after.flops).admit(after)
    with pytest.raises(Refusal, match=r"limits\.max_flops"):
        Caps(max_flops=after.flops - 1).admit(after)
    (study.folder / "artifacts").rename(study.folder / "gone")
    assert planned(study, steps="[20, 40]").flops == before.flops


def test_the_time_left_and_the_store_know_a_job_that_goes_on(study):
    records, before = planning(study, steps="[20]")
    first = before.jobs[0]
    with records:
        records.write(records.start(first, "here"), [started(), progress(8), checkpoint(first, 8, kept=False)])
    after = planned(study, steps="[20]")
    tally = Tally(after, [Slot("here")])
    tally.take(News("here", after.jobs[0], ()))
    tally.take(News("here", after.jobs[0], (started(8), progress(8))))
    tally.take(News("here", after.jobs[0], (progress(12),)))
    assert tally.share == pytest.approx(4 / 12)  # of 8 steps of the trunk and 4 of the cooldown
    with Records(study.store) as again:
        again.start(after.jobs[0], "here")
    whole = rows(study, f"SELECT flops FROM jobs WHERE id = '{first.id}'")
    assert whole == [training_flops(first.job.trunk, 16)]
