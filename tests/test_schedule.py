"""The order in which jobs are placed, on forests drawn at random."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.plan import PlannedJob
from orchestrator.schedule import lengths, place
from trainer.spec import DataSpec, EvalSpec, Job, ModelSpec, RecipeSpec, TrunkSpec

TRUNK = TrunkSpec(
    ModelSpec(8, 1, 32, 2, 4),
    DataSpec("digits", 60, 360, 0, 1, 8, 1, 10),
    RecipeSpec(16, "float32", "map", 0.0, "sigmoid", "adafactor", 1e-3, 1.0, 3.0, 0.03, 4, 10),
    seed=0,
)


def planned(name: str, seconds: float, needs: tuple[str, ...] = (), shape: str = "pico") -> PlannedJob:
    job = Job(name, name, TRUNK, None, 0, 10, EvalSpec(), "/nowhere", None, 1000)
    return PlannedJob(job, "trunk", name, needs, (name,), 1, seconds, shape)


@st.composite
def forests(draw) -> list[PlannedJob]:
    """Jobs in an order in which each comes after the one that it needs, as a plan has them."""
    jobs: list[PlannedJob] = []
    for number in range(draw(st.integers(1, 12))):
        parent = draw(st.none() | st.sampled_from(jobs)) if jobs else None
        shape = draw(st.sampled_from(["nano", "micro", "mini"]))
        seconds = draw(st.floats(0.1, 37.0))
        jobs.append(planned(f"job-{number:02d}", seconds, (parent.id,) if parent else (), shape))
    return jobs


def test_a_chain_is_as_long_as_its_jobs_together():
    jobs = [planned("a", 3.0), planned("b", 5.0, ("a",)), planned("c", 0.5, ("a",)), planned("d", 7.25, ("b",))]
    assert lengths(jobs) == {"a": 15.25, "b": 12.25, "c": 0.5, "d": 7.25}


def test_the_longest_chain_goes_first_and_cooldowns_fill_gaps():
    jobs = [planned("trunk", 1.0), planned("next", 9.0, ("trunk",)), planned("cooldown", 4.0)]
    placed = place([jobs[0], jobs[2]], ["one"], {}, lengths(jobs))
    assert [(job.id, slot) for job, slot in placed] == [("trunk", "one")]


def test_a_job_goes_where_its_shape_is_warm():
    jobs = [planned("a", 3.0, shape="nano"), planned("b", 2.0, shape="mini")]
    placed = place(jobs, ["one", "two"], {"one": "mini", "two": "nano"}, lengths(jobs))
    assert {job.id: slot for job, slot in placed} == {"a": "two", "b": "one"}


def test_a_cold_job_leaves_the_warm_slot_to_its_shape():
    jobs = [planned("a", 3.0, shape="nano"), planned("b", 2.0, shape="mini")]
    placed = place(jobs, ["one", "two"], {"one": "mini"}, lengths(jobs))
    assert {job.id: slot for job, slot in placed} == {"a": "two", "b": "one"}


@given(forests(), st.integers(1, 4))
@settings(max_examples=200)
def test_no_slot_twice_and_no_more_jobs_than_slots(jobs, count):
    slots = [f"slot-{n}" for n in range(count)]
    ready = [job for job in jobs if not job.needs]
    placed = place(ready, slots, {}, lengths(jobs))
    assert len(placed) == min(len(ready), count)
    assert len({slot for _, slot in placed}) == len({job.id for job, _ in placed}) == len(placed)


@given(forests(), st.integers(1, 4), st.randoms(use_true_random=False))
def test_the_order_of_the_input_changes_nothing(jobs, count, random):
    slots = [f"slot-{n}" for n in range(count)]
    ready = [job for job in jobs if not job.needs]
    shuffled = random.sample(ready, len(ready))
    assert place(ready, slots, {}, lengths(jobs)) == place(shuffled, slots, {}, lengths(jobs))


@given(forests())
def test_chains_are_placed_from_long_to_short(jobs):
    length = lengths(jobs)
    placed = place([job for job in jobs if not job.needs], [f"slot-{n}" for n in range(12)], {}, length)
    assert all(length[first.id] >= length[second.id] for (first, _), (second, _) in pairwise(placed))


@given(forests(), st.integers(1, 4))
def test_placing_by_turns_ends_every_job_once_and_after_its_need(jobs, count):
    length, waiting, done = lengths(jobs), {job.id: job for job in jobs}, []
    while waiting:
        ready = [job for job in waiting.values() if set(job.needs) <= set(done)]
        for job, _ in place(ready, [f"slot-{n}" for n in range(count)], {}, length):
            del waiting[job.id]
            assert set(job.needs) <= set(done)
            done.append(job.id)
    assert sorted(done) == sorted(job.id for job in jobs)
