#!/bin/sh
# tensorboardX: add_hparams(name=".") opens a second event file whose name is that of the run's own file when both were opened within
# one second. One of the two writes over the other, so that hyperparameters of a short run are lost. Nothing is said. Without `name` the hyperparameters go to a
# folder of their own, named by the time, which TensorBoard lists as a run more. Shown with tensorboardX 2.6.5 from PyPI, read back by
# its own protocol buffers.
# Exit 0: it is as described. 1: scalars and hyperparameters are all there now.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tensorboardX==2.6.5
cd "$folder"
venv/bin/python - <<'PYTHON'
import struct
import sys
import time
from collections import Counter
from pathlib import Path

import tensorboardX
from tensorboardX.proto.event_pb2 import Event


def found(folder):
    """The tags in each event file: records are a length, its checksum, the event and its checksum."""
    tags = {}
    for file in sorted(Path(folder).rglob("events*")):
        data, at, names = file.read_bytes(), 0, []
        while at < len(data):
            (length,) = struct.unpack("<Q", data[at : at + 8])
            names += [value.tag for value in Event.FromString(data[at + 12 : at + 12 + length]).summary.value]
            at += 12 + length + 4
        tags[len(file.relative_to(folder).parts)] = Counter(names)
    return tags


def logged(folder, **options):
    """What is found of a run of 20 losses and its hyperparameters, all within one second."""
    time.sleep(1 - time.time() % 1)
    writer = tensorboardX.SummaryWriter(folder)
    for step in range(20):
        writer.add_scalar("loss", 1.0, step)
    writer.add_hparams({"width": 8}, {"error": 0.5}, **options)
    writer.close()
    return found(folder)


print("tensorboardX", tensorboardX.__version__)
same, own = logged("same", name="."), logged("own")
print('tags by depth of folder, name="."', same)
print("tags by depth of folder, without name", own)
assert own[1]["loss"] == 20 and own[2]["_hparams_/session_start_info"] == 1
sys.exit(same[1]["loss"] == 20 and same[1]["_hparams_/session_start_info"] == 1)
PYTHON
