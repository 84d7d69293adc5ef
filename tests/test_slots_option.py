"""The option --slots, which means the same to a launch, a plan and a simulation."""

import json
from types import SimpleNamespace

import pytest
from invoking import command

from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch.slots import limit_slots
from scalectl.orchestrator.plan.plan import wanted
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.plan.typed_slots import InvalidSlots, parse_slots
from scalectl.orchestrator.vocabulary import Slot


@pytest.mark.parametrize("slots", [["2"], ["2xcpu"], ["1", "1xcpu"]])
def test_a_plan_counts_on_the_same_slots_however_they_are_given(study, slots):
    words = [word for text in slots for word in ("--slots", text)]
    for verb in (["plan"], ["launch", "-n"]):
        assert "on 2 slots" in command(*verb, study.file, *words).stdout


@pytest.mark.parametrize("verb", ["plan", "launch", "simulate"])
def test_no_verb_takes_what_is_no_slots(study, verb):
    refused = command(verb, study.file, "--slots", "x4").exception
    assert isinstance(refused, Refusal) and refused.exit == 2 and "write COUNTxTYPE" in str(refused)


def test_a_launch_without_slots_of_a_type_is_refused_with_what_it_has(study):
    refused = command("launch", study.file, "--here", "--slots", "4xv5e-16").exception
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


def test_slots_on_which_no_job_would_run_are_refused_before_anything_is_written(study):
    study.write("resources: {default: {type: [v5e-16, h100-8]}}\n")
    refused = command("launch", study.file, "--slots", "2xh100", "-y").exception
    said = "refused: --slots asks for 2 slots of type h100, on which no job would run: they need type h100-8, v5e-16."
    assert str(refused) == said and refused.exit == 4
    assert [path.name for path in study.folder.iterdir() if "lock" not in path.name] == ["experiments.yaml"]


@pytest.mark.parametrize("typed", ["v5litepod-16", "v5e:4x4", "tpu-v5-lite-podslice:4x4", "V5E-16"])
def test_slots_are_understood_in_the_names_of_others(typed):
    assert parse_slots([f"2x{typed}"]) == (Slot("v5e-16/0", "v5e-16"), Slot("v5e-16/1", "v5e-16"))
    with pytest.raises(InvalidSlots, match=r"v5e-4.*v5e-8"):
        parse_slots(["2xv5e:2x3"])


def test_jobs_that_take_any_slot_take_the_types_that_are_named(study):
    jobs = plan(read(study.write())).jobs
    assert wanted(jobs) == {"auto": 1.0}
    assert wanted(jobs, ["h100-8"]) == {"h100-8": 8.0}


@pytest.mark.parametrize("verb", ["plan", "simulate"])
def test_slots_are_proposed_where_none_are_given(study, verb):
    study.write(
        'resources: {default: {type: v5e-16}, rules: [{when: {data_size: ">100"}, use: {type: v5e-32}}]}\n',
        sizes="[60, 120]",
    )
    slots = json.loads(command(verb, study.file, "-o", "json").stdout)
    counts = {entry["type"]: entry["count"] for entry in (slots.get("total") or slots)["slots_by_type"]}
    assert counts.keys() == {"v5e-16", "v5e-32"} and all(0 < count <= 3 for count in counts.values())
    given = command(verb, study.file, "--slots", "7xv5e-16", *(["--slots", "1xv5e-32"] if verb == "simulate" else []))
    assert {"plan": "on 7 slots of v5e-16, 2 of v5e-32", "simulate": "7 x v5e-16"}[verb] in given.stdout
