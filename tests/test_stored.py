"""Programs that are found on disk: the same numbers without tracing, and traced anew where anything may differ."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import optax
import pytest

import scalectl
from scalectl.trainer.checkpoint import sha256
from scalectl.trainer.optimizer import settings
from scalectl.trainer.programs import Programs
from scalectl.trainer.step import shape

TOLD = """
import json, os, sys
from pathlib import Path
from scalectl.orchestrator.cluster.worker import Worker
Worker()
import jax
from scalectl.trainer import kept, own_code, step
from test_stored import trained

folder, traced, told = Path(os.environ["JAX_COMPILATION_CACHE_DIR"]), [], {}
one_step = step.one_step
step.one_step = lambda *arguments: traced.append(1) or one_step(*arguments)

def tell(case):
    before = len(traced)
    kept._kept.clear()
    told[case] = [trained(), len(traced) - before]

def damage(change):
    for file in folder.glob("scalectl-*"):
        file.write_bytes(change(file.read_bytes()))

tell("plain")
if "all" in sys.argv:
    jax.config.update("jax_mutable_array_checks", False)
    tell("option")
    jax.config.update("jax_mutable_array_checks", True)
    os.environ["XLA_FLAGS"] = "--xla_dump_to="
    tell("flag")
    del os.environ["XLA_FLAGS"]
    damage(lambda code: code[:-10])
    tell("torn")
    tell("mended")
    damage(lambda code: code.replace(b"stablehlo", b"stablehla"))
    tell("damaged")
    damage(lambda code: b"")
    tell("empty")
    files = [*folder.glob("scalectl-*")]
    codes = [file.read_bytes() for file in files]
    for file, code in zip(files, codes[1:] + codes[:1], strict=True):
        file.write_bytes(code)
    tell("another's")
    jax.config.update("jax_compilation_cache_dir", "gs://bucket/programs")
    tell("elsewhere")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    own = folder / "metrics.py"
    own.write_text("")
    own_code.load(own_code.read(own))
    tell("own code")
print(json.dumps(told))
"""


def trained() -> list[str]:
    """The digests of a state after two steps, and of what it says of images."""
    import numpy as np
    from test_lean import run_of

    run = run_of(8)
    programs = Programs(shape(run.trunk))
    rng = np.random.default_rng(0)
    images, labels = rng.random((2, *programs.shape.images), np.float32), np.arange(16).reshape(2, 8) % 10
    state, metrics = programs.train(programs.first(0), images, labels.astype(np.int32), settings(run.trunk.recipe, run))
    read = programs.read(state.params, images[0], labels[0].astype(np.int32))
    return [sha256(tree) for tree in (state, metrics._asdict(), read._asdict())]


def told(programs: Path, *how: str, source: Path | None = None) -> dict[str, list]:
    """The digests and the steps traced by a worker's process with the programs in a folder, in each case."""
    path = os.pathsep.join(map(str, filter(None, (source, Path(__file__).parent))))
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(programs), "PYTHONPATH": path}
    command = [sys.executable, "-c", TOLD, *how]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """A folder with the programs of a worker that has ended."""
    folder = tmp_path_factory.mktemp("programs")
    assert told(folder) == {"plain": [trained(), 1]}
    return folder


def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "programs")


def test_a_second_worker_traces_nothing_and_has_the_same_bits_and_traces_what_may_differ(programs, tmp_path):
    found = told(copied(programs, tmp_path), "all")
    assert {case: count for case, (_, count) in found.items()} == {
        "plain": 0,
        "option": 1,
        "flag": 1,
        "torn": 1,
        "mended": 0,
        "damaged": 1,
        "empty": 1,
        "another's": 1,
        "elsewhere": 1,
        "own code": 1,
    }
    assert [case for case, (digests, _) in found.items() if digests != trained()] == []


def test_an_edit_of_the_trainer_or_of_a_package_is_traced_anew(programs, tmp_path):
    source = tmp_path / "edited"
    shutil.copytree(Path(optax.__file__).parent, source / "optax")
    shutil.copytree(Path(scalectl.__file__).parent, source / "scalectl", ignore=shutil.ignore_patterns("studies"))
    folder = copied(programs, tmp_path)
    assert told(folder, source=source)["plain"][1] == 0
    for edited in ("optax/__init__.py", "scalectl/trainer/vit.py"):
        with (source / edited).open("a") as file:
            file.write("# edited\n")
        assert told(folder, source=source)["plain"][1] == 1
    (source / "scalectl" / "trainer" / ".#vit.py").symlink_to("somebody@host.4242")  # as Emacs locks a file
    assert told(folder, source=source)["plain"][1] == 1
