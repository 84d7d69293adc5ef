"""Modules of a user's own, in the current folder and on PYTHONPATH, are imported by nothing of ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = ("trainer", "analysis", "orchestrator/__init__", "numpy", "jax", "flax", "ray", "click", "psutil", "random")
COMMAND = Path(sys.executable).with_name("scalectl")


@pytest.fixture
def folder(study) -> Path:
    """A folder with a study, and modules that leave a note wherever they are imported."""
    (study.folder / "orchestrator").mkdir()
    note = study.folder / "imported"
    for module in MODULES:
        code = f"open({str(note)!r}, 'a').write({module!r})\nraise SystemError({module!r})\n"
        (study.folder / f"{module}.py").write_text(code)
    return study.folder


def run(folder, *words, path):
    return subprocess.run(words, cwd=folder, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)


@pytest.mark.parametrize("path", ["", ".", "FOLDER"])
def test_the_command_line_imports_none_of_them(folder, path):
    done = run(folder, COMMAND, "plan", "experiments.yaml", path=path.replace("FOLDER", str(folder)))
    assert done.returncode == 0 and "2 runs" in done.stdout, done.stderr
    assert not (folder / "imported").exists()


def test_a_notebook_beside_an_analysis_of_its_own_has_ours(folder):
    for module in set(MODULES) - {"trainer", "analysis", "orchestrator/__init__"}:
        (folder / f"{module}.py").unlink()
    done = run(folder, sys.executable, "-c", "import scalectl; print(scalectl.fit, scalectl.plan())", path="")
    assert "2 runs" in done.stdout and not (folder / "imported").exists()


def test_packages_that_are_installed_on_pythonpath_are_found(tmp_path):
    (tmp_path / "site" / "theirs-1.0.dist-info").mkdir(parents=True)
    (tmp_path / "loose").mkdir()
    code = "import sys, os; from scalectl.__main__ import main; sys.argv[1:] = ['models']\n"
    code += "try: main()\nexcept SystemExit: print(sys.path, os.environ['PYTHONPATH'])"
    path = os.pathsep.join(str(tmp_path / name) for name in ("site", "loose"))
    said = run(tmp_path, sys.executable, "-c", code, path=path).stdout
    assert said.count(str(tmp_path / "site")) == 2 and str(tmp_path / "loose") not in said


@pytest.mark.slow
@pytest.mark.parametrize("words", [[], ["--detach"]])
def test_neither_workers_nor_a_launch_in_the_background_import_them(folder, words):
    done = run(folder, COMMAND, "launch", "experiments.yaml", "--slots", "1", *words, path=str(folder))
    assert done.returncode == 0, done.stderr
    done = run(folder, COMMAND, "launch", "experiments.yaml", "--here", path="")
    while done.returncode == 6:  # the one in the background holds the store
        done = run(folder, COMMAND, "launch", "experiments.yaml", "--here", path="")
    assert "2 of 2 runs done" in done.stdout and not (folder / "imported").exists()
