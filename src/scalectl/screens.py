"""The plan of a file and the status of a store in Python: they print as on the command line, and hold its JSON."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalectl.analysis.notebook import preformatted

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, eq=False)
class Screen:
    """An answer that prints as the screen of its command; `document` is what the command prints with `-o json`."""

    text: str
    document: Mapping[str, Any]

    @property
    def runs(self) -> "DataFrame":
        """A table of the runs, one a row."""
        from pandas import DataFrame

        return DataFrame(self.document["runs"])

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return preformatted(self.text)


def plan(file: str | PathLike[str] = "experiments.yaml") -> Screen:
    """The runs of a file, their cost, and why each will run; nothing is started and nothing is written.

    Raises Refused for an invalid file, with every error, and for a store that can't be read.
    """
    return planned(file, ())


def planned(file: str | PathLike[str], changes: Sequence[str]) -> Screen:
    """The plan of a file with changes, written as behind --set."""
    from scalectl.orchestrator.cli.plan import plan_file

    with refusals():
        shown = plan_file(Path(file), changes)
    return Screen(shown.text(), shown.to_json())


def status(store: str | Path = "results.db") -> Screen:
    """How far a study is, and what each run waits for.

    Raises Refused where there is no store, and for a file that isn't one.
    """
    from scalectl.orchestrator.cli import status as status_screen
    from scalectl.orchestrator.store.reading import Store

    with refusals():
        current = Store(store).status()
    return Screen(status_screen.text(current, runs=True, width=None), current.to_json())


@contextmanager
def refusals() -> Iterator[None]:
    """Have what the orchestrator refuses raised as the Refused of the rest of the API."""
    from scalectl.orchestrator.errors import Refusal

    try:
        yield
    except Refusal as refusal:
        from scalectl.analysis import Refused

        raise Refused(str(refusal).removeprefix("refused: ")) from None
