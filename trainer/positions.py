"""Position embeddings: the fixed sine and cosine ones, and learned ones at another resolution."""

import numpy as np

TEMPERATURE = 10_000.0  # the longest wave, in patches; that of the original Transformer


def sincos2d(side: int, width: int) -> np.ndarray:
    """Embeddings (side x side, width) of a square of patches: sine and cosine of x, then of y."""
    waves = np.arange(width // 4) / max(width // 4 - 1, 1)
    y, x = (places.reshape(-1, 1) / TEMPERATURE**waves for places in np.mgrid[:side, :side])
    return np.concatenate([np.sin(x), np.cos(x), np.sin(y), np.cos(y)], axis=1).astype(np.float32)


def resampled(positions: np.ndarray, side: int) -> np.ndarray:
    """Learned embeddings (old x old, D) for side x side patches, corner on corner, bilinear in between.

    This is what the original ViT does (arXiv 2010.11929), also where the square of patches shrinks.
    """
    old = round(len(positions) ** 0.5)
    if old == side:
        return positions
    places = np.linspace(0, old - 1, side) if side > 1 else np.array([(old - 1) / 2])
    weights = np.maximum(0.0, 1.0 - np.abs(places[:, None] - np.arange(old)))
    grid = positions.reshape(old, old, -1)
    return np.einsum("yi,xj,ijd->yxd", weights, weights, grid).reshape(side * side, -1).astype(positions.dtype)
