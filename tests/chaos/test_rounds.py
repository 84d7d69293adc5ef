"""Some rounds of chaos, one for each kind of trouble that no other test makes; `python tests/chaos` plays them all."""

from pathlib import Path

import pytest
from conftest import Study
from rounds import Skipped, named, play
from world import World

PLAYED = ("disk full", "checkpoints truncated")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study of every round, launched once with nothing in its way."""
    folder: Path = tmp_path_factory.mktemp("undisturbed")
    world = World(folder, ("--here",))
    assert world.launch_again() == 0, world.output()
    return Study(folder)


@pytest.mark.parametrize("name", PLAYED)
def test_a_study_that_is_struck_ends_as_if_nothing_had_happened(undisturbed, name):
    try:
        play(*named(name), 37, undisturbed)
    except Skipped as reason:
        pytest.skip(str(reason))
