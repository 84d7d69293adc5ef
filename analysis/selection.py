"""Which runs an expression chooses: `model == 'B/16' and data_size >= 300M`, read and evaluated here, never as Python.

either     = both {"or" both}
both       = term {("and" | ",") term}
term       = "not" term | "(" either ")" | comparison
comparison = operand (("==" | "=" | "!=" | "<" | "<=" | ">" | ">=") operand)+ | operand ["not"] "in" "[" operands "]"
operand    = a column | a number such as 3e9 or 3B | 'text'; beside a column of text, text needs no quotes
"""

import difflib
import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass
from reprlib import repr as shortened

import pandas as pd
from pandas.api.types import is_numeric_dtype

from scalectl.analysis.checks import Refused

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[kMBT]?(?![\w./@]))
          |(?P<text>'[^']*'|"[^"]*")
          |(?P<sign>[=!<>]=|[<>=])
          |(?P<mark>[()\[\],])
          |(?P<word>[A-Za-z_][\w./@-]*)
          |(?P<end>$))""",
    re.VERBOSE,
)
_SIGNS = {
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SIZES = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_TRUTHS = {"true": 1.0, "True": 1.0, "false": 0.0, "False": 0.0}
_DEEPEST = 50  # brackets within brackets


class Unreadable(ValueError):  # noqa: N818 - an answer, not an error
    """An expression that chooses nothing: what is wrong with `text[start:end]`, and how to put it right."""

    def __init__(self, problem: str, hint: str, text: str, start: int, end: int) -> None:
        super().__init__("; ".join(filter(None, (problem, hint))))
        self.problem, self.hint, self.text, self.start, self.end = problem, hint, text, start, end


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(frozen=True)
class _Operand:
    """A column, or a number or text, with the token that it comes from."""

    value: "pd.Series | float | int | str"
    token: _Token

    @property
    def is_column(self) -> bool:
        return isinstance(self.value, pd.Series)

    @property
    def is_text(self) -> bool:
        if self.is_column:
            return not is_numeric_dtype(self.value)
        return isinstance(self.value, str)

    @property
    def is_unknown(self) -> bool:
        """Whether it is a column in which no row has a value, which may as well be text as numbers."""
        return isinstance(self.value, pd.Series) and not self.value.notna().any()


def select(points: pd.DataFrame, text: str) -> "pd.Series[bool]":
    """For each row whether the expression holds; one that lacks a number that is compared does not.

    Raises Unreadable with the place of what is wrong, and Refused for what is no text.
    """
    if not isinstance(text, str):
        raise Refused(f"{shortened(text)} chooses no runs: give a text such as \"model == 'mini'\".")
    reader = _Reader(points, text)
    rows = reader.either()
    reader.need("", "nothing more")
    return rows.fillna(False).astype(bool)


class _Reader:
    """The tokens of an expression and the place that reading has come to."""

    def __init__(self, points: pd.DataFrame, text: str) -> None:
        self.points, self.text = points, text
        self.tokens = list(_tokens(text))
        self.place = self.depth = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.place]

    def take(self, *words: str) -> _Token | None:
        """The next token and go on, if it is one of these words or marks."""
        if self.next.kind == "text" or self.next.text not in words:
            return None
        self.place += 1
        return self.tokens[self.place - 1]

    def need(self, word: str, meaning: str) -> None:
        """Go on behind a mark, or raise Unreadable where it isn't."""
        if self.next.kind == "text" or self.next.text != word:
            raise self.error(f"expected {meaning}", self.next)
        self.place += 1

    def error(self, problem: str, token: _Token, hint: str = "") -> Unreadable:
        return Unreadable(problem, hint, self.text, token.start, max(token.end, token.start + 1))

    def either(self) -> "pd.Series[bool]":
        rows = self.both()
        while self.take("or"):
            rows = rows | self.both()
        return rows

    def both(self) -> "pd.Series[bool]":
        rows = self.term()
        while self.take("and", ","):
            rows = rows & self.term()
        return rows

    def term(self) -> "pd.Series[bool]":
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.error(f"more than {_DEEPEST} brackets within each other", self.next)
        if self.take("not"):
            rows = ~self.term()
        elif self.take("("):
            rows = self.either()
            self.need(")", "')'")
        else:
            rows = self.comparison()
        self.depth -= 1
        return rows

    def comparison(self) -> "pd.Series[bool]":
        left = self.operand(None)
        inverted = self.take("not")
        if self.take("in"):
            rows = self.listed(left)
            if inverted:
                rows = ~rows
            return rows
        if inverted or self.next.kind != "sign":
            raise self.error(f"expected a comparison after {left.token.text}", self.next, "write for example == or in")
        rows = pd.Series(True, self.points.index, dtype="boolean")
        while self.next.kind == "sign":
            sign = self.next
            self.place += 1
            right = self.operand(left)
            rows = rows & self.compared(left, sign, right)
            left = right
        return rows

    def listed(self, left: _Operand) -> "pd.Series[bool]":
        sign = _Token("sign", "==", left.token.start)
        self.need("[", "'[' and values")
        rows = self.compared(left, sign, self.operand(left))
        while self.take(","):
            rows = rows | self.compared(left, sign, self.operand(left))
        self.need("]", "']'")
        return rows

    def operand(self, beside: _Operand | None) -> _Operand:
        token = self.next
        self.place += 1
        if token.kind == "number":
            return _Operand(_number(token.text), token)
        if token.kind == "text":
            return _Operand(token.text[1:-1], token)
        if token.kind != "word":
            raise self.error("expected a column, a number or a text", token)
        if token.text in self.points.columns:
            return _Operand(self.points[token.text], token)
        if token.text in _TRUTHS:
            return _Operand(_TRUTHS[token.text], token)
        if beside and beside.is_column and (beside.is_text or beside.is_unknown):
            return _Operand(token.text, token)
        raise self.error(f"unknown column {token.text!r}", token, _nearest(token.text, list(self.points.columns)))

    def compared(self, left: _Operand, sign: _Token, right: _Operand) -> "pd.Series[bool]":
        if not (left.is_column or right.is_column):
            raise self.error("two values are compared, and no column", right.token)
        if left.is_unknown or right.is_unknown:
            return pd.Series(pd.NA, self.points.index, dtype="boolean")
        if left.is_text != right.is_text:
            column, kind = right, "a number"
            if left.is_column:
                column = left
            if column.is_text:
                kind = "text"
            raise self.error(f"{column.token.text} is {kind}, and so must be what it is compared with", right.token)
        if left.is_text and sign.text not in ("==", "=", "!="):
            raise self.error("text is equal or not", sign, "write == or !=")
        # of three values: what lacks a number is NA
        rows = _SIGNS[sign.text](left.value, right.value).astype("boolean")
        for operand in (left, right):
            if isinstance(operand.value, pd.Series):
                rows = rows.where(operand.value.notna())
        return rows


def _number(text: str) -> float | int:
    """The number of a token: whole ones keep all of their digits, as a seed may have more than a float holds."""
    if text.lstrip("-").isdecimal():
        return int(text)
    return float(text.rstrip("kMBT")) * _SIZES.get(text[-1], 1.0)


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while True:
        match = _TOKEN.match(text, place)
        if match is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise Unreadable(f"can't read {text[start]!r} here", "", text, start, start + 1)
        kind = str(match.lastgroup)
        yield _Token(kind, match[kind], match.start(kind))
        if kind == "end":
            return
        place = match.end()


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"the columns are {', '.join(known)}"
