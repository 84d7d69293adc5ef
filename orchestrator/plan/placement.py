"""Where a job may run: the types of slots that fit it, their devices, and their speed and price before a first run."""

from dataclasses import dataclass, replace

from scalectl.orchestrator.experiment.resources import Place
from scalectl.orchestrator.vocabulary import CPU, GPU, TPU, devices_of, parted
from scalectl.trainer.hardware import peak

ASSUMED_FLOPS_PER_SECOND = 2e10  # of one CPU worker on tiny models, until the store has measured speeds

# The JAX devices that the words of slot types mean, and how many of what a type's last number counts are one of them:
# cores of TPU v2 to v4 and v5p, of which two are a device of v4 and v5p, and chips of v5e and v6e.
_KINDS = {
    "v2": ("TPU v2", 1),
    "v3": ("TPU v3", 1),
    "v4": ("TPU v4", 2),
    "v5p": ("TPU v5p", 2),
    "v5e": ("TPU v5e", 1),
    "v5litepod": ("TPU v5e", 1),
    "v6e": ("TPU v6e", 1),
    "a100": ("NVIDIA A100-SXM4-80GB", 1),
    "h100": ("NVIDIA H100 80GB HBM3", 1),
    "h200": ("NVIDIA H200", 1),
    GPU: ("NVIDIA A100-SXM4-80GB", 1),  # where any will do
    TPU: ("TPU v5e", 1),
}


@dataclass(frozen=True)
class Fit:
    """The slots that will do for a job: of any of these types, or of any type at all where there are none."""

    types: tuple[str, ...] = ()
    devices: float = 1.0  # of a slot of the first type
    flops_per_second: float = ASSUMED_FLOPS_PER_SECOND  # of such a slot, as stated or assumed
    basis: str = f"{ASSUMED_FLOPS_PER_SECOND:.0e} FLOP/s a slot assumed"
    price_per_device_hour: float | None = None
    priority: float = 0.0

    def takes(self, slot_type: str) -> bool:
        """Tell whether a slot of this type will do."""
        return not self.types or slot_type in self.types

    def devices_on(self, slot_type: str) -> float:
        """The devices of a slot of a type that will do: as stated for the first, else by the type's name."""
        if slot_type == (self.types or (CPU,))[0]:
            return self.devices
        return devices_of(slot_type)


ANYWHERE = Fit()


def fit(place: Place) -> Fit:
    """The slots that a checked place asks for."""
    types = _types(place)
    devices = place.devices or (devices_of(types[0]) if types else 1.0)
    best = place.peak_flops or (_peak(types[0]) if types else None)
    stated = Fit(types, devices, ASSUMED_FLOPS_PER_SECOND * devices)
    if best is not None:
        basis = f"{100 * place.mfu:g} % of {best / 1e12:g} TFLOP/s a device"
        if not place.peak_flops and types[0] in (GPU, TPU):
            basis += ", whichever it is"
        stated = Fit(types, devices, place.mfu * best * devices, basis)
    return replace(stated, price_per_device_hour=place.price_per_device_hour, priority=place.priority)


def _types(place: Place) -> tuple[str, ...]:
    if place.type:
        return place.type
    if place.device == "auto":
        return ()
    return (place.device,)


def is_known(slot_type: str) -> bool:
    """Whether a type of slot is one that needs no explanation: cpu, gpu, tpu, or a common chip such as v5e-16."""
    return slot_type == CPU or parted(slot_type)[0] in _KINDS


def _peak(slot_type: str) -> float | None:
    """The published FLOP/s in bfloat16 of one of the devices that a type counts."""
    kind, parts = _KINDS.get(parted(slot_type)[0], ("", 1))
    published = peak([kind], "bfloat16")
    if published is None:
        return None
    return published / parts
