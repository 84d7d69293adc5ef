"""The verbs on data: import of runs, and the shapes of the paper's Table 2."""

import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scalectl.analysis.vocabulary import AXES
from scalectl.orchestrator.cli.options import quiet_option, say, store_option
from scalectl.orchestrator.cli.rows import Rows, View, rows_options
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, counted, few, one_line, table
from scalectl.orchestrator.metrics import main_metric
from scalectl.orchestrator.terminal import width
from scalectl.trainer.canonical import science
from scalectl.trainer.flops import body_params, flops_per_image
from scalectl.trainer.presets import SIZES, preset

if TYPE_CHECKING:
    from scalectl.orchestrator.store.headers import Wishes

COMPUTE = "flops"  # that laws are over by default
MOST_NAMED = 5  # runs in a note


class Renamed(click.ParamType[tuple[str, str]]):
    """COLUMN=NAME, cut at its last equals sign: a name of ours has none."""

    name = "COLUMN=NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """The column and its name."""
        if isinstance(value, tuple):
            return value
        column, equals, name = str(value).rpartition("=")
        if not (equals and column.strip() and name.strip()):
            self.fail(f"{value!r} is not COLUMN=NAME, such as n_weights=params", param, ctx)
        return column.strip(), name.strip()


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="[FILE]", required=False)
@click.option("--study", help="Name for these runs; by default the name of the file.")
@click.option("--as", "columns", type=Renamed(), multiple=True, help="What a column is, such as n_weights=params.")
@click.option("--as-error", "errors", metavar="COLUMN", multiple=True, help="Import 1 - accuracy of this column.")
@click.option("--setting", "settings", metavar="COLUMN", multiple=True, help="A column of numbers that is no metric.")
@click.option("--test-images", type=click.IntRange(1, 2**63 - 1), help="Images that the metrics were measured on.")
@click.option("--strict", is_flag=True, help="Refuse the file if a row is wrong, instead of leaving the row out.")
@click.option("--undo", metavar="STUDY", help="Delete the imported runs of this study instead.")
@store_option
@quiet_option
def import_runs(
    file: Path | None,
    study: str | None,
    columns: tuple[tuple[str, str], ...],
    errors: tuple[str, ...],
    settings: tuple[str, ...],
    test_images: int | None,
    strict: bool,
    undo: str | None,
    store: Path,
) -> Exit:
    """Import other people's runs from a table, to fit and draw them.

    The file is CSV, JSON lines or Parquet. Headers of usual tables are understood, and --as names the others. Importing
    the same file again changes nothing. A bundle of scalectl export --bundle is unpacked here instead: its study has
    the same runs, and a launch goes on where it was.
    """
    from scalectl.orchestrator.store.headers import Wishes

    wishes = Wishes(dict(columns), errors, test_images, settings, strict)
    if (file is None) == (undo is None) or (undo and (study or wishes != Wishes())):
        raise click.UsageError("give FILE to import, or --undo STUDY to delete what was imported.")
    if file is not None and file.suffix.lower() == ".zip":
        if study or wishes != Wishes():
            raise click.UsageError("a bundle is imported as it is: leave out --study, --as and the like.")
        _unbundle(file)
        return Exit.DONE
    if file is None:
        _undo(undo or "", store)
    else:
        _import(file, study or file.stem, store, wishes)
    return Exit.DONE


def _unbundle(file: Path) -> None:
    from scalectl.orchestrator.export.unbundle import unbundle

    done = unbundle(file, Path())
    say(f"{done.study} imported: {done.file}, and {done.store}.")
    if done.notify:
        text = f"warning: a launch of {done.file} calls {one_line(done.notify)} on this machine: notify in the file."
        click.echo(f"{text} Look at it before you launch, or take the key out.", err=True)
    say(f"Next: {command('status', store=done.store)}, then {command('launch', file=done.file)}")


def _undo(study: str, store: Path) -> None:
    from scalectl.orchestrator.store.database import reading
    from scalectl.orchestrator.store.records import Records

    with reading(store):
        pass  # else a new store would be made
    with Records(store, launches=False) as records:
        number = records.take_back(study)
    say(f"{counted(number, 'imported run')} of {study} deleted.")


def _import(file: Path, study: str, store: Path, wishes: "Wishes") -> None:
    from scalectl.orchestrator.store.imported import read
    from scalectl.orchestrator.store.reading import Store
    from scalectl.orchestrator.store.records import Records
    from scalectl.orchestrator.store.sheet import how_many, shown

    table = read(file, wishes)
    runs = table.runs
    with Records(store, launches=False) as records:
        taken = records.take_in(runs, study, file.name)
    metrics = list(dict.fromkeys(name for run in runs for name in run.metrics))
    say(f"{counted(len(runs), 'run')} imported, {taken.new} of them new; metrics: {', '.join(metrics)}.")
    for note in [*table.notes, *_left(taken.left, file, study, store)]:
        click.echo(note, err=True)
    if table.problems:
        rows = f"{how_many(table.problems)}; {counted(table.left_out, 'row')} left out. --strict refuses such a file."
        click.echo("\n".join([*shown(table.problems), rows]), err=True)
    axes = [name for name in AXES if any(name in run.columns for run in table.runs)]
    if axes:
        named = None if Store(store).study().name == study else study
        options = {"study": named, "metric": main_metric(metrics), "x": None if axes[0] == COMPUTE else axes[0]}
        say(f"Next: {command('fit', store=store, options=options)}")


def _left(names: Sequence[str], file: Path, study: str, store: Path) -> Iterator[str]:
    """Yield which runs an earlier file of that name had and this one has not: corrected compute is another run."""
    if names:
        said = few([*map(one_line, names)], MOST_NAMED)
        undo = command("import", store=store, options={"undo": study})
        yield (
            f"{study} keeps {counted(len(names), 'run')} that an earlier {file.name} had and this one has not: {said}."
            f" If this one replaces it: {undo}, then import again."
        )


JFT_CLASSES = 29_593  # of the classifier that Table 2 counts the FLOPs of, behind average pooling
RESOLUTIONS = (224, 384)  # pixels; learned positions are those of the first one


def document() -> list[dict[str, Any]]:
    """A JSON object for each shape, in the paper's order; docs/results.md lists its keys."""
    return [_row(name, patch_size) for name, patch_size in SIZES]


def _row(name: str, patch_size: int) -> dict[str, Any]:
    model = preset(name, patch_size)
    counts = {"channels": 3, "num_classes": JFT_CLASSES}
    flops = {f"flops_{side}": flops_per_image(model, head="gap", image_size=side, **counts) for side in RESOLUTIONS}
    params = body_params(model, image_size=RESOLUTIONS[0], channels=3)
    return {"name": f"{name}/{patch_size}", **science(model), "params": params, **flops}


def text() -> str:
    """The table for people, numbers rounded as the paper prints them, and how to use a shape."""
    header = (
        "NAME",
        "WIDTH",
        "DEPTH",
        "MLP DIM",
        "HEADS",
        "PATCH",
        "PARAMS",
        *(f"GFLOPS {side}" for side in RESOLUTIONS),
    )
    notes = (
        "  params without the head, positions at 224 pixels; GFLOPs of the forward pass of one image",
        f"  at 224 and 384 pixels, average pooling and {JFT_CLASSES:,} classes: Table 2 of arXiv 2106.04560",
    )
    use = "In experiments.yaml: models: {B/16: {preset: B, patch_size: 16}}"
    lines = table(header, [_cells(row) for row in document()], width=width(), spare=("PATCH", "MLP DIM", "HEADS"))
    return "\n\n".join((lines, "\n".join(notes), use))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    millions = row["params"] / 1e6
    shape = (str(row[key]) for key in ("width", "depth", "mlp_dim", "num_heads", "patch_size"))
    gigas = (f"{row[f'flops_{side}'] / 1e9:.1f}" for side in RESOLUTIONS)
    params = f"{millions:.0f} M"
    if millions < 10:
        params = f"{millions:.1f} M"
    return (row["name"], *shape, params, *gigas)


@click.command()
@rows_options()
def models(view: View) -> Exit:
    """List the shapes of the paper's Table 2 with their size and FLOPs."""
    view.answer(document, text, lambda: Rows(document()))
    return Exit.DONE


@click.command(hidden=True)
def example() -> Exit:
    """Print what `init` writes; it was here first."""
    click.echo((files("scalectl") / "experiments.yaml").read_text(), nl=False)
    return Exit.DONE


@click.command()
def schema() -> Exit:
    """Print the JSON Schema of experiments.yaml for editors."""
    from scalectl.orchestrator.experiment.schema import schema_json

    click.echo(json.dumps(schema_json(), indent=2))
    return Exit.DONE
