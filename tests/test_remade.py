"""Damaged branch points: their stretches are trained again, and what begins there waits for that, and no longer."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_schedule import on, planned
from told import planned as plan_of

from scalectl.orchestrator.launch.jobs import Board
from scalectl.orchestrator.plan.scheduler import Queue
from scalectl.orchestrator.vocabulary import JobState
from scalectl.trainer.events import Checkpoint, Done, Failed

RETRIES = 3


class Disk:
    """The checkpoints of trunks by folder; a damaged one is moved aside by the first job that begins from it."""

    def __init__(self, damages: dict[int, int]) -> None:
        self.damages = Counter(damages)  # step of a branch point -> how often it turns out to be damaged
        self.present: set[str] = set()

    def fails(self, job) -> bool:
        """Tell whether a job can't begin."""
        return bool(job.start and (job.origin not in self.present or self.damages[job.start]))

    def run(self, job) -> list[object]:
        """All that a job reports."""
        if self.fails(job):
            if job.origin in self.present:
                self.damages[job.start] -= 1
                self.present.discard(job.origin)
            return [Failed("checkpoint_corrupt", job.start, f"{job.origin} can't be used")]
        path = f"{job.folder}/{job.stop}"
        self.present.add(path)
        return [Checkpoint(job.stop, path, "", True, 0.25), Done(job.stop, "", 0.25, 0.0, 0)]


def carried_out(plan, slots: int, disk: Disk) -> list[tuple[str, JobState]]:
    """The jobs of a plan in the order of their ends on a board, each with what it became; what fails ends at once."""
    board, ends = Board(plan, on(slots), {}, RETRIES), []
    while board.ready or board.running:
        for job, slot in board.placements():
            board.place(job, slot)
        trained = {slot: board.resolved(job) for slot, job in board.running.items()}
        slot = min(trained, key=lambda slot: not disk.fails(trained[slot]))
        ends.append((trained[slot].name, board.take(slot, disk.run(trained[slot])).state))
    assert not board.queue.waiting
    return ends


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_a_damaged_branch_point_costs_each_job_that_begins_there_one_attempt_at_most(study, slots):
    plan = plan_of(study, steps="[20, 40, 60]")
    ends = carried_out(plan, slots, Disk({16: 1}))
    tried = Counter(name for name, state in ends if state is JobState.RETRIED)
    assert tried and max(tried.values()) == 1
    assert Counter(name for name, state in ends if state is JobState.DONE)["pico-60 trunk 0 to 16"] == 2
    assert {state for _, state in ends} == {JobState.DONE, JobState.RETRIED}


@pytest.fixture
def four(study):
    return plan_of(study, steps="[20, 40, 60, 80]")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    damages=st.dictionaries(st.sampled_from([16, 32, 48, 64]), st.integers(0, RETRIES), max_size=4),
    slots=st.integers(1, 6),
)
def test_whatever_is_damaged_up_to_the_limit_every_run_ends(four, damages, slots):
    ends = carried_out(four, slots, Disk(damages))
    assert {name for name, state in ends if state is JobState.DONE} == {job.job.name for job in four.jobs}
    assert {state for _, state in ends} <= {JobState.DONE, JobState.RETRIED}


@settings(max_examples=50)
@given(
    seconds=st.lists(st.floats(0.1, 99.0), min_size=1, max_size=7),
    other=st.floats(0.1, 250.0),
    order=st.randoms(use_true_random=False),
)
def test_a_stretch_that_is_made_again_goes_by_the_longest_of_all_that_wait_for_it(seconds, other, order):
    """Against a rival chain: the remade one goes first exactly where it and its longest dependent take longer."""
    canary, rival = planned("canary", 0.01), planned("rival", other)
    dependents = [planned(f"dependent-{n}", length) for n, length in enumerate(seconds)]
    queue = Queue([canary, *dependents], on(1))
    taken = {queue.placements(on(1))[0][0].id for _ in range(1 + len(dependents))}
    assert len(taken) == 1 + len(dependents)
    stretch = planned("stretch", 37.0)
    order.shuffle(dependents)
    first, *rest = dependents
    queue.after(first, stretch)
    queue.again(stretch)
    queue.again(rival)
    for dependent in rest:  # which fail one after the other, once the stretch waits
        queue.after(dependent, stretch)
    expected = ["stretch", "rival"]
    if other > 37.0 + max(seconds):
        expected = ["rival", "stretch"]
    placed = [queue.placements(on(1))[0][0] for _ in range(2)]
    assert [job.id for job in placed] == expected and not queue.ready
    queue.done(stretch)
    assert {job.id for job, _ in queue.placements(on(9))} == {job.id for job in dependents}


@settings(max_examples=50)
@given(st.lists(st.floats(0.1, 99.0), min_size=2, max_size=6))
def test_what_a_remade_stretch_needs_itself_goes_by_the_whole_chain(seconds):
    """Two branch points are damaged one after the other, and then the last job of the chain turns out to be longer."""
    early, late = planned("early", 1.0), planned("late", 1.0)
    dependents = [planned(f"dependent-{n}", length) for n, length in enumerate(seconds)]
    queue = Queue([*dependents, planned("rival", 2.0 + max(seconds) - 0.05)], on(1))
    while queue.ready:
        queue.placements(on(1))
    queue.after(dependents[0], late)
    queue.after(late, early)
    queue.again(early)
    queue.again(planned("rival", 2.0 + max(seconds) - 0.05))
    for dependent in dependents[1:]:
        queue.after(dependent, late)
    assert [queue.placements(on(1))[0][0].id for _ in range(2)] == ["early", "rival"] and not queue.ready
