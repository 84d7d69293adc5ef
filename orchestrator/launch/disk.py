"""The room that is left in a folder: on its disk, and in the quota that its user has there."""

import re
import shutil
import subprocess
from pathlib import Path

from scalectl.orchestrator.store.file_systems import mounted

_BLOCK = 1024  # bytes, in which `quota` counts
_PATIENCE = 10.0  # seconds that a server of quotas may take
_COUNT = re.compile(r"(\d+)\*?")  # with a star where it is above its limit


def free(folder: Path) -> tuple[int, bool]:
    """The bytes that may still be written to a folder, and whether that is what a quota leaves."""
    on_disk, of_quota = shutil.disk_usage(folder).free, _of_quota(mounted(folder)[0])
    if of_quota is None or of_quota > on_disk:
        return on_disk, False
    return of_quota, True


def _of_quota(source: str) -> int | None:
    """The bytes that the quota on a mounted disk leaves; None where there is none, or nobody tells."""
    program = shutil.which("quota")
    if not (program and source):
        return None
    try:
        command = [program, "--no-wrap", "--raw-grace"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    left = []
    for line in told.splitlines():
        name, *cells = line.split()[:4] or [""]
        counts = [int(count[1]) for cell in cells if (count := _COUNT.fullmatch(cell))]
        if name == source and len(counts) == len(cells) == 3:
            used, soft, hard = counts
            if most := hard or soft:
                left.append(max(0, most - used) * _BLOCK)
    return min(left, default=None)
