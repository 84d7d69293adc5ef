"""How well a launch knows how long it still takes: what `status` said every second, against what came true.

uv run python benchmarks/left.py experiments.yaml --slots 2 --set 'budgets.steps=[100, 200]'

What follows the file goes to `scalectl launch`, which works in a new folder.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.store.reading import Store

EARLY = 0.1  # of the whole, after which the time left has to hold


def followed(command: list[str], store: Path) -> tuple[list[tuple[float, float]], float]:
    """The time left by the clock, as it was said, from when the slots were there; and the time at the end."""
    said: list[tuple[float, float]] = []
    with subprocess.Popen(command, cwd=store.parent, stdout=subprocess.DEVNULL) as launch:
        while launch.poll() is None:
            time.sleep(1)
            try:
                left = Store(store).status().seconds_left
            except NotFound:
                continue
            if left is not None:
                said.append((time.monotonic(), left))
    return said, said[-1][0]


def main() -> None:
    file, *options = sys.argv[1:]
    folder = Path(tempfile.mkdtemp())
    shutil.copy(file, folder / "study.yaml")
    began = time.monotonic()
    said, ended = followed(["scalectl", "launch", "study.yaml", "--yes", *options], folder / "results.db")
    whole = ended - began
    late = [(now, left) for now, left in said if now - began >= EARLY * whole]
    errors = [abs(now + left - ended) / whole for now, left in late]
    print(f"{whole:.0f} s; first said {(said[0][0] - began) / whole:.0%} into it")
    for share in (EARLY, 0.25, 0.5, 0.75):
        now, left = min(late, key=lambda pair: abs(pair[0] - began - share * whole))
        print(f"after {share:.0%}: {left:.0f} s left, {ended - now:.0f} s came: {left / (ended - now) - 1:+.0%}")
    print(f"from the first on, the end was off by {max(errors):.0%} of the whole at most")


if __name__ == "__main__":
    main()
