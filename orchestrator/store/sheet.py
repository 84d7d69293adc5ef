"""A file of runs as rows of text: CSV with any usual separator, JSON lines or Parquet, within bounds."""

import csv
import json
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO, StringIO
from itertools import accumulate
from pathlib import Path
from typing import Any

from scalectl.orchestrator.errors import Exit, NotFound, Problem, Refusal, Spot
from scalectl.orchestrator.format import counted
from scalectl.orchestrator.store.latex import is_latex, rows_of_latex
from scalectl.orchestrator.store.objects import cell_of, flat, runs_of
from scalectl.orchestrator.store.packed import packed
from scalectl.orchestrator.store.titles import separator_of, titles, with_tabs

MAX_BYTES = 10_000_000  # thousands of runs; docs/importing.md names these bounds
MAX_RUNS = 20_000
MAX_CELLS = 300_000
MAX_COLUMNS = 2000  # of anything in SQLite
MAX_UNPACKED = 3 * MAX_BYTES  # of a Parquet file
MAX_LETTERS = 10_000  # of a cell of a Parquet file, which may have it in every row and be small
MAX_PROBLEMS = 1000  # after which no more are looked for
SHOWN = 20  # problems of a file on the screen: those of many rows are often one and the same
BATCH_ROWS = 1000  # of a Parquet file at a time
_BOUNDS = f"more than {MAX_COLUMNS:,} columns, {MAX_RUNS:,} runs or {MAX_CELLS:,} cells"


class InvalidImport(Refusal):
    """A file of runs that can't be taken as it is; carries every problem, in the order of the file."""

    exit = Exit.INVALID

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join([*shown(problems), f"{how_many(problems)}; nothing was imported."]))
        self.problems = problems


def shown(problems: Sequence[Problem]) -> list[str]:
    """The first problems in words."""
    return [str(problem) for problem in problems[:SHOWN]]


def how_many(problems: Sequence[Problem]) -> str:
    """The number of problems in words."""
    number = counted(len(problems), "error")
    if len(problems) >= MAX_PROBLEMS:
        number = f"{MAX_PROBLEMS:,} errors or more"
    if len(problems) > SHOWN:
        number += f", of which these are the first {SHOWN}"
    return number


@dataclass(frozen=True)
class Row:
    """A row of a file with the number of its last line; cells are stripped."""

    file: str
    number: int
    cells: tuple[str, ...]
    separator: str = ","

    @cached_property
    def _text(self) -> str:
        return self.separator.join(self.cells)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(len(cell) + 1 for cell in self.cells)]

    def problem(self, text: str, hint: str = "", cell: int | None = None) -> Problem:
        """The problem of the row, or of one of its cells."""
        start, width = 0, len(self._text)
        if cell is not None:
            start, width = self._starts[cell], len(self.cells[cell])
        return Problem(Spot(self.file, self.number, start + 1, max(1, width), self._text), "", text, hint)


@dataclass(frozen=True)
class Sheet:
    """The header of a file and its rows, in which no row is empty."""

    header: Row
    rows: list[Row]
    notes: tuple[str, ...] = ()  # of how it was turned
    lost: tuple[Problem, ...] = ()  # lines that are no rows

    @property
    def separator(self) -> str:
        """What stands between two cells."""
        return self.header.separator


def read_sheet(path: Path) -> Sheet:
    """The rows of a file, in the format that its suffix names, else CSV; raises NotFound, Refusal or InvalidImport."""
    content = _content(path)
    if what := packed(content):
        raise _invalid(path, 0, f"{what[0]}, and no CSV, JSON or Parquet", what[1])
    match path.suffix.lower():
        case ".parquet":
            sheet = _parquet(path, content)
        case ".jsonl" | ".ndjson" | ".json":
            sheet = _json(path, _text(path, content))
        case _:
            sheet = _csv(path, _text(path, content))
    return _without_empty_columns(sheet)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise NotFound(f"{path}: there is no such file.") from None
    except OSError as error:
        raise Refusal(f"{path} can't be read: {error}.") from error
    if len(content) > MAX_BYTES:
        raise _invalid(path, 0, f"larger than {MAX_BYTES:,} bytes", "split the file")
    return content


def _text(path: Path, content: bytes) -> str:
    try:
        if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            return content.decode("utf-16")  # Unicode text of Excel
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(f"{path} can't be read as UTF-8 text: {error}. Save it as CSV in UTF-8.") from error


def _invalid(path: Path, line: int, text: str, hint: str = "") -> InvalidImport:
    return InvalidImport(Problem(Spot(str(path), line, min(line, 1)), "", text, hint))


def _csv(path: Path, text: str) -> Sheet:
    named = re.match(r"sep=(.)\r?\n", text)  # Excel's line above a header
    if named:
        text = f"\n{text[named.end() :]}"
    if is_latex(text):
        text = rows_of_latex(text)
    if text.count("\n") <= 2 * MAX_RUNS:
        text = with_tabs(text)
    separator = separator_of(text)
    reader = csv.reader(StringIO(text, newline=""), strict=True, delimiter=separator)
    rows: list[Row] = []
    num_cells = 0
    try:
        for cells in filter(None, reader):
            num_cells += len(cells)
            if len(cells) > MAX_COLUMNS or len(rows) > MAX_RUNS or num_cells > MAX_CELLS:
                raise _invalid(path, reader.line_num, _BOUNDS, "split the file")
            if stripped := tuple(cell.strip() for cell in cells):
                rows.append(Row(str(path), reader.line_num, stripped, separator))
    except csv.Error as error:
        raise _invalid(path, reader.line_num, f"not CSV: {error}") from None
    if not rows:
        raise _invalid(path, 0, "the file is empty")
    rows = [row for row in rows if any(row.cells)] or rows
    header, *filled = rows[titles([row.cells for row in rows]) :]
    return Sheet(header, [_of_width(row, len(header.cells)) for row in filled])


def _of_width(row: Row, width: int) -> Row:
    """The row without empty cells behind its last column."""
    cells = row.cells
    while len(cells) > width and not cells[-1]:
        cells = cells[:-1]
    return replace(row, cells=cells)


def _json(path: Path, text: str) -> Sheet:
    if text.count("{") > 2 * MAX_RUNS or text.count(",") > 2 * MAX_CELLS:
        raise _invalid(path, 0, _BOUNDS, "split the file")
    objects: list[tuple[int, dict[str, str]]] = []
    lost: list[Problem] = []
    for line, document in _documents(path, text, lost):
        if not isinstance(document, dict):
            raise _invalid(path, line, "not an object", "give one object a line, or a list of them: a run each")
        objects.append((line, dict(flat(document))))
    if not objects:
        raise InvalidImport(*lost) if lost else _invalid(path, 0, "the file is empty")
    names = tuple(dict.fromkeys(name for _, cells in objects for name in cells))
    if len(names) > MAX_COLUMNS or len(objects) > MAX_RUNS or len(names) * len(objects) > MAX_CELLS:
        raise _invalid(path, 0, _BOUNDS, "split the file")
    rows = [Row(str(path), line, tuple(cells.get(name, "") for name in names)) for line, cells in objects]
    return Sheet(Row(str(path), 1, names), rows, lost=tuple(lost))


def _documents(path: Path, text: str, lost: list[Problem]) -> Iterator[tuple[int, Any]]:
    """Yield the JSON objects of a list, or of the lines, each with its line, or its place in the list.

    Lines that are no JSON, as the last one of a program that was killed, go into `lost`.
    """
    if text.lstrip().startswith("["):
        document = _parsed(path, 1, text)
        yield from enumerate(document, 1)
        return
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if len(lines) > 1 and lines[0][1].strip() == "{":  # an object over several lines
        lines = [(1, text)]
    for number, line in lines:
        try:
            document = _parsed(path, number, line)
        except InvalidImport as wrong:
            lost += wrong.problems
            if len(lost) >= MAX_PROBLEMS:
                return
            continue
        yield from ((number, one) for one in (runs_of(document) if len(lines) == 1 else [document]))


def _parsed(path: Path, number: int, text: str) -> Any:
    """A JSON document whose numbers are text, with all of their digits."""
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise _invalid(path, number, f"not JSON: {error}", "give one object a line: a run each") from None


def _parquet(path: Path, content: bytes) -> Sheet:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(BytesIO(content))
        about = file.metadata
        unpacked = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
        columns = [file.schema.column(place) for place in range(about.num_columns)]
        plain = [column for column in columns if not column.max_repetition_level and not _is_binary(column)]
        too_many = len(plain) > MAX_COLUMNS or about.num_rows > MAX_RUNS or about.num_rows * len(plain) > MAX_CELLS
        if too_many or unpacked > MAX_UNPACKED:
            raise _invalid(path, 0, _BOUNDS, "split the file")
        texts = [column.path for column in plain if column.physical_type == "BYTE_ARRAY"]
        file = parquet.ParquetFile(BytesIO(content), read_dictionary=texts)
        names, cells = _columns_of(file.iter_batches(BATCH_ROWS, columns=[column.path for column in plain]))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _invalid(path, 0, f"not Parquet: {' '.join(str(error).split())[:200]}") from None
    return Sheet(Row(str(path), 0, names), [Row(str(path), number, row) for number, row in enumerate(cells, 1)])


def _is_binary(column: Any) -> bool:
    """Whether a column holds bytes that are no text, such as pictures."""
    return column.physical_type.endswith("BYTE_ARRAY") and column.logical_type.type not in ("STRING", "ENUM", "DECIMAL")


def _columns_of(batches: Iterable[Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The names of the columns of a Parquet file, those of a record as RECORD.NAME, and their cells row by row.

    Raises ValueError for a text that is too long.
    """
    import pyarrow as pa

    names: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = []
    for batch in batches:
        table = pa.Table.from_batches([batch])
        while any(pa.types.is_struct(column.type) for column in table.schema):
            table = table.flatten()
        names = tuple(name.strip() for name in table.column_names)
        columns = [list(map(cell_of, _values(column))) for column in table.columns]
        rows += zip(*columns, strict=True)
    return names, rows


def _values(column: Any) -> list[Any]:
    """The values of a column, none of them a text that is too long."""
    import pyarrow as pa
    from pyarrow import compute

    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type):
            longest = compute.max(compute.binary_length(chunk.dictionary)).as_py() or 0
            if longest > MAX_LETTERS:
                raise ValueError(f"a text of {longest:,} bytes")
    values: list[Any] = column.to_pylist()
    return values


def _without_empty_columns(sheet: Sheet) -> Sheet:
    """The sheet without columns that have neither a name nor a value."""
    header, rows = sheet.header, sheet.rows
    width = len(header.cells)
    kept = [n for n in range(width) if header.cells[n] or any(len(row.cells) > n and row.cells[n] for row in rows)]
    if len(kept) == width or any(len(row.cells) != width for row in rows):
        return sheet
    return replace(sheet, header=_chosen(header, kept), rows=[_chosen(row, kept) for row in rows])


def _chosen(row: Row, places: Sequence[int]) -> Row:
    return replace(row, cells=tuple(row.cells[place] for place in places))
