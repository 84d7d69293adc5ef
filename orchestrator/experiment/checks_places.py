"""Whether what `resources` says of a slot fits together: its device, its type, and how many devices it has."""

from collections.abc import Iterator

from scalectl.orchestrator.errors import Finding, KeyPath
from scalectl.orchestrator.experiment.resources import Place, Resources
from scalectl.orchestrator.slot_types import device
from scalectl.orchestrator.vocabulary import AUTO, CPU, GPU, TPU, devices_of


def devices_are_whole(resources: Resources) -> Iterator[Finding]:
    """Yield the numbers of devices above one that are no whole numbers: a slot has a part of one, or some of them."""
    for path, place, _ in _places(resources):
        if _is_broken(place):
            hint = "write 0.5 to share each device between two jobs, or a whole number"
            yield Finding((*path, "devices"), f"{place.devices:g} is not a number of devices", hint)


def devices_are_of_types(resources: Resources) -> Iterator[Finding]:
    """Yield the devices that are of another kind than the type of slot beside them."""
    for path, place, _ in _places(resources):
        if place.device == AUTO or not place.type or place.device in map(device, place.type):
            continue
        message = f"a slot of type {' or '.join(place.type)} has no {place.device.upper()}"
        yield Finding((*path, "device"), message, "leave device out: the type says what a slot is")


def slots_have_their_devices(resources: Resources) -> Iterator[Finding]:
    """Yield the numbers of devices that no slot of the type has, and as warnings those that change no slot."""
    for path, place, whole in _places(resources):
        if place.devices is None or _is_broken(place):
            continue
        key, first = (*path, "devices"), (whole.type or (whole.device,))[0]
        if first == AUTO:
            if place.devices != 1:
                hint = "write device: gpu for slots of so many GPUs"
                yield Finding(key, "a slot of any device has one GPU or a whole slice", hint, severity="warning")
        elif first != TPU and device(first) != GPU and place.devices != devices_of(first):
            message = f"a slot of type {first} has {devices_of(first):g}, not {place.devices:g}"
            hint = "leave devices out"
            if device(first) == CPU and place.devices > 1:
                hint = f"write type: {CPU}-{place.devices:g} for so many workers that train each job together"
            yield Finding(key, message, hint)


def _is_broken(place: Place) -> bool:
    return bool(place.devices and place.devices > 1 and place.devices % 1)


def _places(resources: Resources) -> Iterator[tuple[KeyPath, Place, Place]]:
    """Yield the places of the file with their keys, each as it is written and with what it has of the default."""
    yield ("resources", "default"), resources.default, resources.default
    for i, where in enumerate(resources.rules):
        yield ("resources", "rules", i, "use"), where.use, resources.laid_over(where.use)


PLACES = (devices_are_whole, devices_are_of_types, slots_have_their_devices)
