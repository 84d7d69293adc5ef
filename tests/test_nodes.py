"""Nodes of a cluster that are drained and that die, with several nodes of Ray on this machine."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from conftest import SCHEDULES
from told import rows

from scalectl.orchestrator.cluster.backends import opened
from scalectl.orchestrator.cluster.base import Request
from scalectl.orchestrator.cluster.ray_server import secure
from scalectl.orchestrator.cluster.supervisor import Supervisor
from scalectl.orchestrator.cluster.watch import Patience
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch.config import LaunchConfig
from scalectl.orchestrator.launch.loop import launch
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.records import Records
from scalectl.trainer.events import Progress

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head without a slot, and three nodes of one slot each."""
    secure(None)
    from ray.cluster_utils import Cluster

    small = {"object_store_memory": 80 * 2**20}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
    for _ in range(3):
        made.add_node(num_cpus=1, **small)
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def cluster(nodes) -> Iterator[Supervisor]:
    with closing(opened("ray", Request(slots=1, address=nodes.address), Patience(stall=60, acquire=120))) as made:
        yield made


def launched(study, cluster, act) -> None:
    """Launch one long job, and act on the node that it is on once it has trained."""
    experiment = read(study.write(schedule=SCHEDULES["linear"], steps="[6000]", checkpoint_every=500))
    with Records(study.store) as records:
        found = plan(experiment)
        records.plan(found, experiment)
        acted = False
        for news in launch(found, records, cluster, {}, LaunchConfig()):
            if not acted and any(isinstance(event, Progress) for event in news.events):
                act(cluster.backend._actors[news.slot].node)
                acted = True


def attempts(study) -> list[Any]:
    return rows(study, "SELECT state, kind FROM attempts ORDER BY id")


def drain(nodes: Any, node: str) -> None:
    """Have a cluster say that it will take a node away, as a machine's provider does."""
    from ray._raylet import GcsClient
    from ray.core.generated import autoscaler_pb2

    reason = autoscaler_pb2.DrainNodeReason.DRAIN_NODE_REASON_PREEMPTION
    deadline = int(1000 * (time.time() + 60))
    accepted, why = GcsClient(address=nodes.address).drain_node(node, reason, "the machine is taken away", deadline)
    assert accepted, why


def test_a_node_that_is_drained_is_left_without_losing_a_step(study, nodes, cluster):
    launched(study, cluster, lambda node: drain(nodes, node))
    assert attempts(study) == [("preempted", "preempted"), ("done", "")]
    (reached, _), (_, begun) = rows(study, "SELECT step, first_step FROM attempts ORDER BY id")
    assert begun == reached > 0
    assert rows(study, "SELECT state FROM runs") == ["done"]


def test_a_node_that_dies_is_lost_and_the_job_goes_on_elsewhere(study, nodes, cluster):
    def kill(node: str) -> None:
        gone = next(one for one in nodes.worker_nodes if one.node_id == node)
        nodes.remove_node(gone, allow_graceful=False)

    launched(study, cluster, kill)
    first, last = attempts(study)
    (reached, _), (_, begun) = rows(study, "SELECT step, first_step FROM attempts ORDER BY id")
    if first != ("lost", "node_lost"):  # its worker outlives it for a moment, and told of the checkpoint that it left
        assert first == ("preempted", "preempted") and begun == reached > 0
    assert last == ("done", "")
    assert rows(study, "SELECT state FROM runs") == ["done"]
