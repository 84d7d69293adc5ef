"""The verb fit: laws fitted to the runs in a store; and the options of all verbs that fit laws."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scalectl.analysis.vocabulary import AXES, LAWS, PER, RUNS, SAID, SEEDS
from scalectl.orchestrator.cli.completion import metrics
from scalectl.orchestrator.cli.options import Command, Former, Range, store_option, study_option, where_option
from scalectl.orchestrator.cli.rows import Rows, View, rows_options
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command
from scalectl.orchestrator.terminal import width, wrapped

if TYPE_CHECKING:
    from pandas import DataFrame

    from scalectl.analysis.report import Fitted
    from scalectl.orchestrator.report.study import Ask

metric_option = click.option("--metric", shell_complete=metrics, help="Metric of the law, in place of the study's.")


class _Column(click.Choice[str]):
    """A column that a law may be over; `compute` is the usual one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name of the column; fails for what is none."""
        return super().convert(SAID.get(value, value), param, ctx)


class _Law(click.Choice[str]):
    """The name of a law, of one too that code of one's own has added since the command was made."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as it is; fails for what is none."""
        self.choices = tuple(LAWS)
        if value not in LAWS:
            hint = "one of your own is known after scalectl --code FILE"
            self.fail(f"{value!r} is not one of {', '.join(LAWS)}; {hint}.", param, ctx)
        return super().convert(value, param, ctx)


def noise_options(verb: Command) -> Command:
    """A verb with the options of how seeds and the noise of test images are treated."""
    for option in (
        click.option(
            "--correlation",
            type=Range(0, 1),
            metavar="SHARE",
            help="Share of the sampling noise of test images that all runs have in common, in place of the study's.",
        ),
        click.option("--seeds", type=click.Choice(SEEDS), help="Seeds of one cell: averaged, or runs of their own."),
    ):
        verb = option(verb)
    return verb


def manner_options(verb: Command) -> Command:
    """A verb with the options of how a law is fitted, each in place of the study's own word."""
    for option in (
        noise_options,
        click.option("--law", type=_Law(tuple(LAWS)), help="Family of the law, in place of the study's."),
        click.option("--runs", type=click.Choice(RUNS), help="Runs that a law is fitted to, in place of the study's."),
        click.option(
            "--over",
            "--x",
            "x",
            type=_Column(tuple(AXES)),
            help="Column that the law is over, in place of the study's.",
        ),
    ):
        verb = option(verb)
    return verb


def law_options(verb: Command) -> Command:
    """A verb with the options that choose runs and a law."""
    for option in (
        click.option("--hold-out", metavar="EXPR", help="Runs to leave out and predict: \"model=='mini'\"."),
        where_option,
        click.option("--compute", cls=Former, now="--x"),
        manner_options,
        metric_option,
        study_option,
        store_option,
    ):
        verb = option(verb)
    return verb


def said(metric: str | None, x: str | None, **manner: str | float | None) -> dict[str, Any]:
    """The words of the command line that stand in place of the study's, by the keys of its file."""
    return {"metric": metric, "compute": x, **manner}


@click.command()
@law_options
@click.option("--per", type=click.Choice(PER), help="A law for each model, or for each data size.")
@click.option("--by", cls=Former, now="--per")
@click.option("--backtest", is_flag=True, help="Laws of the cheaper runs, held against what dearer runs reached.")
@click.option("--isoflop", is_flag=True, help="The best model size at each budget, and how it grows.")
@rows_options(where=False)
def fit(
    store: Path,
    study: str | None,
    where: str | None,
    hold_out: str | None,
    per: str | None,
    isoflop: bool,
    backtest: bool,
    view: View,
    **words: Any,
) -> Exit:
    """Fit the laws of a study.

    Laws are fitted to the runs in the store; nothing is trained.
    """
    if [per is not None, isoflop, hold_out is not None].count(True) > 1:
        raise click.UsageError("give only one of --per, --isoflop and --hold-out")
    if backtest and (per or isoflop):
        raise click.UsageError("give only one of --backtest, --per and --isoflop")
    from scalectl.orchestrator.report.fits import study_points

    ask, points = study_points(store, study, where, **said(**words))
    if backtest:
        return _backtest(ask, points, hold_out, view)
    if isoflop:
        return _isoflop(ask, points, view)
    if per:
        return _each(ask, points, per, view)
    options = {"study": study, "where": where, "hold_out": hold_out, **words}
    return _laws(ask, points, hold_out, view, command("plot frontier", store=store, options=options))


def _laws(ask: "Ask", points: "DataFrame", hold_out: str | None, view: View, following: str) -> Exit:
    from scalectl.analysis.checks import excluded
    from scalectl.analysis.store import metrics
    from scalectl.orchestrator.report.fits import fit_or_reason, held_out_runs

    laws, reports = {}, []
    for name, fit in ask.fits.items():
        held = held_out_runs(points, fit, hold_out)
        law, refusal = fit_or_reason(points, fit, held)
        if not law:
            click.echo(refusal, err=True)
            continue
        laws[name] = law
        if view.is_for_people:
            reports.append(f"{ask.study} · {law}")
    if view.is_of_rows:
        view.print(_rows({name: _parameters(law) for name, law in laws.items()}))
    elif view.form == "json":
        _print({name: law.to_json() for name, law in laws.items()}, len(ask.fits))
    elif laws:
        _say(reports)
        click.echo(f"\nNext: {following}")
    if len(laws) < len(ask.fits):
        done = points[(points["state"] == "done") & ~excluded(points)]  # without any there is no figure either
        if not laws and any(fit.metric in metrics(points) and done[fit.metric].count() for fit in ask.fits.values()):
            click.echo(f"Next: {following}", err=True)
        return Exit.REFUSED
    return Exit.DONE


def _each(ask: "Ask", points: "DataFrame", per: str, view: View) -> Exit:
    from scalectl.orchestrator.report.fits import fit_per

    groups = {name: fit_per(points, fit, per) for name, fit in ask.fits.items()}
    if view.is_of_rows:
        for reason in (f"{group}: {reason}" for _, refused, _ in groups.values() for group, reason in refused.items()):
            click.echo(reason, err=True)
        view.print(_rows({name: _of_groups(laws, per) for name, (laws, _, _) in groups.items()}))
    elif view.form == "json":
        documents = {
            name: {"by": per, "laws": {group: law.to_json() for group, law in laws.items()}, "refused": refused}
            for name, (laws, refused, _) in groups.items()
        }
        _print(documents, len(documents))
    else:
        _say(f"{ask.study} · {table}" for _, _, table in groups.values())
    if all(laws for laws, _, _ in groups.values()):
        return Exit.DONE
    return Exit.REFUSED


def _backtest(ask: "Ask", points: "DataFrame", hold_out: str | None, view: View) -> Exit:
    from scalectl.orchestrator.report.fits import held_out_runs, tested

    tests = {name: tested(points, fit, held_out_runs(points, fit, hold_out)) for name, fit in ask.fits.items()}
    if view.is_of_rows:
        cuts = {name: test.to_json()["cuts"] for name, test in tests.items()}
        kept = {name: [{key: cut[key] for key in cut if key != "later"} for cut in cuts[name]] for name in cuts}
        for reason in (reason for test in tests.values() for reason in test.refused.values()):
            click.echo(f"refused: {reason}", err=True)
        view.print(_rows(kept))
    elif view.form == "json":
        _print({name: test.to_json() for name, test in tests.items()}, len(tests))
    else:
        _say(f"{ask.study} · {test}" for test in tests.values())
    if all(test.cuts for test in tests.values()):
        return Exit.DONE
    return Exit.REFUSED


def _isoflop(ask: "Ask", points: "DataFrame", view: View) -> Exit:
    from scalectl.orchestrator.report.fits import minima

    curves = {name: minima(points, fit) for name, fit in ask.fits.items()}
    if view.is_of_rows:
        view.print(_rows({name: curve.to_json()["budgets"] for name, curve in curves.items()}))
    elif view.form == "json":
        _print({name: curve.to_json() for name, curve in curves.items()}, len(curves))
    else:
        _say(f"{ask.study} · {curve}" for curve in curves.values())
    return Exit.DONE


def _say(reports: Iterable[str]) -> None:
    """Print texts for people, on a terminal broken between words."""
    click.echo(wrapped("\n\n".join(reports), width()))


def _rows(rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> Rows:
    """The rows of all fits of a study, each with the name of its fit."""
    return Rows([{"fit": name, **row} for name, rows_of_fit in rows.items() for row in rows_of_fit])


def _parameters(law: "Fitted") -> list[dict[str, Any]]:
    """A row for each parameter of a law, with the ends of its interval where that is known."""
    document = law.to_json()
    head = {name: document[name] for name in ("metric", "compute", "unit", "law")}
    rows = []
    for name, value in document["params"].items():
        low, high = document["intervals"].get(name, (None, None))
        rows.append({**head, "parameter": name, "value": value, "low": low, "high": high})
    return rows


def _of_groups(laws: "Mapping[str, Fitted]", per: str) -> list[dict[str, Any]]:
    return [{per: group, **row} for group, law in laws.items() for row in _parameters(law)]


def _print(documents: dict[str, Any], fits: int) -> None:
    """Print the JSON of a study's fits: the document itself where it has one fit, else all by their names."""
    if fits > 1:
        click.echo(json.dumps(documents, indent=2))
    else:
        for document in documents.values():
            click.echo(json.dumps(document, indent=2))
