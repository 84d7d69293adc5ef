"""A slot of several workers that waits for other slots of its own launch.

A file of its own, since a process has one Ray.
"""

import time
from contextlib import closing
from dataclasses import replace

import pytest
from test_gang import until_it_trains

from scalectl.orchestrator.cluster.backends import opened
from scalectl.orchestrator.cluster.base import Request
from scalectl.orchestrator.cluster.watch import Patience
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer.events import Started


@pytest.mark.slow
def test_a_slot_that_jobs_of_the_same_launch_hold_is_waited_for_without_an_end(study, tmp_path):
    job = plan(read(study.write(steps="[60]"))).jobs[0].job
    request = Request(slots=2, wanted={"cpu": 1.0, "cpu-2": 2.0})
    with closing(opened("ray", request, Patience(acquire=4.0))) as cluster:
        cluster.start("cpu-0", replace(job, stop=10**7))
        until_it_trains(cluster)
        cluster.start("cpu-2/0", replace(job, folder=str(tmp_path / "pair")))
        until = time.monotonic() + 10
        while time.monotonic() < until:
            ends = [(slot, batch[-1]) for slot, batch in cluster.events(0.5) if slot == "cpu-2/0"]
            assert not ends, ends
        assert cluster.waiting == "slot cpu-2/0: it needs 2 CPU, and of 2 in the cluster 1 are free"
        cluster._watch.patience = Patience()  # a pair may take long to start
        cluster.stop("cpu-0")
        ends = []
        while not ends:  # the idle worker of cpu-0 gives its CPU back
            ends = [batch[-1] for slot, batch in cluster.events(0.5) if slot == "cpu-2/0"]
        assert isinstance(ends[0], Started) and cluster.waiting == ""
