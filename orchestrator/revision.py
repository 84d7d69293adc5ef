"""Which code runs."""

import shutil
import subprocess
from functools import cache
from pathlib import Path


@cache
def revision() -> str:
    """The git commit of this program's checkout, with "-dirty" after it for local changes; else nothing."""
    root, git = Path(__file__).resolve().parents[1], shutil.which("git")
    if git is None or not (root / ".git").exists():
        return ""
    command = [git, "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):  # worth a column, not a launch
        return ""
    return done.stdout.strip()
