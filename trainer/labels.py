"""Labels of images that have one or more each, and the check that every label is one of the classes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalectl.trainer.files import Unreadable

MISSING = -1  # stands for a label that is not there


@dataclass(frozen=True)
class Several:
    """Labels of images, one after the other; those of image i are values[ends[i] : ends[i + 1]]."""

    values: np.ndarray
    ends: np.ndarray  # one more than there are images, the first 0

    def __len__(self) -> int:
        return len(self.ends) - 1

    def hot(self, rows: np.ndarray, num_classes: int) -> np.ndarray:
        """Return bytes (count, num_classes) that are 1 at the labels of images and 0 elsewhere."""
        starts, counts = self.ends[rows], self.ends[rows + 1] - self.ends[rows]
        before = np.cumsum(counts) - counts
        places = np.arange(counts.sum()) + np.repeat(starts - before, counts)
        found = np.zeros((len(rows), num_classes), np.uint8)
        found[np.repeat(np.arange(len(rows)), counts), self.values[places]] = 1
        return found


Labels = np.ndarray | Several


def arrow_type(*, several: bool) -> Any:
    """Return the type of a column of labels."""
    import pyarrow as pa

    return pa.list_(pa.int64()) if several else pa.int64()


def from_arrow(column: Any) -> Labels:
    """Return the labels in a column of whole numbers, or of lists of them; missing ones are -1."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_list(column.type):
        return pc.fill_null(column, MISSING).to_numpy()
    counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    values = pc.fill_null(pc.list_flatten(column), MISSING).to_numpy()
    return Several(values, np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]))


def checked(labels: Labels, num_classes: int, place: Callable[[int], str]) -> Labels:
    """Return the labels in 32 bits; raises Unreadable with the place of an image that has a wrong one, or none."""
    if not isinstance(labels, Several):
        return _classes(labels, num_classes, place)
    if len(bare := np.flatnonzero(np.diff(labels.ends) == 0)):
        raise Unreadable(f"{place(int(bare[0]))}: no label")

    def owner(at: int) -> str:
        return place(int(np.searchsorted(labels.ends, at, side="right")) - 1)

    return Several(_classes(labels.values, num_classes, owner), labels.ends)


def _classes(values: np.ndarray, num_classes: int, place: Callable[[int], str]) -> np.ndarray:
    """Return labels in 32 bits; raises Unreadable where one is no class."""
    if len(wrong := np.flatnonzero((values < 0) | (values >= num_classes))):
        label = values[wrong[0]]
        what = f"label {label:,} is not from 0 to {num_classes - 1:,}" if label != MISSING else "no label"
        raise Unreadable(f"{place(int(wrong[0]))}: {what}")
    return values.astype(np.int32)
