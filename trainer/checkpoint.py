"""Checkpoints: complete or absent, verified when they are read, with all that a job has reported so far."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from etils import epath
from orbax import checkpoint as ocp

from scalectl.trainer.claim import FILE
from scalectl.trainer.events import ROLLING, Progress
from scalectl.trainer.packing import lengths, packed, small, unpacked
from scalectl.trainer.step import State

POSITIONAL = (  # the columns of a curve in checkpoints that didn't name them; the oldest end after images_per_second
    "step",
    "loss",
    "learning_rate",
    "grad_norm",
    "device_seconds",
    "images_per_second",
    "flops_per_second",
    "mfu",
)
ELSEWHERE = (ImportError, MemoryError, PermissionError, ConnectionError, TimeoutError)  # none of the checkpoint's doing

PACKED = "packed"  # in place of `state` where its arrays are small
FIRST = ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0})  # it waits for no other process


class Corrupt(Exception):  # noqa: N818 - a fact about a file
    """A checkpoint that can't be read, or doesn't hold what was written."""


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds beside the state; `curve` is that of the job that wrote it, up to its step."""

    step: int
    path: str
    digest: str  # sha256 of the parameters
    device_seconds: float
    curve: tuple[Progress, ...]


def save(folder: str, state: State, device_seconds: float, curve: Sequence[Progress]) -> Saved:
    """Write a state in memory to `folder` under its step, and return once it is whole and on disk.

    Of several processes the first one writes; the others return at once what it will have written.
    """
    step, digest = int(state.step), sha256(state.params)
    path = epath.Path(folder) / str(step)
    if jax.process_index() == 0:
        rows = [asdict(point) for point in curve]
        notes = {"digest": digest, "whole": sha256(state), "device_seconds": device_seconds, "curve": rows}
        arrays: dict[str, Any] = {"state": state}
        if small(state):
            arrays = {PACKED: packed(state)}
        trees = {name: ocp.args.PyTreeSave(tree) for name, tree in arrays.items()}
        items = ocp.args.Composite(notes=ocp.args.JsonSave(notes), **trees)
        handler = ocp.CompositeCheckpointHandler(composite_options=ocp.CompositeOptions(FIRST))
        with ocp.Checkpointer(handler, multiprocessing_options=FIRST) as checkpointer:
            checkpointer.save(path, items, force=True)
        _flush(path)
    return Saved(step, str(path), digest, device_seconds, tuple(curve))


def restore(path: str, like: State) -> tuple[State, Saved]:
    """What `save` wrote at `path`, given its shapes; raises Corrupt after moving a bad one aside."""
    try:
        state, notes = _read(path, like)
        if sha256(state) != notes["whole"]:
            raise ValueError("its arrays aren't those that were written")
        curve = _curve(notes)
    except ELSEWHERE:
        raise
    except Exception as error:  # whatever Orbax makes of a torn file
        raise Corrupt(f"checkpoint {path} can't be used: {error}.{_moved_aside(epath.Path(path))}") from error
    return state, Saved(int(state.step), path, notes["digest"], notes["device_seconds"], curve)


def parameters(path: str, like: State, digest: str) -> Any:
    """The parameters that `save` wrote at `path`, given the state's shapes; raises Corrupt for another digest."""
    try:
        state, notes = _read(path, like, params_alone=True)
        params = state.params
        if notes["digest"] != digest:
            raise ValueError("it is of another run or step")
        if sha256(params) != digest:
            raise ValueError("its arrays aren't those that were written")
    except ELSEWHERE:
        raise
    except Exception as error:  # whatever Orbax makes of a torn file
        raise Corrupt(f"checkpoint {path} can't be used: {str(error).rstrip('.')}.") from error
    return params


def _read(path: str, like: State, *, params_alone: bool = False) -> tuple[State, dict[str, Any]]:
    """The state at `path`, which is `like` this, and the notes beside it; with `params_alone` its moments may lack."""
    if (epath.Path(path) / PACKED).exists():
        arrays, notes = _items(path, PACKED, lengths(like))
        return unpacked(arrays, like), notes
    if params_alone:
        arrays, notes = _items(path, "state", {"params": like.params}, partial_restore=True)
        return like._replace(params=arrays["params"]), notes
    return _items(path, "state", like)


def _items(path: str, name: str, like: Any, **options: bool) -> tuple[Any, dict[str, Any]]:
    """The arrays called `name` at `path`, which are `like` these, and the notes beside them."""
    arguments = jax.tree.map(lambda leaf: ocp.RestoreArgs(restore_type=np.ndarray, dtype=leaf.dtype), like)
    tree = ocp.args.PyTreeRestore(item=like, restore_args=arguments, **options)
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
        wanted = ocp.args.Composite(notes=ocp.args.JsonRestore(), **{name: tree})
        restored = checkpointer.restore(epath.Path(path), wanted)
    return restored[name], restored.notes


def _curve(notes: dict[str, Any]) -> tuple[Progress, ...]:
    """The points of a curve, also from checkpoints that did not name its columns."""
    if "curve" in notes:
        return tuple(Progress(**row) for row in notes["curve"])
    return tuple(Progress(**dict(zip(POSITIONAL, row, strict=False))) for row in notes["told"])


def is_one(path: str) -> bool:
    """Whether a folder is a checkpoint, whole or not."""
    return (epath.Path(path) / "notes").exists()


def steps(folder: str) -> list[int]:
    """The steps of the complete checkpoints in `folder`, oldest first."""
    root = epath.Path(folder)
    if not root.is_dir():
        return []
    numbered = [path for path in root.iterdir() if path.name.isdigit()]
    return sorted(int(path.name) for path in numbered if ocp.utils.is_checkpoint_finalized(path))


def prune(folder: str, step: int) -> None:
    """Remove all but the newest ROLLING checkpoints up to `step`, and what was moved aside.

    What a killed job left half written goes as well.
    """
    if jax.process_index() > 0:
        return
    kept = [FILE, *[str(older) for older in steps(folder) if older <= step][-ROLLING:]]
    for path in epath.Path(folder).iterdir():
        if path.name in kept or ".corrupt" in path.name:
            continue
        if "://" not in folder and Path(path).is_symlink():  # to a checkpoint that somebody moved: that stays
            path.unlink()
        else:
            path.rmtree(missing_ok=True)


def sha256(tree: Any) -> str:
    """The digest of a tree of arrays: of their paths, types, shapes and bytes, however they are sharded."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.asarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _flush(path: epath.Path) -> None:
    """Have the system put all files of a checkpoint, and their names, on disk; buckets have done so by themselves."""
    if "://" in str(path):
        return
    root = Path(path)
    for file in (*root.rglob("*"), root, root.parent):
        number = os.open(file, os.O_RDONLY)
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
