"""The order in which jobs are placed, on forests drawn at random."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from scalectl.orchestrator.plan.placement import Fit
from scalectl.orchestrator.plan.plan import PlannedJob
from scalectl.orchestrator.plan.scheduler import Queue, chains
from scalectl.orchestrator.vocabulary import JobKind, Slot
from scalectl.trainer.spec import DataSpec, EvalSpec, Job, ModelSpec, RecipeSpec, TrunkSpec

TRUNK = TrunkSpec(
    ModelSpec(8, 1, 32, 2, 4),
    DataSpec("digits", 60, 360, 0, 1, 8, 1, 10),
    RecipeSpec(16, "float32", "map", 0.0, "sigmoid", "adafactor", 1e-3, 1.0, 3.0, 0.03, 4, 10),
    seed=0,
)


def planned(
    name: str,
    seconds: float,
    needs: tuple[str, ...] = (),
    shape: str = "pico",
    types: tuple[str, ...] = (),
    priority: float = 0.0,
) -> PlannedJob:
    job = Job(name, name, TRUNK, None, 0, 10, EvalSpec(), "/nowhere", None, 1000)
    return PlannedJob(
        job, JobKind.TRUNK, name, "trunk", name, needs, (name,), 0, 37, seconds, shape, Fit(types, priority=priority)
    )


def on(count: int, kind: str = "cpu") -> list[Slot]:
    return [Slot(f"{kind}/{n}", kind) for n in range(count)]


def order(jobs: list[PlannedJob], slots: list[Slot]) -> list[str]:
    """The order of jobs, each done before the next round of placements."""
    queue, placed = Queue(jobs, slots), []
    while round_of := queue.placements(slots):
        placed += [job.id for job, _ in round_of]
        for job, _ in round_of:
            queue.done(job)
    return placed


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
    assert dict(chains(jobs)) == {"a": 15.25, "b": 12.25, "c": 0.5, "d": 7.25}


def test_a_canary_of_each_shape_goes_first_and_is_the_cheapest():
    jobs = [planned(f"{shape}-{n}", n, shape=shape) for shape in ("nano", "mini") for n in (5.0, 3.0, 37.0)]
    assert order(jobs, on(1))[:2] == ["mini-3.0", "nano-3.0"]


def test_the_longest_chain_goes_first_and_cooldowns_fill_gaps():
    jobs = [planned("canary", 0.1), planned("trunk", 1.0), planned("next", 9.0, ("trunk",)), planned("cooldown", 4.0)]
    assert order(jobs, on(1)) == ["canary", "trunk", "next", "cooldown"]


def test_priority_comes_before_length_and_before_canaries():
    jobs = [planned("long", 37.0, shape="mini"), planned("urgent", 1.0, priority=2), planned("later", 1.0, priority=-1)]
    assert order(jobs, on(1)) == ["urgent", "long", "later"]


def test_a_job_goes_where_its_shape_is_warm():
    slots = on(2)
    queue = Queue([planned(f"{shape}-{n}", 3.0 + n, shape=shape) for shape in ("nano", "mini") for n in (0, 1)], slots)
    first = {job.shape: slot for job, slot in queue.placements(slots)}
    assert {job.shape: slot for job, slot in queue.placements(slots)} == first


def test_jobs_of_a_shape_follow_each_other_on_a_slot_while_no_chain_is_late():
    jobs = [planned(f"{shape}-{n:02d}", 1.0 + n / 100, shape=shape) for n in range(20) for shape in ("nano", "mini")]
    shapes = [name[:4] for name in order(jobs, on(1))]
    assert sum(first != second for first, second in pairwise(shapes)) <= 4  # 39 if the longest always went first


def test_a_long_chain_is_not_made_to_wait_for_a_warm_slot():
    jobs = [planned(f"short-{n}", 1.0, shape="nano") for n in range(5)]
    jobs += [planned("start", 1.0, shape="mini"), planned("long", 90.0, ("start",), shape="mini")]
    assert order(jobs, on(1))[:3] == ["start", "short-0", "long"]


def test_small_jobs_take_small_slots_and_leave_large_slices_to_large_jobs():
    slots = on(1, "v5e-256") + on(1, "v5e-16")
    jobs = [planned(f"small-{n}", 50.0, shape="s", types=("v5e-16", "v5e-256")) for n in range(3)]
    jobs.append(planned("large", 1.0, shape="G", types=("v5e-256",)))
    queue = Queue(jobs, slots)
    assert {job.id: slot.type for job, slot in queue.placements(slots)} == {"small-0": "v5e-16", "large": "v5e-256"}
    assert {job.id: slot.type for job, slot in queue.placements(slots[:1])} == {"small-1": "v5e-256"}


def test_a_job_that_no_slot_will_do_for_is_told():
    jobs = [planned("small", 1.0), planned("large", 1.0, types=("v5e-256",))]
    queue = Queue(jobs, on(2))
    assert [job.id for job in queue.misfits()] == ["large"]
    assert [job.id for job, _ in queue.placements(on(2))] == ["small"]


def test_what_no_run_needs_any_more_is_dropped():
    queue = Queue([planned("a", 3.0), planned("b", 2.0), planned("c", 1.0, ("b",))], on(3))
    queue.drop(["b", "c"])
    assert [job.id for job, _ in queue.placements(on(3))] == ["a"]


@given(forests(), st.integers(1, 4))
@settings(max_examples=200)
def test_no_slot_twice_and_no_more_jobs_than_slots(jobs, count):
    placed = Queue(jobs, on(count)).placements(on(count))
    assert len(placed) == min(sum(not job.needs for job in jobs), count)
    assert len({slot for _, slot in placed}) == len({job.id for job, _ in placed}) == len(placed)


@given(forests(), st.integers(1, 4))
@settings(max_examples=200)
def test_every_job_is_placed_once_and_after_what_it_needs(jobs, count):
    placed = order(jobs, on(count))
    assert sorted(placed) == sorted(job.id for job in jobs)
    assert all(placed.index(need) < placed.index(job.id) for job in jobs for need in job.needs)


@given(forests(), st.integers(1, 4))
def test_the_same_input_gives_the_same_order(jobs, count):
    assert order(jobs, on(count)) == order(jobs, on(count))


@given(forests())
def test_of_one_shape_chains_are_placed_from_long_to_short_after_the_canary(jobs):
    jobs = [planned(job.id, job.seconds, job.needs) for job in jobs]
    length = dict(chains(jobs))
    _, *placed = Queue(jobs, on(12)).placements(on(12))
    assert all(length[first.id] >= length[second.id] for (first, _), (second, _) in pairwise(placed))
