"""The colours of figures and pages, and how they contrast; nothing here loads what draws."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb

PALETTE = colormaps["inferno"]
_SHADES, _SHADES_ON_DARK = (0.12, 0.678), (0.46, 1.0)  # parts of the palette with 3:1 on white and on black
_FEW, _DARKEST = 7, 0.03  # more colours than that begin darker, to stay apart
_DARK = 0.18  # luminance of a paper that is dark: as far from white as from black in contrast

Colour = tuple[float, float, float, float]


def ink() -> Any:
    """The colour of lines and letters that are no model's: that of text."""
    return mpl.rcParams["text.color"]


def paper() -> Any:
    """The colour behind the marks."""
    return mpl.rcParams["axes.facecolor"]


def shades(count: int) -> list[Colour]:
    """So many colours in order, each with a contrast of 3:1 to the paper, that differ in grey as well."""
    first, last = _SHADES
    if count > _FEW:
        first = _DARKEST
    if luminance(paper()) < _DARK:
        first, last = _SHADES_ON_DARK
    if count == 1:
        return [PALETTE((first + last) / 2)]
    return [PALETTE(shade) for shade in np.linspace(first, last, count)]


def luminance(colour: Any) -> float:
    """The relative luminance of a colour, from 0 of black to 1 of white: WCAG 2.2, relative luminance."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(colour: Any, other: Any) -> float:
    """The contrast of two colours, from 1 to 21: WCAG 2.2, contrast ratio."""
    dark, bright = sorted(map(luminance, (colour, other)))
    return (bright + 0.05) / (dark + 0.05)
