"""Every module with the first line of its docstring, for the site; `python docs/modules.py` prints them."""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("orchestrator", "trainer", "analysis")
HEAD = (
    "# Modules\n\nEvery module with the first line of its docstring, in the order of [architecture](architecture.md).\n"
)


def purpose(path: Path) -> str:
    """The first line of a module's docstring, or nothing where it has none."""
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    return (docstring or "").partition("\n")[0]


def modules(package: str) -> dict[Path, list[Path]]:
    """The modules of a package by folder; an `__init__.py` counts where it says something."""
    rooms: dict[Path, list[Path]] = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        if path.name != "__init__.py" or purpose(path):
            rooms.setdefault(path.parent, []).append(path)
    return dict(sorted(rooms.items()))


def page() -> str:
    """The page in Markdown: a heading for each folder, and a line for each module."""
    lines = [HEAD]
    for package in PACKAGES:
        for folder, paths in modules(package).items():
            lines.append(f"\n## {folder.relative_to(ROOT)}/\n")
            lines += [f"- `{path.name}`: {purpose(path)}" for path in paths]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
