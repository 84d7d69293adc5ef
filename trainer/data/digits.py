"""Handwritten digits: scikit-learn's copy of the test set of UCI's Optical Recognition of Digits."""

import numpy as np


def load() -> tuple[np.ndarray, np.ndarray]:
    """All images (1797, 8, 8, 1) with values from -1 to 1, and their labels (1797)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = digits.images.astype(np.float32)[..., None] / 8.0 - 1.0  # counts from 0 to 16 in blocks of 4 x 4 pixels
    return pixels, digits.target.astype(np.int32)
