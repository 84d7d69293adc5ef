"""How many processes read images ahead for a job whose study names no number: as its slot has cores to spare."""

from pathlib import Path

from scalectl.orchestrator.cluster.capacity import capacity
from scalectl.orchestrator.vocabulary import CPU

MOST = 32  # each holds two batches


def readers(platforms: str, gpus: float, root: Path = Path("/")) -> int:
    """The readers of a job on this host, on platforms in JAX's words and, of the host's GPUs, on so many.

    0 GPUs stand for all devices of the host. `root` is where the folders /dev, /proc and /sys lie.
    """
    if platforms.startswith(CPU):
        return 0
    share = 1.0
    if gpus:
        share = min(1.0, gpus / max(1, len([*root.glob("dev/nvidia[0-9]*")])))
    return max(0, min(MOST, int(capacity(root).cores * share) - 1))
