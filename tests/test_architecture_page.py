"""docs/architecture.md shows the house as it stands."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def test_the_house_names_every_module_and_no_other():
    (house,) = re.findall(r"## The house\n\n```\n(.*?)```", PAGE, re.S)
    there = {
        path.name
        for room in ("orchestrator", "trainer", "analysis")
        for path in (ROOT / room).glob("*.py")
        if path.name != "__init__.py"
    }
    assert set(re.findall(r"\b(\w+\.py)\b", house)) - {"test_.py"} == there


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    table = PAGE[PAGE.index("## Dependencies") :]
    names = [re.split(r"[>=<\[ ]", requirement)[0] for requirement in project["dependencies"]]
    assert [name for name in names if not re.search(rf"^\|.*\b{re.escape(name)}\b", table, re.M)] == []


def test_every_exit_code_has_its_line():
    from scalectl.orchestrator.errors import Exit

    assert set(re.findall(r"^\| (\d+) \|", PAGE, re.M)) == {str(int(code)) for code in Exit}
