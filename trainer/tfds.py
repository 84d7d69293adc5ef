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

from scalectl.trainer import records
from scalectl.trainer.files import Contents, Unreadable

FORMATS = ("array_record", "tfrecord")
HELD_OUT = ("test", "validation")  # splits that are evaluated on, the first that there is


def split_path(name: str, version: str = "", split: str = "train") -> str:
    """Return where a split of a dataset lies, of its newest prepared version unless one is given; needn't exist."""
    home = Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser().absolute() / name
    versions = sorted(home.glob("*/dataset_info.json"), key=lambda one: _numbers(one.parent.name))
    newest = versions[-1].parent.name if versions else "VERSION"
    return str(home / (version or newest) / split)


def split_beside(path: str, split: str = "") -> str:
    """Return where a split of the same dataset lies, the one to evaluate on unless it is named; empty if none."""
    folder = Path(path).parent
    there = [split] if split else [one["name"] for one in _info(folder)["splits"]]
    return next((str(folder / name) for name in (split, *HELD_OUT) if name in there), "")


def contents(path: str) -> Contents:
    """Return what is in a split; raises Unreadable, with the command that prepares a dataset that isn't there."""
    folder, split = Path(path).parent, Path(path).name
    files = sorted(folder.glob(f"*-{split}.*-*-of-*"))
    return _contents(path, tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=8)
def _contents(path: str, files: tuple[tuple[str, int, int], ...]) -> Contents:
    folder, split = Path(path).parent, Path(path).name
    info = _info(folder)
    splits = {one["name"]: one for one in info["splits"]}
    if split not in splits:
        raise Unreadable(f"{folder}: no split {split}; there are {', '.join(splits)}")
    form = info.get("fileFormat", "tfrecord")
    if form not in FORMATS:
        raise Unreadable(f"{folder}: its files are {form}; {_remedy(folder)}")
    counts = [int(length) for length in splits[split].get("shardLengths", ())]
    if len(files) != len(counts) or not any(counts):
        raise Unreadable(f"{folder}: {len(files)} of the {len(counts)} files of {split} are there; {_remedy(folder)}")
    return records.contents([file for file, *_ in files], counts, _num_classes(folder))


def _info(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "dataset_info.json").read_text())
    except (OSError, ValueError) as error:
        raise Unreadable(f"{folder}: no dataset prepared there; {_remedy(folder)}") from error


def _remedy(folder: Path) -> str:
    """Return how to prepare the dataset of a folder."""
    version = "" if folder.name == "VERSION" else f":{folder.name}"
    home = folder.parent.parent
    return f"run: tfds build {folder.parent.name}{version} --file_format=array_record --data_dir={home}"


def _num_classes(folder: Path) -> int | None:
    """Return how many classes the labels of a dataset have."""
    try:
        named = json.loads((folder / "features.json").read_text())["featuresDict"]["features"]
    except (OSError, ValueError, KeyError):
        return None
    label = named.get("label") or named.get("labels", {}).get("sequence", {}).get("feature", {})
    counted = label.get("classLabel", {}).get("numClasses")
    return int(counted) if counted else None


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]
