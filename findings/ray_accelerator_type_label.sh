#!/bin/sh
# Ray: the label ray.io/accelerator-type that is given to a node by hand (ray start --labels, KubeRay's labels) is not what
# accelerator_type= of an actor looks for: that looks for a resource which Ray makes only for hardware that it finds itself.
# Such an actor waits without an end, and a label_selector with the same label is placed. Shown with ray 2.60.0 from PyPI.
# Exit 0: it is as described. 1: accelerator_type finds the node by its label now.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check ray==2.60.0
RAY_USAGE_STATS_ENABLED=0 RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 "$folder/venv/bin/python" - <<'PYTHON'
import sys
import ray
from ray.cluster_utils import Cluster

LABEL = {"ray.io/accelerator-type": "H100"}
head = {"num_cpus": 0, "num_gpus": 1, "labels": LABEL}
cluster = Cluster(initialize_head=True, head_node_args=head)
ray.init(address=cluster.address, log_to_driver=False, logging_level="error")


class Worker:
    def ready(self):
        return True


def placed(**options):
    actor = ray.remote(num_gpus=1, num_cpus=0, **options)(Worker).remote()
    ready, _ = ray.wait([actor.ready.remote()], timeout=20)
    ray.kill(actor)
    return bool(ready)


(node,) = ray.nodes()
print("ray", ray.__version__, "labels", node["Labels"].get("ray.io/accelerator-type"), "resources", sorted(node["Resources"]))
by_label, by_type = placed(label_selector=LABEL), placed(accelerator_type="H100")
print("label_selector: placed" if by_label else "label_selector: waits")
print("accelerator_type: placed" if by_type else "accelerator_type: waits")
ray.shutdown()
cluster.shutdown()
sys.exit(by_type or not by_label)
PYTHON
