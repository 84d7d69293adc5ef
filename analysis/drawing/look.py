"""How a figure looks where its reader asks for it: words, limits, size, and a style of Matplotlib on top of ours."""

import difflib
import logging
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import mathtext, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scalectl.analysis.checks import Refused
from scalectl.analysis.drawing.labels import literal
from scalectl.analysis.drawing.legends import arrange
from scalectl.analysis.drawing.sheet import DOTS, Sheet
from scalectl.analysis.drawing.style import TEXT

MILLIMETRES = 25.4  # of an inch
_SIZES, _DOTS = (30.0, 2000.0), (30, 1200)  # least and most
_NEVER = {"backend", "interactive", "toolbar", "svg.hashsalt"}  # settings that are no look

Pair = tuple[float, float]


@dataclass(frozen=True)
class Look:
    """What is asked for of a figure; None keeps what it has by itself."""

    title: str | None = None
    xlabel: str | None = None
    ylabel: str | None = None
    xlim: Pair | None = None
    ylim: Pair | None = None
    size: Pair | None = None  # width and height in millimetres, legend included
    dpi: int = DOTS  # of a PNG
    style: str | None = None  # a name of Matplotlib's, or a file

    def __post_init__(self) -> None:
        for name in ("xlim", "ylim", "size"):
            _pair(name, getattr(self, name))
        if self.size and not all(_SIZES[0] <= side <= _SIZES[1] for side in self.size):
            raise Refused(f"size {self.size[0]:g} x {self.size[1]:g} mm: each is {_SIZES[0]:g} to {_SIZES[1]:g} mm.")
        if not _DOTS[0] <= self.dpi <= _DOTS[1]:
            raise Refused(f"dpi {self.dpi}: give {_DOTS[0]} to {_DOTS[1]} dots per inch.")


LOOKS = frozenset(field.name for field in fields(Look))


def adapt(figure: Figure, look: Look) -> None:
    """Give a figure its words, limits and size: those of its first panel, and the same y limits to panels below it.

    Raises Refused for limits that its axes can't have, and for a size without room for the legend.
    """
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    main = panels[0]
    if look.title is not None:
        main.set_title(_words(look.title), fontsize=TEXT, loc="left")
    if look.xlabel is not None:
        main.set_xlabel(_words(look.xlabel), fontsize=TEXT)
    if look.ylabel is not None:
        main.set_ylabel(_words(look.ylabel), fontsize=TEXT)
    if look.xlim:
        main.set_xlim(*_limits("xlim", look.xlim, main.get_xscale()))
    if look.ylim:
        for axes in filter(lambda axes: _below(main, axes), panels):
            axes.set_ylim(*_limits("ylim", look.ylim, axes.get_yscale()))
    if isinstance(figure, Sheet):
        figure.dots = look.dpi
    if look.size:
        arrange(figure, *(side / MILLIMETRES for side in look.size))


def settings(name: str | None) -> dict[str, Any]:
    """The settings of a style of Matplotlib's, by its name or from a file; none without a name.

    Raises Refused for a style that isn't there, for lines that can't be read, and for LaTeX where there is none.
    """
    if name is None or name == "default":
        return {}
    chosen = {key: value for key, value in _read(name).items() if key not in _NEVER}
    if chosen.get("text.usetex") and not shutil.which("latex"):
        raise Refused(f"style {name}: text.usetex needs LaTeX, and this machine has no command latex.")
    return chosen


def _read(name: str) -> Mapping[str, Any]:
    if name in style.library:
        return dict(style.library[name].items())
    if not Path(name).is_file():
        near = difflib.get_close_matches(name, style.available, n=1)
        guess = f"did you mean {near[0]!r}?" if near else f"Matplotlib has {', '.join(style.available)}."
        raise Refused(f"style {name}: no file, and no style of Matplotlib; {guess}")
    with _complaints() as complaints:
        try:
            found = mpl.rc_params_from_file(name, use_default_template=False)
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise Refused(f"style {name} can't be read: {error}.") from None
    if complaints:
        raise Refused(f"style {name}: {' '.join(complaints[0].split())}")
    return dict(found.items())


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What Matplotlib says of lines that it can't read, in place of printing it."""
    said, handler, logger = list[str](), logging.Handler(), logging.getLogger("matplotlib")
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


def _pair(name: str, numbers: Any) -> None:
    if numbers is None:
        return
    try:
        first, second = numbers
        is_right = math.isfinite(first) and math.isfinite(second)
    except (TypeError, ValueError):
        is_right = False
    if not is_right:
        raise Refused(f"{name} = {numbers!r}: give two finite numbers.")


def _limits(name: str, limits: Pair, scale: str) -> Pair:
    low, high = limits
    if low >= high:
        raise Refused(f"{name} {low:g} {high:g}: give the lower number first.")
    if scale == "log" and low <= 0:
        raise Refused(f"{name} {low:g} {high:g}: the axis is logarithmic, and begins above 0.")
    return limits


def _below(main: Axes, axes: Axes) -> bool:
    """Whether a panel is the main one or in its column."""
    first, other = main.get_subplotspec(), axes.get_subplotspec()
    return axes is main or (first is not None and other is not None and first.colspan == other.colspan)


def _words(text: str) -> str:
    """A text whose mathematics between dollars Matplotlib can read, or as it is."""
    try:
        mathtext.MathTextParser("path").parse(text)
    except (ValueError, RuntimeError):
        return literal(text)
    return text
