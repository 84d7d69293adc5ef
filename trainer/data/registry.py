"""The sources that `data.source` can name, with what planning needs to know of them; standard library only.

To add one write a module beside this one, and its line in `_SOURCES`; or call `register` from outside. Modules are
imported when their images are needed, so that planning does without NumPy and Pillow.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from importlib import import_module
from itertools import islice
from types import MappingProxyType
from typing import Any, Protocol

from scalectl.trainer import own
from scalectl.trainer.data.facts import ENDLESS, Contents, Facts, Unreadable
from scalectl.trainer.data.storage import remote
from scalectl.trainer.selection import Selection


class Store(Protocol):
    """Encoded images by number, and all labels."""

    labels: Any  # an array, or labels.Several; planning does without NumPy

    def encoded(self, row: int) -> Any:
        """The bytes of an image, or nothing where it has none; raises BadImage."""


class RandomAccess(Protocol):
    """Single images and labels by their numbers, which are arrays (count)."""

    def colours(self, rows: Any) -> Any:
        """Images (count, height, width, channels) as bytes, and as evaluation sees them."""

    def cropped(self, rows: Any, draws: Any) -> Any:
        """Random parts of images (count, height, width, channels) as bytes, each as its own draws say.

        Or Colours, of which a step takes the parts.
        """

    def labels(self, rows: Any) -> Any:
        """Labels (count), or where images may have several, ones at them and zeros (count, num_classes)."""


class Format(Protocol):
    """What a module for one format of files has."""

    def contents(self, path: str, selection: Selection) -> Contents:
        """What is selected of the files at a path, read from as little of them as will do; raises Unreadable."""

    def store(self, path: str, digest: str, selection: Selection) -> Store:
        """The selected images at a path whose contents have this hash.

        Raises Unreadable, also where they have another, or BadImage where pictures are damaged.
        """

    def class_counts(self, path: str, contents: Contents) -> Counter[int] | None:
        """The number of images by label, without labels that no image has; None where images would have to be read."""

    def pictures(self, contents: Contents) -> Iterator[Any]:
        """Yield the bytes of each image in order, those of one that is damaged as they are; raises Unreadable."""

    def samples(self, path: str, contents: Contents, most: int) -> Iterator[tuple[int, Any]]:
        """Yield the numbers and the bytes of up to `most` images, from all over the files, at little cost.

        The same of the same files wherever they lie. An image that is missing or can't be had yields nothing for bytes.
        """


class Catalogue(Format, Protocol):
    """A format whose data sets have names, and lie in a folder of their own."""

    syntax: str  # of a name, for a person to type

    def path_of(self, name: str) -> str:
        """Where the training images of a data set lie, which needn't exist; raises ValueError where it is no name."""

    def test_path(self, path: str, split: str) -> str:
        """Where the images to evaluate on lie, of this split if it isn't ""; empty if there are none."""


@dataclass(frozen=True)
class InMemory:
    """Images that are in memory as a whole, at a size of their own."""

    facts: Facts
    load: Callable[[], tuple[Any, Any]]  # pixels (count, height, width, channels) from -1 to 1, and labels (count)


@dataclass(frozen=True)
class Own(InMemory):
    """Images that code of one's own loads, perhaps from a file that stays on the disk; `name` has the hash of both."""

    name: str = ""


@dataclass(frozen=True)
class Generated:
    """Images without end, generated when they are needed; the study may ask for another size and number of classes."""

    image_size: int
    channels: int
    num_classes: int
    generator: Callable[[Any], RandomAccess]  # of a DataSpec

    @property
    def facts(self) -> Facts:
        """The counts where the study asks for no others."""
        return Facts(ENDLESS, self.image_size, self.channels, self.num_classes)


@dataclass(frozen=True)
class Files:
    """Encoded pictures in files of one format, at a path."""

    format: Callable[[], Format]
    in_buckets: bool = False  # they are read from gs:// and s3:// too
    has_columns: bool = True  # of pictures and labels, or the like, which a study may name
    reads_all: bool = True  # the first job reads every byte of them, and hashes pictures then


@dataclass(frozen=True)
class Named(Files):
    """Encoded pictures in files that are found by the name of their data set."""

    format: Callable[[], Catalogue]


Source = InMemory | Generated | Files


def _module(name: str) -> Callable[[], Any]:
    """A module of this room, imported at the first call."""
    return partial(import_module, f".{name}", __package__)


def _deferred(module: str, name: str) -> Callable[..., Any]:
    """A function of a module of this room, which is imported at the first call."""

    def call(*arguments: Any) -> Any:
        return getattr(_module(module)(), name)(*arguments)

    return call


_SOURCES: dict[str, Source] = {
    "digits": InMemory(Facts(1797, 8, 1, 10), _deferred("digits", "load")),
    "synthetic": Generated(32, 3, 10, _deferred("synthetic", "generator")),
    "parquet": Files(_module("parquet"), in_buckets=True),
    "array_record": Files(_module("array_record")),
    "csv": Files(_module("listing"), reads_all=False),
    "webdataset": Files(_module("webdataset"), reads_all=False),
    "save_to_disk": Files(_module("saved")),
    "folder": Files(_module("folder"), has_columns=False, reads_all=False),
    "tfds": Named(_module("tfds")),
}


def sources() -> Mapping[str, Source]:
    """All sources by name, but those that code of one's own adds."""
    return MappingProxyType(_SOURCES)


def source(name: str) -> Source:
    """The source of a name; raises Unreadable where there is none."""
    if name in _SOURCES:
        return _SOURCES[name]
    key, _, content = name.partition("+")
    if not own.version(name):
        key = own.names("source").get(name, "")
    if not key:
        raise Unreadable(f"{name}: no such source")
    kind: Own = own.thing("source", key)()
    if content and kind.name != name:
        raise Unreadable(f"{own.plain(name)}: its images have changed since the study was planned: launch again")
    return kind


def called(name: str) -> str:
    """The name of a source in a run: of one's own NAME@HASH+HASH, of its code and of its images."""
    kind = source(name)
    return kind.name if isinstance(kind, Own) else name


def register(name: str, entry: Source) -> None:
    """Let `data.source` name a source of one's own in this process; raises ValueError where the name is taken."""
    if name in _SOURCES:
        raise ValueError(f"there is a source {name} already")
    _SOURCES[name] = entry


WHOLE = Selection()


@dataclass(frozen=True)
class Part:
    """A part of the files of a source."""

    kind: str
    path: str = ""
    selection: Selection = WHOLE

    def contents(self) -> Contents:
        """What is in the files; raises Unreadable."""
        files = _files(self.kind)
        if remote(self.path) and not files.in_buckets:
            able = [name for name, kind in _SOURCES.items() if isinstance(kind, Files) and kind.in_buckets]
            raise Unreadable(
                f"{self.path}: only {', '.join(able)} files are read from buckets; copy it here, or mount it"
            )
        contents = files.format().contents(self.path, self.selection)
        if not contents.num_images:
            raise Unreadable(f"{self.path}: no images")
        return contents

    def test(self, path: str, selection: Selection) -> "Part":
        """The test split at a path, whose labels are numbered as those of this part are; raises Unreadable."""
        train = self.contents()
        if train.words or selection.labels:
            selection = replace(selection, classes=train.classes)
        return Part(self.kind, path, selection)

    def store(self, digest: str) -> Store:
        """The images, whose contents have this hash, opened once in each process.

        Raises Unreadable, or BadImage where pictures are damaged.
        """
        return _store(self, digest)

    def class_counts(self) -> Counter[int] | None:
        """The number of images by label; None where counting would mean to read the images. Raises Unreadable."""
        return _class_counts(self, self.contents().digest)

    def pictures(self) -> Iterator[Any]:
        """Yield the bytes of each image in order; raises Unreadable."""
        yield from _files(self.kind).format().pictures(self.contents())

    def samples(self, most: int) -> Iterator[tuple[int, Any]]:
        """Yield the numbers and the bytes of up to `most` images; raises Unreadable."""
        yield from islice(_files(self.kind).format().samples(self.path, self.contents(), most), most)


@lru_cache(maxsize=4)
def _store(part: Part, digest: str) -> Store:
    return _files(part.kind).format().store(part.path, digest, part.selection)


@lru_cache(maxsize=8)
def _class_counts(part: Part, digest: str) -> Counter[int] | None:
    return _files(part.kind).format().class_counts(part.path, part.contents().expect(digest, part.path))


def facts(part: Part) -> Facts:
    """The counts of a source, of a part of its files if it has files; raises Unreadable."""
    kind = source(part.kind)
    if isinstance(kind, Files):
        return part.contents().facts
    return kind.facts


def _files(name: str) -> Files:
    """A source that has files; raises Unreadable where the name is of none."""
    kind = source(name)
    if not isinstance(kind, Files):
        raise Unreadable(f"{name}: a source without files")
    return kind
