"""The commands at the top of the studies that come with scalectl."""

import re
import shlex

import pytest
from click.testing import CliRunner
from pages import ROOT
from test_cluster_pages import parsed

from scalectl.orchestrator.cli.main import scalectl

FILES = sorted((ROOT / "studies").glob("*.yaml"))


def commands(file) -> list[list[str]]:
    """The words of each command; what it is for stands behind two blanks or more."""
    header = file.read_text().partition("\nversion:")[0]
    return [shlex.split(re.split("  +", line)[0]) for line in re.findall(r"^# +scalectl (.*)$", header, re.M)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_is_a_command_on_this_file(file, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = commands(file)
    assert found and all(f"studies/{file.name}" in words for words in found)
    for words in found:
        parsed(scalectl, ["scalectl", *words])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_memory_is_asked_for_where_slices_of_tpus_are_named(file, monkeypatch):
    """The study on GPUs had the command, which knows of TPUs alone."""
    monkeypatch.chdir(ROOT)
    for words in commands(file):
        if words[0] == "preflight":
            assert CliRunner().invoke(scalectl, words).exit_code == 0
