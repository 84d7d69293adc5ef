"""The verb fit: laws fitted to the runs in a store; and the options of all verbs that fit laws."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scalectl.analysis.vocabulary import AXES, LAWS, PER
from scalectl.orchestrator.cli.completion import metrics
from scalectl.orchestrator.cli.options import Command, Former, output, store_option, study_option, where_option
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command

if TYPE_CHECKING:
    from pandas import DataFrame

    from scalectl.orchestrator.report.study import Ask

metric_option = click.option("--metric", shell_complete=metrics, help="Metric of the law, in place of the study's.")
x_option = click.option(
    "--x", type=click.Choice(tuple(AXES)), help="Column that the law is over, in place of the study's."
)
law_option = click.option("--law", type=click.Choice(tuple(LAWS)), help="Family of the law, in place of the study's.")


def law_options(verb: Command) -> Command:
    """A verb with the options that choose runs and a law."""
    for option in (
        click.option("--hold-out", metavar="EXPR", help="Runs to leave out and predict: \"model=='mini'\"."),
        where_option,
        law_option,
        click.option("--compute", cls=Former, now="--x"),
        x_option,
        metric_option,
        study_option,
        store_option,
    ):
        verb = option(verb)
    return verb


@click.command()
@law_options
@click.option("--per", type=click.Choice(PER), help="A law for each model, or for each data size.")
@click.option("--by", cls=Former, now="--per")
@click.option("--seeds", type=click.Choice(("mean", "each")), help="Seeds of one cell: averaged, or runs of their own.")
@click.option("--backtest", is_flag=True, help="Laws of the cheaper runs, held against what dearer runs reached.")
@click.option("--isoflop", is_flag=True, help="The best model size at each budget, and how it grows.")
@output("table", "json")
def fit(
    store: Path,
    study: str | None,
    metric: str | None,
    x: str | None,
    law: str | None,
    where: str | None,
    hold_out: str | None,
    per: str | None,
    seeds: str | None,
    isoflop: bool,
    backtest: bool,
    form: str,
) -> Exit:
    """Fit the laws of a study.

    Laws are fitted to the runs in the store; nothing is trained.
    """
    if [per is not None, isoflop, hold_out is not None].count(True) > 1:
        raise click.UsageError("give only one of --per, --isoflop and --hold-out")
    if backtest and (per or isoflop):
        raise click.UsageError("give only one of --backtest, --per and --isoflop")
    from scalectl.orchestrator.report.fits import study_points

    ask, points = study_points(store, study, where, metric=metric, x=x, law=law, seeds=seeds)
    if backtest:
        return _backtest(ask, points, hold_out, form)
    if isoflop:
        return _isoflop(ask, points, form)
    if per:
        return _each(ask, points, per, form)
    options = {"study": study, "where": where, "hold_out": hold_out, "metric": metric, "x": x, "law": law}
    return _laws(ask, points, hold_out, form, command("plot frontier", store=store, options=options))


def _laws(ask: "Ask", points: "DataFrame", hold_out: str | None, form: str, following: str) -> Exit:
    from scalectl.orchestrator.report.fits import fit_or_reason, held_out_runs, reported

    laws, reports = {}, []
    for name, fit in ask.fits.items():
        held = held_out_runs(points, fit, hold_out)
        law, refusal = fit_or_reason(points, fit, held)
        if not law:
            click.echo(refusal, err=True)
            continue
        laws[name] = law
        if form != "json":
            reports.append(f"{ask.study} · {reported(points, fit, held, law)}")
    if form == "json":
        _print({name: law.to_json() for name, law in laws.items()}, len(ask.fits))
    elif laws:
        click.echo("\n\n".join(reports))
        click.echo(f"\nNext: {following}")
    if len(laws) < len(ask.fits):
        if not laws:
            click.echo(f"Next: {following}", err=True)
        return Exit.REFUSED
    return Exit.DONE


def _each(ask: "Ask", points: "DataFrame", per: str, form: str) -> Exit:
    from scalectl.orchestrator.report.fits import fit_per

    groups = {name: fit_per(points, fit, per) for name, fit in ask.fits.items()}
    if form == "json":
        documents = {
            name: {"by": per, "laws": {group: law.to_json() for group, law in laws.items()}, "refused": refused}
            for name, (laws, refused, _) in groups.items()
        }
        _print(documents, len(documents))
    else:
        click.echo("\n\n".join(f"{ask.study} · {table}" for _, _, table in groups.values()))
    if all(laws for laws, _, _ in groups.values()):
        return Exit.DONE
    return Exit.REFUSED


def _backtest(ask: "Ask", points: "DataFrame", hold_out: str | None, form: str) -> Exit:
    from scalectl.orchestrator.report.fits import held_out_runs, tested

    tests = {name: tested(points, fit, held_out_runs(points, fit, hold_out)) for name, fit in ask.fits.items()}
    if form == "json":
        _print({name: test.to_json() for name, test in tests.items()}, len(tests))
    else:
        click.echo("\n\n".join(f"{ask.study} · {test}" for test in tests.values()))
    if all(test.cuts for test in tests.values()):
        return Exit.DONE
    return Exit.REFUSED


def _isoflop(ask: "Ask", points: "DataFrame", form: str) -> Exit:
    from scalectl.orchestrator.report.fits import minima

    curves = {name: minima(points, fit) for name, fit in ask.fits.items()}
    if form == "json":
        _print({name: curve.to_json() for name, curve in curves.items()}, len(curves))
    else:
        click.echo("\n\n".join(f"{ask.study} · {curve}" for curve in curves.values()))
    return Exit.DONE


def _print(documents: dict[str, Any], fits: int) -> None:
    """Print the JSON of a study's fits: the document itself where it has one fit, else all by their names."""
    if fits > 1:
        click.echo(json.dumps(documents, indent=2))
    else:
        for document in documents.values():
            click.echo(json.dumps(document, indent=2))
