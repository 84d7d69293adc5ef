"""The verb suggest: which runs a file should add."""

import json
import shlex
from pathlib import Path

import click

from scalectl.orchestrator.cli.options import AMOUNT, Range, output, yaml_file
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command

STOP = 2.0  # per cent


@click.command()
@yaml_file
@click.option("--budget", type=AMOUNT, required=True, metavar="FLOPS", help="Training FLOPs to spend.")
@click.option(
    "--target", type=AMOUNT, metavar="FLOPS", help="Compute to know the error at; by default 10 x the largest run."
)
@click.option("--metric", help="Metric, in place of that of the study's first law.")
@click.option(
    "--stop",
    type=Range(0, 100),
    default=STOP,
    show_default=True,
    metavar="PERCENT",
    help="Stop adding runs that narrow the interval by less.",
)
@output("table", "yaml", "json")
def suggest(file: Path, budget: float, target: float | None, metric: str | None, stop: float, form: str) -> Exit:
    """Choose the runs to add that best pin down the error at a target.

    The runs fit into --budget; nothing is started.
    """
    from scalectl.orchestrator.report.advice import suggested

    suggestion = suggested(file, budget, metric, target, stop / 100)
    advice, study, yaml = suggestion.advice, suggestion.study, suggestion.yaml
    if form == "json":
        click.echo(json.dumps({**advice.to_json(), "study": study, "yaml": yaml}, indent=2))
    elif form == "yaml":
        click.echo(yaml, nl=False)
    else:
        click.echo(f"{study} · {advice}")
        options: dict[str, object] = {"budget": f"{budget:g}", "target": target, "metric": metric}
        if stop != STOP:
            options["stop"] = stop
        again = command("suggest -o yaml", file, options=options)
        click.echo(f"\nNext: {again} > {shlex.quote(str(file.parent / 'next.yaml'))}")
    return Exit.DONE
