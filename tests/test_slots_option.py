"""The option --slots, which means the same to a launch, a plan and a simulation."""

from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.launch.session import limit_slots
from scalectl.orchestrator.vocabulary import Slot


def run(*words: object):
    return CliRunner().invoke(scalectl, [str(word) for word in words], standalone_mode=False)


@pytest.mark.parametrize("slots", [["2"], ["2xcpu"], ["1", "1xcpu"]])
def test_a_plan_counts_on_the_same_slots_however_they_are_given(study, slots):
    words = [word for text in slots for word in ("--slots", text)]
    for verb in (["plan"], ["launch", "-n"]):
        assert "on 2 slots" in run(*verb, study.file, *words).stdout


@pytest.mark.parametrize("verb", ["plan", "launch", "simulate"])
def test_no_verb_takes_what_is_no_slots(study, verb):
    refused = run(verb, study.file, "--slots", "x4").exception
    assert isinstance(refused, Refusal) and refused.exit == 2 and "write COUNTxTYPE" in str(refused)


def test_a_launch_without_slots_of_a_type_is_refused_with_what_it_has(study):
    refused = run("launch", study.file, "--here", "--slots", "4xv5e-16").exception
    assert str(refused) == "refused: --slots asks for 4 slots of type v5e-16, and this launch has only 1 of type cpu."
    assert isinstance(refused, Refusal) and refused.exit == 4
    assert not (study.folder / "artifacts").exists()


def cluster() -> SimpleNamespace:
    """A cluster with two CPU workers and three slices."""
    slices = {f"v5e-16/{n}": "v5e-16" for n in range(3)}
    return SimpleNamespace(slots=("cpu-0", "cpu-1", *slices), types=slices)


def test_a_launch_takes_as_many_slots_of_a_type_as_it_is_given_and_all_of_others():
    limited = cluster()
    limit_slots(limited, [Slot("v5e-16/0", "v5e-16"), Slot("v5e-16/1", "v5e-16")])
    assert limited.slots == ("cpu-0", "cpu-1", "v5e-16/0", "v5e-16/1")
    limit_slots(limited, [Slot("cpu/0")])  # which were made when the cluster was
    assert limited.slots == ("cpu-0", "cpu-1", "v5e-16/0", "v5e-16/1")


def test_more_slots_than_a_cluster_has_are_refused():
    with pytest.raises(
        Refusal, match="asks for 4 slots of type v5e-16, and this launch has only 2 of type cpu, 3 of type v5e-16"
    ):
        limit_slots(cluster(), [Slot(f"v5e-16/{n}", "v5e-16") for n in range(4)])
