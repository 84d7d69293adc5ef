"""What an installation owns: one import name, every module, the example and its schema; no file of the user is ours."""

import json
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("orchestrator", "trainer", "analysis")
HOSTILE = "raise SystemExit('a file of the user was executed')\n"


def test_the_schema_beside_the_package_is_the_one_that_the_command_prints(run):
    assert json.loads((files("scalectl") / "experiments.schema.json").read_text()) == json.loads(run("schema"))


def test_the_example_is_the_study_of_the_repository(run):
    assert run("example") == (ROOT / "experiments.yaml").read_text()


def test_an_editable_installation_owns_one_name(tmp_path):
    code = f"from importlib.util import find_spec; print([name for name in {ROOMS} if find_spec(name)])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.fixture
def run(tmp_path):
    def answer(*words: str, python: str = sys.executable) -> str:
        command = [python, "-c", "from scalectl.orchestrator.cli.main import main; main()", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    return answer


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel that is built from the sdist, as a registry's users get it."""
    if shutil.which("uv") is None:
        pytest.skip("uv builds the wheel, and it is not on the path")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(["uv", "build", "--quiet", "--out-dir", folder, ROOT], check=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_a_wheel_holds_every_module_and_what_its_user_begins_with(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {f"scalectl/{path.relative_to(ROOT)}" for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert len(modules) > 100
    assert modules <= names
    static = {f"scalectl/{path.relative_to(ROOT)}" for path in (ROOT / "orchestrator/page/static").iterdir()}
    assert len(static) > 10 and static <= names
    studies = {f"scalectl/studies/{path.name}" for path in (ROOT / "studies").glob("*.yaml")}
    assert studies == {name for name in names if name.startswith("scalectl/studies/")}  # and no study that was run
    assert {"scalectl/experiments.yaml", "scalectl/experiments.schema.json", "scalectl/py.typed"} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"scalectl"}


@pytest.mark.slow
def test_a_wheel_works_beside_files_of_the_user_with_the_names_of_its_rooms(wheel, tmp_path, run):
    for room in ROOMS:
        (tmp_path / f"{room}.py").write_text(HOSTILE)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    subprocess.run(["uv", "pip", "install", "--quiet", "--no-deps", "--python", python, wheel], check=True)
    ours = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (Path(ours) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))  # which links of its own don't count in
    (tmp_path / "experiments.yaml").write_text(run("example", python=python))
    assert "is valid: 48 runs" in run("validate", "experiments.yaml", python=python)
    for preset in ("laptop", "tpu", "paper"):
        run("init", f"{preset}.yaml", "--preset", preset, python=python)
        assert "is valid: " in run("validate", f"{preset}.yaml", python=python)
    code = "import scalectl.analysis, scalectl.trainer.spec; print(scalectl.trainer.spec.__file__)"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip().startswith(ours)
