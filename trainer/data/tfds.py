"""Datasets that TensorFlow Datasets prepared, read from their folders without it.

A prepared dataset is a folder DATA_DIR/NAME/VERSION with dataset_info.json, features.json, and for each split the files
NAME-SPLIT.FORMAT-00000-of-00001; a split is named here by the folder and its name: DATA_DIR/NAME/VERSION/train.
"""

import json
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from scalectl.trainer.data import records
from scalectl.trainer.data.endings import leftover
from scalectl.trainer.data.facts import Contents, Unreadable
from scalectl.trainer.data.records import class_counts, pictures, samples
from scalectl.trainer.data.registry import Store
from scalectl.trainer.data.storage import versions
from scalectl.trainer.selection import Selection

__all__ = ["class_counts", "contents", "path_of", "pictures", "samples", "store", "syntax", "test_path"]

FORMATS = ("array_record", "tfrecord")
TEST_SPLITS = ("test", "validation")  # the first that there is is evaluated on
NAME = re.compile(r"([A-Za-z][\w-]*(?:/[\w.-]+)?)(?::(\d+\.\d+\.\d+))?")  # NAME or NAME/CONFIG, and a version

syntax = "write tfds:NAME or tfds:NAME:VERSION, as in tfds:cifar10:3.0.2"


def path_of(name: str) -> str:
    """Where the training split of a dataset lies, of its newest prepared version unless the name ends with one.

    It needn't exist. Raises ValueError where it is no name.
    """
    match = NAME.fullmatch(name)
    if not match:
        raise ValueError(name)
    home = Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser().absolute() / match[1]
    return str(home / (match[2] or _newest(home)) / "train")


def _newest(home: Path) -> str:
    """The newest version that is prepared, or VERSION where none is."""
    versions = [info.parent.name for info in home.glob("*/dataset_info.json")]
    return max(versions, key=_numbers, default="VERSION")


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def test_path(path: str, split: str) -> str:
    """Where the split to evaluate on lies, this one if it isn't ""; empty if there is none. Raises Unreadable."""
    folder = Path(path).parent
    if split:
        return str(folder / split)
    splits = [entry["name"] for entry in _info(folder)["splits"]]
    return next((str(folder / name) for name in TEST_SPLITS if name in splits), "")


def contents(path: str, selection: Selection) -> Contents:
    """What is in a split; raises Unreadable, with the command that prepares a dataset that isn't there."""
    folder, split = Path(path).parent, Path(path).name
    files = sorted(file for file in folder.glob(f"*-{split}.*-*-of-*") if not leftover(file.name))
    return _contents(path, versions(map(str, files)), selection)


@lru_cache(maxsize=8)
def _contents(path: str, files: tuple[tuple[str, int, int], ...], selection: Selection) -> Contents:
    folder, split = Path(path).parent, Path(path).name
    info = _info(folder)
    splits = {entry["name"]: entry for entry in info["splits"]}
    if split not in splits:
        raise Unreadable(f"{folder}: no split {split}; there are {', '.join(splits)}")
    file_format = info.get("fileFormat", "tfrecord")
    if file_format not in FORMATS:
        raise Unreadable(f"{folder}: its files are {file_format}; {_remedy(folder)}")
    counts = [int(length) for length in splits[split].get("shardLengths", ())]
    if len(files) != len(counts) or not any(counts):
        raise Unreadable(f"{folder}: {len(files)} of the {len(counts)} files of {split} are there; {_remedy(folder)}")
    label = _label_feature(folder, selection.label)
    names = [file for file, *_ in files]
    return records.contents(names, counts, selection, _class_names(folder, label), _num_classes(folder, label))


def _info(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "dataset_info.json").read_text())
    except (OSError, ValueError) as error:
        raise Unreadable(f"{folder}: no dataset prepared there; {_remedy(folder)}") from error


def _remedy(folder: Path) -> str:
    """The command that prepares the dataset of a folder."""
    dataset = folder.parent.name
    if folder.name != "VERSION":
        dataset += f":{folder.name}"
    return f"run: tfds build {dataset} --file_format=array_record --data_dir={folder.parent.parent}"


def _features(folder: Path) -> dict[str, Any]:
    """The features of a dataset as its file tells them, none where it doesn't."""
    try:
        return json.loads((folder / "features.json").read_text())["featuresDict"]["features"]
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _label_feature(folder: Path, name: str) -> str:
    """The name of the feature of labels, this one if it isn't ""."""
    return name or ("label" if "label" in _features(folder) else "labels")


def _num_classes(folder: Path, label: str) -> int:
    """The number of classes that the labels of a dataset have, 0 where its features don't tell."""
    feature = _features(folder).get(label, {})
    feature = feature.get("sequence", {}).get("feature", feature)
    return int(feature.get("classLabel", {}).get("numClasses") or 0)


def _class_names(folder: Path, label: str) -> tuple[str, ...]:
    """The names of the classes by number, none where the dataset doesn't tell them."""
    names = folder / f"{label}.labels.txt"
    if not names.is_file():
        return ()
    return tuple(names.read_text().splitlines())


def store(path: str, digest: str, selection: Selection) -> Store:
    """The images of a split; raises Unreadable, or BadImage where pictures are damaged."""
    from scalectl.trainer.data.record_index import indexed  # planning does without NumPy

    return indexed(contents(path, selection).expect(digest, path))
