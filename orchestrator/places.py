"""Where a job may run: the types of slots that fit it, their devices, and their speed and price before a first run."""

import re
from dataclasses import dataclass, replace

from orchestrator.resources import Place

ASSUMED_FLOPS_PER_SECOND = 2e10  # of one CPU worker on tiny models, until the store has measured speeds

# Peak FLOP/s of one device in bfloat16, from the vendors' pages. A device is what the type's last number counts: cores
# of TPU v2 to v4 and v5p, chips of v5e and v6e.
_PEAKS = {
    "v2": 22.5e12,
    "v3": 61.5e12,
    "v4": 137.5e12,
    "v5p": 229.5e12,
    "v5e": 197e12,
    "v5litepod": 197e12,
    "v6e": 918e12,
    "a100": 312e12,
    "h100": 989e12,
    "h200": 989e12,
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
        """Return whether a slot of this type will do."""
        return not self.types or slot_type in self.types


ANYWHERE = Fit()


def fit(place: Place) -> Fit:
    """Return the slots that a checked place asks for."""
    types = place.type or (() if place.device == "auto" else (place.device,))
    devices = place.devices or (devices_of(types[0]) if types else 1.0)
    peak = place.peak_flops or (_PEAKS.get(types[0].rpartition("-")[0] or types[0]) if types else None)
    if peak is None:
        known = Fit(types, devices, ASSUMED_FLOPS_PER_SECOND * devices)
    else:
        basis = f"{100 * place.mfu:g} % of {peak / 1e12:g} TFLOP/s a device"
        known = Fit(types, devices, place.mfu * peak * devices, basis)
    return replace(known, price_per_device_hour=place.price_per_device_hour, priority=place.priority)


def devices_of(slot_type: str) -> float:
    """Return the devices of a slot: the number after the last hyphen of its type, such as 16 of v5e-16, or one."""
    match = re.search(r"-([1-9][0-9]*)$", slot_type)
    return float(match[1]) if match else 1.0
