"""The code as numbers: files, arrows between them, floors, names that say nothing; run as a script, it prints them.

A file's arrows go to the files of its own package that it imports, at the top or later. Its floor is one above the
highest of these; a circle is a set of folders, or of files, that import each other in the end. Names are those that are
bound: variables, parameters, functions and classes, each time.
"""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("orchestrator", "trainer", "analysis")
VAGUE = frozenset(
    ["found", "one", "told", "asked", "what", "there", "at", "of", "others", "rest", "it", "them", "how", "which"]
)
Arrows = Mapping[str, frozenset[str]]  # by module: those that it imports


@dataclass(frozen=True)
class Structure:
    """The modules of a package with what each imports of it; an empty `__init__.py` counts as none."""

    arrows: Arrows

    @cached_property
    def floors(self) -> dict[str, int]:
        """The floor of each module, counted from 1; raises CycleError where modules form a circle."""
        floors: dict[str, int] = {}
        for module in TopologicalSorter(self.arrows).static_order():
            floors[module] = 1 + max((floors[below] for below in self.arrows[module]), default=0)
        return floors

    @property
    def folders(self) -> Arrows:
        """The folders right below the package, and modules that lie in none, with what each imports of the others."""
        folders: dict[str, set[str]] = {}
        for module, imported in self.arrows.items():
            above = {_folder(below) for below in imported}
            folders.setdefault(_folder(module), set()).update(above - {_folder(module)})
        return {folder: frozenset(above) for folder, above in folders.items()}

    def __str__(self) -> str:
        arrows = sum(map(len, self.arrows.values()))
        return f"{len(self.arrows)} files, {arrows} arrows, {max(self.floors.values())} floors"


def structure(package: str) -> Structure:
    """The structure of a package in the repository, by the text of its files."""
    files = {_module(path): path for path in sorted((ROOT / package).rglob("*.py")) if path.stat().st_size}
    return Structure({module: frozenset(_imported(path, files)) - {module} for module, path in files.items()})


def circle(arrows: Arrows) -> list[str]:
    """The names along a circle, or none where there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _module(path: Path) -> str:
    return ".".join(("scalectl", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def _folder(module: str) -> str:
    return ".".join(module.split(".")[:3])


def _imported(path: Path, modules: Iterable[str]) -> Iterable[str]:
    known = set(modules)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from full & known
            if not full <= known and node.module in known:
                yield node.module
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & known


def wording(package: str) -> str:
    """The share of bound names that say nothing, and the conditional expressions in 1,000 lines, as a line of text."""
    names, vague, ternaries, lines = 0, 0, 0, 0
    for path in (ROOT / package).rglob("*.py"):
        text = path.read_text()
        lines += text.count("\n")
        for node in ast.walk(ast.parse(text)):
            ternaries += isinstance(node, ast.IfExp)
            bound = _bound(node)
            names += bound != ""
            vague += bound in VAGUE
    return f"{100 * vague / names:.1f} % of names say nothing, {1000 * ternaries / lines:.0f} ternaries in 1,000 lines"


def _bound(node: ast.AST) -> str:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    return ""


if __name__ == "__main__":
    for name in PACKAGES:
        print(f"{name}: {structure(name)}; {wording(name)}")
