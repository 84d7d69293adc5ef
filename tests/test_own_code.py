"""Code of one's own: its hash covers all that it imports, and what it adds is known by that hash."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_experiment import refusal, write

from scalectl import extend
from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.experiment.reading import read as read_study
from scalectl.orchestrator.plan.plan import Known
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.vocabulary import RunState
from scalectl.trainer import own, own_code
from scalectl.trainer.apart import apart
from scalectl.trainer.own_code import BadCode, Code, read, version
from scalectl.trainer.spec import facts_of

RECIPE = """\
from factors import HALF
from scalectl.extend import metric, schedule

@schedule("halving", needs_horizon=False, has_timescale=True)
def halving(after, timescale, length):
    return HALF ** (after / timescale)
"""
METRIC = """\
from scalectl.extend import metric

@metric("most")
def most(read):
    return read.loss.max()
"""
STUDY = """\
version: 1
name: mine
code: [recipe.py, most.py]
models: {nano: {width: 8, depth: 1, num_heads: 2, patch_size: 4}}
data: {source: digits, sizes: [60]}
train: {batch_size: 20, optimizer: {name: adamw, lr: 3e-2}, schedule: {name: halving, warmup: 5, timescale: 100}}
budgets: {steps: [40]}
evals: {upstream: {metrics: [error, most]}}
"""


@pytest.fixture
def study(tmp_path):
    (tmp_path / "recipe.py").write_text(RECIPE)
    (tmp_path / "factors.py").write_text("HALF = 0.5\n")
    (tmp_path / "most.py").write_text(METRIC)
    yield write(tmp_path, STUDY)
    own.use([])  # no other test is to see these names


def only(study):
    (run,) = plan(read_study(study)).runs
    return run


def digest(folder: Path, **texts: str) -> str:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return read(folder / "main.py").digest


def test_the_hash_is_of_the_text_and_not_of_the_place(tmp_path):
    first = digest(tmp_path / "a", main="x = 37\n")
    assert first == digest(tmp_path / "b", main="x = 37\n") != digest(tmp_path / "a", main="x = 38\n")


@pytest.mark.parametrize(
    "text",
    [
        "import helper\n",
        "from helper import x\n",
        "def late():\n    import helper\n",
        "import package.inner\n",
        "from package import inner\n",
        "import between\n",
    ],
)
def test_the_hash_covers_what_is_imported_wherever_that_is_said(tmp_path, text):
    files = {"helper": "x = 37\n", "between": "import helper\n", "package/__init__": "", "other": "x = 37\n"}
    files |= {"package/inner": "from .deeper import x\n", "package/deeper": "import helper\n"}
    before = digest(tmp_path, main=text, **files)
    assert before == digest(tmp_path, other="x = 38\n")
    assert before != digest(tmp_path, helper="x = 38\n")


def test_a_package_that_one_works_on_counts_and_has_to_be_the_same_where_jobs_run(tmp_path, monkeypatch):
    lab = tmp_path / "elsewhere"
    lab.mkdir()
    (lab / "mylab.py").write_text("x = 37\n")
    monkeypatch.syspath_prepend(lab)
    (tmp_path / "main.py").write_text("import optax, mylab\n")
    before = read(tmp_path / "main.py")
    assert [name for name, _ in before.files] == ["main.py"] and [name for name, _ in before.outside] == ["mylab.py"]
    (lab / "mylab.py").write_text("x = 38\n")
    assert read(tmp_path / "main.py").digest != before.digest
    with pytest.raises(BadCode, match=r"mylab.py is another than when the study was planned: launch again"):
        own_code.load(before)
    (lab / "mylab.py").unlink()
    with pytest.raises(BadCode, match=r"imports mylab.py, which isn't here"):
        own_code.load(before)


def test_a_change_of_what_trains_makes_other_runs_and_one_of_a_metric_measures_again(study):
    before = only(study)
    assert before.spec.trunk.recipe.schedule == f"halving@{read(study.parent / 'recipe.py').digest}"
    measured = read_study(study).evals.metrics()
    (study.parent / "most.py").write_text(METRIC.replace("max", "min"))
    assert only(study).id == before.id
    steps = {before.id: {40: "there"}}
    known = Known(states={before.id: RunState.DONE}, metrics={before.id: measured}, checkpoints=steps)
    (again,) = plan(read_study(study), known).runs
    assert again.reason == "evaluation settings changed: upstream/most"
    (study.parent / "factors.py").write_text("HALF = 0.25\n")
    assert only(study).id != before.id
    (study.parent / "factors.py").write_text("HALF = 0.5\n")
    assert only(study).id == before.id


def test_each_version_stays_what_it_was_in_a_process_that_has_both(study):
    first = only(study).spec.trunk.recipe.schedule
    (study.parent / "factors.py").write_text("HALF = 0.25\n")
    second = only(study).spec.trunk.recipe.schedule
    curves = [own.thing("schedule", name)[1] for name in (first, second)]
    assert [curve(37, 37, 100) for curve in curves] == [0.5, 0.25]


def test_a_job_takes_the_code_that_was_planned_along(study):
    (job, *_) = plan(read_study(study)).jobs
    (study.parent / "recipe.py").write_text("raise SystemExit\n")
    assert [code.module for code in job.job.code] == ["recipe", "most"]
    assert dict(job.job.code[0].files)["factors.py"] == "HALF = 0.5\n"


def test_what_two_files_import_is_one_module_and_may_be_imported_late(study):
    late = "from scalectl.extend import metric\n@metric('NAME')\n"
    late += "def read(_):\n    import shared\n    return shared.Thing\n"
    (study.parent / "shared.py").write_text("class Thing:\n    x = 37\n")
    (study.parent / "recipe.py").write_text(RECIPE + "import shared\n" + late.replace("NAME", "first"))
    (study.parent / "most.py").write_text(METRIC + late.replace("NAME", "second"))
    text = study.read_text().replace("[error, most]", "[error, first, second]")
    study.write_text(text)
    first, second = (own.thing("metric", name) for name in read_study(study).evals.upstream[1:])
    assert first(None) is second(None) and first(None).x == 37
    (study.parent / "shared.py").write_text("class Thing:\n    x = 38\n")
    first, second = (own.thing("metric", name) for name in read_study(study).evals.upstream[1:])
    assert first(None) is second(None) and first(None).x == 38


def test_a_process_apart_has_the_code_too(study):
    assert apart(facts_of, only(study).spec.trunk.recipe.schedule).has_timescale


def test_a_copy_in_the_cache_will_do_for_a_process_that_has_no_file(study, monkeypatch):
    name = only(study).spec.trunk.recipe.schedule
    monkeypatch.delitem(own._added["schedule"], name)
    monkeypatch.setattr(own_code, "_loaded", {})
    assert facts_of(name).has_timescale
    with pytest.raises(own.Missing, match="give the file that adds it by scalectl --code FILE"):
        facts_of("halving@0123456789ab")


def test_a_study_knows_the_names_of_its_own_files_alone(study):
    only(study)
    study.write_text(STUDY.replace("code: [recipe.py, most.py]\n", ""))
    assert "'halving' is not one of rsqrt, constant" in str(refusal(study))
    assert "'most' is not one of loss, error" in str(refusal(study))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = (\n", "recipe.py, line 1: '(' was never closed"),
        ("\nimport factors\nx = y\n", "recipe.py, line 3: NameError: name 'y' is not defined"),
        ("from scalectl.extend import optimizer\noptimizer('adamw')(dict)\n", "scalectl has one of that name"),
        ("from scalectl.extend import optimizer\noptimizer('my lion')(dict)\n", "a name has up to 40 letters"),
        ("import nowhere_at_all\n", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("raise SystemExit(37)\n", "recipe.py, line 1: SystemExit: 37"),
        ("\0", "recipe.py: source code string cannot contain null bytes"),
        ("x = " + "-" * 100_000 + "1", "recipe.py is no Python that can be read"),
        ("from scalectl.extend import metric\n@metric\ndef f(_): ...\n", 'write @metric("NAME")'),
        ("from scalectl.extend import metric\nmetric('x')(37)\n", "metric 'x': 37 is no function"),
        (RECIPE + METRIC, "most.py, line 3: ValueError: metric 'most': code of this study adds one of that name"),
    ],
)
def test_a_file_that_fails_is_an_error_at_its_place_in_the_study(study, text, words):
    (study.parent / "recipe.py").write_text(text)
    message = str(refusal(study))
    place = "3:19: error: code[1]: " if words.startswith("most.py") else "3:8: error: code[0]: "
    assert f"experiments.yaml:{place}" in message and words in message


def test_what_is_no_file_or_hides_a_module_is_refused(study):
    (study.parent / "recipe.py").unlink()
    assert "recipe.py: No such file" in str(refusal(study))
    (study.parent / "optax.py").write_text("")
    with pytest.raises(BadCode, match=r"optax.py has the name of an installed module: rename it"):
        read(study.parent / "optax.py")


@pytest.mark.parametrize("name", ["__main__.py", "__init__.py", "recipe.v2.py", "recipe.txt", "scalectl.py"])
def test_a_file_that_no_import_finds_is_refused(tmp_path, name):
    (tmp_path / name).write_text("")
    with pytest.raises(BadCode, match=r"can't be imported|has the name of an installed module"):
        read(tmp_path / name)


def test_what_a_file_prints_is_no_part_of_an_answer_and_a_mark_of_its_bytes_none_of_its_text(study, capsys):
    before = only(study)
    text = (study.parent / "recipe.py").read_bytes()
    (study.parent / "recipe.py").write_bytes("\ufeff".encode() + text)
    assert only(study).id == before.id
    (study.parent / "recipe.py").write_bytes(text + b"print(37)\n")
    capsys.readouterr()
    only(study)
    assert capsys.readouterr() == ("", "37\n")


def test_names_are_those_that_a_process_of_its_own_would_know(study):
    """What a study knows, and by which hash, depends on its files, and not on what was read before."""
    folder, text = study.parent, STUDY.replace("most.py]", "other.py]").replace("most]", "first]")
    (folder / "shared.py").write_text(METRIC.replace("most", "first"))
    (folder / "recipe.py").write_text(RECIPE + "import shared\n")
    (folder / "other.py").write_text("import shared\n")
    study.write_text(text.replace("recipe.py, ", "").replace("halving", "rsqrt"))
    assert read_study(study).evals.upstream[1] == f"first@{read(folder / 'other.py').digest}"
    study.write_text(text)
    assert read_study(study).evals.upstream[1] == f"first@{read(folder / 'recipe.py').digest}"
    (folder / "recipe.py").write_text(RECIPE + "import shared  # again\n")
    assert read_study(study).evals.upstream[1] == f"first@{read(folder / 'recipe.py').digest}"


def test_code_that_is_as_it_was_imports_late_what_it_did(study):
    late = METRIC.replace("return read.loss.max()", "import late\n    return late.x")
    for x in (37, 38, 37):
        (study.parent / "late.py").write_text(f"x = {x}\n")
        (study.parent / "most.py").write_text(late)
        assert own.thing("metric", read_study(study).evals.upstream[1])(None) == x


def test_a_near_name_of_ones_own_is_offered(study):
    study.write_text(STUDY.replace("name: halving", "name: halvign"))
    assert "did you mean 'halving'?" in str(refusal(study))


def test_what_is_added_by_hand_has_the_hash_of_its_file_and_needs_one(tmp_path):
    (tmp_path / "main.py").write_text("x = 37\n")
    assert version(str(tmp_path / "main.py")) == read(tmp_path / "main.py").digest
    assert version(__file__) == version(__file__)
    with pytest.raises(BadCode, match="has to lie in one"):
        exec("from scalectl.extend import metric\nmetric('nowhere')")


def test_a_file_is_loaded_in_python_and_says_where_it_fails(tmp_path):
    (tmp_path / "laws_of_mine.py").write_text("\n1 / 0\n")
    with pytest.raises(BadCode, match=r"laws_of_mine.py, line 2: ZeroDivisionError"):
        extend.load(tmp_path / "laws_of_mine.py")
    assert "laws_of_mine" not in sys.modules


def test_code_is_a_value():
    assert Code("a.py", (("a.py", "x"),)) == Code("a.py", (("a.py", "x"),))


def test_what_a_function_prints_while_a_study_is_planned_is_no_part_of_an_answer(tmp_path):
    """`plan -o json` began with a line of the source's."""
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nimport optax\nfrom scalectl.extend import optimizer, schedule, source\n\n"
        "@source('stripes')\ndef stripes():\n    print('s')\n"
        "    return np.zeros((90, 8, 8, 1), np.uint8), np.arange(90) % 2\n\n"
        "@optimizer('lion')\ndef lion():\n    print('o')\n    return optax.scale_by_lion()\n\n"
        "@schedule('flat', needs_horizon=False, has_timescale=False)\ndef flat(*counts):\n"
        "    print('f')\n    return 1.0\n"
    )
    (tmp_path / "own.yaml").write_text(
        "version: 1\nname: own\nstore: results.db\ncode: [mine.py]\n"
        "models: {p: {width: 8, depth: 1, num_heads: 2, patch_size: 4}}\ndata: {source: stripes, sizes: [40]}\n"
        "train: {batch_size: 8, optimizer: {name: lion, lr: 1e-3}, schedule: {name: flat, warmup: 2, cooldown: 20%}}\n"
        "budgets: {steps: [20, 40]}\nevals: {upstream: {metrics: [loss]}}\n"
    )
    answer = CliRunner().invoke(scalectl, ["plan", str(tmp_path / "own.yaml"), "-o", "json"])
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["runs"] and {"s", "o", "f"} <= set(answer.stderr.split())
