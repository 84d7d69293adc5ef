"""Whether the images that a study keeps decoded are of a side that fits, and have a place on the disk."""

from collections.abc import Iterator

from scalectl.orchestrator.errors import Finding
from scalectl.orchestrator.experiment.images import Data
from scalectl.orchestrator.experiment.specs import known
from scalectl.trainer import cache
from scalectl.trainer.data import registry

CACHE = ("data", "cache")


def cached_images_fit(data: Data) -> Iterator[Finding]:
    """Yield the side of cached images that no step can use, and as a warning, that this disk has no room for them."""
    if data.cache is None:
        return
    if isinstance(registry.source(data.source.kind), registry.InMemory):
        yield Finding(CACHE, f"{data.source} are in memory as they are", "remove it", True)
        return
    side = known(data).image_size
    has_parts = data.augment.crop and bool(data.source.path)
    if not has_parts and data.cache != side:
        yield Finding(CACHE, f"{data.cache:,} is not the {side:,} pixels that models see", f"give {side}")
    elif data.cache < side:
        message = f"{data.cache:,} is less than the {side:,} pixels that models see"
        yield Finding(CACHE, message, "raise it: crops are resized to those")
    yield from _room(data)


def _room(data: Data) -> Iterator[Finding]:
    needed = max(data.sizes, default=0) * (data.cache or 0) ** 2 * known(data).channels
    folder = cache.folder()
    if needed > cache.free(folder / "images"):
        message = (
            f"{needed / 1e9:,.3f} GB of images, and {folder} has {cache.free(folder / 'images') / 1e9:,.3f} GB to spare"
        )
        hint = "each machine that trains needs that; lower it, or set XDG_CACHE_HOME to a folder on a larger disk"
        yield Finding(CACHE, message, hint, severity="warning")
