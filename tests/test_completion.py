"""What a shell completes: the words of the store, and nothing where there is none."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import told
from click.shell_completion import ShellComplete

from scalectl.orchestrator.cli.main import scalectl

PAGE = (Path(__file__).parents[1] / "docs" / "cli.md").read_text()


def completed(folder, monkeypatch, *words):
    monkeypatch.chdir(folder)
    shell = ShellComplete(scalectl, {}, "scalectl", "_SCALECTL_COMPLETE")
    return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("show", ""), ["pico-60-20", "pico-60-40"]),
        (("stop", "pico-60-20", "pico-60-4"), ["pico-60-40"]),
        (("predict", "--run", "pico-60-2"), ["pico-60-20"]),
        (("fit", "--metric", "up"), ["upstream/error", "upstream/loss"]),
        (("fit", "--study", "s"), ["small"]),
        (("plot", "fr"), ["frontier"]),
    ],
)
def test_names_come_from_the_store(filled, monkeypatch, words, expected):
    assert sorted(completed(filled.folder, monkeypatch, *words)) == expected


def test_the_store_is_the_one_that_was_typed(filled, tmp_path, monkeypatch):
    assert completed(tmp_path, monkeypatch, "show", "") == []
    words = ("show", "--store", str(filled.store), "pico-60-2")
    assert completed(tmp_path, monkeypatch, *words) == ["pico-60-20"]


def test_a_file_that_is_no_store_completes_nothing(tmp_path, monkeypatch):
    (tmp_path / "results.db").write_text("these are notes")
    assert completed(tmp_path, monkeypatch, "show", "") == []


def test_a_name_that_a_shell_would_run_is_completed_by_its_id(tmp_path, monkeypatch):
    study = told.filled(tmp_path)
    for name in ("$(touch pwned)", "a b", "-o", "`x`", "\x1b[31mred", "x;y", ""):
        with closing(sqlite3.connect(study.store)) as store, store:
            store.execute("UPDATE runs SET name = ? WHERE number = 1", (name,))
            store.execute("UPDATE studies SET name = ?", (name,))
        (run,) = told.rows(study, "SELECT id FROM runs WHERE number = 1")
        assert sorted(completed(tmp_path, monkeypatch, "show", "")) == sorted([run, "pico-60-40"])
        assert completed(tmp_path, monkeypatch, "fit", "--study", "") == []


def test_the_line_of_the_page_makes_bash_complete_a_run(filled):
    (line,) = re.findall(r"^\| bash .*`(eval .*?)` \|$", PAGE, re.M)
    typed = "COMP_WORDS=(scalectl show pico-60-4); COMP_CWORD=2; _scalectl_completion scalectl; echo ${COMPREPLY[*]}"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"{line}\n{typed}"],
        cwd=filled.folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["pico-60-40"], done.stderr
