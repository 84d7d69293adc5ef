"""Gangs on a cluster with nodes that can't run jobs: real nodes of Ray here, one of them without scalectl."""

from contextlib import closing

import pytest
from conftest import Study
from test_changing import SMALL, bad_node
from test_pods import Told

from scalectl.orchestrator.cluster.backends import opened
from scalectl.orchestrator.cluster.base import Request
from scalectl.orchestrator.cluster.ray_server import secure
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer.events import Done


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_gang_is_not_placed_on_a_node_that_joins_later_and_is_left_out(study: Study, tmp_path):
    secure(None)
    from ray.cluster_utils import Cluster

    job = plan(read(study.write(steps="[40]"))).jobs[0].job
    (study.folder / "artifacts").mkdir()
    (tmp_path / "broken" / "scalectl").mkdir(parents=True)
    (tmp_path / "broken" / "scalectl" / "__init__.py").write_text("raise ImportError('another version')\n")
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
    try:
        for _ in range(2):
            made.add_node(num_cpus=1, **SMALL)
        with closing(opened("ray", Request(address=made.address, wanted={"cpu-2": 2.0}))) as cluster:
            cluster.admit(str(study.folder / "artifacts"))
            bad_node(made, tmp_path / "broken", num_cpus=2)  # where Ray would place both workers
            cluster.start("cpu-2/0", job)
            assert isinstance(Told(cluster).until("cpu-2/0", Done), Done)
            assert cluster.slots == ("cpu-2/0",)
    finally:
        made.shutdown()
