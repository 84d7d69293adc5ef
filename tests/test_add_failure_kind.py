"""A kind of failure that is added from outside: one entry, and a launch does with it what the entry says."""

from contextlib import closing

import pytest
from told import rows

from scalectl.orchestrator.cluster.backends import Here
from scalectl.orchestrator.cluster.base import Report, Request
from scalectl.orchestrator.cluster.supervisor import Supervisor
from scalectl.orchestrator.launch.retries import LOSSES
from scalectl.trainer.events import Failed
from scalectl.trainer.failures import FAILURE_KINDS, FailureKind

RETRIES = 2


class Struck(Here):
    """A place whose every job ends with the new kind."""

    def events(self, timeout: float) -> list[Report]:
        return [("here", [Failed("cosmic_ray", 0, "a bit flipped")])]


@pytest.mark.parametrize(
    ("kind", "attempts", "runs"),
    [
        (FailureKind("cosmic_ray", "once"), ["failed"], "failed"),
        (FailureKind("cosmic_ray", "once", run="diverged"), ["failed"], "diverged"),
        (FailureKind("cosmic_ray", "retries", attempt="lost"), (1 + RETRIES) * ["lost"], "failed"),
        (FailureKind("cosmic_ray", "progress", attempt="preempted"), LOSSES * ["preempted"], "failed"),
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
