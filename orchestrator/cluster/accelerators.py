"""GPUs and TPUs of this machine that the installed JAX can't use, because it is the build for CPUs."""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from scalectl.orchestrator.vocabulary import CPU


@dataclass(frozen=True)
class _Accelerator:
    """What a machine has where such devices are, and the packages of which JAX needs one to use them."""

    name: str
    files: tuple[str, ...]
    packages: tuple[str, ...]
    remedy: str


_ACCELERATORS = {  # by the word that JAX has for the platform
    "cuda": _Accelerator(
        "an NVIDIA GPU",
        ("dev/nvidia[0-9]*", "proc/driver/nvidia/gpus/*"),
        ("jax_cuda12_plugin", "jax_cuda13_plugin"),
        "pip install 'scalectl[cuda]'",
    ),
    "rocm": _Accelerator(
        "an AMD GPU",
        ("dev/kfd",),
        ("jax_rocm7_plugin", "jax_rocm60_plugin"),
        "see the pages of JAX on installing it for ROCm",
    ),
    "tpu": _Accelerator("a TPU", ("dev/accel[0-9]*",), ("libtpu",), "pip install 'scalectl[tpu]'"),
}
_GOOGLE = "0x1ae0"
_TPUS = ("0x0027", "0x0056", "0x005e", "0x0062", "0x0063", "0x006f", "0x0076")  # PCI devices, as JAX knows them


def unusable(root: Path = Path("/")) -> dict[str, str]:
    """The platforms, in JAX's words, whose devices are here and that the installed JAX can't use.

    Each comes with a sentence that says so; none where JAX_PLATFORMS says what is wanted. `root` is where the folders
    /dev, /proc and /sys lie.
    """
    if os.environ.get("JAX_PLATFORMS", "").strip():
        return {}
    return {
        platform: f"This machine has {accelerator.name}, but the JAX that is installed is not built for it:"
        f" {accelerator.remedy}. Until then jobs train on its CPUs."
        for platform, accelerator in _ACCELERATORS.items()
        if _is_here(platform, accelerator, root) and not any(map(find_spec, accelerator.packages))
    }


def notes(types: Iterable[Collection[str]], root: Path = Path("/")) -> Iterator[str]:
    """Yield the sentences of `unusable` that concern jobs which these types of slots will do for; none means any."""
    if all(slots and all(name.startswith(CPU) for name in slots) for slots in types):
        return
    yield from unusable(root).values()


def _is_here(platform: str, accelerator: _Accelerator, root: Path) -> bool:
    if any(next(root.glob(pattern), None) for pattern in accelerator.files):
        return True
    return platform == "tpu" and any(_is_tpu(device) for device in root.glob("sys/bus/pci/devices/*"))


def _is_tpu(device: Path) -> bool:
    """Whether a PCI device is a TPU; Google makes network cards, too."""
    try:
        maker, model = ((device / name).read_text().strip() for name in ("vendor", "device"))
    except OSError:
        return False
    return maker == _GOOGLE and model in _TPUS
