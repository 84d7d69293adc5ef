"""A schedule that is added: its facts, its curve, and nothing else."""

from typing import get_args

import jax.numpy as jnp
import numpy as np
import pytest
from test_train import TRUNK, job, with_recipe

from scalectl.trainer.events import Done, Progress
from scalectl.trainer.optimizer import DECAYS
from scalectl.trainer.spec import SCHEDULES, EvalSpec, RecipeSpec, RunSpec, Schedule, ScheduleFacts
from scalectl.trainer.train import train

NOTHING = EvalSpec((), ())


def add_halving(monkeypatch):
    """Add a schedule that halves the rate after each timescale, before a cooldown."""
    monkeypatch.setitem(SCHEDULES, "halving", ScheduleFacts(needs_horizon=False, has_timescale=True))
    monkeypatch.setitem(DECAYS, "halving", lambda after, timescale, length: 0.5 ** (after / timescale))


def add_falling(monkeypatch):
    """Add a schedule that falls to zero along a parabola."""
    monkeypatch.setitem(SCHEDULES, "falling", ScheduleFacts(needs_horizon=True, has_timescale=False))
    monkeypatch.setitem(DECAYS, "falling", lambda after, timescale, length: jnp.square(1.0 - after / length))


def rates(events):
    return {event.step - 1: event.learning_rate / TRUNK.recipe.lr for event in events if isinstance(event, Progress)}


@pytest.mark.slow
def test_a_schedule_with_a_timescale_trains_with_its_rates(monkeypatch, tmp_path):
    compiled_before = list(train(job(tmp_path / "usual", evals=NOTHING)))
    add_halving(monkeypatch)
    events = list(train(with_recipe(tmp_path / "halving", schedule="halving", timescale=37)))
    factors = rates(events)
    expected = {step: min(1, (step + 1) / 4) * 0.5 ** (max(0, step - 4) / 37) for step in factors}
    expected = {step: factor * min(1, (150 - step) / 30) for step, factor in expected.items()}
    assert isinstance(compiled_before[-1], Done) and isinstance(events[-1], Done)
    assert factors == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_a_schedule_that_needs_the_horizon_falls_over_the_whole_run(monkeypatch, tmp_path):
    add_falling(monkeypatch)
    wanted = with_recipe(tmp_path, schedule="falling")
    events = list(train(job(tmp_path, trunk=wanted.trunk, run=RunSpec(wanted.trunk, 150, 150), evals=NOTHING)))
    factors = rates(events)
    expected = [min(1, (step + 1) / 4) * (1 - max(0, step - 4) / 146) ** 2 for step in factors]
    assert isinstance(events[-1], Done)
    np.testing.assert_allclose(list(factors.values()), expected, rtol=1e-4)
    assert wanted.trunk.recipe.needs_horizon


def test_every_schedule_of_the_file_has_facts_and_a_curve():
    assert get_args(Schedule) == tuple(SCHEDULES) == tuple(DECAYS)
    assert RecipeSpec.__dataclass_fields__["schedule"].type is Schedule
