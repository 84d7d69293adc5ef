"""A launch that waits for slots is asked to stop: it has runs that no store knows yet."""

import pytest
from invoking import command
from test_refused_first import WANTS, Growing, growing  # noqa: F401 - a fixture
from told import planning, rows

from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch import requested
from scalectl.orchestrator.launch.session import carry_out
from scalectl.orchestrator.plan.plan import Caps
from scalectl.orchestrator.store.names import ALL
from scalectl.orchestrator.store.names import requested as meant

pytestmark = pytest.mark.usefixtures("growing")


@pytest.fixture(params=["without-a-store", "of-an-edited-file"])
def waiting(study, request, monkeypatch):
    """A study of three runs whose slot comes late; its store has none of two of them, or isn't there."""
    monkeypatch.setattr(requested, "_SECONDS", 0.05)
    if request.param == "of-an-edited-file":
        planning(study, steps="[20]")[0].close()
    study.write(WANTS.replace("SECONDS", "60"), steps="[20, 40, 80]")
    return study


@pytest.fixture
def stopped(monkeypatch):
    """A function that tells what a launch comes to that is asked to stop while it waits, and what that command said.

    A slot comes right after it where `join` says so.
    """

    def of(study, *words: str, join: float = Growing.join):
        said = []

        def asked():
            said.append(command("stop", *words, "--store", study.store))
            Growing.join = join

        monkeypatch.setattr(Growing, "join", Growing.join)  # what it was, afterwards
        monkeypatch.setattr(Growing, "meanwhile", staticmethod(asked))
        return carry_out(read(study.file), Caps(), backend="growing"), said[0].stdout

    return of


@pytest.mark.parametrize("words", [["--all"], ["pico-60-20", "pico-60-40", "pico-60-80"]])
def test_a_launch_that_waits_ends_once_all_its_runs_are_stopped(waiting, stopped, words):
    outcome, said = stopped(waiting, *words)
    assert said.startswith("Asked process ") and "hasn't begun" in said
    assert outcome.exit is Exit.DONE and outcome.reason == "asked to stop"
    assert rows(waiting, "SELECT state, reason FROM runs") == [("stopped", "asked to stop")] * 3
    assert rows(waiting, "SELECT id FROM attempts") == []
    assert carry_out(read(waiting.write(steps="[20, 40, 80]")), Caps(), backend="here").done == 3  # as after any stop


def test_runs_that_are_stopped_while_slots_are_waited_for_are_not_started(waiting, stopped):
    outcome, said = stopped(waiting, "pico-60-8", "pico-60", join=0.0)
    assert "to stop pico-60-8 and pico-60." in said and "names none of its runs, or several" in said
    assert dict(outcome.states) == {"stopped": 1} and outcome.done == 2
    assert rows(waiting, "SELECT name FROM runs WHERE state = 'stopped'") == ["pico-60-80"]
    assert rows(waiting, "SELECT max(step) FROM attempts") == [40]


def test_a_launch_that_nobody_stopped_and_that_is_refused_leaves_no_requests(study, stopped):
    study.write(WANTS.replace("SECONDS", "1"), steps="[20, 40]")
    with pytest.raises(Exception, match="need slots of type h100"):
        stopped(study, "pico-60-40")
    assert [file.name for file in study.folder.iterdir()] == ["experiments.yaml"]


def test_words_of_requests_are_ids_names_and_the_beginning_of_one():
    names = {"0a": "pico-20", "0b": "pico-40", "1c": "nano-20"}
    assert meant(["pico-20", "1", "ffff"], names) == {"0a", "1c", "ffff"}
    assert meant(["pico"], names) == {"pico"}  # two of them
    assert meant([ALL, "ffff"], names) == {"0a", "0b", "1c", "ffff"}
