"""README.md says what the program does: its commands exist, its numbers are those of the laptop study."""

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from pages import PAGES, ROOT, generator

from scalectl.analysis.vocabulary import FIGURES

README = (ROOT / "README.md").read_text()
SCALECTL = generator("cli").program()


def known(words: list[str]) -> bool:
    """Whether the command line has a command of these words."""
    command: click.Command = SCALECTL
    for word in words:
        if not isinstance(command, click.Group):
            return True
        if word not in command.commands:
            return False
        command = command.commands[word]
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_exists(page):
    said = re.findall(r"(?:`|Next: |uv run )scalectl ([a-z]+(?: [a-z][a-z-]*)*)", page.read_text())
    assert [words for words in said if not known(words.split())] == []


def test_the_plan_is_the_one_that_a_newcomer_sees(tmp_path):
    (tmp_path / "experiments.yaml").write_text((ROOT / "experiments.yaml").read_text())
    command = [Path(sys.executable).with_name("scalectl"), "plan", "experiments.yaml", "--slots", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip() in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_the_figure_is_there():
    assert (ROOT / "docs" / "frontier.png").read_bytes().startswith(b"\x89PNG")


def test_the_number_of_figures_is_that_of_plot():
    others = ("five", "six", "seven", "eight", "nine")[len(list(FIGURES)) - 6]
    assert f"and {others} other figures" in README


TAGS = {"scalectl.run"}  # of a run in MLflow


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_in_python_exists(page):
    names = set(re.findall(r"(?<!/)\bscalectl(?:\.[A-Za-z_]\w*)+(?!\w*\.md)", page.read_text()))
    assert [name for name in sorted(names - TAGS) if not importable(name)] == []


def importable(name: str) -> bool:
    """Whether a dotted name is a module, or something that a module has."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_exists(page):
    folders = "orchestrator|trainer|analysis|tests|docs|benchmarks|examples|studies"
    paths = re.findall(rf"(?<![\w./-])(?:{folders})/(?!_build)[\w./-]*\w", page.read_text())
    assert [path for path in paths if not (ROOT / path).exists()] == []
