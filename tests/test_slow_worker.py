"""A worker that is slow to start on a cluster that a launch joined: real nodes of Ray here.

A file of its own, since a process has one Ray.
"""

import os
import time
from contextlib import closing
from typing import Any

import pytest
from conftest import Study
from test_changing import SMALL

from scalectl.orchestrator.cluster.backends import opened
from scalectl.orchestrator.cluster.base import Request
from scalectl.orchestrator.cluster.ray_server import secure
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan

SLOW = """\
import sys
import time

if any("default_worker" in word for word in sys.orig_argv):
    time.sleep(4)  # before Ray knows of the process

    class Late:
        def find_spec(self, name, path=None, target=None):
            if name == "scalectl.orchestrator.cluster.ray_actor":
                time.sleep(4)  # after it has given the process to an actor

    sys.meta_path.insert(0, Late())
"""
LAG_SECONDS = 2.0  # in which Ray tells its head what is waited for


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_slow_worker_has_its_own_cpu_and_another_has_that_of_somebody_else(study: Study, tmp_path):
    secure(None)
    from ray.cluster_utils import Cluster

    job = plan(read(study.write(steps="[40]"))).jobs[0].job
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
    try:
        made.add_node(num_cpus=1, env_vars={"PYTHONPATH": path}, **SMALL)
        with closing(opened("ray", Request(address=made.address, wanted={"cpu": 1.0}))) as cluster:
            backend: Any = cluster.backend
            cluster.start("cpu-0", job)
            started, said = time.monotonic(), list[str]()
            while not backend.present("cpu-0"):
                assert time.monotonic() - started < 120
                if time.monotonic() - started > LAG_SECONDS:
                    said.append(backend.held("cpu-0"))
                time.sleep(0.2)
            assert len(said) > 10 and set(said) == {""}, said
            assert backend.place("cpu-0").startswith("node")
            cluster.backend.kill("cpu-0")

            class Other:  # somebody else's, which Ray carries to the node
                def answer(self) -> None: ...

            other = backend._ray.remote(num_cpus=1)(Other).remote()
            backend._ray.get(other.answer.remote())
            cluster.backend.start("cpu-0", job)
            time.sleep(2 * LAG_SECONDS)
            assert backend.held("cpu-0") == "it needs 1 CPU, and of 1 in the cluster 0 are free"
    finally:
        made.shutdown()
