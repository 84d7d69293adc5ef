"""The speed of a job whose dispatches are told late, as the trainer does."""

import pytest

from scalectl.trainer.timing import DISPATCHES, Speed

BATCH = 0.7  # seconds that a batch of 3 steps is waited for


def told(dispatches: int) -> list[float]:
    """Seconds in which each of some dispatches is told: two batches before the first, and none before the last."""
    return [11.3 + 2 * BATCH, *[BATCH] * (dispatches - 2), 0.001]


@pytest.mark.parametrize("dispatches", [DISPATCHES, 2 * DISPATCHES, 10 * DISPATCHES])
def test_the_last_dispatch_before_a_checkpoint_is_hardly_faster_than_the_others(dispatches):
    speed = Speed()
    found = [steps / seconds for steps, seconds in (speed.over(3, one) for one in told(dispatches))]
    assert found[1:-1] == pytest.approx([3 / BATCH] * (dispatches - 2))
    assert 3 / BATCH < found[-1] <= 3 / BATCH * (1 + 1 / (DISPATCHES - 2))


def test_one_dispatch_alone_is_as_fast_as_it_was():
    assert Speed().over(5, 2.5) == (5, 2.5)
