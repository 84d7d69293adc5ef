"""Whether what `resources` says of a slot fits together, and with the batches that its devices have to share."""

from collections.abc import Iterable, Iterator

from scalectl.orchestrator.errors import Finding, KeyPath
from scalectl.orchestrator.experiment.grid import Cell
from scalectl.orchestrator.experiment.resources import Place, Resources
from scalectl.orchestrator.format import counted
from scalectl.orchestrator.slot_types import device, devices_of
from scalectl.orchestrator.vocabulary import AUTO, CPU, GPU, TPU, parted
from scalectl.trainer.spec import TrunkSpec
from scalectl.trainer.topology import generation


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
            yield Finding(key, message, _of_its_own(first, place.devices))


def _of_its_own(slot_type: str, devices: float) -> str:
    """What to write for a slot whose type says how many devices it has, in place of so many."""
    hint = "leave devices out"
    if device(slot_type) == CPU and devices > 1:
        return f"write type: {CPU}-{devices:g} for so many workers that train each job together"
    if named := generation(parted(slot_type)[0]):
        if named.devices > 1:
            hint += f": a chip of {named.name} is {named.devices} devices"
        elif named.counted > 1:
            hint += f": a device of {named.name} is a chip, and the number in the name counts its {named.counted} cores"
    return hint


def _is_broken(place: Place) -> bool:
    return bool(place.devices and place.devices > 1 and place.devices % 1)


def _places(resources: Resources) -> Iterator[tuple[KeyPath, Place, Place]]:
    """Yield the places of the file with their keys, each as it is written and with what it has of the default."""
    yield ("resources", "default"), resources.default, resources.default
    for i, where in enumerate(resources.rules):
        yield ("resources", "rules", i, "use"), where.use, resources.laid_over(where.use)


def batches_are_shared(resources: Resources, cells: Iterable[Cell]) -> Iterator[Finding]:
    """Yield as warnings the batches that the devices of their slots can't share, so that their jobs would fail there.

    Warnings, because the hosts of a rehearsal have fewer devices.
    """
    if all(count == 1 for _, _, whole in _places(resources) for count in _shares(whole).values()):
        return
    told = set[tuple[str, int, str]]()
    trunk: TrunkSpec | None = None
    for cell in cells:
        if cell.run.trunk is trunk:
            continue
        trunk = cell.run.trunk
        for slot_type, count in _shares(resources.place(cell.settings())).items():
            for key in ("batch_size", "microbatch"):
                size = getattr(trunk.recipe, key)
                if size % count and (key, size, slot_type) not in told:
                    told.add((key, size, slot_type))
                    shared = f"can't be shared by the {count:,} devices of a slot of type {slot_type}"
                    message = f"{counted(size, 'image')} {shared}"
                    yield Finding(_of_batch(cell, key), message, f"give a multiple of {count:,}", severity="warning")


def _of_batch(cell: Cell, key: str) -> KeyPath:
    """Where the file says how large a batch is."""
    if key in dict(cell.swept):
        return ("grid", "sweep", key)
    return ("train", key)


def _shares(place: Place) -> dict[str, int]:
    """The parts that a batch is cut into on each type of slot of a place; of any slot nothing is known."""
    types = place.type or (place.device,)
    counts = {name: devices_of(name) for name in types if name not in (AUTO, TPU)}
    if place.devices and types[0] in counts:
        counts[types[0]] = place.devices
    return {name: max(1, int(count)) for name, count in counts.items()}


PLACES = (devices_are_whole, devices_are_of_types, slots_have_their_devices)
