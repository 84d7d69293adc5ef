"""What each column of a file of runs is: a setting, a metric, a label, or nothing that is kept."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from sqlalchemy import Boolean, Text

from scalectl.orchestrator.errors import Problem
from scalectl.orchestrator.store.cells import is_missing, numbers_of
from scalectl.orchestrator.store.headers import Wishes, of_header, of_wishes
from scalectl.orchestrator.store.meanings import (
    COLUMNS,
    COMPUTE,
    EPOCHS,
    IMAGES,
    LEAST_PARAMS,
    NAMES,
    OURS,
    SCALES,
    Meaning,
    clue,
    is_export,
    is_identifier,
    is_left_out,
    meaning,
    own_settings,
    plain,
    run_names,
    size_unit,
    without_per_cent,
)
from scalectl.orchestrator.store.naming import label_name, metric_name
from scalectl.orchestrator.store.readings import error_name
from scalectl.orchestrator.store.sheet import MAX_PROBLEMS, Sheet

CAPITALS = "differ in their capitals alone, which are one column to SQL"
LEAST_BUDGET = 1e9  # FLOPs: a budget or compute of less is in another unit
_MOSTLY = 0.5  # of the cells of a column that holds numbers, at least
_OF_METRIC = f"/{IMAGES}"
_VAGUE = ("compute", "budget", "compute_budget", "C")  # headers of FLOPs, or of anything else that is spent


class Kind(StrEnum):
    """What a column holds."""

    SETTING = "setting"
    METRIC = "metric"
    ERROR = "error"  # 1 - the accuracy in the file
    IMAGES = "images"  # behind one metric
    LABEL = "label"  # a word, or a number that is a setting of the file's own
    NOTHING = "nothing"


@dataclass(frozen=True)
class Field:
    """A column of the file: its header, what it holds, under which name and in how many of its units."""

    header: str
    kind: Kind
    name: str = ""
    factor: float = 1.0
    insisted: bool = False  # named by --as


class Layout:
    """The fields of a sheet, and all that is wrong with its header or odd about it."""

    def __init__(self, sheet: Sheet, wishes: Wishes) -> None:
        self.sheet, self.wishes = sheet, wishes
        self.headers = sheet.header.cells
        self.is_ours = is_export(self.headers)
        self.notes: list[str] = [*sheet.notes]
        cells = (cell for row in sheet.rows for cell in row.cells)
        self.numbers, comma = numbers_of(sheet.separator, cells)
        self.filled = [list(self._filled(place)) for place in range(len(self.headers))]
        self.shares = [self._share_of_numbers(place) for place in range(len(self.headers))]
        own = {name for name, share in zip(self.headers, self.shares, strict=True) if share >= _MOSTLY}
        epochs = [header for header in self.headers if plain(header) in EPOCHS]
        # which are no metrics
        self.numbers_of_settings = {*wishes.settings, *own & own_settings(self.headers), *epochs}
        self.fields: list[Field] = [Field(header, Kind.NOTHING) for header in self.headers]
        if "" in self.headers[:1]:
            self.notes.append("The first column has no name: it numbers the rows, and is left out.")
        # in this order: what is lacking is known once each column is decided
        wrong = [*self._of_comma(comma), *of_header(sheet.header), *of_wishes(sheet.header, wishes)]
        found = [*wrong, *self._decide(), *self._lacking()]
        self.problems = list(islice(found, MAX_PROBLEMS))

    def place(self, name: str, kind: Kind = Kind.SETTING) -> int | None:
        """The place of the column that is a setting, or of another kind, of this name."""
        for place, column in enumerate(self.fields):
            if column.kind is kind and column.name == name:
                return place
        return None

    @property
    def epochs(self) -> int | None:
        """The place of the column that says how often a data set was seen."""
        places = [place for place, header in enumerate(self.headers) if plain(header) in EPOCHS and self.filled[place]]
        return places[0] if places and self.fields[places[0]].kind is Kind.LABEL else None

    @property
    def compute(self) -> list[int]:
        """The places of the columns of which each run needs one: of compute, or else of scale."""
        for names in (COMPUTE, SCALES):
            places = [place for name in names if (place := self.place(name)) is not None]
            if places:
                return places
        return []

    def _filled(self, place: int) -> Iterator[str]:
        for row in self.sheet.rows:
            if place < len(row.cells) and not is_missing(row.cells[place]):
                yield row.cells[place]

    def _share_of_numbers(self, place: int) -> float:
        """The share of the cells of a column that are numbers."""
        cells = self.filled[place]
        counts = self._means_numbers(place)
        return sum(self.numbers.value(cell, counts=counts) is not None for cell in cells) / max(1, len(cells))

    def _means_numbers(self, place: int) -> bool:
        """Whether the header of a column means a number."""
        named = meaning(self.headers[place])
        return named is not None and COLUMNS[named.column] is not Text

    def _of_comma(self, cell: str) -> Iterator[Problem]:
        if cell and self.numbers.decimal_comma:
            point = cell.replace(",", ".")
            self.notes.append(f"Numbers have a decimal comma: {cell} is {point}.")
        elif cell:
            hint = "write numbers with a decimal point and no other mark"
            yield self.sheet.header.problem(f"the file has {cell}, which may be {cell.replace(',', '.')} or more", hint)

    def _decide(self) -> Iterator[Problem]:
        """Decide what each column is; yield names that would be one to SQL."""
        self._take_wishes()
        self._take_settings()
        self._take_run_name_for_model()
        taken = {name.lower(): name for name in (*COLUMNS, *OURS)}
        taken |= {column.name.lower(): column.name for column in self.fields if column.insisted}
        for place, column in enumerate(self.fields):
            if column.kind is not Kind.NOTHING or not self.headers[place] or not self.filled[place]:
                continue
            settled = self._without_meaning(place, taken)
            if namesake := taken.get(settled.name.lower()):
                text = f"{column.header} and {namesake} {CAPITALS}"
                if namesake == settled.name:
                    text = f"{column.header} would be {namesake}, which is another column"
                if column.header not in self.headers[:place]:
                    yield self.sheet.header.problem(text, "rename it", cell=place)
            elif settled.name:
                taken[settled.name.lower()] = settled.name
            self.fields[place] = settled

    def _take_wishes(self) -> None:
        for header, name in self.wishes.columns.items():
            if header not in self.headers:
                continue
            place = self.headers.index(header)
            named = meaning(name)
            if named:
                self.fields[place] = Field(header, Kind.SETTING, named.column, named.factor, insisted=True)
            elif header in self.wishes.errors:
                self.fields[place] = Field(header, Kind.ERROR, name, insisted=True)
            else:
                self.fields[place] = Field(header, Kind.METRIC, name, insisted=True)

    def _take_settings(self) -> None:
        """Give each column of `points` the header that means it most surely."""
        best: dict[str, tuple[int, int, Meaning]] = {}
        for place, header in enumerate(self.headers):
            named = meaning(header)
            decided = self.fields[place].kind is not Kind.NOTHING or header in self.wishes.errors
            if named is None or decided or not self._can_be(place, named):
                continue
            rival = best.get(named.column)
            if self.place(named.column) is None and (rival is None or named.rank < rival[0]):
                best[named.column] = (named.rank, place, named)
        for column, (_, place, named) in best.items():
            self.fields[place] = Field(self.headers[place], Kind.SETTING, column, named.factor)
        self._take_size_for_params()

    def _take_size_for_params(self) -> None:
        """Take a size in numbers for params: beside a model, or where it is large or has a unit."""
        for place, header in enumerate(self.headers):
            column, unit, cells = self.fields[place], size_unit(header), self.filled[place]
            if unit is None or column.insisted or not cells or self.place("params") is not None:
                continue
            numbers = [self.numbers.value(cell, counts=True) for cell in cells]
            if None in numbers or column.name not in ("", "model"):
                continue
            least = unit * min(number or 0.0 for number in numbers)
            if not column.name or unit > 1 or least >= LEAST_PARAMS:
                self.fields[place] = Field(header, Kind.SETTING, "params", unit)

    def _can_be(self, place: int, named: Meaning) -> bool:
        """Whether a column may be what its header means: numbers, or else words."""
        cells, share, header = self.filled[place], self.shares[place], self.headers[place]
        if not cells:
            return header == named.column
        if COLUMNS[named.column] is Text:
            return named.column in NAMES or share == 0
        if plain(header) in _VAGUE:
            return max((self.numbers.value(cell, counts=True) or 0.0) for cell in cells) >= LEAST_BUDGET
        return share > 0 or COLUMNS[named.column] is Boolean

    def _take_run_name_for_model(self) -> None:
        """Take the name of a run for its model where no column is one."""
        if self.place("model") is not None:
            return
        for place in run_names(self.headers):
            if self.filled[place] and self.fields[place].name in ("", "name"):
                self.fields[place] = Field(self.headers[place], Kind.SETTING, "model")
                return

    def _without_meaning(self, place: int, taken: Mapping[str, str]) -> Field:
        """What a column is that has no other meaning: a metric if it holds numbers, else a label."""
        header = self.headers[place]
        if is_left_out(header) or (header in OURS and self.is_ours):
            return Field(header, Kind.NOTHING)
        metric = header.removesuffix(_OF_METRIC)
        if header in self.wishes.errors:
            return Field(header, Kind.ERROR, error_name(without_per_cent(header)))
        if metric != header and metric in self.headers:
            return Field(header, Kind.IMAGES, metric)
        if header in self.numbers_of_settings or is_identifier(header) or self.shares[place] < _MOSTLY:
            return Field(header, Kind.LABEL, label_name(header, taken))
        return Field(header, Kind.METRIC, metric_name(header, taken))

    def _lacking(self) -> Iterator[Problem]:
        header = self.sheet.header
        left = [field.header for field in self.fields if field.kind is Kind.METRIC and not field.insisted]
        clues = list(filter(None, map(clue, left)))
        if self.compute:
            self.notes += [f"{said}." for said in clues]
        else:
            names = ", ".join((*COMPUTE, *SCALES))
            hint = f"name a column as one of {names}, as in --as COLUMN=flops"
            if not any(map(meaning, self.headers)):
                hint = f"a row is a run, below a header such as params,tokens,flops,loss; or {hint}"
            yield header.problem("no column of compute", "; ".join(clues) or hint)
        measured = any(column.kind in (Kind.METRIC, Kind.ERROR) for column in self.fields)
        if self.sheet.rows and not measured:
            yield header.problem("no column is a metric", "each column of numbers that has no other meaning is one")
        if not self.sheet.rows:
            yield header.problem("no run below the header")


def read_as(fields: Iterable[Field]) -> str:
    """The columns whose names in the store are others, in words."""
    pairs = [
        f"{column.header} is {column.name}"
        for column in fields
        if column.kind in (Kind.SETTING, Kind.METRIC, Kind.ERROR) and column.header != column.name
    ]
    return ", ".join(pairs)
