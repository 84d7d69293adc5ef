"""Other people's runs: a file as rows for the store, what was understood of it, and every row that is wrong."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from scalectl.analysis.vocabulary import AXES, is_accuracy, is_error, is_share
from scalectl.orchestrator.errors import Problem
from scalectl.orchestrator.format import counted, few
from scalectl.orchestrator.store.cells import SPREAD, TRUTHS, is_missing
from scalectl.orchestrator.store.derived import derived
from scalectl.orchestrator.store.foreign import Foreign, id_of, name_of, numbered
from scalectl.orchestrator.store.headers import Wishes
from scalectl.orchestrator.store.layout import Field, Kind, Layout, read_as
from scalectl.orchestrator.store.meanings import COMPUTE, IMAGES, STATES, UNFINISHED, plain, without_per_cent
from scalectl.orchestrator.store.readings import (
    BadCell,
    accuracy_error,
    exact_count,
    metric,
    setting,
)
from scalectl.orchestrator.store.shapes import arranged
from scalectl.orchestrator.store.sheet import MAX_PROBLEMS, InvalidImport, Row, read_sheet
from scalectl.orchestrator.vocabulary import RunState

LEAST_WORK = 2.0  # FLOPs for each parameter and example, below which a number is no training compute
MIXED = 50  # times that a percentage is larger than a fraction, at least
MOST_NAMED = 5  # metrics in a note
LEAST_TRAINING = 1e4  # FLOPs for each parameter: those of training on fewer than 2,000 examples


@dataclass(frozen=True)
class Import:
    """The runs of a file, what was understood of it in words, and the problems of the rows that are left out."""

    runs: list[Foreign]
    notes: list[str]
    problems: tuple[Problem, ...] = ()
    left_out: int = 0


def read(path: Path, wishes: Wishes | None = None) -> Import:
    """The runs of a CSV, JSON lines or Parquet file; wrong rows are left out.

    Raises NotFound, Refusal, and InvalidImport with all that is wrong: with the header, with a row where `strict` is
    wished for, or with at least half of the rows.
    """
    wishes = wishes or Wishes()
    sheet = arranged(read_sheet(path))
    layout = Layout(sheet, wishes)
    problems, runs, wrong_rows = [*layout.problems, *sheet.lost], [], len(sheet.lost)
    reader = _Reader(layout, path)
    for row in reader.done(sheet.rows):
        values: dict[int, Any] = {}
        wrong = list(reader.problems(row, values))
        if wrong:
            wrong_rows += 1
            problems += wrong
        elif not layout.problems:
            runs.append(reader.run(row, values))
        if len(problems) >= MAX_PROBLEMS:
            break
    problems += reader.one_images_work(runs)
    unusable = layout.problems or not runs or wrong_rows >= len(runs)
    if unusable or reader.per_image or (problems and wishes.strict):
        raise InvalidImport(*sorted(problems, key=lambda problem: (problem.spot.line, problem.spot.column)))
    runs, repeats = numbered(runs)
    notes = [*layout.notes, *reader.notes(), *repeats, *_without_use_of_images(runs), *_excluded(runs)]
    return Import(runs, notes, tuple(problems), wrong_rows)


def _excluded(runs: Sequence[Foreign]) -> Iterator[str]:
    if number := sum(run.excluded for run in runs):
        yield f"{counted(number, 'run')} excluded in the file, and so here: scalectl include takes a run back."


def _without_use_of_images(runs: Sequence[Foreign]) -> Iterator[str]:
    """Yield what has test images that laws can't use: all metrics, or errors that are no shares."""
    largest: dict[str, float] = {}
    for run in runs:
        for name in run.test_images.keys() & run.metrics.keys():
            largest[name] = max(run.metrics[name], largest.get(name, 0.0))
    idle = [name for name, most in largest.items() if not is_error(name) or most > 1]
    if len(idle) < len(largest):
        idle = list(filter(is_error, idle))
    if idle:
        why = "the noise of a test is known of errors alone, numbers up to 1 with err or error in their names"
        names = few(sorted(idle), MOST_NAMED)
        yield f"{IMAGES} tell laws nothing of {names}: {why}. --as and --as-error give such names."


def _is_mixed(values: Sequence[float]) -> bool:
    """Whether shares seem to be fractions in some cells and percentages in others."""
    smallest, largest = min(values), max(values)
    return smallest <= 1 < largest <= 100 and smallest * MIXED < largest


class _Reader:
    """Rows as runs, by the layout of their file."""

    def __init__(self, layout: Layout, path: Path) -> None:
        self.layout, self.path = layout, path
        self.compute = layout.compute
        self.model = layout.place("model")
        self.params = layout.place("params")
        self.per_image = False
        self.unfinished = 0  # rows of an export of ours
        self.excluded = layout.headers.index("excluded") if layout.is_ours else None
        fields = list(enumerate(layout.fields))
        self.fields = [(place, column) for place, column in fields if column.kind is not Kind.NOTHING]
        measured = [place for place, column in self.fields if column.kind in (Kind.METRIC, Kind.ERROR)]
        self.signed = {place for place in measured if any(cell.endswith("%") for cell in layout.filled[place])}
        values = {place: [layout.numbers.value(cell) or 0.0 for cell in layout.filled[place]] for place in measured}
        self.percent = {place for place in measured if max(values[place], default=0.0) > 1} - self.signed
        told = {place for place in measured if without_per_cent(layout.headers[place]) != layout.headers[place]}
        self.hundreds = told & self.percent
        self.fractions = told - self.percent - self.signed
        self.derived = [] if layout.problems else list(derived(layout))
        self.epochs = "" if layout.epochs is None else layout.fields[layout.epochs].name
        self.mixed = {place for place in self.percent if _is_mixed(values[place])}
        self.above_1 = self.percent - self.hundreds - self.mixed

    def done(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows without those that an export of ours says are not done: they have nothing to fit."""
        if not self.layout.is_ours:
            return rows
        state = self.layout.headers.index("state")
        done = [row for row in rows if len(row.cells) <= state or row.cells[state] == RunState.DONE]
        self.unfinished = len(rows) - len(done)
        return done

    def problems(self, row: Row, values: dict[int, Any]) -> Iterator[Problem]:
        """Yield what is wrong with a row, whose values by their places go into `values`."""
        header = self.layout.headers
        if len(row.cells) != len(header):
            yield row.problem(f"{counted(len(row.cells), 'cell')} under {counted(len(header), 'header')}")
            return
        for place, column in self.fields:
            cell = row.cells[place]
            if is_missing(cell):
                if place == self.model:
                    yield row.problem("no model")
                continue
            try:
                values[place] = self._value(place, cell)
            except BadCell as error:
                yield row.problem(f"{column.header} = {cell}: {error}", error.hint, cell=place)
        if self.compute and all(is_missing(row.cells[place]) for place in self.compute):
            names = ", ".join(self.layout.fields[place].name for place in self.compute)
            yield row.problem("no compute", f"give one of {names}")

    def _value(self, place: int, cell: str) -> Any:
        """What a cell holds; raises BadCell."""
        column, numbers = self.layout.fields[place], self.layout.numbers
        match column.kind:
            case Kind.SETTING:
                return setting(cell, numbers, column.name, column.factor)
            case Kind.ERROR:
                return accuracy_error(cell, numbers, percent=place in self.percent)
            case Kind.METRIC:
                share = 0.01 if place in self.hundreds and not cell.endswith("%") else 1.0
                return share * metric(cell, numbers, signed=place in self.signed and share == 1)
            case Kind.IMAGES:
                return exact_count(cell, numbers)
            case _ if column.header in self.layout.numbers_of_settings and numbers.value(cell) is not None:
                return metric(cell, numbers, signed=False)
            case _:
                return TRUTHS.get(cell.lower(), cell)

    def run(self, row: Row, values: Mapping[int, Any]) -> Foreign:
        """The run of a row in which nothing is wrong, of its values by their places."""
        by_kind: dict[Kind, dict[str, Any]] = {kind: {} for kind in Kind}
        for place, value in values.items():
            column = self.layout.fields[place]
            by_kind[column.kind][column.name] = value
        columns = by_kind[Kind.SETTING]
        metrics = by_kind[Kind.METRIC] | by_kind[Kind.ERROR]
        images = columns.pop(IMAGES, self.layout.wishes.test_images)
        test_images = {name: images for name in metrics if images is not None} | by_kind[Kind.IMAGES]
        if self.model is None:
            columns["model"] = self._model(columns)
        identity = self._own_id(row) or id_of(columns)
        epochs = by_kind[Kind.LABEL].get(self.epochs)
        for of_others in self.derived:
            number = of_others.value({**columns, "epochs": epochs})
            if number is not None:
                columns[of_others.column] = number if of_others.column == "flops" else round(number)
        columns.setdefault("name", name_of(columns))
        excluded = self.excluded is not None and TRUTHS.get(row.cells[self.excluded].lower(), False)
        return Foreign(identity, columns, metrics, test_images, by_kind[Kind.LABEL], row.number, excluded)

    def _own_id(self, row: Row) -> str:
        """The id of an imported run in an export of ours, where what was derived is a setting; or nothing."""
        if not self.layout.is_ours or is_missing(row.cells[self.layout.headers.index("origin")]):
            return ""
        return row.cells[self.layout.headers.index("run")]

    def _model(self, columns: Mapping[str, Any]) -> str:
        if "params" in columns:
            return str(columns["params"])
        return self.path.stem

    def one_images_work(self, runs: Iterable[Foreign]) -> list[Problem]:
        """The problem of a column of training compute whose numbers are those of one image, or none."""
        place = self.layout.place("flops")
        if place is None or self.layout.fields[place].insisted:
            return []
        examples, total = [], []
        for run in runs:
            if run.columns.get("params") and "flops" in run.columns:
                work = run.columns["flops"] / run.columns["params"]
                total.append(work / LEAST_TRAINING)
                if run.columns.get("images_seen"):
                    examples.append(work / run.columns["images_seen"] / LEAST_WORK)
        if median(examples or total or [1.0]) >= 1:
            return []
        self.per_image = True
        name = self.layout.headers[place]
        text = f"{name} is too little for training: it looks like the work of one image or token"
        hint = f"say --as {name}=flops_per_image, or --as {name}=flops if it is training compute"
        return [self.layout.sheet.header.problem(text, hint, cell=place)]

    def notes(self) -> Iterator[str]:
        """Yield what a person has to know of how the file was read."""
        fields = [column for _, column in self.fields]
        if renamed := read_as(fields):
            yield f"Read as: {renamed}."
        if self.model is None:
            yield "No column names the model: runs are called by their params, or by the file."
        yield from (column.note for column in self.derived)
        spare = [place for place, column in enumerate(self.layout.fields) if column.kind is Kind.NOTHING]
        if left_out := [name for place in spare if self.layout.filled[place] and (name := self.layout.headers[place])]:
            yield f"Left out: {', '.join(left_out)}."
        yield from self._notes_of_labels()
        if self.unfinished:
            yield f"Left out: {counted(self.unfinished, 'run')} that the file says are not done."
        for place, column in self.fields:
            ends = [cell for cell in self.layout.filled[place] if cell.lower() in UNFINISHED]
            if ends and column.kind is Kind.LABEL and plain(column.header) in STATES:
                unlike = " and ".join(f"{column.name} != '{end}'" for end in dict.fromkeys(ends))
                yield f'{counted(len(ends), "run")} did not finish, and count like others without --where "{unlike}".'
        if not any(column.name in COMPUTE for column in fields) and not self.derived:
            yield self._without_compute(fields)
        for place, _ in self.fields:
            yield from self._notes_of_shares(place)

    def _without_compute(self, fields: Sequence[Field]) -> str:
        """That no column is training compute, and over what laws can be."""
        over = [column.name for column in fields if column.name in AXES]
        if self.layout.epochs is not None:
            header = self.layout.headers[self.layout.epochs]
            return f"No column is training compute: --as {header}=images_seen takes the epochs of one data set for it."
        if over:
            return (
                f"No column is training compute: laws can be fitted over {' and '.join(over)} alone, as --x {over[0]}."
            )
        steps = next((column.header for column in fields if column.name == "steps"), "COLUMN")
        return f"No column is training compute, and none has what laws are over: --as {steps}=images_seen says so."

    def _notes_of_labels(self) -> Iterator[str]:
        labels = [column for _, column in self.fields if column.kind is Kind.LABEL]
        if words := [column.name for column in labels if column.header not in self.layout.numbers_of_settings]:
            noun = "Column" if len(words) == 1 else "Columns"
            yield f"{noun} of text, kept for --where: {', '.join(words)}."
        if numbers := [column.name for column in labels if column.header in self.layout.numbers_of_settings]:
            yield f"Settings, kept for --where: {', '.join(numbers)}."

    def _notes_of_shares(self, place: int) -> Iterator[str]:
        column = self.layout.fields[place]
        if any(SPREAD.search(cell) for cell in self.layout.filled[place]) and column.kind is not Kind.LABEL:
            yield f"{column.header}: what stands behind \N{PLUS-MINUS SIGN}, or between brackets, is left out."
        if place in self.hundreds and column.kind is Kind.METRIC:
            yield f"{column.header} is in per cent: {column.name} is stored as a share, so that 12.3 becomes 0.123."
        if place in self.fractions:
            yield (
                f"{column.header} has no number above 1, and is taken for shares though its header says per cent: write"
                " 0.9% for 0.009."
            )
        if place in self.signed:
            yield f"{column.header}: cells with % are shares, so that 12.3% is 0.123."
            yield from self._notes_of_bare_cells(place)
        elif column.kind is Kind.ERROR and place in self.percent:
            yield f"{column.header} is taken for percentages: {column.name} is 1 - {column.header}/100."
        elif place in self.above_1 and is_error(column.name):
            yield f"{column.header} has numbers above 1: if they are per cent, write its header '{column.header} (%)'."
        if place in self.mixed and is_share(column.header):
            yield f"{column.header} has numbers up to 1 and far above: are some fractions and others percentages?"
        if column.kind is Kind.METRIC and is_accuracy(column.header):
            yield f"{column.header} looks like an accuracy: --as-error {column.header!r} imports its error."

    def _notes_of_bare_cells(self, place: int) -> Iterator[str]:
        """Yield what cells without % among others with it are taken for: the sign may have been forgotten."""
        value, header = self.layout.numbers.value, self.layout.headers[place]
        bare = [cell for cell in self.layout.filled[place] if not cell.endswith("%") and value(cell)]
        if bare:
            first = f"{bare[0]} is {100 * (value(bare[0]) or 0.0):g} %"
            yield f"{header}: shares also in {counted(len(bare), 'cell')} without %, so that {first}."
