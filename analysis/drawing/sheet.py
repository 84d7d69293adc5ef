"""Figures at the size that they are printed at, and as files that are the same byte for byte for the same data."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

from scalectl.analysis.drawing.fonts import families, no_glyph_warnings
from scalectl.analysis.printable import printable

SUFFIXES = (".png", ".pdf", ".svg")
COLUMN, PAGE = 85 / 25.4, 174 / 25.4  # widths of a column and of a page of two, in inches
DOTS = 300  # per inch
_DECIMALS = 9  # of a figure's width and height
# text in a PDF as TrueType, in an SVG as outlines: both show the same letters everywhere
_FONTS: Any = {"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "scalectl"}
_NO_DATES: dict[str, dict[str, Any]] = {".png": {}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}


@contextmanager
def house_style(style: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Draw as Matplotlib does without a matplotlibrc, with the settings of a style on top; afterwards the user's
    settings are as they were.
    """
    with mpl.rc_context(), no_glyph_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update({"font.family": families()} | _FONTS | dict(style or {}))
        yield


class SteadyLayout(ConstrainedLayoutEngine):
    """Matplotlib's constrained layout, with places of panels rounded.

    Its solver (kiwi) goes through its terms in the order of their addresses, so that places differ in their last bits
    from one drawing to the next, and with them names inside an SVG.
    """

    def execute(self, fig: Any) -> None:
        """Arrange the panels of a figure."""
        super().execute(fig)
        for axes in fig.axes:
            if axes.get_in_layout():
                axes.set_position(np.round(axes.get_position(original=True).bounds, _DECIMALS), which="original")
                axes.set_in_layout(True)  # which `set_position` ends


class Sheet(Figure):
    """A figure that a user's settings of Matplotlib don't reach, also when the user draws or saves it.

    A notebook shows it as a picture.
    """

    style: Mapping[str, Any] = MappingProxyType({})  # settings that it was asked to have
    dots: int = DOTS

    def draw(self, renderer: Any) -> None:
        """Draw on a renderer."""
        with house_style(self.style):
            super().draw(renderer)

    def savefig(self, fname: Any, **options: Any) -> None:
        """Write to a file."""
        with house_style(self.style):
            super().savefig(fname, **options)

    def _repr_png_(self) -> bytes:
        return png(self)


def sheet(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, which arranges its own panels."""
    figure = Sheet(figsize=(width, height), layout=SteadyLayout())
    FigureCanvasAgg(figure)
    return figure


def clean(figure: Figure) -> None:
    """Make all texts of a figure printable: SVG and fonts have no other characters."""
    for text in figure.findobj(Text):
        shown = printable(text.get_text())
        if shown != text.get_text():
            text.set_text(shown)


def write(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the suffix, one of SUFFIXES, without the time; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    clean(figure)
    with house_style():
        figure.savefig(path, dpi=_dots(figure), metadata=_NO_DATES[path.suffix])


def png(figure: Figure) -> bytes:
    """The bytes of a figure as PNG."""
    picture = BytesIO()
    clean(figure)
    with house_style():
        figure.savefig(picture, format="png", dpi=_dots(figure))
    return picture.getvalue()


def _dots(figure: Figure) -> int:
    if isinstance(figure, Sheet):
        return figure.dots
    return DOTS
