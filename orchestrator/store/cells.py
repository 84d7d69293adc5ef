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
_SIZES = {"k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}  # of counts, of which none is a thousandth
_WORDS = re.compile(r"\s*(million|billion|trillion)s?$", re.IGNORECASE)  # the same in words
_STEP = re.compile(r"^(global)?[-_ ]?steps?[-_ =]?(?=\d)", re.IGNORECASE)  # before a count, as step1000
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
_TIMES = r"\s*(?:[x\u00d7·⋅*]|\\times)\s*"
_DECIMAL_POINT = re.compile(rf"[+-]?\d*\.\d+(e[+-]?\d+|{_TIMES}10\S+)?\s*%?", re.IGNORECASE)
_MINUS = "\N{MINUS SIGN}"  # of printed tables
SPREAD = re.compile(
    r"\s*((\u00b1|\+/-|\\pm)\s*[\d.,]+(?=\s*%?$)|(?<=\d)\s*\([\d.,]+\)$)"
)  # behind a number, and before the sign of both
_TWICE = re.compile(r"%(?=\s*%$)")  # where both have one
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_POWER = re.compile(  # of ten, as papers print one: 1.5 x 10^18, 10²¹
    rf"(?:(?P<digits>[+-]?\d+(\.\d*)?){_TIMES})?10"
    r"(?:\^\{?(?P<power>[+-]?\d{1,3})\}?|(?P<raised>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}))"
)
_DECIMAL_COMMA = re.compile(rf"[+-]?\d*,\d+(e[+-]?\d+|{_TIMES}10\S+)?\s*%?", re.IGNORECASE)


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
        text, size = _alone(cell), Decimal(1)
        if self.decimal_comma:
            text = text.replace(",", ".", 1)
        elif "," in text and _THOUSANDS.fullmatch(text):
            text = text.replace(",", "")
        if text.endswith("%"):
            text, size = text[:-1].rstrip(), Decimal("0.01")
        elif counts:
            text = _STEP.sub("", _WORDS.sub(lambda word: word[1][0], text))
            if (unit := _SIZES.get(text[-1:].lower())) is not None:
                text, size = text[:-1].rstrip(), Decimal(unit)
        number = _decimal(text)
        if number is None or number.is_snan():
            return None
        if not (number.is_finite() and math.isfinite(float(number))):
            return Decimal("inf")
        if size == 1:
            return number
        return number * size


def _alone(cell: str) -> str:
    """The number of a cell with a minus sign of programs, and without what it may be off by."""
    return _TWICE.sub("", SPREAD.sub("", cell.replace(_MINUS, "-")))


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        power = _POWER.fullmatch(text)
    if power is None:
        return None
    return Decimal(f"{power['digits'] or 1}e{power['power'] or power['raised'].translate(_RAISED)}")


def numbers_of(separator: str, cells: Iterable[str]) -> tuple[Numbers, str]:
    """The way in which a file writes its numbers, and the first cell with a decimal comma, or that may have one.

    Where all that have a comma may as well be thousands, as 1,234, nothing tells. Between commas such cells are
    thousands, and others have a decimal comma where no cell of the file has a decimal point, as quoted cells of Google
    Sheets.
    """
    certain = suspicious = ""
    for cell in cells:
        number = _alone(cell)
        if separator == "," and "." in number and _DECIMAL_POINT.fullmatch(number):
            return Numbers(), ""
        if "," in number and _DECIMAL_COMMA.fullmatch(number):
            if _THOUSANDS.fullmatch(number):
                suspicious = suspicious or cell
            else:
                certain = certain or cell
        if certain and separator != ",":
            break
    if certain or separator == ",":
        return Numbers(decimal_comma=bool(certain)), certain
    return Numbers(), suspicious
