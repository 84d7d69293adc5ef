"""What disks do to checkpoints."""

from pathlib import Path


def array_file(path: str | Path) -> Path:
    """The file that holds most of the arrays of a checkpoint."""
    files = [file for name in ("state", "packed") for file in (Path(path) / name).rglob("*") if file.is_file()]
    return max(files, key=lambda file: file.stat().st_size)


def flip(file: Path) -> None:
    """Change one bit in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x10
    file.write_bytes(content)


def truncate(file: Path) -> None:
    """Lose the second half."""
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def remove(file: Path) -> None:
    """Lose all of it."""
    file.unlink()


HURTS = (flip, truncate, remove)
