#!/bin/sh
# MLflow on SQLite: a metric of infinity, as of a run that diverged, comes back as the largest finite float, 1.797e308, and sorts and
# compares as a number. NaN comes back as NaN. Shown with mlflow-skinny 3.17.2 and alembic 1.20.1 from PyPI.
# Exit 0: it is as described. 1: infinity comes back as infinity now, or is refused.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check mlflow-skinny==3.17.2 alembic==1.20.1
cd "$folder"
MLFLOW_DISABLE_TELEMETRY=true venv/bin/python - <<'PYTHON' 2>/dev/null
import math
import sys

import mlflow

client = mlflow.MlflowClient("sqlite:///runs.db")
run = client.create_run(client.create_experiment("study")).info.run_id
client.log_metric(run, "loss", math.inf, step=1)
client.log_metric(run, "nothing", math.nan, step=1)
read = client.get_run(run).data.metrics
history = [metric.value for metric in client.get_metric_history(run, "loss")]
print("mlflow", mlflow.__version__)
print("logged inf, read back", read["loss"], history, "finite:", math.isfinite(read["loss"]))
print("logged nan, read back", read["nothing"])
assert math.isnan(read["nothing"])
sys.exit(not (math.isfinite(read["loss"]) and read["loss"] > 1e308 and history == [read["loss"]]))
PYTHON
