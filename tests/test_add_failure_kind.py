"""A kind of failure that is added from outside: one entry, and a launch does with it what the entry says."""

from contextlib import closing

import pytest
from told import rows

from scalectl.orchestrator.cluster.backends import Here
from scalectl.orchestrator.cluster.base import Report, Request
from scalectl.orchestrator.cluster.supervisor import Supervisor
from scalectl.orchestrator.launch.retries import LOSSES, tried_again
from scalectl.trainer.events import Failed
from scalectl.trainer.failures import FAILURE_KINDS, FailureKind

RETRIES = 2
MEANING = "A particle from space changed a bit."


class Struck(Here):
    """A place whose every job ends with the new kind."""

    def events(self, timeout: float) -> list[Report]:
        return [("here", [Failed("cosmic_ray", 0, "a bit flipped")])]


@pytest.mark.parametrize(
    ("kind", "attempts", "runs"),
    [
        (FailureKind("cosmic_ray", MEANING, "once"), ["failed"], "failed"),
        (FailureKind("cosmic_ray", MEANING, "once", run="diverged"), ["failed"], "diverged"),
        (FailureKind("cosmic_ray", MEANING, "retries", attempt="lost"), (1 + RETRIES) * ["lost"], "failed"),
        (FailureKind("cosmic_ray", MEANING, "progress", attempt="preempted"), LOSSES * ["preempted"], "failed"),
    ],
    ids=["once", "diverged", "retries", "progress"],
)
def test_a_job_that_ends_with_it_is_handled_as_the_entry_says(study, monkeypatch, kind, attempts, runs):
    from test_launch import launched

    monkeypatch.setitem(FAILURE_KINDS, kind.name, kind)
    with closing(Supervisor(Struck(Request()))) as cluster:
        launched(study, cluster=cluster, steps="[20]", extra=f"limits: {{retries: {RETRIES}}}\n")
    assert rows(study, "SELECT state FROM attempts ORDER BY id") == attempts
    assert rows(study, "SELECT state, kind FROM runs") == [(runs, "cosmic_ray")]


def test_a_kind_without_an_entry_is_refused_where_it_is_made():
    with pytest.raises(ValueError, match="no kind of failure is called 'cosmic_ray'"):
        Failed("cosmic_ray", 0, "a bit flipped")


def test_users_are_told_what_each_kind_means_and_how_often_it_is_tried_again():
    assert {name: tried_again(kind) for name, kind in FAILURE_KINDS.items()} == {
        "user_error": "never",
        "bad_config": "never",
        "nonfinite": "never",
        "out_of_memory": "limits.retries times",
        "stalled": "limits.retries times",
        "slot_lost": "always",
        "no_capacity": "limits.retries times",
        "checkpoint_corrupt": "limits.retries times",
        "preempted": f"up to {LOSSES - 1} times without a new checkpoint",
        "node_lost": f"up to {LOSSES - 1} times without a new checkpoint",
    }
    assert all(kind.meaning.endswith(".") for kind in FAILURE_KINDS.values())
