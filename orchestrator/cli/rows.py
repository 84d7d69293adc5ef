"""The rows of a verb, in the form that -o names: which columns, which rows, and in what order."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from scalectl.orchestrator.cli.forms import FORMS, print_rows
from scalectl.orchestrator.cli.options import Command, answer
from scalectl.orchestrator.errors import Exit, Refusal, did_you_mean

DOCUMENTS = ("table", "json")  # forms in which a verb has more to say than rows


class UnknownColumn(Refusal):
    """A column that the rows of a verb don't have."""

    exit = Exit.INVALID


@dataclass(frozen=True)
class Rows:
    """Rows by the names of their columns, and the columns that are shown unless others are chosen; none: all."""

    records: Sequence[Mapping[str, Any]]
    columns: Sequence[str] = ()
    others: Sequence[str] = ()  # columns that records lack where nobody asked for them

    @property
    def known(self) -> list[str]:
        """All columns, those that are shown first."""
        names = dict.fromkeys(self.columns)
        for record in self.records:
            names |= dict.fromkeys(record)
        return list(names | dict.fromkeys(self.others))


@dataclass(frozen=True)
class View:
    """What the options of a verb say of its answer."""

    form: str
    columns: Sequence[str] = ()
    where: str | None = None
    sort: Sequence[str] = ()

    @property
    def is_chosen(self) -> bool:
        """Whether columns, rows or an order were asked for."""
        return bool(self.columns or self.where or self.sort)

    @property
    def is_of_rows(self) -> bool:
        """Whether the answer is rows alone."""
        return self.is_chosen or self.form not in DOCUMENTS

    @property
    def is_for_people(self) -> bool:
        """Whether the answer is text for people."""
        return not self.is_of_rows and self.form != "json"

    def names(self, column: str) -> bool:
        """Whether a column may be asked for: by name, or somewhere in the condition for rows."""
        falling = f"-{column}"
        return column in self.columns or column in self.sort or falling in self.sort or column in (self.where or "")

    def needs_only(self, columns: Collection[str]) -> bool:
        """Whether no other columns than these are asked for, nor a condition, which may name any."""
        return not self.where and {*self.columns, *(name.removeprefix("-") for name in self.sort)} <= {*columns}

    def answer(self, document: Callable[[], Any], text: Callable[[], str], rows: Callable[[], Rows]) -> None:
        """Print the rows if they were asked for, or else a JSON document, or text for people."""
        if self.is_of_rows:
            self.print(rows())
        else:
            answer(self.form, document, text)

    def print(self, rows: Rows) -> None:
        """Print the rows that were chosen; raises what `chosen` does."""
        print_rows(self.form, *self.chosen(rows))

    def chosen(self, rows: Rows) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
        """The columns that were asked for, and the chosen rows of these, in order.

        Raises UnknownColumn, and InvalidExpression for a wrong --where.
        """
        known = rows.known
        columns = list(self.columns) or list(rows.columns) or known
        if known:
            _check("--columns", columns, known)
            _check("--sort", [name.removeprefix("-") for name in self.sort], known)
        records = _chosen(rows.records, known, self.where)
        for name in reversed(self.sort):
            records = _sorted(records, name.removeprefix("-"), falling=name.startswith("-"))
        return columns, (tuple(record.get(name) for name in columns) for record in records)


def rows_options(*more: str, where: bool = True) -> Callable[[Command], Command]:
    """The options of a verb that has rows, which it gets as one View; `more` are other forms that it can answer in.

    Without `where`, for a verb that chooses the runs it works on by an option of that name.
    """
    choice = click.Choice(("table", *more, "json", *(form for form in FORMS if form not in DOCUMENTS)))

    def with_options(verb: Command) -> Command:
        @wraps(verb)
        def with_view(*args: Any, form: str, columns: str, sort: str, rows: str | None = None, **options: Any) -> Any:
            view = View(form, _names(columns), rows, _names(sort))
            return verb(*args, view=view, **options)

        command: Any = with_view
        if where:
            command = click.option("--where", "rows", metavar="EXPR", help="Rows to print: \"state=='done'\".")(command)
        for option in (
            click.option("--sort", default="", metavar="COLUMN,...", help="Order of the rows; -COLUMN for falling."),
            click.option("--columns", default="", metavar="COLUMN,...", help="Columns of the rows to print."),
            click.option("-o", "--output", "form", type=choice, default="table", show_default=True),
        ):
            command = option(command)
        return command

    return with_options


def flat(document: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A document as one row, objects within it under names such as `allocation.params`."""
    row: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, Mapping):
            row |= flat(value, f"{before}{name}.")
        else:
            row[before + name] = value
    return row


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _check(option: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            advice = did_you_mean(name, known).capitalize() or f"There are {', '.join(known)}."
            raise UnknownColumn(f"{option}: there is no column {name!r}. {advice}")


def _chosen(
    records: Sequence[Mapping[str, Any]], columns: Sequence[str], where: str | None
) -> Sequence[Mapping[str, Any]]:
    """The records for which an expression holds; without any column there are none, and nothing that it could name."""
    if where is None or not columns:
        return records
    import pandas as pd

    from scalectl.orchestrator.report.points import select_runs

    asked = {name: _series([record.get(name) for record in records]) for name in columns if name in where}
    table = pd.DataFrame(dict.fromkeys(columns) | asked, range(len(records)))
    return [records[number] for number in select_runs(table, "--where", where).index]


def _series(values: Sequence[Any]) -> Any:
    """The values of a column as numbers where all that are known are, or else as text."""
    import pandas as pd

    known = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in known) and len(known) == len(values):
        return pd.Series(values, dtype=bool)
    if all(isinstance(value, int | float) for value in known):
        return pd.Series(values, dtype=float)
    texts = pd.Series([str(value) for value in values], dtype="str")
    return texts.where([value is not None for value in values], None)


def _sorted(records: Sequence[Mapping[str, Any]], name: str, *, falling: bool) -> list[Mapping[str, Any]]:
    """The records in the order of a column, numbers before text; those that lack it come last in either order."""
    known = [record for record in records if _is_known(record.get(name))]
    unknown = [record for record in records if not _is_known(record.get(name))]
    return [*sorted(known, key=lambda record: _key(record[name]), reverse=falling), *unknown]


def _is_known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _key(value: Any) -> tuple[bool, Any]:
    if isinstance(value, int | float):
        return False, value
    return True, str(value)
