"""What users leave in their environment changes no number: every option of JAX is known or pinned."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace

import flax
import jax
import pytest
from test_cli import scalectl

from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer import environment
from scalectl.trainer.environment import FREE, PINNED, PINNED_IN_FLAX, clear, left_out, pinned
from scalectl.trainer.spec import Job
from scalectl.trainer.train import train

HOSTILE = {
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_ENABLE_X64": "1",
    "JAX_DISABLE_JIT": "1",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_RANDOM_SEED_OFFSET": "3",
    "JAX_TRANSFER_GUARD": "disallow",
    "JAX_DEBUG_NANS": "1",
    "JAX_NO_EXECUTION": "1",
    "JAX_LEGACY_PRNG_KEY": "error",
    "FLAX_FIX_RNG_SEPARATOR": "1",
    "XLA_FLAGS": "--xla_force_host_platform_device_count=8 --xla_cpu_enable_fast_math=true",
    "PJRT_NPROC": "8",
    "NVIDIA_TF32_OVERRIDE": "1",
}


FREE_IN_FLAX = {"flax_filter_frames", "flax_max_repr_depth", "flax_profile", "flax_use_orbax_checkpointing"}


def test_every_option_of_this_jax_is_known():
    assert {*jax.config.values} <= {*PINNED} | FREE
    assert not {*PINNED} & FREE
    assert {*flax.config._values} <= {*PINNED_IN_FLAX} | FREE_IN_FLAX


def test_the_pinned_values_are_jaxs_own():
    """If a default of JAX has changed, numbers would have: decide which of the two jobs shall have."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("JAX", "XLA", "FLAX"))}
    code = """
import flax, jax
from scalectl.trainer.environment import PINNED, PINNED_IN_FLAX, _changed
print(*_changed(jax.config, PINNED), *_changed(flax.config, PINNED_IN_FLAX))
"""
    done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


OPTIONS = {  # with values that no job can have
    "jax_enable_x64": True,
    "jax_default_prng_impl": "rbg",
    "jax_numpy_dtype_promotion": "strict",
    "jax_explicit_x64_dtypes": "error",
    "jax_transfer_guard": "disallow",
    "jax_default_matmul_precision": "float32",
}


def test_options_of_a_notebook_are_pinned_while_a_job_trains_and_then_as_before(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    before = dict(jax.config.values)
    try:
        for name, value in OPTIONS.items():
            jax.config.update(name, value)
        theirs = dict(jax.config.values)
        with pinned():
            assert {name: jax.config.values[name] for name in OPTIONS} == {name: before[name] for name in OPTIONS}
            assert "XLA_FLAGS" not in os.environ
        assert jax.config.values == theirs and os.environ["XLA_FLAGS"] == "--xla_cpu_enable_fast_math=true"
    finally:
        for name in OPTIONS:
            jax.config.update(name, before[name])


def test_an_option_that_a_with_has_set_for_this_thread_is_refused_and_stays_there():
    with jax.default_matmul_precision("float32"):
        with pytest.raises(ValueError, match="jax_default_matmul_precision: set by a `with`"), pinned():
            pytest.fail("it trains")
        assert jax.config.jax_default_matmul_precision == "float32"
    assert jax.config.jax_default_matmul_precision is None


def test_flags_and_variables_that_change_no_number_stay():
    kept = {
        "XLA_FLAGS": "--xla_dump_to=/tmp/d",
        "JAX_LOG_COMPILES": "1",
        "JAX_COMPILATION_CACHE_DIR": "/c",
        "HOME": "/h",
    }
    assert left_out(kept) == {}
    mixed = {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true --xla_dump_to=/tmp/d", "JAX_OF_TOMORROW": "1"}
    clear(mixed)
    assert mixed == {"XLA_FLAGS": "--xla_dump_to=/tmp/d"}


def test_a_process_in_which_jax_was_started_with_other_settings_is_refused():
    several = {name: value for name, value in os.environ.items() if name != "PJRT_NPROC"}
    code = "import jax; jax.numpy.zeros(1); from scalectl.trainer.environment import pinned\nwith pinned(): pass"
    done = subprocess.run([sys.executable, "-c", code], env=several, capture_output=True, text=True)
    assert "without PJRT_NPROC=1" in done.stderr.splitlines()[-1]


@pytest.fixture
def job(study) -> Job:
    """The trunk of a study with batches that 8 devices can't share."""
    study.write()
    study.file.write_text(study.file.read_text().replace("batch_size: 16", "batch_size: 10"))
    return plan(read(study.file)).jobs[0].job


WORKER = """
import pickle, sys
from pathlib import Path
job = pickle.loads(Path(sys.argv[1]).read_bytes())
if sys.argv[2] == "worker":
    from scalectl.orchestrator.cluster.worker import Place, stream
    events = [event for batch in stream(job, None, Place(platform="cpu")) for event in batch]
else:
    from scalectl.trainer.train import train
    events = list(train(job))
print(events[-1].digest)
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["worker", "python"])
def test_a_job_has_the_same_digest_whatever_the_environment_says(way, job, tmp_path):
    digest = [*train(job)][-1].digest
    (tmp_path / "job").write_bytes(pickle.dumps(replace(job, folder=str(tmp_path / "again"))))
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(tmp_path / "job"), way],
        env=os.environ | HOSTILE,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == digest, done.stderr


@pytest.mark.parametrize("words", [["--here"], []])
def test_a_platform_without_devices_is_refused_before_anything_is_written(study, words, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    done = scalectl("launch", study.file, *words)
    assert done.returncode == 4 and "JAX_PLATFORMS=cuda" in done.stderr and "Traceback" not in done.stderr
    assert not study.store.exists()


def test_an_empty_platform_is_the_cpu():
    assert environment.platforms({"JAX_PLATFORMS": ""}) == environment.platforms({}) == "cpu"
