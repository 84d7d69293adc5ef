"""GPUs and TPUs of a machine that the JAX which is installed can't use are said; whatever it can use is not."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.cluster import accelerators
from scalectl.orchestrator.cluster.accelerators import notes, unusable


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Path:
    """The root of a machine without an accelerator, with the JAX of the lock: its build for CPUs."""
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    return tmp_path


def put(root: Path, name: str, text: str = "") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def pci(root: Path, number: str, vendor: str, device: str) -> None:
    put(root, f"sys/bus/pci/devices/{number}/vendor", f"{vendor}\n")
    put(root, f"sys/bus/pci/devices/{number}/device", f"{device}\n")


def test_a_machine_without_accelerators_has_nothing_to_say(machine):
    put(machine, "dev/nvidiactl")  # the driver without a device
    pci(machine, "0000:00:04.0", "0x1ae0", "0x0042")  # Google's network card
    assert unusable(machine) == {}


@pytest.mark.parametrize(
    ("files", "platform", "remedy"),
    [
        (["dev/nvidia0", "dev/nvidiactl"], "cuda", "pip install 'scalectl[cuda]'"),
        (["proc/driver/nvidia/gpus/0000:01:00.0/information"], "cuda", "pip install 'scalectl[cuda]'"),
        (["dev/accel0"], "tpu", "pip install 'scalectl[tpu]'"),
        (["dev/kfd"], "rocm", "ROCm"),
    ],
)
def test_a_device_that_jax_is_not_built_for_is_said_with_what_to_install(machine, files, platform, remedy):
    for file in files:
        put(machine, file)
    assert list(unusable(machine)) == [platform] and remedy in unusable(machine)[platform]


def test_a_tpu_is_known_by_its_pci_device(machine):
    pci(machine, "0000:00:05.0", "0x1ae0", "0x0063")
    assert list(unusable(machine)) == ["tpu"]


def test_a_device_that_jax_is_built_for_is_not_said(machine, monkeypatch):
    put(machine, "dev/nvidia0")
    monkeypatch.setattr(accelerators, "find_spec", lambda name: name == "jax_cuda13_plugin" or None)
    assert unusable(machine) == {}


def test_whoever_names_a_platform_needs_no_note(machine, monkeypatch):
    put(machine, "dev/nvidia0")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert unusable(machine) == {}


def test_only_jobs_that_could_use_it_have_it_said(machine):
    put(machine, "dev/nvidia0")
    assert [*notes([("cpu",), ("cpu-2",)], machine)] == []
    assert len([*notes([("cpu",), ()], machine)]) == len([*notes([("h100",)], machine)]) == 1


@pytest.mark.parametrize("verb", ["plan", "launch"])
def test_the_verbs_say_it(study, monkeypatch, verb):
    monkeypatch.setattr(accelerators, "unusable", lambda root=None: {"cuda": "This machine has an NVIDIA GPU."})
    done = CliRunner().invoke(scalectl, [verb, str(study.file), "--set", "limits.max_flops=1"], standalone_mode=False)
    assert "This machine has an NVIDIA GPU." in done.stderr
