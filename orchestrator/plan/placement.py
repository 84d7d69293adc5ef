"""Where a job may run: the types of slots that fit it, their devices, and their speed and price before a first run."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from scalectl.orchestrator.experiment.resources import Place
from scalectl.orchestrator.format import share
from scalectl.orchestrator.slot_types import devices_of
from scalectl.orchestrator.vocabulary import CPU, GPU, TPU, parted
from scalectl.trainer import rate
from scalectl.trainer.hardware import peak
from scalectl.trainer.spec import TrunkSpec
from scalectl.trainer.topology import Generation, generation

ASSUMED_FLOPS_PER_SECOND = 2e10  # of one CPU worker on tiny models, until the store has measured speeds
ANY_TPU = "v5e"  # where any will do
_GPUS = {
    "a100": "NVIDIA A100-SXM4-80GB",
    "h100": "NVIDIA H100 80GB HBM3",
    "h200": "NVIDIA H200",
    GPU: "NVIDIA A100-SXM4-80GB",  # where any will do
}


@dataclass(frozen=True)
class Fit:
    """The slots that will do for a job: of any of these types, or of any type at all where there are none."""

    types: tuple[str, ...] = ()
    devices: float = 1.0  # of a slot of the first type, as JAX counts them
    flops_per_second: float = ASSUMED_FLOPS_PER_SECOND  # of such a slot, as stated or assumed
    peak: float | None = None  # FLOP/s of one of its devices, as stated or published
    mfu: float = 0.0  # the share of that which training is taken to reach
    stated: bool = False  # by the file; else it goes by the size of the model
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


def fit(place: Place, trunk: TrunkSpec | None = None) -> Fit:
    """The slots that a checked place asks for, as fast as the place says, or else as the size of a trunk's model."""
    types = _types(place)
    devices = place.devices or (devices_of(types[0]) if types else 1.0)
    best = place.peak_flops or (_peak(types[0]) if types else None)
    assumed = Fit(types, devices, ASSUMED_FLOPS_PER_SECOND * devices)
    if best is not None:
        reached = place.mfu or (rate.mfu(trunk) if trunk else rate.TYPICAL)
        assumed = Fit(types, devices, reached * best * devices, best, reached, place.mfu is not None)
    return replace(assumed, price_per_device_hour=place.price_per_device_hour, priority=place.priority)


def basis(fits: Iterable[Fit]) -> str:
    """What the speeds of slots rest on before any was measured, in words."""
    groups: dict[tuple[str, bool], list[Fit]] = {}
    for fit in fits:
        groups.setdefault((_device(fit), fit.stated), []).append(fit)
    return "; ".join(sorted(_words(device, alike) for (device, _), alike in groups.items()))


def _words(device: str, alike: list[Fit]) -> str:
    if not alike[0].peak:
        return device
    if alike[0].types[:1] in ((GPU,), (TPU,)):
        device += f" of any {alike[0].types[0].upper()}"
    if alike[0].stated:
        return f"{' or '.join(dict.fromkeys(f'{100 * fit.mfu:g}' for fit in alike))} % of {device} a device"
    least, most = (f"{100 * pick(fit.mfu for fit in alike):.0f}" for pick in (min, max))
    margin = "half to twice as long"
    if all(_generation_of(name) is generation(rate.PAPER_KIND) for fit in alike for name in fit.types[:1]):
        margin = f"±{share(rate.PAPER_MARGIN)}"
    return f"{' to '.join(dict.fromkeys((least, most)))} % of {device}, {margin}"


def _device(fit: Fit) -> str:
    if not fit.peak:
        return f"{ASSUMED_FLOPS_PER_SECOND:.0e} FLOP/s a slot assumed"
    return f"{fit.peak / 1e12:g} TFLOP/s"


def _types(place: Place) -> tuple[str, ...]:
    if place.type:
        return place.type
    if place.device == "auto":
        return ()
    return (place.device,)


def is_known(slot_type: str) -> bool:
    """Whether a type of slot is one that needs no explanation: cpu, gpu, tpu, or a common chip such as v5e-16."""
    return slot_type == CPU or _peak(slot_type) is not None


def _generation_of(slot_type: str) -> Generation | None:
    word, _ = parted(slot_type)
    return generation(ANY_TPU if word == TPU else word)


def _peak(slot_type: str) -> float | None:
    """The published FLOP/s in bfloat16 of one of the devices of a type, as JAX counts them."""
    if chip := _generation_of(slot_type):
        return peak([chip.kind], "bfloat16")
    kind = _GPUS.get(parted(slot_type)[0])
    if kind is None:
        return None
    return peak([kind], "bfloat16")
