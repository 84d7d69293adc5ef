#!/bin/sh
# etils.epath, the paths of Orbax: Path.rmtree, which says that it removes a directory, removes a plain file and says nothing, where
# shutil.rmtree of the same path refuses with NotADirectoryError. Of a link to a directory both refuse, epath also with
# missing_ok=True. So a wrong path of a checkpoint costs a file. Shown with etils 1.15.0 from PyPI, with its extra epath alone.
# Exit 0: it is as described. 1: a plain file is refused now, or a link is not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check 'etils[epath]==1.15.0'
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from etils import epath

folder = Path(sys.argv[1])
file, checkpoint, link = folder / "notes.txt", folder / "checkpoint", folder / "latest"
file.write_text("kept by hand")
checkpoint.mkdir()
link.symlink_to(checkpoint)
print("etils", version("etils"))


def outcome(remove, path):
    try:
        remove(path)
    except OSError as error:
        return f"{type(error).__name__}, {'still there' if path.exists() else 'gone'}"
    return "still there" if path.exists() else "gone"


def by_epath(path):
    epath.Path(path).rmtree(missing_ok=True)


found = {
    "shutil.rmtree of a file": outcome(shutil.rmtree, file),
    "epath's rmtree of a link": outcome(by_epath, link),
    "epath's rmtree of a file": outcome(by_epath, file),
}
print(*(f"{what}: {came}" for what, came in found.items()), sep="\n")
sys.exit([*found.values()] != ["NotADirectoryError, still there", "OSError, still there", "gone"])
PYTHON
