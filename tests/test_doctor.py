"""The verb doctor: what it finds on a machine that is ready, and on one that isn't."""

import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import stored

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.launch import checkup
from scalectl.orchestrator.launch.versions import NEWEST, too_new, too_old
from scalectl.orchestrator.store.file_systems import mounted


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


def test_a_quota_that_leaves_little_is_a_warning(study, devices, monkeypatch):
    source, _ = mounted(study.folder)
    program = study.folder / "bin" / "quota"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
echo "Disk quotas for user somebody (uid 4242):"
echo "     Filesystem   blocks   quota   limit   grace   files   quota   limit   grace"
echo "/dev/elsewhere 1* 1 1 0 1 0 0 0"
echo "{source} 999500* 990000 1000000 1700000000 37 0 0 0"
exit 1
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    code, states = findings()
    assert code == Exit.DONE and states["disk"]["state"] == "warning"
    assert states["disk"]["text"].startswith("512 kB of your quota left at")


def test_checkpoints_on_another_disk_are_looked_at(study, devices):
    study.file.write_text(study.file.read_text().replace("./artifacts", "/proc/artifacts"))
    document = CliRunner().invoke(scalectl, ["doctor", "-o", "jsonl"], standalone_mode=False).stdout
    disks = [json.loads(line)["text"] for line in document.splitlines() if '"disk"' in line]
    assert len(disks) == 2 and "/proc" in disks[1]


def test_packages_that_are_too_old_or_newer_than_tested_are_told(study, devices, monkeypatch):
    monkeypatch.setattr(checkup, "version", lambda name: {"jax": "0.4.30", "flax": "0.99.1"}.get(name, "0.2.8"))
    monkeypatch.setattr(checkup, "PACKAGES", ("jax", "flax", "optax"))
    done = CliRunner().invoke(scalectl, ["doctor"], standalone_mode=False)
    assert done.return_value == Exit.FAILED and "FAIL  packages  jax 0.4.30 is too old: 0.10 is needed" in done.stdout
    assert f"warn  packages  flax 0.99.1 is newer than any that was tested: {NEWEST['flax']}" in done.stdout
    assert "optax 0.2.8 is" not in done.stdout


def test_a_version_that_is_not_written_as_pythons_are_is_told_and_the_others_are_compared(devices, monkeypatch):
    """Doctor ended in a traceback."""
    monkeypatch.setattr(checkup, "version", lambda name: {"jax": "0.12-site.b7", "flax": "0.99.1"}[name])
    monkeypatch.setattr(checkup, "PACKAGES", ("jax", "flax"))
    screen = CliRunner().invoke(scalectl, ["doctor"], standalone_mode=False).stdout
    assert "warn  packages  jax 0.12-site.b7 is a version that can't be compared with those that were tested" in screen
    assert "warn  packages  flax 0.99.1 is newer" in screen


def test_packages_are_told_in_the_order_in_which_they_are_listed():
    """It was another one each time."""
    installed = dict.fromkeys(["matplotlib", "scipy", "jax", "flax", "numpy", "pandas", "optax", "ray"], "0.0.1")
    assert list(too_old(installed)) == list(installed)
    assert list(too_new(dict.fromkeys(installed, "99.1"))) == list(installed)


def test_the_versions_that_were_tested_are_those_of_the_lock():
    lock = (Path(__file__).parents[1] / "requirements.lock").read_text()
    locked = dict(re.findall(r"^([\w-]+)==([\w.]+)", lock, re.MULTILINE))  # of two the newer comes last
    assert {name: locked[name] for name in NEWEST} == NEWEST
    assert set(checkup.PACKAGES) - {"scalectl"} == set(NEWEST)


def test_little_disk_and_ignored_variables_are_warnings(devices, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    monkeypatch.setattr(checkup, "LITTLE_DISK", 10**18)
    code, states = findings()
    assert code == Exit.DONE and states["disk"]["state"] == states["variables"]["state"] == "warning"
    assert "XLA_FLAGS" in states["variables"]["text"] and "prune" in states["disk"]["advice"]
    monkeypatch.setattr(checkup, "FULL_DISK", 10**18)
    code, states = findings()
    assert code == Exit.FAILED and states["disk"]["state"] == "error"
