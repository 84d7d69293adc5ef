"""The header of a file of runs, and the options that name its columns: what is wrong before any has a meaning."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scalectl.orchestrator.errors import Problem, did_you_mean
from scalectl.orchestrator.store.meanings import OURS
from scalectl.orchestrator.store.naming import target
from scalectl.orchestrator.store.sheet import Row

MAX_LETTERS = 200  # of a name of a column


@dataclass(frozen=True)
class Wishes:
    """How a file is to be read: the columns that its headers are, accuracies that become errors, test images."""

    columns: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[str] = ()
    test_images: int | None = None
    settings: Sequence[str] = ()  # columns of numbers that are no metrics
    strict: bool = False  # refuse a file with a wrong row, which is left out otherwise


def of_header(header: Row) -> Iterator[Problem]:
    """Yield the columns that have no name of their own; the first, which may number the rows, needs none."""
    first: dict[str, int] = {}
    for place, name in enumerate(header.cells):
        if not name and place:
            yield header.problem(f"column {place + 1} has no name", "name it, or leave it out")
        elif len(name) > MAX_LETTERS:
            yield header.problem(f"column {place + 1} has a name of {len(name):,} letters", "rename it", cell=place)
        elif first.setdefault(name, place) < place:
            text = f"{name} comes twice: it is column {first[name] + 1} as well"
            yield header.problem(text, "rename one, or leave it out", cell=place)


def of_wishes(header: Row, wishes: Wishes) -> Iterator[Problem]:
    """Yield columns that options name and the file lacks, and names that no column can have."""
    options = {"--as": wishes.columns, "--as-error": wishes.errors, "--setting": wishes.settings}
    for option, names in options.items():
        for name in names:
            if name not in header.cells:
                guess = did_you_mean(name, header.cells)
                yield header.problem(f"{option} {name}: the file has no such column", guess)
    meanings = Counter(map(target, wishes.columns.values()))
    for column, name in wishes.columns.items():
        if name.lower() in OURS:
            yield header.problem(f"--as {column}={name}: {name} is a column that scalectl fills")
        elif meanings[target(name)] > 1:
            yield header.problem(f"--as {column}={name}: another column is {target(name)} as well")
        elif len(name) > MAX_LETTERS:
            yield header.problem(f"--as {column}: the name has {len(name):,} letters")
