"""Other people's runs: a CSV file as rows for the store, or every row that is wrong, with its line."""

import csv
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from io import StringIO
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

from sqlalchemy import Float, Text

from scalectl.analysis.vocabulary import AXES
from scalectl.orchestrator.errors import Exit, NotFound, Problem, Refusal, Spot
from scalectl.orchestrator.format import count, counted
from scalectl.orchestrator.store.tables import SETTINGS

COMPUTE = tuple(axis.name for axis in AXES.values() if axis.grows)
ALIASES = {  # of a header: the column that it is, in how many of its units
    "size": ("model", 1.0),
    "cooldown_steps": ("cooldown", 1.0),
    "params_million": ("params", 1e6),
    "gflops_per_image": ("flops_per_image", 1e9),
    "gflops_per_image_224": ("flops_per_image", 1e9),
}
_OURS = {
    "run",
    "study",
    "state",
    "excluded",
    "origin",
    "images_per_second",
    "flops_per_second",
    "mfu",
    "digest",
    "labels",
}  # columns of `points` that no file can give
_COLUMNS = {**SETTINGS, "device_seconds": Float, "core_days": Float, "name": Text}
NAMES = {"name", "model", "data_name", "source", "content", "test_content"}  # in words, of digits too
CAPITALS = "differ in their capitals alone, which are one column to SQL"
MAX_BYTES = 10_000_000  # thousands of runs; docs/results.md names these bounds
MAX_RUNS = 20_000
MAX_CELLS = 300_000
MAX_COLUMNS = 2000  # of anything in SQLite
MAX_LETTERS = 200  # of a name of a column
MAX_PROBLEMS = 1000  # after which no more are looked for
SHOWN = 20  # problems of a file on the screen: those of many rows are often one and the same
_LARGEST = 2**63 - 1  # of SQLite's integers
_REST = Decimal("1e-6")  # share of a whole number that is taken for rounding, as that of 5.7e6 in binary


class InvalidImport(Refusal):
    """A file of runs that can't be taken as it is; carries every problem, in the order of the file."""

    exit = Exit.INVALID

    def __init__(self, *problems: Problem) -> None:
        number = counted(len(problems), "error")
        if len(problems) >= MAX_PROBLEMS:
            number = f"{MAX_PROBLEMS:,} errors or more"
        if len(problems) > SHOWN:
            number += f", of which these are the first {SHOWN}"
        super().__init__("\n".join([*map(str, problems[:SHOWN]), f"{number}; nothing was imported."]))
        self.problems = problems


@dataclass(frozen=True)
class Foreign:
    """A run of somebody else: what is known of it, by column of `points`, and its metrics."""

    id: str
    columns: Mapping[str, Any]
    metrics: Mapping[str, float]
    test_images: int | None = None  # that each of its metrics was measured on
    labels: Mapping[str, str | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class _Line:
    """A row of the file with the number of its last line; cells are stripped."""

    file: str
    number: int
    cells: tuple[str, ...]

    @cached_property
    def _text(self) -> str:
        return ",".join(self.cells)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(len(cell) + 1 for cell in self.cells)]

    def problem(self, text: str, hint: str = "", cell: int | None = None) -> Problem:
        """The problem of the row, or of one of its cells."""
        start, width = 0, len(self._text)
        if cell is not None:
            start, width = self._starts[cell], len(self.cells[cell])
        return Problem(Spot(self.file, self.number, start + 1, max(1, width), self._text), "", text, hint)


def read(path: Path) -> tuple[list[Foreign], list[str]]:
    """The runs of a CSV file, and the headers of columns that are left out because they hold no number.

    Raises NotFound, and InvalidImport with all that is wrong.
    """
    header, *lines = _lines(path)
    problems = list(islice(_of_header(header), MAX_PROBLEMS))
    if problems:
        raise InvalidImport(*problems)
    names = [ALIASES.get(name, (name, 1.0)) for name in header.cells]
    kept = [n for n, (name, _) in enumerate(names) if name in _COLUMNS or any(_is_number(line, n) for line in lines)]
    problems += _of_columns(header, names, lines)
    lines_by_id: dict[str, _Line] = {}
    runs = []
    for line in lines:
        wrong = list(_of_line(line, header, names, kept))
        if not wrong:
            run = _run(line, names, kept)
            if run.id in lines_by_id:
                hint = "tell them apart, for example with a column seed"
                wrong = [line.problem(f"the same settings as in line {lines_by_id[run.id].number}", hint)]
            lines_by_id[run.id] = line
            runs.append(run)
        problems += wrong
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems or not lines:
        raise InvalidImport(*problems or [header.problem("no run below the header")])
    return runs, [name for n, name in enumerate(header.cells) if n not in kept]


def alike(name: str, names: Iterable[str]) -> str:
    """The first of the names that differs in its capitals alone, or nothing: to SQL they are one."""
    return next((namesake for namesake in names if namesake.lower() == name.lower() and namesake != name), "")


def _lines(path: Path) -> list[_Line]:
    reader = csv.reader(StringIO(_text(path), newline=""), strict=True)
    lines: list[_Line] = []
    num_cells = 0
    try:
        for cells in filter(None, reader):
            num_cells += len(cells)
            if len(cells) > MAX_COLUMNS or len(lines) > MAX_RUNS or num_cells > MAX_CELLS:
                limit = f"more than {MAX_COLUMNS:,} columns, {MAX_RUNS:,} runs or {MAX_CELLS:,} cells"
                raise InvalidImport(Problem(Spot(str(path), reader.line_num, 1), "", limit, "split the file"))
            lines.append(_Line(str(path), reader.line_num, tuple(cell.strip() for cell in cells)))
    except csv.Error as error:
        raise InvalidImport(Problem(Spot(str(path), reader.line_num, 1), "", f"not CSV: {error}")) from None
    if not lines:
        raise InvalidImport(Problem(Spot(str(path)), "", "the file is empty"))
    return lines


def _text(path: Path) -> str:
    """The text of a file; raises NotFound, Refusal or InvalidImport."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InvalidImport(Problem(Spot(str(path)), "", f"larger than {MAX_BYTES:,} bytes", "split the file"))
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise NotFound(f"{path}: there is no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"{path} can't be read as UTF-8 text: {error}.") from error


def _of_header(header: _Line) -> Iterator[Problem]:
    names = [ALIASES.get(name, (name, 1.0))[0] for name in header.cells]
    first: dict[str, int] = {}
    small = {name.lower(): name for name in (*_COLUMNS, *ALIASES, *sorted(_OURS))}
    for n, name in enumerate(names):
        if not name:
            yield header.problem(f"column {n + 1} has no name")
        elif len(name) > MAX_LETTERS:
            yield header.problem(f"column {n + 1} has a name of {len(name):,} letters", "rename it", cell=n)
        elif first.setdefault(name, n) < n:
            before = first[name]
            yield header.problem(
                f"{header.cells[n]} comes twice: {header.cells[before]} is column {before + 1}", cell=n
            )
        elif name in _OURS:
            yield header.problem(f"{name} is a column that scalectl fills", "rename it", cell=n)
        elif (other := small.setdefault(name.lower(), name)) != name:
            yield header.problem(f"{header.cells[n]} and {other} {CAPITALS}", "rename it", cell=n)
    if "model" not in names:
        yield header.problem("no column model or size", "name the model of each run")
    if not {*COMPUTE} & {*names}:
        yield header.problem("no column of compute", f"give one of {', '.join(COMPUTE)}")


def _of_columns(header: _Line, names: Sequence[tuple[str, float]], lines: Sequence[_Line]) -> Iterator[Problem]:
    """Yield columns that seem to be settings, such as `loss`, and hold numbers; and that there is no metric at all."""
    measured = False
    for n, (name, _) in enumerate(names):
        filled = [line for line in lines if n < len(line.cells) and line.cells[n]]
        if _COLUMNS.get(name) is Text and name not in NAMES and filled and all(_is_number(line, n) for line in filled):
            hint = "rename it"
            if name == "loss":
                hint += ", a measured one for example to upstream/loss"
            yield header.problem(f"{name} is a setting in words, and these are numbers", hint, cell=n)
            measured = True
        measured = measured or (name not in _COLUMNS and any(_is_number(line, n) for line in filled))
    if lines and not measured:
        yield header.problem("no column is a metric", "each column of numbers that has no other meaning is one")


def _of_line(line: _Line, header: _Line, names: Sequence[tuple[str, float]], kept: Sequence[int]) -> Iterator[Problem]:
    """Yield what is wrong with a row."""
    if len(line.cells) != len(header.cells):
        yield line.problem(f"{len(line.cells)} cells under {len(header.cells)} headers")
        return
    for n in kept:
        (name, factor), cell = names[n], line.cells[n]
        if not cell and name == "model":
            yield line.problem("no model")
        elif cell and _COLUMNS.get(name) is not Text and (problem := _wrong(name, cell, factor)):
            yield line.problem(f"{header.cells[n]} = {cell}: {problem}", cell=n)
    if not any(line.cells[n] for n, (name, _) in enumerate(names) if name in COMPUTE):
        yield line.problem("no compute", f"give one of {', '.join(COMPUTE)}")


def _wrong(name: str, cell: str, factor: float) -> str:
    """Why a cell can't be what its column holds, or nothing."""
    try:
        value = float(cell) * factor
    except ValueError:
        return "not a number; leave it empty where nothing was measured"
    if not math.isfinite(value):
        return "not finite; leave it empty where nothing was measured"
    if name not in _COLUMNS:
        return ""
    if value < 0 or (name in COMPUTE and value == 0):
        if name in COMPUTE:
            return "compute is above 0"
        return "at least 0"
    if _COLUMNS[name] is Float:
        return ""
    return _no_count(_exact(cell, factor))


def _no_count(number: Decimal) -> str:
    """Why a number can't be a whole one of the store, or nothing."""
    if abs(number - round(number)) > _REST * max(Decimal(1), number):
        return "not a whole number"
    if round(number) > _LARGEST:
        return "above 2^63 - 1, the largest whole number of a store"
    return ""


def _exact(cell: str, factor: float) -> Decimal:
    """The number of a cell in the unit of its column with all of its digits, of which a float keeps 15 to 17."""
    return Decimal(cell) * Decimal(factor)


def _run(line: _Line, names: Sequence[tuple[str, float]], kept: Sequence[int]) -> Foreign:
    columns: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    for n in kept:
        (name, factor), cell = names[n], line.cells[n]
        if not cell:
            continue
        if name in _COLUMNS:
            columns[name] = _value(_COLUMNS[name], cell, factor)
        else:
            metrics[name] = float(cell)
    settings = {name: value for name, value in columns.items() if name != "name"}
    columns.setdefault("name", _name(columns))
    identity = json.dumps(settings, sort_keys=True)
    return Foreign(hashlib.sha256(identity.encode()).hexdigest()[:12], columns, metrics)


def _value(kind: Any, cell: str, factor: float) -> Any:
    if kind is Text:
        return cell
    if kind is Float:
        return float(cell) * factor
    return round(_exact(cell, factor))


def _name(columns: Mapping[str, Any]) -> str:
    """A name for people: model, data size, steps, seed, as far as they are known."""
    parts = [columns["model"]]
    parts += [count(columns[name]).replace(" ", "") for name in ("data_size", "steps") if name in columns]
    if columns.get("seed"):
        parts.append(f"s{columns['seed']}")
    return "-".join(parts)


def _is_number(line: _Line, place: int) -> bool:
    try:
        float(line.cells[place])
    except (ValueError, IndexError):
        return False
    return True
