"""The verb validate: all that is wrong with a file, in its lines or as rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scalectl.analysis.printable import printable, printable_line
from scalectl.orchestrator.cli.options import experiment_of, overrides, yaml_file
from scalectl.orchestrator.cli.rows import Rows, View, rows_options
from scalectl.orchestrator.errors import Exit, InvalidExperiment, Problem
from scalectl.orchestrator.format import command, counted

if TYPE_CHECKING:
    from scalectl.orchestrator.experiment.reading import Experiment

COLUMNS = ("place", "line", "column", "severity", "key", "message", "hint")


@click.command()
@yaml_file
@overrides
@rows_options()
def validate(file: Path, changes: Sequence[str], view: View) -> Exit:
    """Check FILE and list everything that is wrong with it.

    Its rows are errors and warnings, each with its place in the file.
    """
    experiment, problems = None, list[Problem]()
    try:
        experiment = experiment_of(file, changes, quiet=not view.is_for_people)
        problems += experiment.warnings
    except InvalidExperiment as refused:
        if view.is_for_people:
            raise
        problems += refused.problems
    rows = [_row(problem) for problem in problems]
    view.answer(
        lambda: _document(file, experiment, rows),
        lambda: _text(file, changes, experiment),
        lambda: Rows(rows, COLUMNS, COLUMNS),
    )
    if experiment is None:
        return Exit.INVALID
    return Exit.DONE


def sources(experiment: "Experiment") -> list[str]:
    """The lines that say what a study reads."""
    return [printable(f"  {line}") for report in experiment.sources for line in report.lines()]


def _trunks(experiment: "Experiment") -> int:
    return len({cell.run.trunk for cell in experiment.cells if cell.run.branch})


def _text(file: Path, changes: Sequence[str], experiment: "Experiment | None") -> str:
    if experiment is None:  # told as the refusal of the file
        return ""
    head = f"{file} is valid: {counted(len(experiment.cells), 'run')} on {counted(_trunks(experiment), 'trunk')}."
    return "\n".join([head, *sources(experiment), f"Next: {command('plan', file, changes=changes)}"])


def _document(file: Path, experiment: "Experiment | None", problems: list[dict[str, Any]]) -> dict[str, Any]:
    """What was checked as a JSON object; docs/results.md lists its keys."""
    document: dict[str, Any] = {"file": str(file), "valid": experiment is not None, "problems": problems}
    if experiment is None:
        return document
    data = [report.to_json() for report in experiment.sources]
    return document | {"runs": len(experiment.cells), "trunks": _trunks(experiment), "data": data}


def _row(problem: Problem) -> dict[str, Any]:
    spot = problem.spot
    line, column = spot.line or None, spot.column or None
    if spot.is_option:
        line, column = None, None
    texts = {"severity": problem.severity, "key": problem.key, "message": problem.message, "hint": problem.hint}
    shown = {name: printable_line(text) for name, text in texts.items()}
    return {"place": printable_line(spot.source), "line": line, "column": column, **shown}
