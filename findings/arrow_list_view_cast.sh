#!/bin/sh
# pyarrow: casting list_view to list drops the values of the last list, unless it is null, and says nothing. The result is
# shorter than its offsets need (validate(full=True) says so). Shown with pyarrow 26.0.1 from PyPI, without other packages.
# Exit 0: it is as described. 1: the cast keeps every list now.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pyarrow==26.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import pyarrow as pa

lists = [[1, 2], [3]]
view = pa.array(lists, pa.list_view(pa.int64()))
view.validate(full=True)
cast = view.cast(pa.list_(pa.int64()))
print("pyarrow", pa.__version__, "list_view", view.to_pylist(), "cast to list", cast.to_pylist())
try:
    cast.validate(full=True)
except pa.ArrowInvalid as error:
    print("validate:", error)
sys.exit(cast.to_pylist() == lists)
PYTHON
