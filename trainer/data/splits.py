"""The split that each file of a data set belongs to, by the names that Hugging Face and TensorFlow Datasets give.

The rules are those of `datasets`, in its order (https://huggingface.co/docs/datasets/repository_structure): names such
as train-00000-of-00001.parquet, then a keyword in the names of folders, then one in the names of files. Where files are
of splits, those that belong to none are left out, as they are there.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath

from scalectl.trainer.data.endings import leftover
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.selection import Purpose

KEYWORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
EVALUATED = ("test", "validation")  # the first that exists is evaluated on
_NO_NAME = re.compile(
    rf"(?:^|[-_ ])(?:{'|'.join(word for words in KEYWORDS.values() for word in words)})(?=$|[-_ 0-9*])", re.IGNORECASE
)
_PATTERN = re.compile(r"[*?\[\]{}]")
_SHARD = re.compile(r"(\w+(?:\.\w+)*)-\d{5}-of-\d{5}.*\..*")
_TFDS_SHARD = re.compile(r".+-(\w+)\.(?:array_record|tfrecord)-\d{5}-of-\d{5}")


def keyword_split(name: str) -> str:
    """The split that a name holds a keyword of, between signs that are no letters; empty if it holds none."""
    words = re.split(r"[-._ 0-9]+", name.lower())
    return next((split for split, keywords in KEYWORDS.items() if not {*keywords}.isdisjoint(words)), "")


def named_by(path: str) -> str:
    """The last part of a path that says more than a split: pets of pets/train-*.parquet; empty if none does."""
    for part in reversed(re.split(r"[/\\]", path)):
        name = _NO_NAME.split(part.partition(".")[0])[0].strip("-_ ")
        if name and name.lower() not in ("data", "~") and not _PATTERN.search(name):
            return name[:60]
    return ""


def grouped(files: Sequence[str], root: str) -> dict[str, list[str]]:
    """The files by their split, train, validation and test first; one group named "" where no name tells."""
    below = {file: PurePath(file.removeprefix(root).lstrip("/\\")) for file in files}
    for rule in (_of_shard, _of_folders, _of_file):
        splits = {file: rule(path) for file, path in below.items()}
        if not KEYWORDS.keys().isdisjoint(splits.values()):
            order = [*KEYWORDS, *sorted({*splits.values()} - {*KEYWORDS, ""}), ""]
            groups = {name: [file for file in files if splits[file] == name] for name in order}
            return {name: members for name, members in groups.items() if members}
    return {"": list(files)}


def _of_shard(path: PurePath) -> str:
    match = _SHARD.fullmatch(path.name) or _TFDS_SHARD.fullmatch(path.name)
    return match[1] if match else ""


def _of_folders(path: PurePath) -> str:
    return next(filter(None, map(keyword_split, path.parts[:-1])), "")


def _of_file(path: PurePath) -> str:
    return keyword_split(path.name)


def chosen(splits: Iterable[str], purpose: Purpose, path: str) -> str:
    """The one of several splits to train on or to evaluate on; raises Unreadable where none is meant for that."""
    names = list(splits)
    wanted = ("train",) if purpose == "train" else EVALUATED
    for name in wanted:
        if name in names:
            return name
    listed = " and ".join(name or "other files" for name in names)
    raise Unreadable(f"{path}: there are {listed}, and none is named {' or '.join(wanted)}; give the path of one split")


def select(groups: Mapping[str, list[str]], purpose: Purpose, path: str) -> tuple[str, list[str]]:
    """The split to read and its files; the only group is read whatever its name."""
    if len(groups) == 1:
        return next(iter(groups.items()))
    name = chosen(groups, purpose, path)
    return name, groups[name]


def sizes(groups: Mapping[str, list[str]]) -> tuple[tuple[str, int], ...]:
    """The number of files of each split, none where no name tells splits apart."""
    if len(groups) == 1:
        return ()
    return tuple((name, len(members)) for name, members in groups.items())


def folders(path: str) -> dict[str, list[str]]:
    """The folders right below one that are splits, by split; none where they are classes.

    They are splits if all of them are named so, or one is of train and another of some other split. Raises Unreadable
    where two folders are of one split.
    """
    below = sorted(entry for entry in Path(path).iterdir() if entry.is_dir() and not leftover(entry.name))
    names = [keyword_split(entry.name) for entry in below]
    if not any(names) or ("" in names and ("train" not in names or len({*names} - {""}) < 2)):
        return {}
    groups: dict[str, list[str]] = {}
    for name, entry in zip(names, below, strict=True):
        if name and _holds_folders(entry):
            groups.setdefault(name, []).append(str(entry))
    for name, entries in groups.items():
        if len(entries) > 1:
            raise Unreadable(f"{path}: {' and '.join(Path(entry).name for entry in entries)} are both of split {name}")
    return groups


def flat_folders(path: str) -> tuple[str, ...]:
    """The folders right below one that are named as splits and hold no folders of classes."""
    below = sorted(entry for entry in Path(path).iterdir() if entry.is_dir() and not leftover(entry.name))
    return tuple(str(entry) for entry in below if keyword_split(entry.name) and not _holds_folders(entry))


def _holds_folders(folder: Path) -> bool:
    return any(entry.is_dir() and not leftover(entry.name) for entry in folder.iterdir())
