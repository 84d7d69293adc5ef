"""Cells of other people's tables as numbers: missing ones, percent signs, thousands, suffixes, exact digits."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

MISSING = frozenset(
    ("", "nan", "-nan", "na", "n/a", "<na>", "#n/a", "#na", "null", "none", "-", "\N{EN DASH}", "\N{EM DASH}")
)
TRUTHS = {"true": True, "false": False}
_SIZES = {"k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12}
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?%?", re.IGNORECASE)


def is_missing(cell: str) -> bool:
    """Whether a cell says that nothing is known, in one of the ways of pandas and of printed tables."""
    return cell.lower() in MISSING


@dataclass(frozen=True)
class Numbers:
    """The way in which a file writes its numbers."""

    decimal_comma: bool = False

    def value(self, cell: str, *, counts: bool = False) -> float | None:
        """The number of a cell, or None for what isn't one; `counts` may have a suffix, as 7B or 1.4T."""
        try:
            return float(cell)  # as nearly all of a file are
        except ValueError:
            exact = self.exact(cell, counts=counts)
        if exact is None:
            return None
        return float(exact)

    def exact(self, cell: str, *, counts: bool = False) -> Decimal | None:
        """The same with all of its digits, of which a float keeps 15 to 17."""
        text, size = cell, Decimal(1)
        if self.decimal_comma:
            text = text.replace(",", ".", 1)
        elif "," in text and _THOUSANDS.fullmatch(text):
            text = text.replace(",", "")
        if text.endswith("%"):
            text, size = text[:-1].rstrip(), Decimal("0.01")
        elif counts and text[-1:] in _SIZES:
            text, size = text[:-1].rstrip(), Decimal(_SIZES[text[-1]])
        try:
            number = Decimal(text)
        except InvalidOperation:
            return None
        if number.is_snan():
            return None
        if not (number.is_finite() and math.isfinite(float(number))):
            return Decimal("inf")
        if size == 1:
            return number
        return number * size


def numbers_of(separator: str, cells: Iterable[str]) -> tuple[Numbers, str]:
    """The way in which a file writes its numbers, and the first cell with a decimal comma, or that may have one.

    Only cells between other separators than commas can have one. Where all that have a comma may as well be
    thousands, as 1,234, nothing tells.
    """
    if separator == ",":
        return Numbers(), ""
    suspicious = ""
    for cell in cells:
        if "," in cell and _DECIMAL_COMMA.fullmatch(cell):
            if not _THOUSANDS.fullmatch(cell) or cell.lstrip("+-").startswith("0"):
                return Numbers(decimal_comma=True), cell
            suspicious = suspicious or cell
    return Numbers(), suspicious
