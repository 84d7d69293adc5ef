"""Tables that are no run a row as they come: two rows of headers, runs in columns, a metric a row."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from scalectl.orchestrator.store.cells import is_missing
from scalectl.orchestrator.store.meanings import COMPUTE, SCALES, meaning, plain
from scalectl.orchestrator.store.sheet import Row, Sheet

_METRIC = ("metric", "metric_name", "measure")  # headers of what a row has the value of
_VALUE = ("value", "metric_value", "score")
_RULE = re.compile(r":?-+:?")  # below the header of a table in Markdown
_NUMBER = re.compile(r"[+-]?[\d.,]+(e[+-]?\d+)?\s*[%kKmMbBT]?", re.IGNORECASE)
_SCALED = {*COMPUTE, *SCALES, "batch_size"}


def arranged(sheet: Sheet) -> Sheet:
    """The sheet with a run in each row, and notes of what it was turned into."""
    turned: Sequence[Callable[[Sheet], Sheet]] = (_without_rule, _of_two_headers, _transposed, _wide)
    for turn in turned:
        sheet = turn(sheet)
    return sheet


def _without_rule(sheet: Sheet) -> Sheet:
    if sheet.rows and all(_RULE.fullmatch(cell) for cell in sheet.rows[0].cells):
        return replace(sheet, rows=sheet.rows[1:])
    return sheet


def _of_two_headers(sheet: Sheet) -> Sheet:
    """A sheet whose first row is a second one of headers, below names that reach over several columns."""
    above = sheet.header.cells
    spans = len({*above}) < len(above) or not all(above[1:])
    if len(sheet.rows) < 2 or not spans or len(sheet.rows[0].cells) != len(above):
        return sheet
    below, first = sheet.rows[0].cells, sheet.rows[1].cells
    if any(map(_is_number, below)) or not any(map(_is_number, first)):
        return sheet
    names, over = [], ""
    for upper, lower in zip(above, below, strict=True):
        over = upper or over
        names.append(f"{over}/{lower}" if lower and over and over != lower else lower or over)
    header = replace(sheet.header, cells=tuple(names), number=sheet.rows[0].number)
    return replace(sheet, header=header, rows=sheet.rows[1:], notes=(*sheet.notes, "Two rows of headers were joined."))


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell))


def _transposed(sheet: Sheet) -> Sheet:
    """A sheet with a run in each column, turned: its first cells are the headers, and its header has none."""
    rows = sheet.rows
    names = [row.cells[0] for row in rows if row.cells]
    width = len(sheet.header.cells)
    if any(len(row.cells) != width for row in rows) or len({*names}) < max(2, len(rows)) or width < 3:
        return sheet
    if any(map(_scale, sheet.header.cells)) or sum(map(_scale, names)) < 1:
        return sheet
    first = sheet.header.cells[0]
    if not any(meaning(name) and not _scale(name) for name in names) and not meaning(first):
        first = "name"
    header = replace(sheet.header, cells=(first, *names))
    columns = zip(*(row.cells[1:] for row in rows), strict=True)
    runs = [replace(header, cells=(name, *cells)) for name, cells in zip(sheet.header.cells[1:], columns, strict=True)]
    note = f"Runs are columns of the file, called by its first row: {names[0]} and the cells below it are headers."
    return replace(sheet, header=header, rows=runs, notes=(*sheet.notes, note))


def _scale(name: str) -> bool:
    known = meaning(name)
    return known is not None and known.column in _SCALED


def _wide(sheet: Sheet) -> Sheet:
    """A sheet with a metric's name and its value in each row, with a column for each metric."""
    headers = [plain(header) for header in sheet.header.cells]
    named = [place for place, header in enumerate(headers) if header in _METRIC]
    valued = [place for place, header in enumerate(headers) if header in _VALUE]
    if len(named) != 1 or len(valued) != 1 or any(len(row.cells) != len(headers) for row in sheet.rows):
        return sheet
    (name,), (value,) = named, valued
    metrics = list(dict.fromkeys(row.cells[name] for row in sheet.rows if not is_missing(row.cells[name])))
    kept = [place for place in range(len(headers)) if place not in (name, value)]
    taken = {sheet.header.cells[place] for place in kept}
    if not metrics or any(map(_is_number, metrics)) or taken & {*metrics}:
        return sheet
    runs: dict[tuple[str, ...], list[tuple[Row, dict[str, str]]]] = {}
    for row in sheet.rows:
        same = runs.setdefault(tuple(row.cells[place] for place in kept), [])
        if not same or row.cells[name] in same[-1][1]:
            same.append((row, {}))
        same[-1][1][row.cells[name]] = row.cells[value]
    header = replace(sheet.header, cells=(*(sheet.header.cells[place] for place in kept), *metrics))
    rows = [
        replace(row, cells=(*settings, *(cells.get(metric, "") for metric in metrics)))
        for settings, same in runs.items()
        for row, cells in same
    ]
    note = f"{sheet.header.cells[name]} names what {sheet.header.cells[value]} is: each became a column."
    return replace(sheet, header=header, rows=rows, notes=(*sheet.notes, note))
