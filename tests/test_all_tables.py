"""One command makes all tables of docs/performance.md, and scripts that compare versions take them in turn."""

import re
import sys
from argparse import Namespace
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
PAGE = (HERE / "docs" / "performance.md").read_text()
GIVEN = Namespace(
    against=["other"], torch="python", curves="c.csv", surface="s.csv", device="gpu", big_vision="clone", only=None
)


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE / "benchmarks"))


@pytest.fixture
def every():
    import all

    return all


def test_every_script_of_the_page_is_run_and_every_script_that_is_run_is_on_the_page(every):
    scripts = {table.words[0] for table in every.tables(GIVEN, Path("folder"))}
    assert scripts == {*re.findall(r"benchmarks/(\w+\.py)", PAGE)} - {"all.py"}
    assert all((HERE / "benchmarks" / script).exists() for script in scripts)


def test_the_commands_are_listed_and_none_is_run(every, capsys, tmp_path):
    assert every.main(["--list", "--only", "warm", "tune-reuse"], tmp_path) == 0
    told = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert told == [["warm", "python benchmarks/warm.py"], ["tune-reuse", "python benchmarks/tune.py --reuse"]]


def test_a_script_that_fails_is_named_and_the_others_go_on(every, capfd, tmp_path):
    (tmp_path / "store.py").write_text("raise SystemExit(3)")
    (tmp_path / "figure.py").write_text("import sys; print('drawn with', *sys.argv[1:])")
    assert every.main(["--only", "store", "figure"], tmp_path) == 1
    told = capfd.readouterr()
    assert "exit code 3" in told.out and "drawn with --runs 10000" in told.out
    assert told.err.strip() == "failed: store"


def test_a_table_that_there_is_none_of_is_refused(every, capsys, tmp_path):
    with pytest.raises(SystemExit):
        every.main(["--only", "warn"], tmp_path)
    assert "no table warn: there are step, study, commands" in capsys.readouterr().err


def command(path, text):
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return str(path)


def test_versions_of_a_command_are_measured_in_turn(tmp_path):
    import commands

    text = "import sys, time\nopen({log!r}, 'a').write({name!r})\nwhile time.process_time() < {seconds}: pass\n"
    log = str(tmp_path / "log")
    versions = [
        command(tmp_path / name, text.format(log=log, name=name, seconds=seconds))
        for name, seconds in (("a", 0.05), ("b", 0.5))
    ]
    quick, slow = (float(told.split(",")[0]) for told in commands.compared(["fit"], versions, 2))
    assert Path(log).read_text() == "abba"
    assert 0.05 <= quick < 0.5 <= slow


def test_a_launch_of_the_study_has_a_folder_and_a_cache_of_its_own(tmp_path):
    import study

    text = (
        "import json, os, sys\n"
        "assert os.path.exists('experiments.yaml')\n"
        "open(sys.argv[1], 'w').write(os.environ.get('JAX_COMPILATION_CACHE_DIR', ''))\n"
        "if sys.argv[1] == 'status': print(json.dumps({'ledger': {'step_seconds': 7.0, 'compile_seconds': 3.0}}))\n"
    )
    took, sizes = study.launched(command(tmp_path / "scalectl", text), tmp_path / "new", tmp_path / "jax")
    assert took["step"] == 7.0 and took["compile"] == 3.0 and took["checkpoint"] != took["checkpoint"]
    assert 0 < took["s"] < 60 and took["CPU s"] >= 0
    assert took["MiB"] == sum(sizes.values())
    assert (tmp_path / "new" / "launch").read_text() == str(tmp_path / "jax")
