"""--code: a file of one's own for verbs that read the store alone, and what is said where it is missing or wrong."""

import pytest
from click.testing import CliRunner
from runs import METRIC, laptop

from scalectl.analysis.vocabulary import LAWS
from scalectl.orchestrator.cli.main import BadOption
from scalectl.orchestrator.cli.main import scalectl as program

LAW = """\
from scalectl.analysis.laws.power import LAW
from scalectl.extend import law

law("test-power", LAW, "a test's own")
"""


@pytest.fixture
def store(tmp_path):
    laptop()[["model", "data_size", "steps", "params", "flops", METRIC]].to_csv(tmp_path / "runs.csv", index=False)
    run("import", str(tmp_path / "runs.csv"), "--store", str(tmp_path / "results.db"))
    (tmp_path / "mine.py").write_text(LAW)
    yield str(tmp_path / "results.db")
    if "test-power" in LAWS:
        LAWS.remove("test-power")


def run(*words, **options):
    return CliRunner().invoke(program, words, **options)


def test_a_law_of_ones_own_is_known_by_the_option_and_by_its_variable(store, tmp_path):
    fit = ["fit", "--store", store, "--law", "test-power"]
    lacking = run(*fit)
    assert lacking.exit_code == 2 and "one of your own is known after scalectl --code FILE" in lacking.output
    named = run("--code", str(tmp_path / "mine.py"), *fit)
    assert "E = a C^-b" in named.output
    assert run(*fit, env={"SCALECTL_CODE": str(tmp_path / "mine.py")}).output == named.output


def test_a_file_that_fails_is_named_with_its_line(store, tmp_path):
    (tmp_path / "mine.py").write_text("import scalectl\nx = y\n")
    failed = run("--code", str(tmp_path / "mine.py"), "status", "--store", store)
    assert isinstance(failed.exception, BadOption)
    assert str(failed.exception).endswith("mine.py, line 2: NameError: name 'y' is not defined")
    assert "No such file" in str(run("--code", "nowhere.py", "status").exception)


def test_a_backend_that_no_code_adds_is_refused():
    usage = run("launch", "--backend", "mine", "--here")
    assert usage.exit_code == 2 and "--backend is a place of its own" in usage.output
