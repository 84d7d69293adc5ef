"""Several processes of one job, of which one is asked to stop."""

from dataclasses import replace

import pytest
from devices import told
from test_sharding import of, twenty

from scalectl.trainer.events import Checkpoint, Measurement, Stopped

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("asked", [0, 1])
def test_all_processes_stop_at_one_step_and_go_on_from_it_together(asked, tmp_path):
    wanted = replace(twenty(tmp_path / "job"), checkpoint_every=4)  # a dispatch ends there
    lives = told(wanted, tmp_path / "stopped", 2, 2, stops={asked: 4})
    (end,) = {life[-1] for life in lives}
    assert isinstance(end, Stopped) and 4 < end.step < 20
    assert len({tuple(one.digest for one in of(Checkpoint, life)) for life in lives}) == 1
    again = told(wanted, tmp_path / "again", 2, 2)
    undisturbed = told(twenty(tmp_path / "whole" / "job"), tmp_path / "whole", 2, 2)
    assert [life[0].step for life in again] == [end.step] * 2
    assert len({life[-1].digest for life in again + undisturbed}) == 1


@pytest.mark.parametrize("asked", [0, 1])
def test_all_processes_leave_an_evaluation_undone_together(asked, tmp_path):
    lives = told(twenty(tmp_path / "job"), tmp_path / "stopped", 2, 2, stops={asked: 20})
    assert [life[-1] for life in lives] == [Stopped(20), Stopped(20)]
    assert not any(of(Measurement, life) for life in lives)
