"""The runs of a study as a file for other programs, in the format of its suffix."""

from collections.abc import Callable
from pathlib import Path

from pandas import DataFrame

from scalectl.analysis.documents import records, written
from scalectl.analysis.runs import among
from scalectl.orchestrator.errors import Exit, Refusal, did_you_mean
from scalectl.orchestrator.files import atomic
from scalectl.orchestrator.report.fits import study_points
from scalectl.orchestrator.report.points import all_points, chosen_runs
from scalectl.orchestrator.store.reading import Store

Exporter = Callable[[DataFrame, Path], None]  # writes a table to a new file

EXPORTERS: dict[str, Exporter] = {}  # by suffix


class UnknownFormat(Refusal):
    """A file whose suffix no exporter writes."""

    exit = Exit.INVALID


def exporter(suffix: str) -> Callable[[Exporter], Exporter]:
    """Register a function as the exporter of files with this suffix."""

    def register(write: Exporter) -> Exporter:
        EXPORTERS[suffix.lower()] = write
        return write

    return register


@exporter(".csv")
def _csv(points: DataFrame, path: Path) -> None:
    points.to_csv(path, index=False)


@exporter(".json")
def _json(points: DataFrame, path: Path) -> None:
    """A list of objects, one a run, with null for what isn't known; numbers keep all of their digits."""
    path.write_text(written(records(points)) + "\n", encoding="utf-8")


@exporter(".parquet")
def _parquet(points: DataFrame, path: Path) -> None:
    points.to_parquet(path, index=False)


def _suffix(path: Path) -> str:
    """The suffix of a file, in whatever capitals it was typed."""
    return path.suffix.lower()


def export(
    path: Path, store: Path, study: str | None, where: str | None, *, force: bool = False, all_studies: bool = False
) -> int:
    """Write the runs of a study, or of all, that `where` chooses, and return their number; a file that fails is not
    there.

    Raises UnknownFormat for its suffix, Refusal for a file that is there already unless `force` is given, or that
    can't be written, and what `study_points` raises.
    """
    if _suffix(path) not in EXPORTERS:
        guess = did_you_mean(_suffix(path), EXPORTERS).capitalize()
        raise UnknownFormat(f"{path}: give a file that ends in {', '.join(EXPORTERS)}. {guess}".rstrip())
    if path.exists() and not force:
        raise Refusal(f"refused: {path} is there already. Give another file, or --force to overwrite it.")
    if all_studies:
        points = _of_all_studies(store, where)
    else:
        _, points = study_points(store, study, where)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as partial:
            EXPORTERS[_suffix(path)](points, partial)
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror}.") from error
    return len(points)


def _of_all_studies(store: Path, where: str | None) -> DataFrame:
    """The runs of all studies, each once; raises NotFound where there is none, Refusal where `where` chooses none."""
    reader = Store(store)
    reader.study()
    names = reader.studies()
    listed = frozenset().union(*(reader.study(name).runs for name in names))
    points = all_points(store)
    return chosen_runs(points[among(points["run"], listed)], where, ", ".join(names))
