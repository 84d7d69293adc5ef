"""A cluster of some nodes of Ray on this machine, until its standard input ends; a line there names a node to drain."""

import sys
import time

from ray._raylet import GcsClient
from ray.cluster_utils import Cluster
from ray.core.generated import autoscaler_pb2

SMALL = {"object_store_memory": 80 * 2**20}
WORKERS = 2  # nodes of one slot each; the head has none
NOTICE_SECONDS = 60.0


def drain(address: str, node: str) -> None:
    """Have the cluster say that it will take a node away, as a machine's provider does."""
    reason = autoscaler_pb2.DrainNodeReason.DRAIN_NODE_REASON_PREEMPTION
    deadline = int(1000 * (time.time() + NOTICE_SECONDS))
    accepted, why = GcsClient(address=address).drain_node(node, reason, "the machine is taken away", deadline)
    assert accepted, why


if __name__ == "__main__":
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
    for _ in range(WORKERS):
        cluster.add_node(num_cpus=1, **SMALL)
    print(cluster.address, flush=True)
    for line in sys.stdin:
        drain(cluster.address, line.strip())
    cluster.shutdown()
