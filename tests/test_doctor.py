"""The verb doctor: what it finds on a machine that is ready, and on one that isn't."""

import json

import pytest
from click.testing import CliRunner
from conftest import stored

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.launch import checkup


@pytest.fixture(autouse=True)
def here(study, monkeypatch):
    """A folder with the study, in an environment of which a job gets everything."""
    monkeypatch.chdir(study.folder)
    for name in ("JAX_NUMPY_RANK_PROMOTION", "XLA_FLAGS", "JAX_PLATFORMS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def devices(monkeypatch):
    """A JAX that isn't asked: that takes seconds."""
    monkeypatch.setattr(checkup, "_devices", lambda: checkup.Finding("devices", "ok", "1 device: cpu (cpu)"))


def findings(*words):
    done = CliRunner().invoke(scalectl, ["doctor", "-o", "json", *words], standalone_mode=False)
    assert done.exception is None, done.exception
    document = json.loads(done.stdout)
    states = {finding["subject"]: finding for finding in document["findings"]}
    assert document["ready"] == (done.return_value == Exit.DONE)
    return done.return_value, states


def test_a_machine_that_is_ready_says_so_with_the_next_command(study):
    done = CliRunner().invoke(scalectl, ["doctor"], standalone_mode=False)
    assert done.return_value == Exit.DONE and "FAIL" not in done.stdout
    assert done.stdout.splitlines()[-1] == "Ready, 0 warnings. Next: scalectl launch experiments.yaml"
    assert "1 device: cpu (cpu)" in done.stdout and not study.store.exists()


def test_a_jax_that_does_not_start_is_an_error_with_its_reason(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "rocm")
    code, states = findings()
    assert code == Exit.FAILED and states["devices"]["state"] == "error"
    assert "JAX doesn't start" in states["devices"]["text"] and "JAX_PLATFORMS=cpu" in states["devices"]["advice"]


def test_a_device_that_the_installed_jax_cannot_use_is_a_warning(study, devices, monkeypatch):
    monkeypatch.setattr(checkup, "unusable", lambda: {"cuda": "A GPU is here: pip install 'scalectl[cuda]'"})
    done = CliRunner().invoke(scalectl, ["doctor"], standalone_mode=False)
    assert done.return_value == Exit.DONE and "scalectl[cuda]" in done.stdout and "Ready, 1 warning." in done.stdout


def test_mistakes_of_the_file_are_named_with_their_place(study, devices):
    study.file.write_text(study.file.read_text().replace("depth: 1", "dept: 1"))
    code, states = findings()
    assert code == Exit.FAILED and states["file"]["text"].startswith("experiments.yaml:6:20: ")


def test_a_file_that_is_not_there_and_one_of_another_name(study, devices):
    code, states = findings("nothing.yaml")
    assert code == Exit.FAILED and "nothing.yaml" in states["file"]["text"]
    study.file.rename(study.folder / "other.yaml")
    assert findings("other.yaml")[0] == Exit.DONE


def test_a_store_that_is_damaged_and_one_of_an_earlier_version(study, devices):
    stored(study, 5)
    assert findings()[1]["store"]["state"] == "ok"
    study.store.write_bytes(study.store.read_bytes()[:3000])
    code, states = findings()
    assert code == Exit.FAILED and states["store"]["state"] == "error" and "results.db" in states["store"]["text"]


def test_little_disk_and_ignored_variables_are_warnings(devices, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    monkeypatch.setattr(checkup, "LITTLE_DISK", 10**18)
    code, states = findings()
    assert code == Exit.DONE and states["disk"]["state"] == states["variables"]["state"] == "warning"
    assert "XLA_FLAGS" in states["variables"]["text"] and "prune" in states["disk"]["advice"]
