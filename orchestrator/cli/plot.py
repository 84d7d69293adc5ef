"""The command `plot`: a figure of each kind, from the store alone."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from scalectl.orchestrator.cli.fit import law_options
from scalectl.orchestrator.cli.options import Command
from scalectl.orchestrator.cli.verbs import Verbs
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.hints import command

_SUFFIXES = (".png", ".pdf", ".svg")
_FIGURES = {
    "frontier": "Draw every run, the frontier, and the law with its band.",
    "bottleneck": "Draw the best run of each model size and of each data size.",
    "samples": "Draw the error over images seen, with a line for each model.",
    "isoflop": "Draw the error over model size at each budget, with the best sizes.",
    "curves": "Draw the training curve of each run; --metric is one of their columns, by default loss.",
    "decay-map": "Draw the metric over two settings of a sweep, by default weight decay of head and body.",
    "residuals": "Draw how far the frontier and held-out runs lie from the law.",
}


@click.group(cls=Verbs)
def plot() -> None:
    """Draw a figure of the runs in the store."""


def _picture(context: click.Context, parameter: click.Parameter, path: Path) -> Path:
    if path.suffix not in _SUFFIXES:
        raise click.BadParameter(f"{path}: a figure is one of {', '.join(_SUFFIXES)}", context, parameter)
    return path


def _output(name: str) -> Callable[[Command], Command]:
    return click.option(
        "-o",
        "--output",
        "file",
        type=click.Path(path_type=Path),
        default=f"plots/{name}.png",
        show_default=True,
        callback=_picture,
        help="A .png, .pdf or .svg; its data go beside it as JSON.",
    )


def _figure(name: str, purpose: str) -> click.Command:
    """The command that draws one figure; it has the options of `fit`, and its own."""

    @law_options
    @_output(name)
    def draw(file: Path, **options: Any) -> Exit:
        from scalectl.orchestrator.report.fits import draw_figure

        refusal = draw_figure(name, file, **options)
        click.echo(f"{file} and {file.with_suffix('.json').name} written.")
        click.echo(f"Next: {_after(name, bool(refusal), options)}")
        return Exit.DONE

    return click.command(name, help=purpose)(draw)


def _after(name: str, refused: bool, options: Mapping[str, Any]) -> str:
    """The next command after a figure: a prediction of its law or, where it has none, the reason."""
    law = {key: options[key] for key in ("study", "where", "law", "x")}
    if name != "curves":  # whose metric is a column of the training curves
        law["metric"] = options["metric"]
    if refused:
        return command("fit", store=options["store"], options={**law, "hold_out": options["hold_out"]})
    return command("predict --compute C", store=options["store"], options=law)


for _name, _purpose in _FIGURES.items():
    plot.add("Figures", _figure(_name, _purpose))

_WIDE = "Across a page, with the best runs of each model and data size beside it."
plot.commands["frontier"].params.append(click.Option(["--wide"], is_flag=True, help=_WIDE))
for _side in ("rows", "columns"):
    _help = f"The setting of the {_side}, such as lr."
    plot.commands["decay-map"].params.append(click.Option([f"--{_side}"], metavar="SETTING", help=_help))
