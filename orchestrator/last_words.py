"""What a worker that died wrote to its stderr last: the stack of a crash, or the complaint of a library."""

import os
from pathlib import Path

LINES = 40
WIDTH = 300  # of a line; Python ends the stack of a crash with the names of all extension modules
_BYTES = LINES * WIDTH
_MARKS = (":job_id:", ":actor_name:", ":task_name:")  # of Ray, by which it knows whose lines these are


def stderr_file() -> str:
    """Return the file that this process writes its stderr to; nothing where it is none, or the system can't tell."""
    path = Path(os.path.realpath("/proc/self/fd/2"))
    return str(path) if path.is_file() else ""


def last_words(file: str) -> str:
    """Return the last lines of a worker's stderr; nothing where that file isn't there."""
    try:
        with Path(file).open("rb") as text:
            text.seek(max(0, Path(file).stat().st_size - _BYTES))
            said = text.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    kept = [line[:WIDTH].rstrip() for line in said if not line.startswith(_MARKS)]
    return "\n".join(kept[-LINES:]).strip()
