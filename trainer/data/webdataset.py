"""Pictures in tar shards as WebDataset has them: files of one sample follow each other and differ in their endings.

A sample's key is its name up to the first dot (https://github.com/webdataset/webdataset). Planning reads the headers
and labels of all shards; the pictures stay where they are.
"""

import hashlib
import json
import mmap
import tarfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from functools import lru_cache
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

from scalectl.trainer import cache
from scalectl.trainer.data import splits
from scalectl.trainer.data.classes import is_label, numbered, stray
from scalectl.trainer.data.endings import ENDINGS, without_leftovers
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.loose import check_once
from scalectl.trainer.data.storage import matching, root, versions
from scalectl.trainer.selection import Selection

LABELS = ("cls", "label", "class", "cls.txt", "label.txt")  # endings of labels, the first that exists
LISTED = 8  # endings of a sample
LONGEST = 4096  # bytes of a label
LONGEST_JSON = 2**20  # bytes of a JSON object that holds one


@dataclass(frozen=True)
class Sample:
    """A picture in a shard, by its place there, and its label as text."""

    key: str
    start: int
    length: int
    label: str
    twin: bool = False  # whether a picture of the sample with a name before this one's has the same length


def contents(path: str, selection: Selection) -> Contents:
    """What is in the tar files at a path: a file, a folder, or a pattern such as train-*.tar; raises Unreadable."""
    groups = splits.grouped(list(map(str, matching(path, "*.tar", "tar"))), root(path))
    split, files = splits.select(groups, selection.purpose, path)
    return _contents(versions(files), selection, split, splits.sizes(groups))


@lru_cache(maxsize=8)
def _contents(
    files: tuple[tuple[str, int, int], ...], selection: Selection, split: str, sizes: tuple[tuple[str, int], ...]
) -> Contents:
    shards = {file: _samples(file, size, changed, selection) for file, size, changed in files}
    samples = [sample for shard in shards.values() for sample in shard]
    places = [file for file, shard in shards.items() for _ in shard]
    if not samples:
        raise Unreadable(f"{files[0][0]}: no samples")
    if not selection.classes and (mistake := stray([sample.label for sample in samples])):
        raise Unreadable(f"{places[mistake[0]]}, sample {samples[mistake[0]].key}: {mistake[1]}")
    words = not all(sample.label.isdecimal() for sample in samples)
    names: tuple[str, ...] = ()
    if words:
        names = numbered((sample.label for sample in samples), selection.classes, files[0][0])
    largest = len(names) - 1 if words else max(int(sample.label) for sample in samples)
    digest = hashlib.sha256("\n".join(names).encode())
    for sample in samples:
        digest.update(f"{sample.key} {sample.length} {sample.label}\n".encode())
    if all(sample.twin for sample in samples):
        digest.update(f"image {selection.image.lower()}".encode())
    return Contents(
        files=tuple(shards),
        counts=tuple(map(len, shards.values())),
        num_classes=len(names) or None,
        largest=largest,
        digest=digest.hexdigest()[:12],
        classes=names,
        words=words,
        split=split,
        splits=sizes,
        columns=(selection.image, selection.label),
    )


@lru_cache(maxsize=4096)
def _samples(file: str, size: int, changed: int, selection: Selection) -> tuple[Sample, ...]:
    """The samples of a shard in order, from the user's cache where it was read before; raises Unreadable."""
    words = [file, size, changed, selection.image, selection.label]
    if selection.image:
        words.append("twins")
    index = cache.folder() / f"{hashlib.sha256(json.dumps(words).encode()).hexdigest()[:24]}.shard.json"
    if index.exists():
        return tuple(Sample(*values) for values in json.loads(index.read_text()))
    samples = tuple(_read(file, selection))
    with cache.appearing(index) as part:
        Path(part).write_text(json.dumps([astuple(sample) for sample in samples]))
    return samples


def _read(file: str, selection: Selection) -> Iterator[Sample]:
    """Yield the samples of a shard; raises Unreadable."""
    try:
        with tarfile.open(file, "r:") as shard:
            own = (member for member in shard if member.isfile() and without_leftovers(Path(member.name).parts))
            for key, members in groupby(own, key=lambda member: _parted(member.name)[0]):
                parts = {_parted(member.name)[1]: member for member in members}
                yield _sample(shard, f"{file}, sample {key}", key, parts, selection)
    except (OSError, tarfile.TarError) as error:
        raise Unreadable(f"{file}: {error}; compressed shards have to be unpacked") from error


def _parted(name: str) -> tuple[str, str]:
    """The key of a member's sample, and its ending without the dot, in small letters."""
    folder, slash, last = name.rpartition("/")
    stem, _, ending = last.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()


def _sample(
    shard: tarfile.TarFile, location: str, key: str, parts: Mapping[str, tarfile.TarInfo], selection: Selection
) -> Sample:
    """One sample; raises Unreadable where it has no picture, several, or no label."""
    every = [ending for ending in parts if f".{ending.rpartition('.')[2]}" in ENDINGS]
    pictures = [ending for ending in parts if ending == selection.image.lower()] if selection.image else every
    listed = ", ".join(list(parts)[:LISTED])
    if len(parts) > LISTED:
        listed += " ... (a name ends at its first dot)"
    if len(pictures) != 1:
        number = "no picture" if not pictures else "several pictures"
        raise Unreadable(f"{location}: {number} among {listed}; data.columns: {{image: jpg}} names the ending")
    wanted, _, field = (
        selection.label.partition(".") if selection.label.startswith("json.") else (selection.label, "", "")
    )
    label = next((ending for ending in ([wanted] if wanted else LABELS) if ending in parts), "")
    if not label:
        example = "json.label" if "json" in parts else "cls"
        raise Unreadable(f"{location}: no label among {listed}; data.columns: {{label: {example}}} names the ending")
    place = parts[pictures[0]]
    twin = any(parts[ending].size == place.size for ending in every if ending < pictures[0])
    return Sample(key, place.offset_data, place.size, _label(shard, parts[label], field, location), twin)


def _label(shard: tarfile.TarFile, member: tarfile.TarInfo, field: str, location: str) -> str:
    """The text of a label, which is a file of its own or a field of a JSON object; raises Unreadable."""
    try:
        if member.size > (LONGEST_JSON if field else LONGEST):
            raise ValueError(member.size)
        stream = shard.extractfile(member)
        text = stream.read().decode() if stream else ""
        if field:
            value = json.loads(text)[field]
            if not isinstance(value, str | int):
                raise ValueError(value)
            text = str(value)
    except (ValueError, LookupError, TypeError) as error:
        raise Unreadable(f"{location}: {member.name} holds no label") from error
    if not is_label(label := text.strip()):
        raise Unreadable(f"{location}: {member.name} holds no label")
    return label


def _selection(contents: Contents) -> Selection:
    return Selection(image=contents.columns[0], label=contents.columns[1])


def _of_file(contents: Contents, file: str) -> tuple[Sample, ...]:
    stat = Path(file).stat()
    return _samples(file, stat.st_size, stat.st_mtime_ns, _selection(contents))


def _labels(contents: Contents) -> list[int]:
    numbers = contents.numbers or {}
    samples = (sample for file in contents.files for sample in _of_file(contents, file))
    return [numbers[sample.label] if contents.words else int(sample.label) for sample in samples]


def class_counts(path: str, contents: Contents) -> Counter[int] | None:
    """The number of images by label."""
    return Counter(_labels(contents))


def pictures(contents: Contents) -> Iterator[Any]:
    """Yield the bytes of each picture; raises Unreadable."""
    yield from map(Shards(contents).encoded, range(contents.num_images))


def samples(path: str, contents: Contents, most: int) -> Iterator[tuple[int, Any]]:
    """Yield the numbers and the bytes of up to `most` pictures from all over the shards."""
    shards = Shards(contents)
    for row in contents.spread(most):
        yield row, shards.encoded(row)


class Shards:
    """Encoded images by number."""

    def __init__(self, contents: Contents) -> None:
        self._files, self._ends = contents.files, list(accumulate(contents.counts))
        self._samples = [_of_file(contents, file) for file in contents.files]

    def encoded(self, row: int) -> Any:
        """The bytes of an image."""
        number = bisect_right(self._ends, row)
        sample = self._samples[number][row - self._ends[number]]  # from the end of the shard
        return _mapped(self._files[number])[sample.start : sample.start + sample.length]


class Labelled(Shards):
    """Encoded images by number, and all labels."""

    def __init__(self, contents: Contents) -> None:
        import numpy as np  # planning does without

        super().__init__(contents)
        self.labels = np.array(_labels(contents))


@lru_cache(maxsize=4096)
def _mapped(file: str) -> memoryview:
    with Path(file).open("rb") as stream:
        return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))


def store(path: str, digest: str, selection: Selection) -> Labelled:
    """The images of the shards; raises Unreadable, or BadImage where pictures are damaged."""
    from scalectl.trainer.data.headers import damage, refuse  # planning does without Pillow

    planned = contents(path, selection).expect(digest, path)
    images = Labelled(planned)

    def check(planned: Contents) -> None:
        damages = ((row, damage(images.encoded(row))) for row in range(planned.num_images))
        refuse([f"{planned.locate(row)}: {reason}" for row, reason in damages if reason])

    check_once(planned, check)
    return images
