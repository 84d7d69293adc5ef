"""Labels of images that have one or more each, and the check that every label is one of the classes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalectl.trainer.data.facts import Unreadable

MISSING = -1  # stands for a label that is not there


@dataclass(frozen=True)
class Several:
    """Labels of images, one after the other; those of image i are values[ends[i] : ends[i + 1]]."""

    values: np.ndarray
    ends: np.ndarray  # one more than there are images, the first 0

    def __len__(self) -> int:
        return len(self.ends) - 1

    def hot(self, rows: np.ndarray, num_classes: int) -> np.ndarray:
        """Bytes (count, num_classes) that are 1 at the labels of images and 0 elsewhere."""
        starts, counts = self.ends[rows], self.ends[rows + 1] - self.ends[rows]
        offsets = starts - (np.cumsum(counts) - counts)
        positions = np.arange(counts.sum()) + np.repeat(offsets, counts)
        hot = np.zeros((len(rows), num_classes), np.uint8)
        hot[np.repeat(np.arange(len(rows)), counts), self.values[positions]] = 1
        return hot


Labels = np.ndarray | Several


def arrow_type(*, several: bool) -> Any:
    """The type of a column of labels."""
    import pyarrow as pa

    if several:
        return pa.list_(pa.int64())
    return pa.int64()


def from_arrow(column: Any) -> Labels:
    """The labels in a column of whole numbers, or of lists of them; missing ones are -1."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_list(column.type):
        return pc.fill_null(column, MISSING).to_numpy()
    counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    values = pc.fill_null(pc.list_flatten(column), MISSING).to_numpy()
    return Several(values, np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]))


def checked(labels: Labels, num_classes: int, locate: Callable[[int], str]) -> Labels:
    """The labels in 32 bits; raises Unreadable with the file and row of an image that has a wrong one, or none."""
    if not isinstance(labels, Several):
        return _classes(labels, num_classes, locate)
    unlabelled = np.flatnonzero(np.diff(labels.ends) == 0)
    if len(unlabelled):
        raise Unreadable(f"{locate(int(unlabelled[0]))}: no label")

    def locate_value(position: int) -> str:
        return locate(int(np.searchsorted(labels.ends, position, side="right")) - 1)

    return Several(_classes(labels.values, num_classes, locate_value), labels.ends)


def _classes(values: np.ndarray, num_classes: int, locate: Callable[[int], str]) -> np.ndarray:
    """Labels in 32 bits; raises Unreadable where one is no class."""
    wrong = np.flatnonzero((values < 0) | (values >= num_classes))
    if not len(wrong):
        return values.astype(np.int32)
    label, location = values[wrong[0]], locate(int(wrong[0]))
    if label == MISSING:
        raise Unreadable(f"{location}: no label")
    raise Unreadable(f"{location}: label {label:,} is not from 0 to {num_classes - 1:,}")
