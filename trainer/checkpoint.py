"""Checkpoints: complete or absent, verified when they are read, with all that a job has told so far."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax import checkpoint as ocp

from trainer.step import State


class Corrupt(Exception):  # noqa: N818 - a fact about a file
    """A checkpoint that can't be read, or doesn't hold what was written; it has been moved aside."""


@dataclass(frozen=True)
class Saved:
    """A state on disk; `told` are the rows of the training curve of the job that wrote it."""

    state: State
    path: str
    digest: str  # sha256 of the parameters
    device_seconds: float
    told: tuple[tuple[float, ...], ...]


def save(folder: str, state: State, device_seconds: float, told: list[tuple[float, ...]]) -> Saved:
    """Write a state to `folder` under its step and return it as saved; it is there whole or not at all."""
    path = Path(folder) / str(int(state.step))
    state = jax.device_get(state)
    digest = sha256(state.params)
    notes = {"digest": digest, "whole": sha256(state), "device_seconds": device_seconds, "told": told}
    items = ocp.args.Composite(state=ocp.args.PyTreeSave(state), notes=ocp.args.JsonSave(notes))
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
        checkpointer.save(path, items, force=True)
    return Saved(state, str(path), digest, device_seconds, tuple(told))


def restore(path: str, like: State) -> Saved:
    """Return what `save` wrote at `path`, given its shapes; raises Corrupt after moving a bad one aside."""
    arguments = jax.tree.map(lambda leaf: ocp.RestoreArgs(restore_type=np.ndarray, dtype=leaf.dtype), like)
    tree = ocp.args.PyTreeRestore(item=like, restore_args=arguments)
    try:
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
            items = ocp.args.Composite(state=tree, notes=ocp.args.JsonRestore())
            found = checkpointer.restore(path, items)
        notes = found.notes
        if sha256(found.state) != notes["whole"]:
            raise ValueError("its arrays aren't those that were written")
    except Exception as error:  # whatever Orbax makes of a torn file
        aside = _moved_aside(Path(path))
        raise Corrupt(f"checkpoint {path} can't be used: {error}. It was moved to {aside}.") from error
    return Saved(found.state, path, notes["digest"], notes["device_seconds"], tuple(map(tuple, notes["told"])))


def steps(folder: str) -> list[int]:
    """Return the steps of the complete checkpoints in `folder`, oldest first."""
    there = Path(folder)
    return sorted(int(path.name) for path in there.iterdir() if path.name.isdigit()) if there.is_dir() else []


def prune(folder: str, kept: int) -> None:
    """Remove the checkpoints of `folder` other than that of step `kept`, and what a killed job left half written."""
    for path in Path(folder).iterdir():
        if path.name != str(kept) and ".corrupt" not in path.name:
            shutil.rmtree(path, ignore_errors=True)


def sha256(tree: Any) -> str:
    """Return the digest of a tree of arrays: of their paths, types, shapes and bytes."""
    found = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.asarray(leaf)
        found.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _moved_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.corrupt")
    if path.exists():
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
    return aside
