"""Checkpoints on a real disk: whole, torn, flipped, half written."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trainer import checkpoint
from trainer.step import State

PARAMS = {"params": {"kernel": jnp.arange(600.0).reshape(20, 30) / 7, "bias": jnp.full(5, -0.1)}}
STATE = State(jnp.int32(48), PARAMS, (jnp.full((3, 4), 1.1, jnp.bfloat16), jnp.int32(7)))
LIKE = jax.eval_shape(lambda: STATE)
TOLD = [(47, 0.1, 1e-3, 2.5, 0.3, 911.0), (48, 1 / 3, 1e-3, 2.5, 0.4, 907.0)]


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "job")


def largest_file(path: str) -> Path:
    return max((file for file in Path(path).rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)


def test_what_is_restored_is_what_was_saved_to_the_bit(folder):
    saved = checkpoint.save(folder, STATE, 1.7, TOLD)
    found = checkpoint.restore(saved.path, LIKE)
    jax.tree.map(np.testing.assert_array_equal, found.state, STATE)
    assert [leaf.dtype for leaf in jax.tree.leaves(found.state)] == [leaf.dtype for leaf in jax.tree.leaves(STATE)]
    assert (found.digest, found.device_seconds, found.told) == (saved.digest, 1.7, tuple(TOLD))


def test_the_digest_is_of_the_parameters_alone(folder):
    other = STATE._replace(moments=(jnp.zeros((3, 4), jnp.bfloat16), jnp.int32(7)))
    changed = STATE._replace(params=jax.tree.map(lambda leaf: leaf.at[0].add(1e-3), PARAMS))
    digests = [checkpoint.save(folder, state, 0.0, []).digest for state in (STATE, other, changed)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("hurt", ["flip", "truncate", "remove"])
def test_a_damaged_checkpoint_is_refused_and_moved_aside(folder, hurt):
    path = checkpoint.save(folder, STATE, 0.0, []).path
    file = largest_file(path)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x10
    if hurt == "remove":
        file.unlink()
    else:
        file.write_bytes(content if hurt == "flip" else content[: len(content) // 2])
    with pytest.raises(checkpoint.Corrupt, match=r"48 can't be used.*moved to .*48\.corrupt"):
        checkpoint.restore(path, LIKE)
    assert checkpoint.steps(folder) == [] and Path(f"{path}.corrupt").is_dir()


def test_one_that_is_not_there_is_refused(folder):
    with pytest.raises(checkpoint.Corrupt):
        checkpoint.restore(f"{folder}/48", LIKE)


def test_the_steps_are_those_of_whole_checkpoints(folder):
    checkpoint.save(folder, STATE, 0.0, [])
    checkpoint.save(folder, STATE._replace(step=jnp.int32(7)), 0.0, [])
    (Path(folder) / "96.orbax-checkpoint-tmp").mkdir()
    assert checkpoint.steps(folder) == [7, 48]
    assert checkpoint.steps(folder + "/nowhere") == []


def test_pruning_leaves_one_and_what_was_moved_aside(folder):
    for name in ("7", "48", "96.orbax-checkpoint-tmp", "16.corrupt"):
        (Path(folder) / name).mkdir(parents=True)
    checkpoint.prune(folder, 48)
    assert sorted(path.name for path in Path(folder).iterdir()) == ["16.corrupt", "48"]
