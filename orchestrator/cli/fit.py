"""The commands that answer from the store through the analysis."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scalectl.analysis.vocabulary import AXES, LAWS
from scalectl.orchestrator.cli.options import Command, output, store_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.hints import command

if TYPE_CHECKING:
    from pandas import DataFrame

    from scalectl.orchestrator.report.study import Ask


def law_options(command: Command) -> Command:
    """Return the command with the options that choose runs and a law."""
    for option in (
        click.option("--hold-out", metavar="EXPR", help="Runs to leave out and predict: \"model=='mini'\"."),
        click.option("--where", metavar="EXPR", help='Runs to use: "data_size==3e9 and steps>=1000".'),
        click.option("--law", type=click.Choice(tuple(LAWS)), help="Family of the law, in place of the study's."),
        click.option("--compute", type=click.Choice(tuple(AXES)), help="Compute of the law, in place of the study's."),
        click.option("--metric", help="Metric of the law, in place of the study's."),
        click.option("--study", help="A study of the store; the one planned last unless told."),
        store_option,
    ):
        command = option(command)
    return command


@click.command()
@law_options
@click.option("--by", type=click.Choice(["model", "data_size"]), help="A law for each model, or for each data size.")
@click.option("--isoflop", is_flag=True, help="The best model size at each budget, and how it grows.")
@output("table", "json")
def fit(
    store: Path,
    study: str | None,
    where: str | None,
    hold_out: str | None,
    by: str | None,
    isoflop: bool,
    form: str,
    **said: str | None,
) -> Exit:
    """Fit the laws that a study asks for, from the store alone."""
    if sum((bool(by), isoflop, bool(hold_out))) > 1:
        raise click.UsageError("--by, --isoflop and --hold-out exclude each other")
    from scalectl.orchestrator.report.fits import asked

    ask, points = asked(store, study, where, **said)
    if isoflop:
        return _isoflop(ask, points, form)
    if by:
        return _each(ask, points, by, form)
    after = command("plot frontier", store=store, said={"study": study, "where": where, "hold_out": hold_out, **said})
    return _laws(ask, points, hold_out, form, after)


def _laws(ask: "Ask", points: "DataFrame", hold_out: str | None, form: str, after: str) -> Exit:
    from scalectl.orchestrator.report.fits import fitted, held

    laws = {name: fitted(points, wanted, held(points, wanted, hold_out)) for name, wanted in ask.fits.items()}
    found = {name: law for name, (law, _) in laws.items() if law}
    for refusal in filter(None, (refusal for _, refusal in laws.values())):
        click.echo(refusal, err=True)
    if form == "json":
        _print({name: law.to_json() for name, law in found.items()}, len(laws))
    elif found:
        click.echo("\n\n".join(f"{ask.study} · {law}" for law in found.values()))
        click.echo(f"\nNext: {after}")
    return Exit.DONE if len(found) == len(laws) else Exit.REFUSED


def _each(ask: "Ask", points: "DataFrame", by: str, form: str) -> Exit:
    from scalectl.orchestrator.report.fits import fitted_each

    found = {name: fitted_each(points, wanted, by) for name, wanted in ask.fits.items()}
    if form == "json":
        documents = {
            name: {"by": by, "laws": {group: law.to_json() for group, law in laws.items()}, "refused": refused}
            for name, (laws, refused, _) in found.items()
        }
        _print(documents, len(documents))
    else:
        click.echo("\n\n".join(f"{ask.study} · {table}" for _, _, table in found.values()))
    return Exit.DONE if all(laws for laws, _, _ in found.values()) else Exit.REFUSED


def _isoflop(ask: "Ask", points: "DataFrame", form: str) -> Exit:
    from scalectl.orchestrator.report.fits import minima

    found = {name: minima(points, wanted) for name, wanted in ask.fits.items()}
    if form == "json":
        _print({name: one.to_json() for name, one in found.items()}, len(found))
    else:
        click.echo("\n\n".join(f"{ask.study} · {one}" for one in found.values()))
    return Exit.DONE


def _print(documents: dict[str, Any], asked: int) -> None:
    """Print the JSON of what was asked for: the document itself where it is one, else all by their names."""
    found = documents if asked > 1 else next(iter(documents.values()), None)
    if found is not None:
        click.echo(json.dumps(found, indent=2))
