"""The verb doctor: whether this machine is ready for a launch."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scalectl.orchestrator.cli.options import yaml_file
from scalectl.orchestrator.cli.rows import Rows, View, rows_options
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, counted, one_line

if TYPE_CHECKING:
    from scalectl.orchestrator.launch.checkup import Finding

SIGNS = {"ok": "ok", "warning": "warn", "error": "FAIL"}


@click.command()
@yaml_file
@rows_options()
def doctor(file: Path, view: View) -> Exit:
    """Check that this machine is ready to launch FILE.

    Looks at Python, packages, devices, memory, FILE, its store, disk and quota, and variables of the environment. Ends
    with 1 where something would keep a launch from working; nothing is changed.
    """
    from scalectl.orchestrator.launch.checkup import checkup

    findings = list(checkup(file))
    view.answer(
        lambda: document(findings),
        lambda: _text(findings, file),
        lambda: Rows([asdict(finding) for finding in findings]),
    )
    if _count(findings, "error"):
        return Exit.FAILED
    return Exit.DONE


def _count(findings: Sequence["Finding"], state: str) -> int:
    return sum(finding.state == state for finding in findings)


def document(findings: Sequence["Finding"]) -> dict[str, Any]:
    """The findings as a JSON object; docs/results.md lists its keys."""
    ready = not _count(findings, "error")
    return {"ready": ready, "findings": [asdict(finding) for finding in findings]}


def _text(findings: Sequence["Finding"], file: Path) -> str:
    widest = max(len(finding.subject) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"  {SIGNS[finding.state]:<6}{finding.subject:<{widest + 2}}{one_line(finding.text)}")
        if finding.advice:
            lines.append(f"{'':<{widest + 10}}{finding.advice}")
    errors, warnings = _count(findings, "error"), _count(findings, "warning")
    if errors:
        end = f"Not ready: {counted(errors, 'error')}, {counted(warnings, 'warning')}."
    else:
        end = f"Ready, {counted(warnings, 'warning')}. Next: {command('launch', file)}"
    return "\n".join([*lines, "", end])
