"""What stands above a figure: its law, or the note that says why there is none."""

import re
import textwrap

from scalectl.analysis.drawing.style import literal
from scalectl.analysis.law import LADDER, Law, family
from scalectl.analysis.report import Fitted
from scalectl.analysis.vocabulary import FRONTIER

WRAP = 62  # letters of a note in a column
_LONG = 9  # letters of a unit, as of core-days


def title(fit: Fitted | None, runs: int, note: str = "") -> str:
    """The law with the number of its points, or in short why there is none, or the number of runs."""
    if fit is None:
        return literal(textwrap.shorten(_short(note, runs), WRAP, placeholder=" ..."))
    points = f"{len(fit.frontier)} frontier points of {fit.counts.used} runs"
    if fit.runs != FRONTIER:
        points = f"all of {fit.counts.used} runs"
    law, unit, below = equation(fit.law).partition(", $C$ in ")
    if len(below) > _LONG:  # no room for it behind the law
        return f"{law}\n{unit.removeprefix(', ')}{below}: {points}"
    return f"{law}{unit}{below}\n{points}"


def _short(note: str, runs: int) -> str:
    """The reason why there is no law in a few words; the JSON beside the figure has all of them."""
    if not note:
        return f"{runs} run{'s' * (runs != 1)}"
    reason = re.sub(r"^refused: .+? vs \S+ has ", "", note)
    return f"no law: {re.split(r', and |[.:;] |[.]$', reason)[0]}"


def equation(law: Law) -> str:
    """The law with two digits of its numbers and the unit of C, in TeX for the laws of the ladder."""
    if law.family not in map(family, LADDER):
        return str(law)
    params, shift, floor = law.params(), "C", ""
    if params.get("offset"):
        shift = rf"(C + {_number(params['offset'])})"
    if law.floor:
        floor = f"{_number(law.floor)} + "
    power = rf"{_number(params['scale'])}\,{shift}^{{-{_number(params['exponent'])}}}"
    return rf"$E = {floor}{power}$, $C$ in {law.unit}"


def _number(number: float) -> str:
    """A number in TeX with two digits."""
    digits, _, power = f"{number:#.2g}".partition("e")
    if power:
        return rf"{digits}\times 10^{{{int(power)}}}"
    return digits.removesuffix(".")
