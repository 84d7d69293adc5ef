"""What tests of the pages share: the pages, the generators in docs/, and names of the code wherever they live."""

import ast
import functools
import importlib.util
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGES = ("orchestrator", "trainer", "analysis")
GENERATED = {DOCS / "modules.md"}
PAGES = sorted(
    {
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *DOCS.glob("*.md"),
        *DOCS.glob("decisions/*.md"),
        *DOCS.glob("clusters/*.md"),
    }
    - GENERATED
)


def generator(name: str) -> Any:
    """The script docs/NAME.py as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def paths() -> list[Path]:
    """Every module of the three packages."""
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def assigns(statement: ast.stmt, name: str) -> bool:
    """Whether a statement at the top of a module gives a name its value."""
    match statement:
        case ast.ClassDef(name=bound):
            return bound == name
        case ast.Assign(targets=[ast.Name(id=bound)]) | ast.AnnAssign(target=ast.Name(id=bound)):
            return bound == name
    return False


@functools.cache
def defined(name: str) -> Any:
    """The value of a name that exactly one module defines, whichever module that is."""
    (path,) = [path for path in paths() if any(assigns(line, name) for line in ast.parse(path.read_text()).body)]
    (entry,) = entry_points(group="console_scripts", name="scalectl")
    package, _, _ = entry.value.partition(".")
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return getattr(importlib.import_module(f"{package}.{module}"), name)
