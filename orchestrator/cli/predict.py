"""The verbs that look ahead: predict and suggest."""

import json
import os
import shlex
from pathlib import Path
from typing import Any

import click

from scalectl.orchestrator.cli.completion import metrics, run_names
from scalectl.orchestrator.cli.fit import manner_options, metric_option, noise_options, said
from scalectl.orchestrator.cli.options import (
    AMOUNT,
    Former,
    Range,
    store_option,
    study_option,
    where_option,
    yaml_file,
)
from scalectl.orchestrator.cli.rows import Rows, View, flat, rows_options
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command


@click.command()
@store_option
@study_option
@metric_option
@manner_options
@click.option("--by", cls=Former, now="--x")
@where_option
@click.option(
    "--data-size", type=AMOUNT, metavar="IMAGES", help="Distinct images of --data; by default the largest data set."
)
@click.option("--data", type=AMOUNT, metavar="IMAGES", help="Images seen; together with --params.")
@click.option("--params", type=AMOUNT, metavar="N", help="Parameters; together with --data.")
@click.option("--error", type=AMOUNT, metavar="E", help="What compute reaches this error?")
@click.option("--compute", type=AMOUNT, metavar="C", help="What error does this compute reach?")
@click.option("--run", metavar="RUN", shell_complete=run_names, help="Where will this run, which is not done, end?")
@rows_options(where=False)
def predict(
    store: Path,
    study: str | None,
    metric: str | None,
    where: str | None,
    compute: float | None,
    error: float | None,
    params: float | None,
    data: float | None,
    run: str | None,
    data_size: float | None,
    view: View,
    **manner: Any,
) -> Exit:
    """Predict the error at a compute, or the compute for an error.

    With --params and --data: the error of a model of that size that sees so many images. With --run: the loss and the
    metric at the end of a run, from its training so far; RUN is a name, an id, or the beginning of either.
    """
    if run is not None:
        if any(option is not None for option in (study, *manner.values(), compute, error, params, data, data_size)):
            raise click.UsageError("--run goes with --store, --metric and --where only")
        return _ending(store, run, where, metric, view)
    both = params is not None and data is not None
    if [compute is not None, error is not None, both].count(True) != 1 or (not both and (params or data)):
        raise click.UsageError(
            "give exactly one of --compute C, --error E, --run RUN, and --params N with --data IMAGES"
        )
    if data_size is not None and not both:
        raise click.UsageError("--data-size goes with --params N and --data IMAGES")
    from scalectl.orchestrator.report.fits import predicted, study_points

    ask, points = study_points(store, study, where, **said(metric, **manner))
    first = next(iter(ask.fits.values()))
    question = {"compute": compute, "error": error, "params": params, "data": data, "data_size": data_size}
    prediction = predicted(points, first, **question)
    following = _following(store, points["flops"].sum(), study)
    view.answer(
        prediction.to_json,
        lambda: f"{ask.study} · {prediction}\n\nNext: {following}",
        lambda: Rows([flat(prediction.to_json())]),
    )
    return Exit.DONE


def _ending(store: Path, run: str, where: str | None, metric: str | None, view: View) -> Exit:
    """Print where a run will end."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before JAX looks for devices: a launch may be using them
    from scalectl.orchestrator.report.ending import predicted_ending

    ending = predicted_ending(store, run, where, metric)
    following = command(f"show {ending.run}", store=store)
    view.answer(
        ending.to_json,
        lambda: f"{ending}\n\nNext: {following}",
        lambda: Rows([{"run": ending.run, "name": ending.name, **end} for end in ending.to_json()["ends"]]),
    )
    return Exit.DONE


def _following(store: Path, spent: float, study: str | None) -> str:
    """The command after a prediction: to ask for runs that cost as much as those so far, where a file has them."""
    from scalectl.orchestrator.store.reading import Store

    again = shlex.split(Store(store).again())
    if study or len(again) < 3 or not spent > 0:
        return command("plot frontier", store=store, options={"study": study})
    return command("suggest", again[2], options={"budget": f"{spent:.1g}"})


STOP = 2.0  # per cent


@click.command()
@yaml_file
@click.option("--budget", type=AMOUNT, required=True, metavar="FLOPS", help="Training FLOPs to spend.")
@click.option(
    "--target", type=AMOUNT, metavar="FLOPS", help="Compute to know the error at; by default 10 x the largest run."
)
@click.option("--metric", shell_complete=metrics, help="Metric, in place of that of the study's first law.")
@click.option(
    "--stop",
    type=Range(0, 100),
    default=STOP,
    show_default=True,
    metavar="PERCENT",
    help="Stop adding runs that narrow the interval by less.",
)
@noise_options
@rows_options("yaml")
def suggest(
    file: Path, budget: float, target: float | None, metric: str | None, stop: float, view: View, **noise: Any
) -> Exit:
    """Choose the runs to add that best pin down the error at a target.

    The runs fit into --budget; nothing is started.
    """
    from scalectl.orchestrator.report.advice import suggested

    suggestion = suggested(file, budget, target, stop / 100, metric=metric, **noise)
    advice, study, yaml = suggestion.advice, suggestion.study, suggestion.yaml
    if view.is_of_rows and view.form != "yaml":
        view.print(Rows(advice.to_json()["runs"]))
    elif view.form == "json":
        click.echo(json.dumps({**advice.to_json(), "study": study, "yaml": yaml}, indent=2))
    elif view.form == "yaml":
        click.echo(yaml, nl=False)
    else:
        click.echo(f"{study} · {advice}")
        options: dict[str, object] = {"budget": f"{budget:g}", "target": target, "metric": metric, **noise}
        if stop != STOP:
            options["stop"] = stop
        again = command("suggest -o yaml", file, options=options)
        click.echo(f"\nNext: {again} > {shlex.quote(str(file.parent / 'next.yaml'))}")
    return Exit.DONE
