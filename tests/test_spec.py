"""What a run's identity says and what it leaves out."""

from dataclasses import replace

from test_train import RUN, TRUNK

from trainer.spec import identity


# ids that are in stores already: if these change, every run is trained again
def test_a_run_keeps_the_identity_that_it_always_had():
    assert (identity(TRUNK), identity(RUN)) == ("94559dac2ff9", "f124da2dfe46")


def test_a_setting_that_came_later_counts_once_it_is_set():
    assert identity(replace(TRUNK, data=replace(TRUNK.data, stratified=True))) != identity(TRUNK)
