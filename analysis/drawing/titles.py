"""What stands above a figure: its law, or the note that says why there is none."""

import re
import textwrap
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser

from scalectl.analysis.counting import counted
from scalectl.analysis.drawing.fonts import OURS
from scalectl.analysis.drawing.labels import literal
from scalectl.analysis.drawing.style import TEXT
from scalectl.analysis.law import LADDER, Law, family
from scalectl.analysis.report import Fitted
from scalectl.analysis.vocabulary import FRONTIER

WRAP = 62  # letters of a note in a column
_CLOSE = 0.03  # of an error, by which a law as written may be off
_LONG = 9  # letters of a unit, as of core-days
_LETTERS = 46  # of a line of a title
_ROOM = 190.0  # points that a line of a title always has, above the axes of a column


def put_title(axes: Axes, fit: Fitted | None, runs: int, note: str = "") -> None:
    """Write above the axes what `title` says, inside their figure."""
    written = axes.set_title(title(fit, runs, note), fontsize=TEXT, loc="left", linespacing=1.4)
    if fit and _width(equation(fit.law, _digits(fit))) > _ROOM and (figure := axes.get_figure(root=True)):
        figure.draw_without_rendering()  # where the axes begin depends on their labels
        if written.get_window_extent().x1 > figure.bbox.x1:
            written.set_text(title(fit, runs, note, broken=True))


def title(fit: Fitted | None, runs: int, note: str = "", *, broken: bool = False) -> str:
    """The law with the number of its points, or in short why there is none, or the number of runs; the unit of the law
    is on the second line where it is long or the first one `broken`.
    """
    if fit is None:
        return literal(textwrap.fill(textwrap.shorten(_short(note, runs), WRAP, placeholder=" ..."), _LETTERS))
    points = f"{len(fit.frontier)} frontier points of {fit.counts.used} runs"
    if fit.runs != FRONTIER:
        points = f"all of {fit.counts.used} runs"
    whole = equation(fit.law, _digits(fit))
    law, unit, below = whole.partition(", $C$ in ")
    if below and (broken or len(below) > _LONG):  # no room for it behind the law
        return f"{law}\n{unit.removeprefix(', ')}{below}: {points}"
    return f"{law}{unit}{below}\n{points}"


def _width(text: str) -> float:
    """How wide a line of a title is, in points."""
    parsed = MathTextParser("path").parse(text, dpi=72, prop=FontProperties(family=OURS, size=TEXT))
    return float(parsed.width)


def _short(note: str, runs: int) -> str:
    """The reason why there is no law in a few words; the JSON beside the figure has all of them."""
    if not note:
        return counted(runs, "run")
    reason = re.sub(r"^(refused: )?(.+? vs \S+ has )?", "", note)
    return f"no law: {re.split(r', and |[.:;] |[.]$', reason)[0]}"


def _digits(fit: Fitted) -> int:
    """The digits with which the law as written is the one that is drawn, at the ends of its points: two, or more where
    C is a large number, as of FLOPs.
    """
    ends = fit.frontier[fit.x].to_numpy(float)[[0, -1]]
    for digits in (2, 3, 4):
        written = replace(fit.law, values=tuple(float(f"{value:.{digits}g}") for value in fit.law.values))
        if np.allclose(written(ends), fit.law(ends), rtol=_CLOSE, atol=0):
            return digits
    return 5


def equation(law: Law, digits: int = 2) -> str:
    """The law with so many digits of its numbers and the unit of C, in TeX for the laws of the ladder."""
    if law.family not in map(family, LADDER):
        return str(law)
    params, shift, floor = law.params(), "C", ""
    if params.get("offset"):
        shift = rf"(C + {_number(params['offset'], digits)})"
    if law.floor:
        floor = f"{_number(law.floor, digits)} + "
    power = rf"{_number(params['scale'], digits)}\,{shift}^{{-{_number(params['exponent'], digits)}}}"
    return rf"$E = {floor}{power}$, $C$ in {law.unit}"


def _number(number: float, digits: int) -> str:
    """A number in TeX with so many digits."""
    head, _, power = f"{number:#.{digits}g}".partition("e")
    if power:
        return rf"{head}\times 10^{{{int(power)}}}"
    return head.removesuffix(".")
