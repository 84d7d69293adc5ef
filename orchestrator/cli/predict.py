"""The verb predict: the error at a compute, the compute for an error, or the error of a size with its data."""

import json
from pathlib import Path

import click

from scalectl.orchestrator.cli.fit import COLUMNS, LAWS
from scalectl.orchestrator.cli.options import AMOUNT, Former, output, store_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.hints import command


@click.command()
@store_option
@click.option("--study", help="A study in the store; by default the last one planned.")
@click.option("--metric", help="Metric of the law, in place of the study's.")
@click.option("--x", type=click.Choice(COLUMNS), help="Column that compute is, in place of the study's.")
@click.option("--by", cls=Former, now="--x")
@click.option("--law", type=click.Choice(LAWS), help="Family of the law, in place of the study's.")
@click.option("--where", metavar="EXPR", help='Runs to use: "data_size==3e9 and steps>=1000".')
@click.option("--data", type=AMOUNT, metavar="IMAGES", help="Images seen; together with --params.")
@click.option("--params", type=AMOUNT, metavar="N", help="Parameters; together with --data.")
@click.option("--error", type=AMOUNT, metavar="E", help="What compute reaches this error?")
@click.option("--compute", type=AMOUNT, metavar="C", help="What error does this compute reach?")
@output("table", "json")
def predict(
    store: Path,
    study: str | None,
    where: str | None,
    compute: float | None,
    error: float | None,
    params: float | None,
    data: float | None,
    form: str,
    **said: str | None,
) -> Exit:
    """Predict the error at a compute, or the compute for an error.

    With --params and --data: the error of a model of that size that sees so many images.
    """
    both = params is not None and data is not None
    if [compute is not None, error is not None, both].count(True) != 1 or (not both and (params or data)):
        raise click.UsageError("give exactly one of --compute C, --error E, and --params N with --data IMAGES")
    from scalectl.orchestrator.report.advice import predicted
    from scalectl.orchestrator.report.fits import asked

    ask, points = asked(store, study, where, **said)
    wanted = next(iter(ask.fits.values()))
    found = predicted(points, wanted, compute=compute, error=error, params=params, data=data)
    screen = f"{ask.study} · {found}\n\nNext: {command('suggest FILE --budget X')}"
    click.echo(json.dumps(found.to_json(), indent=2) if form == "json" else screen)
    return Exit.DONE
