"""What the cells of a file of runs hold: settings, counts, metrics, the errors that belong to accuracies."""

import math
import re
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Float, Text

from scalectl.orchestrator.store.cells import TRUTHS, Numbers
from scalectl.orchestrator.store.meanings import AMOUNTS, COLUMNS, COMPUTE, SIGNED

_ACCURACY = re.compile(r"(?<![a-z])acc(uracy)?(?![a-z])", re.IGNORECASE)
_LARGEST = 2**63 - 1  # of SQLite's integers
_ROUNDING = Decimal("1e-6")  # share of a whole number that is taken for rounding, as that of 5.7e6 in binary
_ROUNDING_OF_IMAGES = Decimal("1e-4")  # that of images seen, which may be compute over 6 N


class BadCell(ValueError):  # noqa: N818 - an answer, not an error
    """A cell that can't be what its column holds: why, and how to put it right."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.hint = hint


def setting(cell: str, numbers: Numbers, name: str, factor: float) -> Any:
    """A setting as its column holds it; raises BadCell."""
    kind = COLUMNS[name]
    if kind is Text:
        return cell
    if kind is Boolean and cell.lower() in TRUTHS:
        return TRUTHS[cell.lower()]
    exact = _finite(numbers.exact(cell, counts=True)) * Decimal(factor)
    if name in COMPUTE and exact <= 0:
        raise BadCell("compute is above 0")
    if name in AMOUNTS and exact <= 0:
        raise BadCell("above 0", "leave it empty where it isn't known")
    if exact < 0 and name not in SIGNED:
        raise BadCell("at least 0")
    if kind is not Float:
        return _whole(exact, _ROUNDING_OF_IMAGES if name == "images_seen" else _ROUNDING)
    if math.isinf(float(exact)):
        raise BadCell("not finite; leave it empty where nothing was measured")
    return float(exact)


def exact_count(cell: str, numbers: Numbers) -> int:
    """A number of things; raises BadCell."""
    exact = _finite(numbers.exact(cell, counts=True))
    if exact < 0:
        raise BadCell("at least 0")
    return _whole(exact)


def metric(cell: str, numbers: Numbers, *, signed: bool) -> float:
    """A metric, also one in percent, in whose column others are `signed` with %; raises BadCell."""
    value = numbers.value(cell)
    if value is None or not math.isfinite(value):
        value = float(_finite(numbers.exact(cell)))
    if signed and value > 1 and not cell.endswith("%"):
        raise BadCell("other cells have a % sign", f"write {cell}%, or a share of 1")
    return value


def accuracy_error(cell: str, numbers: Numbers, *, percent: bool) -> float:
    """The error that belongs to an accuracy, a share of 1 or in percent; raises BadCell."""
    accuracy = _finite(numbers.exact(cell))
    if percent:
        accuracy /= 100
    if not 0 <= accuracy <= 1:
        raise BadCell("not an accuracy", "accuracies are from 0 to 1, or from 0 to 100 in percent")
    return float(1 - accuracy)


def error_name(accuracy: str) -> str:
    """The name of the error that belongs to an accuracy: test_error for test_acc, top1_error for top1."""
    name, number = _ACCURACY.subn("error", accuracy)
    if number:
        return name
    return f"{accuracy}_error"


def _finite(exact: Decimal | None) -> Decimal:
    if exact is None:
        raise BadCell("not a number", "leave it empty where nothing was measured")
    if not exact.is_finite():
        raise BadCell("not finite", "leave it empty where nothing was measured")
    return exact


def _whole(exact: Decimal, rounding: Decimal = _ROUNDING) -> int:
    if abs(exact - round(exact)) > rounding * max(Decimal(1), exact):
        raise BadCell("not a whole number")
    if round(exact) > _LARGEST:
        raise BadCell("above 2^63 - 1, the largest whole number of a store")
    return round(exact)
