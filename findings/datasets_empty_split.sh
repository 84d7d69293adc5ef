#!/bin/sh
# Hugging Face's datasets: save_to_disk writes an empty split without a data file, and load_from_disk can't read what it
# wrote: IndexError. One empty split makes a whole DatasetDict unreadable. Shown with datasets 5.2.0 from PyPI.
# Exit 0: it is as described. 1: it loads now.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check datasets==5.2.0
cd "$folder"
HF_HOME="$folder/hf" HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - <<'PYTHON'
import json
import sys
import datasets

datasets.disable_progress_bars()
full = datasets.Dataset.from_dict({"label": [0, 1]})
datasets.DatasetDict(train=full, test=full.select([])).save_to_disk("both")
print("datasets", datasets.__version__, "test/state.json:", json.load(open("both/test/state.json"))["_data_files"])
try:
    print(datasets.load_from_disk("both"))
except IndexError as error:
    print("load_from_disk: IndexError:", error)
    sys.exit(0)
sys.exit(1)
PYTHON
