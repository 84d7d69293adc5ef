"""Checkpoints on a real disk: whole, torn, flipped, half written."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, fields, make_dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from damage import HURTS, array_file
from etils import epath
from fsspec.implementations.memory import MemoryFileSystem

from scalectl.trainer import checkpoint, packing
from scalectl.trainer.events import Progress
from scalectl.trainer.step import State

PARAMS = {"params": {"kernel": jnp.arange(600.0).reshape(20, 30) / 7, "bias": jnp.full(5, -0.1)}}
STATE = State(jnp.int32(48), PARAMS, (jnp.full((3, 4), 1.1, jnp.bfloat16), jnp.int32(7)))
LIKE = jax.eval_shape(lambda: STATE)
CURVE = [Progress(47, 0.1, 1e-3, 2.5, 0.3, 911.0), Progress(48, 1 / 3, 1e-3, 2.5, 0.4, 907.0, 3.7e9, 0.37)]


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "job")


def test_what_is_restored_is_what_was_saved_to_the_bit(folder):
    saved = checkpoint.save(folder, STATE, 1.7, CURVE)
    state, found = checkpoint.restore(saved.path, LIKE)
    jax.tree.map(np.testing.assert_array_equal, state, STATE)
    assert [leaf.dtype for leaf in jax.tree.leaves(state)] == [leaf.dtype for leaf in jax.tree.leaves(STATE)]
    assert found == saved and (found.step, found.device_seconds, found.curve) == (48, 1.7, tuple(CURVE))


@pytest.mark.parametrize("packed", [True, False])  # large states aren't, and none was in earlier versions
def test_a_state_and_its_parameters_alone_are_read_however_they_were_written(folder, monkeypatch, packed):
    monkeypatch.setattr(packing, "SMALL", 1e9 * packed)
    path = checkpoint.save(folder, STATE, 1.7, CURVE).path
    monkeypatch.undo()
    assert [name for name in ("packed", "state") if (Path(path) / name).exists()] == ["packed" if packed else "state"]
    jax.tree.map(np.testing.assert_array_equal, checkpoint.restore(path, LIKE)[0], STATE)
    digest = checkpoint.sha256(PARAMS)
    jax.tree.map(np.testing.assert_array_equal, checkpoint.parameters(path, LIKE, digest), PARAMS)


@pytest.mark.parametrize("packed", [True, False])
def test_a_state_of_another_shape_is_refused(folder, monkeypatch, packed):
    monkeypatch.setattr(packing, "SMALL", 1e9 * packed)
    path = checkpoint.save(folder, STATE, 1.7, CURVE).path
    with pytest.raises(checkpoint.Corrupt, match="can't be used"):
        checkpoint.restore(path, LIKE._replace(moments=()))


def notes(path: str) -> Path:
    """The file in which Orbax keeps what a checkpoint holds beside its arrays."""
    (file,) = (file for file in (Path(path) / "notes").iterdir() if "curve" in file.read_text())
    return file


def test_a_checkpoint_from_before_columns_had_names_still_reads(folder):
    path = checkpoint.save(folder, STATE, 1.7, CURVE).path
    held = json.loads(notes(path).read_text())
    del held["curve"]
    old = {"told": [[47, 0.1, 1e-3, 2.5, 0.3, 911.0], [48, 1 / 3, 1e-3, 2.5, 0.4, 907.0, 3.7e9, 0.37]]}
    notes(path).write_text(json.dumps(held | old))
    assert checkpoint.restore(path, LIKE)[1].curve == tuple(CURVE)


def test_a_curve_is_read_by_the_names_of_its_columns_in_whatever_order(folder, monkeypatch):
    path = checkpoint.save(folder, STATE, 1.7, CURVE).path
    names = [column.name for column in fields(Progress)]
    reordered = make_dataclass("Progress", [(name, object) for name in reversed(names)])
    monkeypatch.setattr(checkpoint, "Progress", reordered)
    curve = checkpoint.restore(path, LIKE)[1].curve
    assert [asdict(point) for point in curve] == [asdict(point) for point in CURVE]


def test_the_digest_is_of_the_parameters_alone(folder):
    other = STATE._replace(moments=(jnp.zeros((3, 4), jnp.bfloat16), jnp.int32(7)))
    changed = STATE._replace(params=jax.tree.map(lambda leaf: leaf.at[0].add(1e-3), PARAMS))
    digests = [checkpoint.save(folder, state, 0.0, []).digest for state in (STATE, other, changed)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("hurt", HURTS)
def test_a_damaged_checkpoint_is_refused_and_moved_aside(folder, hurt):
    path = checkpoint.save(folder, STATE, 0.0, []).path
    hurt(array_file(path))
    with pytest.raises(checkpoint.Corrupt, match=r"48 can't be used.*moved to .*48\.corrupt"):
        checkpoint.restore(path, LIKE)
    assert checkpoint.steps(folder) == [] and Path(f"{path}.corrupt").is_dir()


def test_one_that_is_not_there_is_refused(folder):
    with pytest.raises(checkpoint.Corrupt) as refused:
        checkpoint.restore(f"{folder}/48", LIKE)
    assert "moved" not in str(refused.value)


def test_a_sound_one_that_may_not_be_read_now_stays_where_it_is(folder, monkeypatch):
    path = checkpoint.save(folder, STATE, 0.0, []).path

    def refused(*_, **__):
        raise PermissionError("not yours")

    with monkeypatch.context() as patched, pytest.raises(PermissionError):
        patched.setattr(checkpoint.ocp.Checkpointer, "restore", refused)
        checkpoint.restore(path, LIKE)
    assert checkpoint.restore(path, LIKE)[1].step == 48


def test_the_steps_are_those_of_whole_checkpoints(folder):
    checkpoint.save(folder, STATE, 0.0, [])
    checkpoint.save(folder, STATE._replace(step=jnp.int32(7)), 0.0, [])
    (Path(folder) / "96.orbax-checkpoint-tmp").mkdir()
    assert checkpoint.steps(folder) == [7, 48]
    assert checkpoint.steps(folder + "/nowhere") == []


def test_pruning_leaves_the_newest_two_and_what_was_moved_aside(folder):
    for name in ("7", "100", "48", "96.orbax-checkpoint-tmp", "16.corrupt"):
        (Path(folder) / name).mkdir(parents=True)
    checkpoint.prune(folder, 100)
    assert sorted(path.name for path in Path(folder).iterdir()) == ["100", "16.corrupt", "48"]


def test_pruning_removes_a_link_and_leaves_what_it_leads_to(folder, tmp_path):
    """A checkpoint that somebody moved to a larger disk: the job failed at its next one."""
    for path in (tmp_path / "disk" / "7", Path(folder) / "48", Path(folder) / "100"):
        path.mkdir(parents=True)
    (Path(folder) / "7").symlink_to(tmp_path / "disk" / "7")
    checkpoint.prune(folder, 100)
    assert sorted(path.name for path in Path(folder).iterdir()) == ["100", "48"]
    assert (tmp_path / "disk" / "7").is_dir()


def test_the_digest_is_the_same_however_arrays_are_sharded(tmp_path):
    """Eight devices of a process of its own; the sharded state is donated while it is written."""
    code = """
import sys, jax, jax.numpy as jnp, numpy as np
from jax.sharding import NamedSharding, PartitionSpec as P
from scalectl.trainer.checkpoint import restore
from scalectl.trainer.step import State
from scalectl.trainer.writer import Writer
mesh = jax.make_mesh((8,), ("data",))
kernel = np.arange(960, dtype=np.float32).reshape(24, 40) / 8
advance = jax.jit(lambda state: jax.tree.map(lambda leaf: leaf + 1, state), donate_argnums=0)

def state(*axes):
    made = State(jnp.int32(3), {"kernel": jnp.array(kernel), "bias": jnp.full(5, -0.1)}, (jnp.full((8, 16), 1.1),))
    return jax.tree.map(lambda x: jax.device_put(x, NamedSharding(mesh, P(*axes[: x.ndim // 2 * 2]))), made)

for name, one in (("alone", state()), ("rows", state("data", None)), ("columns", state(None, "data"))):
    writer = Writer(f"{sys.argv[1]}/{name}")
    writer.begin(one, 0.0, [])
    jax.block_until_ready(advance(one))
    (saved,) = writer.complete(wait=True)
    found, _ = restore(saved.path, jax.eval_shape(state))
    np.testing.assert_array_equal(found.params["kernel"], kernel)
    print(saved.digest)
"""
    flags = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    command = [sys.executable, "-c", code, str(tmp_path)]
    digests = subprocess.run(command, env=os.environ | flags, capture_output=True, text=True, check=True).stdout.split()
    assert len(digests) == 3 and len(set(digests)) == 1


class InMemory(MemoryFileSystem):
    """A bucket that lives in this process."""

    protocol = ("gs", "gcs")

    @classmethod
    def _strip_protocol(cls, path):
        return MemoryFileSystem._strip_protocol(str(path).removeprefix("gs:/"))


@pytest.fixture
def bucket(monkeypatch) -> str:
    """A folder on gs://, as epath sees it."""
    InMemory.store, InMemory.pseudo_dirs = {}, [""]
    made = InMemory(skip_instance_cache=True)
    monkeypatch.setattr(epath.backend.fsspec_backend, "_get_filesystem", lambda name: {"gcs": made}[name])
    return "gs://bucket/study/job"


def test_on_a_bucket_one_is_whole_when_orbax_says_so_and_older_ones_are_pruned(bucket):
    there = epath.Path(bucket)
    for name in ("7", "48", "100", "120", "16.corrupt"):
        (there / name / "state").mkdir(parents=True, exist_ok=True)
        (there / name / "state" / "d").write_text("arrays")
        if name != "120":  # was being written when its process was killed
            (there / name / "commit_success.txt").write_text("done")
    assert str(there / "7") == "gs://bucket/study/job/7"
    assert checkpoint.steps(bucket) == [7, 48, 100]
    checkpoint.prune(bucket, 100)
    assert sorted(path.name for path in there.iterdir()) == ["100", "16.corrupt", "48"]


def test_on_a_bucket_a_damaged_one_is_moved_aside(bucket):
    there = epath.Path(bucket)
    (there / "48" / "state").mkdir(parents=True)
    (there / "48" / "state" / "d").write_text("torn")
    with pytest.raises(checkpoint.Corrupt, match=r"gs://bucket/study/job/48 can't be used.*job/48\.corrupt"):
        checkpoint.restore(f"{bucket}/48", LIKE)
    assert (there / "48.corrupt" / "state" / "d").read_text() == "torn" and not (there / "48").exists()
