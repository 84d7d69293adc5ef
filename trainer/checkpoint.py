"""Checkpoints: complete or absent, verified when they are read, with all that a job has told so far."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from etils import epath
from orbax import checkpoint as ocp

from scalectl.trainer.events import ROLLING
from scalectl.trainer.step import State

Row = tuple[float, ...]
ELSEWHERE = (ImportError, MemoryError, PermissionError, ConnectionError, TimeoutError)  # none of the checkpoint's doing

FIRST = ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0})  # it waits for no other process


class Corrupt(Exception):  # noqa: N818 - a fact about a file
    """A checkpoint that can't be read, or doesn't hold what was written; it has been moved aside."""


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds beside the state; `told` are the rows of the curve of the job that wrote it."""

    step: int
    path: str
    digest: str  # sha256 of the parameters
    device_seconds: float
    told: tuple[Row, ...]


def save(folder: str, state: State, device_seconds: float, told: Sequence[Row]) -> Saved:
    """Write a state in memory to `folder` under its step, and return once it is whole and on disk.

    Of several processes the first one writes; the others return at once what it will have written.
    """
    step, digest = int(state.step), sha256(state.params)
    path = epath.Path(folder) / str(step)
    if jax.process_index() == 0:
        notes = {"digest": digest, "whole": sha256(state), "device_seconds": device_seconds, "told": list(told)}
        items = ocp.args.Composite(state=ocp.args.PyTreeSave(state), notes=ocp.args.JsonSave(notes))
        handler = ocp.CompositeCheckpointHandler(composite_options=ocp.CompositeOptions(FIRST))
        with ocp.Checkpointer(handler, multiprocessing_options=FIRST) as checkpointer:
            checkpointer.save(path, items, force=True)
        _flush(path)
    return Saved(step, str(path), digest, device_seconds, tuple(told))


def restore(path: str, like: State) -> tuple[State, Saved]:
    """Return what `save` wrote at `path`, given its shapes; raises Corrupt after moving a bad one aside."""
    arguments = jax.tree.map(lambda leaf: ocp.RestoreArgs(restore_type=np.ndarray, dtype=leaf.dtype), like)
    tree = ocp.args.PyTreeRestore(item=like, restore_args=arguments)
    try:
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
            items = ocp.args.Composite(state=tree, notes=ocp.args.JsonRestore())
            found = checkpointer.restore(epath.Path(path), items)
        notes = found.notes
        if sha256(found.state) != notes["whole"]:
            raise ValueError("its arrays aren't those that were written")
    except ELSEWHERE:
        raise
    except Exception as error:  # whatever Orbax makes of a torn file
        raise Corrupt(f"checkpoint {path} can't be used: {error}.{_moved_aside(epath.Path(path))}") from error
    told = tuple(map(tuple, notes["told"]))
    return found.state, Saved(int(found.state.step), path, notes["digest"], notes["device_seconds"], told)


def steps(folder: str) -> list[int]:
    """Return the steps of the complete checkpoints in `folder`, oldest first."""
    there = epath.Path(folder)
    found = [path for path in there.iterdir() if path.name.isdigit()] if there.is_dir() else []
    return sorted(int(path.name) for path in found if ocp.utils.is_checkpoint_finalized(path))


def prune(folder: str, step: int) -> None:
    """Remove all but the newest ROLLING checkpoints up to `step`, and what was moved aside.

    What a killed job left half written goes as well.
    """
    if jax.process_index() > 0:
        return
    newest = [str(one) for one in steps(folder) if one <= step][-ROLLING:]
    for path in epath.Path(folder).iterdir():
        if path.name not in newest and ".corrupt" not in path.name:
            path.rmtree(missing_ok=True)


def sha256(tree: Any) -> str:
    """Return the digest of a tree of arrays: of their paths, types, shapes and bytes, however they are sharded."""
    found = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.asarray(leaf)
        found.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _flush(path: epath.Path) -> None:
    """Have the system put all files of a checkpoint, and their names, on disk; buckets have done so by themselves."""
    if "://" in str(path):
        return
    there = Path(path)
    for one in (*there.rglob("*"), there, there.parent):
        number = os.open(one, os.O_RDONLY)
        os.fsync(number)
        os.close(number)


def _moved_aside(path: epath.Path) -> str:
    """Move a checkpoint out of the way, if it is there at all, and return a sentence that says so."""
    if not path.exists() or jax.process_index() > 0:
        return ""
    aside = path.parent / f"{path.name}.corrupt"
    if aside.exists():
        aside.rmtree()
    path.rename(aside)
    return f" It was moved to {aside}."
