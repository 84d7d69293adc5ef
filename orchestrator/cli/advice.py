"""The commands that look ahead: predict and suggest."""

import json
import math
import shlex
from pathlib import Path
from typing import Any

import click

from scalectl.analysis.vocabulary import AXES, LAWS
from scalectl.orchestrator.cli.options import Range, output, store_option, yaml_file
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.hints import command


class Amount(click.ParamType[float]):
    """A number above 0 as the file has them: 1e21, 0.1, or a count such as 10k, 30M or 3B."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number, or fail as click does."""
        from pydantic_core import PydanticCustomError

        from scalectl.orchestrator.experiment.values import count

        try:
            number = float(value)
        except ValueError:
            try:
                number = float(count(1)(value))
            except PydanticCustomError:
                number = math.nan
        if not (0 < number < math.inf) or "_" in str(value):
            self.fail(f"{value!r} is not a number above 0: write 1e21, 0.1, 10k, 30M or 3B", param, ctx)
        return number


AMOUNT = Amount()
STOP = 2.0  # per cent


@click.command()
@store_option
@click.option("--study", help="A study of the store; the one planned last unless told.")
@click.option("--metric", help="Metric of the law, in place of the study's.")
@click.option("--by", type=click.Choice(tuple(AXES)), help="What compute is, in place of the study's.")
@click.option("--law", type=click.Choice(tuple(LAWS)), help="Family of the law, in place of the study's.")
@click.option("--where", metavar="EXPR", help='Runs to use: "data_size==3e9 and steps>=1000".')
@click.option("--data", type=AMOUNT, metavar="IMAGES", help="Images seen; together with --params.")
@click.option("--params", type=AMOUNT, metavar="N", help="Parameters; together with --data.")
@click.option("--error", type=AMOUNT, metavar="E", help="Which compute comes down to this error?")
@click.option("--compute", "spent", type=AMOUNT, metavar="C", help="Which error has this compute?")
@output("table", "json")
def predict(
    store: Path,
    study: str | None,
    where: str | None,
    by: str | None,
    spent: float | None,
    error: float | None,
    params: float | None,
    data: float | None,
    form: str,
    **said: str | None,
) -> Exit:
    """Say what an amount of compute, or a size with its data, would come to, from the store alone."""
    both = params is not None and data is not None
    if [spent is not None, error is not None, both].count(True) != 1 or (not both and (params or data)):
        raise click.UsageError("give exactly one of --compute C, --error E, and --params N with --data IMAGES")
    from scalectl.orchestrator.report.advice import predicted
    from scalectl.orchestrator.report.fits import asked

    ask, points = asked(store, study, where, compute=by, **said)
    wanted = next(iter(ask.fits.values()))
    found = predicted(points, wanted, compute=spent, error=error, params=params, data=data)
    screen = f"{ask.study} · {found}\n\nNext: {command('suggest FILE --budget X')}"
    click.echo(json.dumps(found.to_json(), indent=2) if form == "json" else screen)
    return Exit.DONE


@click.command()
@yaml_file
@click.option("--budget", type=AMOUNT, required=True, metavar="FLOPS", help="Training FLOPs to spend.")
@click.option("--target", type=AMOUNT, metavar="FLOPS", help="Where the error is to be known; 10 x the largest run.")
@click.option("--metric", help="Metric, in place of that of the study's first law.")
@click.option(
    "--stop",
    type=Range(0, 100),
    default=STOP,
    show_default=True,
    metavar="PERCENT",
    help="Stop when no run narrows the interval by as much.",
)
@output("table", "yaml", "json")
def suggest(file: Path, budget: float, target: float | None, metric: str | None, stop: float, form: str) -> Exit:
    """Say which runs FILE should add, so that the error at a target is known best; nothing is started."""
    from scalectl.orchestrator.report.advice import suggested

    found = suggested(file, budget, metric, target, stop / 100)
    if form == "json":
        click.echo(json.dumps(found.advice.to_json() | {"study": found.study, "yaml": found.yaml}, indent=2))
    elif form == "yaml":
        click.echo(found.yaml, nl=False)
    else:
        click.echo(f"{found.study} · {found.advice}")
        said = {"budget": f"{budget:g}", "target": target, "metric": metric, "stop": None if stop == STOP else stop}
        again = command("suggest -o yaml", file, said=said)
        click.echo(f"\nNext: {again} > {shlex.quote(str(file.parent / 'next.yaml'))}")
    return Exit.DONE
