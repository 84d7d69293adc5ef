"""Handwritten digits: scikit-learn's copy of the test set of UCI's Optical Recognition of Digits."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np


def load() -> tuple[np.ndarray, np.ndarray]:
    """All images (1797, 8, 8, 1) with values from -1 to 1, and their labels (1797)."""
    rows = np.loadtxt(_file(), delimiter=",", dtype=np.float32)
    pixels = rows[:, :-1].reshape(-1, 8, 8, 1) / 8.0 - 1.0  # counts from 0 to 16 in blocks of 4 x 4 pixels
    return pixels, rows[:, -1].astype(np.int32)


def _file() -> Path:
    """Where they lie; scikit-learn itself isn't loaded, which brings SciPy: half a second and 35 MB a process."""
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("scikit-learn, whose handwritten digits these are, is not installed")
    return Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
