"""The verb plot: a command for each figure that the analysis has, from the store alone."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from scalectl.analysis.vocabulary import FIGURES
from scalectl.orchestrator.cli.fit import law_options, said
from scalectl.orchestrator.cli.options import Command, Finite, quiet_option, say
from scalectl.orchestrator.cli.verbs import Verbs
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, file_name

WORDS = ("metric", "x", "runs", "law", "seeds", "correlation")  # that stand in place of the study's
_SUFFIXES = (".png", ".pdf", ".svg")


class _Figures(Verbs):
    """A command for each registered figure, those that are registered later included."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a figure, or none for a word that names no figure."""
        if cmd_name not in FIGURES:
            return None
        return _figure(cmd_name)

    def sections(self, ctx: click.Context) -> dict[str, list[click.Command]]:
        """The figures under one heading."""
        return {"Figures": [_figure(name) for name in FIGURES]}


class _Figure(click.Command):
    """The command of one figure; its own options are looked up when it is called or asked for help."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The options of all figures, and those of this one."""
        figure = FIGURES[str(self.name)]
        *shared, helping = super().get_params(ctx)
        return [
            *(option for option in shared if option.name not in figure.fixed),
            *map(_option, figure.options),
            helping,
        ]


def _option(option: Any) -> click.Option:
    """The option of a command for one of `analysis.drawing.plot.Option`."""
    if not option.value:
        return click.Option([f"--{option.name}"], is_flag=True, help=option.purpose)
    return click.Option([f"--{option.name}"], metavar=option.value, help=option.purpose)


@click.group(cls=_Figures)
def plot() -> None:
    """Draw a figure of the runs in the store."""


def _picture(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and path.suffix not in _SUFFIXES:
        raise click.BadParameter(f"{path}: a figure is one of {', '.join(_SUFFIXES)}", context, parameter)
    return path


def _output(name: str) -> Callable[[Command], Command]:
    return click.option(
        "-o",
        "--output",
        "file",
        type=click.Path(path_type=Path),
        callback=_picture,
        show_default=f"plots/STUDY/{name}.png",
        help="A .png, .pdf or .svg; its data go beside it as JSON.",
    )


def _look_options(verb: Command) -> Command:
    """A command with the options of how its figure looks, whose names are those of analysis.drawing.look.Look."""
    number = Finite()
    for option in (
        click.option("--style", metavar="NAME|FILE", help="A style of Matplotlib, or a file of one, on top of ours."),
        click.option("--dpi", type=click.IntRange(30, 1200), help="Dots per inch of a .png, in place of 300."),
        click.option("--size", nargs=2, type=number, metavar="WIDTH HEIGHT", help="In millimetres, with the legend."),
        click.option("--ylim", nargs=2, type=number, metavar="LOW HIGH", help="Ends of the y axis, in its unit."),
        click.option("--xlim", nargs=2, type=number, metavar="LOW HIGH", help="Ends of the x axis, in its unit."),
        click.option("--ylabel", metavar="TEXT", help="Name of the y axis; $...$ is mathematics."),
        click.option("--xlabel", metavar="TEXT", help="Name of the x axis."),
        click.option("--title", metavar="TEXT", help="What stands above, in place of the law; '' for nothing."),
    ):
        verb = option(verb)
    return verb


def _figure(name: str) -> click.Command:
    """The command that draws one figure; it has the options of `fit`, those of its look, and its own."""

    @law_options
    @_output(name)
    @_look_options
    @quiet_option
    def draw(file: Path | None, **options: Any) -> Exit:
        from scalectl.orchestrator.report.figures import draw_figure
        from scalectl.orchestrator.report.study import ask

        if file is None:
            file = Path("plots", file_name(ask(options["store"], options["study"]).study), f"{name}.png")
        words = said(**{word: options[word] for word in WORDS})
        others = {option: value for option, value in options.items() if option not in WORDS}
        refusal, ahead, letters = draw_figure(name, file, said=words, **others)
        if letters:
            click.echo(
                f"No font of this machine has {letters}, so boxes are drawn. Install one, such as Noto Sans CJK."
            )
        say(f"{file} and {file.with_suffix('.json').name} written.")
        say(f"Next: {_after(name, bool(refusal), ahead, options)}")
        return Exit.DONE

    return click.command(name, help=FIGURES.purpose(name), cls=_Figure)(draw)


def _after(name: str, refused: bool, ahead: float, options: Mapping[str, Any]) -> str:
    """The next command after a figure: a prediction of its law or, where it has none, the reason."""
    law = {key: options[key] for key in ("study", "where", *WORDS) if key != "metric"}
    if not FIGURES[name].curves:  # whose metric is a column of the training curves
        law["metric"] = options["metric"]
    if refused or not ahead:
        return command("fit", store=options["store"], options={**law, "hold_out": options["hold_out"]})
    return command(f"predict --compute {ahead:.2g}", store=options["store"], options=law)


for _name in FIGURES:
    plot.add_command(_figure(_name))
