"""The command line as people meet it: screens, exit codes, and what it doesn't load."""

import json
import os
import pty
import re
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from scalectl.orchestrator.cli.main import main; main()"]
HEAVY = {"jax", "flax", "optax", "ray", "pandas", "scipy", "matplotlib", "sklearn"}
LIGHT = [
    "--help",
    "models",
    "validate {file}",
    "plan {file}",
    "simulate {file} --slots 2",
    "status --store {store}",
    "show pico-60-20 --store {store}",
    "logs pico-60-20 --store {store}",
    "schema",
    "launch --help",
]


def scalectl(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """A study of two runs that was launched once, in this process's stead by the command itself."""
    from conftest import Study

    made = Study(tmp_path_factory.mktemp("launched"))
    made.write()
    before = os.umask(0o027)
    try:
        done = scalectl("launch", made.file, "--here")
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    made.said = done
    return made


def test_artifacts_and_plots_are_as_the_umask_says_and_the_store_is_its_owners(launched):
    def modes(*paths):
        return {stat.S_IMODE(path.stat().st_mode) for path in paths}

    shared = [path for name in ("artifacts", "plots") for path in (launched.folder / name).rglob("*")]
    shared = [path for path in shared if path.name != "launcher.lock"]
    assert modes(*(path for path in shared if path.is_file())) == {0o640}
    assert modes(*(path for path in shared if path.is_dir())) == {0o750}
    assert modes(*launched.folder.glob("results.db*"), launched.folder / "artifacts" / "launcher.lock") == {0o600}


@pytest.mark.parametrize("words", LIGHT)
def test_quick_commands_load_no_heavy_library(launched, words):
    words = words.format(file=launched.file, store=launched.store).split()
    code = (
        "import sys, scalectl.orchestrator.cli.main as cli\n"
        "try: cli.main()\n"
        "except SystemExit as end: print(end.code, file=sys.stderr)\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.stderr.splitlines()[-2:] == ["0", "[]"]


def test_verbs_that_fit_and_draw_nothing_load_no_matplotlib_and_laws_nothing_but_numpy_and_pandas(launched):
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom scalectl.orchestrator.cli.main import scalectl\n"
        "for words in ('fit', 'fit --backtest', 'predict --compute 1e12', 'predict --params 1e5 --data 1e4', "
        "'predict --run pico-60-20'):\n"
        "    CliRunner().invoke(scalectl, [*words.split(), '--store', sys.argv[1]])\n"
        f"    print(words, 'numpy' in sys.modules, 'matplotlib' in sys.modules, sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, launched.store], capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 5, done.stderr
    assert all(" True False [" in line for line in done.stdout.splitlines()), done.stdout
    assert all(line.endswith(" ['pandas']") for line in done.stdout.splitlines()[:4]), done.stdout


@pytest.mark.parametrize(
    ("words", "given", "threads"),
    [("fit --help", None, "1"), ("predict -h", None, "1"), ("fit -h", "3", "3"), ("launch -h", None, None)],
)
def test_short_verbs_of_laws_start_no_threads_of_blas_unless_the_user_does(words, given, threads):
    code = (
        "import os, sys, scalectl.orchestrator.cli.main as cli\n"
        "cli.leave = lambda code: None\n"
        "cli.main()\n"
        "print(os.environ.get('OPENBLAS_NUM_THREADS'), file=sys.stderr)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    if given:
        environment["OPENBLAS_NUM_THREADS"] = given
    done = subprocess.run(
        [sys.executable, "-c", code, *words.split()], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stderr.split()[-1] == str(threads)


@pytest.mark.parametrize(
    ("words", "loaded"), [("fit", "['pandas']"), ("predict --compute 1", "['pandas']"), ("fit -h", "[]")]
)
def test_short_verbs_of_laws_load_pandas_without_pyarrow_which_stays_at_hand(words, loaded, tmp_path):
    code = (
        "import sys, scalectl.orchestrator.cli.main as cli\n"
        "cli.leave = lambda code: None\n"
        "cli.main()\n"
        "print(sorted({'pandas', 'pyarrow'} & sys.modules.keys()), file=sys.stderr)\n"
        "from pyarrow import parquet"
    )
    command = [sys.executable, "-c", code, *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stderr.splitlines()[-1] == loaded


def test_a_prediction_loads_no_part_of_planning(launched):
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom scalectl.orchestrator.cli.main import scalectl\n"
        "CliRunner().invoke(scalectl, ['predict', '--compute', '1e12', '--store', sys.argv[1]])\n"
        "print(sorted(name for name in sys.modules if name.startswith('scalectl.orchestrator.plan')))"
    )
    done = subprocess.run([sys.executable, "-c", code, launched.store], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_launch_ends_with_its_runs_and_the_next_command(launched):
    assert "2 of 2 runs done" in launched.said.stdout
    assert launched.said.stdout.rstrip().splitlines()[-1].startswith("Next: scalectl ")


def test_launching_again_finds_nothing_to_do(launched):
    again = scalectl("launch", launched.file)
    assert again.returncode == 0 and "nothing was missing" in again.stdout


def test_check_says_by_its_code_whether_work_is_left(launched):
    assert scalectl("plan", launched.file, "--check").returncode == 0
    more = scalectl("plan", launched.file, "--check", "--set", "data.sizes=[60, 90]")
    assert more.returncode == 3


def test_plan_writes_nothing(study):
    assert scalectl("plan", study.file).returncode == 0
    assert [path.name for path in study.folder.iterdir()] == ["experiments.yaml"]


def test_status_answers_for_people_and_for_programs(launched):
    text = scalectl("status", "--store", launched.store)
    document = json.loads(scalectl("status", "--store", launched.store, "-o", "json").stdout)
    assert text.returncode == 0 and "small" in text.stdout
    assert document["counts"]["done"] == 2


def test_a_store_that_is_not_there_is_said_and_not_made(tmp_path):
    done = scalectl("status", "--store", tmp_path / "none.db")
    assert (done.returncode, done.stdout) == (5, "") and "none.db" in done.stderr
    assert not (tmp_path / "none.db").exists()


def test_an_invalid_file_is_located_and_exits_2(study):
    study.file.write_text(study.file.read_text().replace("warmup", "wramup"))
    done = scalectl("validate", study.file)
    assert done.returncode == 2 and "did you mean 'warmup'?" in done.stderr
    assert f"{study.file}:" in done.stderr and "Traceback" not in done.stderr


def test_too_few_points_for_a_law_are_refused_with_the_number(launched):
    done = scalectl("fit", "--store", launched.store)
    assert done.returncode == 4 and "6" in done.stderr and "Traceback" not in done.stderr


def test_a_run_is_left_out_of_fits_and_taken_back(launched):
    def excluded() -> list[str]:
        document = json.loads(scalectl("status", "--store", launched.store, "-o", "json").stdout)
        return [run["id"] for run in document["runs"] if run["excluded"]]

    run = json.loads(scalectl("status", "--store", launched.store, "-o", "json").stdout)["runs"][0]["id"]
    assert scalectl("exclude", run, "--reason", "odd", "--store", launched.store).returncode == 0
    assert excluded() == [run]
    assert scalectl("include", run, "--store", launched.store).returncode == 0
    assert excluded() == []


def test_excluding_what_is_not_there_is_refused_and_makes_no_store(launched, tmp_path):
    unknown = scalectl("exclude", "0123456789ab", "--reason", "odd", "--store", launched.store)
    nowhere = scalectl("exclude", "0123456789ab", "--reason", "odd", "--store", tmp_path / "none.db")
    assert (unknown.returncode, nowhere.returncode) == (5, 5) and "0123456789ab" in unknown.stderr
    assert not (tmp_path / "none.db").exists()


def test_a_limit_refuses_before_anything_is_written(study):
    done = scalectl("launch", study.file, "--set", "limits.max_flops=1e6")
    assert done.returncode == 4 and "limits.max_flops" in done.stderr
    assert [path.name for path in study.folder.iterdir()] == ["experiments.yaml"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--max-device-hours", "1e-9"], "device-hours and --max-device-hours is 1e-09. Raise --max-device-hours"),
        (["--set", "limits.max_device_hours=1e-9"], "device-hours and limits.max_device_hours is 1e-09. Raise limits."),
        (["--set", "resources={default: {peak_flops: 37}}"], "There is no terminal to ask on: give -y"),
    ],
)
def test_what_costs_too_much_or_has_no_place_is_refused_and_nothing_is_written(study, words, said):
    done = scalectl("launch", study.file, *words)
    assert done.returncode == 4 and said in done.stderr
    assert [path.name for path in study.folder.iterdir()] == ["experiments.yaml"]


@pytest.mark.parametrize("hours", ["nan", "inf", "0"])
def test_a_cap_that_caps_nothing_is_refused(study, hours):
    done = scalectl("launch", study.file, "--max-device-hours", hours)
    assert done.returncode == 2 and "--max-device-hours" in done.stderr
    assert [path.name for path in study.folder.iterdir()] == ["experiments.yaml"]


@pytest.mark.parametrize(("answer", "said"), [("n", "Nothing was started."), ("y", "jobs need slots of type v5e-16")])
def test_a_large_launch_is_asked_about_on_a_terminal(study, answer, said):
    terminal, end = pty.openpty()
    costly = "resources={default: {type: v5e-16, peak_flops: 37, price_per_device_hour: 2.5}}"
    words = [*COMMAND, "launch", str(study.file), "--here", "--set", costly]
    with subprocess.Popen(words, stdin=end, stdout=subprocess.PIPE, stderr=end) as asking:
        os.close(end)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(terminal, 4096)
        os.write(terminal, f"{answer}\n".encode())
        with suppress(OSError):  # which is how a terminal tells that its other end is closed
            while more := os.read(terminal, 4096):
                shown += more
    os.close(terminal)
    text = shown.decode()
    assert re.search(r"[\d,]+ device-hours \(estimated\), price [\d,.]+\. Start 2 runs\? \[y/N\]", text), text
    assert asking.returncode == 4 and said in text
    assert not (study.folder / "artifacts").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--here"], "jobs need slots of type v5e-16, and there are only cpu"),
        ([], "no slots of type v5e-16: the cluster has"),
    ],
)
def test_jobs_that_no_slot_will_do_for_are_refused(study, words, said):
    done = scalectl("launch", study.file, "--set", "resources={default: {type: v5e-16}}", "-y", *words)
    assert done.returncode == 4 and said in done.stderr
    assert not (study.folder / "artifacts").exists()


@pytest.mark.slow
def test_a_launch_that_reaches_a_cap_says_so_and_exits_4(study):
    done = scalectl("launch", study.file, "--here", "--max-device-hours", "1e-5", "--set", "limits.max_flops=1e15")
    assert done.returncode == 4, done.stderr
    assert "--max-device-hours is reached: 1e-05 device-hours; checkpoints are saved" in done.stdout
    assert "2 stopped" in done.stdout


def test_a_plot_is_a_picture_with_its_data_beside_it(launched, tmp_path):
    done = scalectl("plot", "frontier", "--store", launched.store, "-o", tmp_path / "f.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG") and (tmp_path / "f.json").exists()


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(launched):
    done = subprocess.run(
        f"{sys.executable} -c 'from scalectl.orchestrator.cli.main import main; main()' schema | head -1",
        shell=True,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.stderr == ""


def test_a_verb_that_reads_a_store_says_so_when_it_is_given_the_file(study):
    done = scalectl("status", study.file)
    assert done.returncode == 2 and "status reads a store: leave the file out, or give --store PATH." in done.stderr
    assert "reads a store" not in scalectl("plan", study.file, study.file).stderr
