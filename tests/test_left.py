"""The time left against what comes true: whole launches on a virtual clock, as slow beside steps as a laptop is."""

import heapq

import pytest
from told import planned

from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.launch.progress import Tally
from scalectl.orchestrator.plan.scheduler import Queue
from scalectl.orchestrator.vocabulary import JobState, Slot
from scalectl.trainer.events import Done, Progress, Spent, Started

STARTING, COMPILING, READING, SAVING, EVALUATING = 9.0, 4.0, 0.4, 0.5, 2.5  # seconds, as a laptop of two cores takes
PIECES = 8  # in which a job tells its curve

STUDIES = {
    "models of several sizes on shared trunks": {"sizes": "[60, 120, 240]", "steps": "[200, 400, 800, 1600]"},
    "one long trunk for each of few seeds": {"steps": "[400, 800, 1600, 3200]", "seeds": "[0, 1, 2]"},
    "many short runs that share nothing": {
        "sizes": "[60, 120, 240, 480]",
        "steps": "[50, 100, 150, 200]",
        "schedule": "{name: linear, warmup: 4}",
    },
}


def lived(job, slot: Slot, began: float, warm: set[tuple[str, str]]) -> list[tuple[float, News]]:
    """What a job reports and when, from its placement to its end; small models have fewer FLOP/s than large ones."""
    now, steps, trained = began, job.job.stop - job.job.start, 0.0
    each = 0.004 + job.flops / steps / 4e8
    news = [(now, News(slot.name, job))]
    if not any(name == slot.name for name, _ in warm):
        now += STARTING
    news.append((now, News(slot.name, job, (Started(job.job.start, "here", 1, "cpu", "{}"),))))
    compiled = COMPILING if (slot.name, job.shape) not in warm else 0.0
    now += READING + compiled
    for piece in range(1, PIECES + 1):
        step = job.job.start + steps * piece // PIECES
        trained = each * (step - job.job.start)
        point = Progress(step, 0.37, 1e-3, 2.5, 1000.0 + each * step, 16 / each)
        news.append((now + trained, News(slot.name, job, (point,))))
    spent = Spent(job.job.stop, READING, compiled, trained, EVALUATING * job.is_cooldown, SAVING)
    now += trained + SAVING + EVALUATING * job.is_cooldown
    end = (spent, Done(job.job.stop, "", trained, compiled, 1))
    return [*news, (now, News(slot.name, job, end, JobState.DONE))]


def told_left(plan, clock, number: int) -> tuple[list[tuple[float, float | None]], float]:
    """What a launch on so many slots says is left at each moment, and when it ends."""
    clock.seconds, slots = 0.0, [Slot(f"cpu/{n}") for n in range(number)]
    queue, tally, free, warm = Queue(plan.jobs, slots), Tally(plan, slots), list(slots), set()
    coming: list[tuple[float, int, News]] = []
    count, said = 0, [(0.0, tally.seconds_left())]
    while True:
        for job, slot in queue.placements(free):
            free.remove(slot)
            for moment, news in lived(job, slot, clock.seconds, warm):
                heapq.heappush(coming, (moment, count := count + 1, news))
            warm.add((slot.name, job.shape))
        if not coming:
            return said, clock.seconds
        clock.seconds, _, news = heapq.heappop(coming)
        tally.take(news)
        said.append((clock.seconds, tally.seconds_left()))
        if news.ended:
            queue.done(news.job)
            free.append(next(slot for slot in slots if slot.name == news.slot))


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("changes", STUDIES.values(), ids=STUDIES.keys())
def test_after_the_first_tenth_the_time_left_holds_within_a_quarter(study, clock, changes, number):
    text = study.write(**changes).read_text()
    more = "  wide: {width: 48, depth: 3, num_heads: 4, patch_size: 4}\n"
    more += "  middle: {width: 24, depth: 2, num_heads: 2, patch_size: 4}\n"
    study.file.write_text(text.replace("data:\n", f"{more}data:\n"))
    study.write = lambda **_: study.file
    said, end = told_left(planned(study), clock, number)
    assert said[0][1] is None and said[-1][1] == pytest.approx(0.0)
    late = [(now, left) for now, left in said if end / 10 <= now <= 0.9 * end]
    assert len(late) > 20
    for now, left in late:
        assert left == pytest.approx(end - now, rel=0.25)
