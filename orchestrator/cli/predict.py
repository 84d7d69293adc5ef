"""The verb predict: the error at a compute, the compute for an error, or the error of a size with its data."""

from pathlib import Path

import click

from scalectl.orchestrator.cli.fit import law_option, metric_option, x_option
from scalectl.orchestrator.cli.options import (
    AMOUNT,
    Former,
    answer,
    output,
    store_option,
    study_option,
    where_option,
)
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command


@click.command()
@store_option
@study_option
@metric_option
@x_option
@click.option("--by", cls=Former, now="--x")
@law_option
@where_option
@click.option("--data", type=AMOUNT, metavar="IMAGES", help="Images seen; together with --params.")
@click.option("--params", type=AMOUNT, metavar="N", help="Parameters; together with --data.")
@click.option("--error", type=AMOUNT, metavar="E", help="What compute reaches this error?")
@click.option("--compute", type=AMOUNT, metavar="C", help="What error does this compute reach?")
@output("table", "json")
def predict(
    store: Path,
    study: str | None,
    metric: str | None,
    x: str | None,
    law: str | None,
    where: str | None,
    compute: float | None,
    error: float | None,
    params: float | None,
    data: float | None,
    form: str,
) -> Exit:
    """Predict the error at a compute, or the compute for an error.

    With --params and --data: the error of a model of that size that sees so many images.
    """
    both = params is not None and data is not None
    if [compute is not None, error is not None, both].count(True) != 1 or (not both and (params or data)):
        raise click.UsageError("give exactly one of --compute C, --error E, and --params N with --data IMAGES")
    from scalectl.orchestrator.report.advice import predicted
    from scalectl.orchestrator.report.fits import study_points

    ask, points = study_points(store, study, where, metric=metric, x=x, law=law)
    first = next(iter(ask.fits.values()))
    prediction = predicted(points, first, compute=compute, error=error, params=params, data=data)
    following = command("suggest FILE --budget X")
    answer(form, prediction.to_json, lambda: f"{ask.study} · {prediction}\n\nNext: {following}")
    return Exit.DONE
