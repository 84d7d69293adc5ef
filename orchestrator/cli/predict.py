"""The verbs that look ahead: predict and suggest."""

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scalectl.orchestrator.cli.completion import metrics, run_names
from scalectl.orchestrator.cli.fit import manner_options, metric_option, noise_options, said
from scalectl.orchestrator.cli.options import (
    AMOUNT,
    Former,
    Range,
    is_typed,
    store_option,
    study_option,
    where_option,
    yaml_file,
)
from scalectl.orchestrator.cli.rows import Rows, View, flat, rows_options
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, exact
from scalectl.orchestrator.terminal import width, wrapped

if TYPE_CHECKING:
    from pandas import DataFrame


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
@click.option(
    "--check",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="What came of the predictions in FILE, which --missing -o csv or jsonl wrote?",
)
@click.option(
    "--missing",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="What will the runs of FILE, an experiments.yaml, measure that are not done?",
)
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
    missing: Path | None,
    check: Path | None,
    data_size: float | None,
    view: View,
    **manner: Any,
) -> Exit:
    """Predict the error at a compute, or the compute for an error.

    With --params and --data: the error of a model of that size that sees so many images. With --run: the loss and the
    metric at the end of a run, from its training so far; RUN is a name, an id, or the beginning of either.
    With --missing: the metric of each run of a file that is not done, to be kept before they are trained. With --check:
    what came of that.
    """
    question = {"compute": compute, "error": error, "params": params, "data": data, "data_size": data_size}
    given = {"--study": study, "--metric": metric, "--where": where, **manner, **question}
    if run is not None:
        _alone("--run", {"--missing": missing, "--check": check, **given}, "--metric", "--where")
        return _ending(store, run, where, metric, view)
    if missing is not None:
        _alone("--missing", {"--check": check, **given}, "--metric", "--where")
        return _foretold(missing, store if is_typed("store") else None, where, metric, view)
    if check is not None:
        _alone("--check", given)
        return _checked(store, check, view)
    _check_question(question)
    from scalectl.orchestrator.report.fits import predicted, study_points

    ask, points = study_points(store, study, where, **said(metric, **manner))
    first = next(iter(ask.fits.values()))
    prediction = predicted(points, first, **question)
    following = next_command(store, points, ask.study, {"study": study, "metric": metric, "where": where, **manner})
    view.answer(
        prediction.to_json,
        lambda: f"{ask.study} · {prediction}\n\nNext: {following}",
        lambda: Rows([flat(prediction.to_json())]),
    )
    return Exit.DONE


def _check_question(question: Mapping[str, float | None]) -> None:
    """Raise UsageError unless a law is asked for one thing."""
    given = {name for name, value in question.items() if value is not None}
    if given - {"data_size"} not in ({"compute"}, {"error"}, {"params", "data"}):
        raise click.UsageError(
            "give exactly one of --compute C, --error E, --run RUN, --missing FILE, --check FILE, and --params N with"
            " --data IMAGES"
        )
    if "data_size" in given and "params" not in given:
        raise click.UsageError("--data-size goes with --params N and --data IMAGES")


def _alone(option: str, others: Mapping[str, object], *allowed: str) -> None:
    """Raise UsageError where an option is given with one that doesn't go with it."""
    if any(value is not None for name, value in others.items() if name not in allowed):
        raise click.UsageError(f"{option} goes with {' and '.join(['--store', *allowed])} only")


def _foretold(file: Path, store: Path | None, where: str | None, metric: str | None, view: View) -> Exit:
    """Print what the runs of a file that are not done should measure."""
    from scalectl.orchestrator.report.foretelling import foretelling

    told = foretelling(file, store, where, metric=metric)
    following = command("launch", file)
    keep = command("predict -o csv", store=store, options={"missing": file, "metric": metric, "where": where})
    view.answer(
        told.to_json,
        lambda: f"{told}\n\nTo keep it: {keep} > prediction.csv\nNext: {following}",
        lambda: Rows(told.to_json()["runs"]),
    )
    return Exit.DONE


def _checked(store: Path, file: Path, view: View) -> Exit:
    """Print what came of predictions."""
    from scalectl.orchestrator.report.foretelling import outcomes

    judged = outcomes(store, file)
    following = command("plot frontier", store=store)
    view.answer(judged.to_json, lambda: f"{judged}\n\nNext: {following}", lambda: Rows(judged.to_json()["runs"]))
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


def next_command(store: Path, points: "DataFrame", study: str, asked: Mapping[str, Any]) -> str:
    """The command after a prediction: to ask for runs that cost as much as those so far, where a launch had a file."""
    from scalectl.orchestrator.store.reading import Store

    again = shlex.split(Store(store).again(study))
    spent = float(points.loc[points["state"] == "done", "marginal_flops"].sum())
    if not again or not spent > 0:
        return command("plot frontier", store=store, options=asked)
    kept = {name: asked.get(name) for name in ("metric", "seeds", "correlation")}  # those that `suggest` has as well
    return command("suggest", again[2], options={"budget": f"{spent:.1g}", **kept})


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
    advice, study = suggestion.advice, suggestion.study
    if view.is_of_rows and view.form != "yaml":
        from scalectl.analysis.suggestion import Suggested

        view.print(Rows(advice.to_json()["runs"], [field.name for field in fields(Suggested)]))
    elif view.form == "json":
        click.echo(json.dumps({**advice.to_json(), "study": study, "yaml": suggestion.yaml}, indent=2))
    elif view.form == "yaml":
        click.echo(suggestion.yaml, nl=False)
    else:
        click.echo(wrapped(f"{study} · {advice}", width()))
        options: dict[str, object] = {"budget": exact(budget), "target": target, "metric": metric, **noise}
        if stop != STOP:
            options["stop"] = stop
        again = command("suggest -o yaml", file, options=options)
        click.echo(f"\nNext: {again} > {shlex.quote(str(file.parent / 'next.yaml'))}")
    return Exit.DONE
