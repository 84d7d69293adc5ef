"""What a launch on a laptop does without: modules, programs of past models, processes of Ray."""

import pickle
import shlex
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from scalectl.orchestrator.cluster import process as heap
from scalectl.orchestrator.cluster.backends import opened
from scalectl.orchestrator.cluster.base import Request
from scalectl.orchestrator.cluster.ray_processes import few_processes
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer import kept
from scalectl.trainer.checkpoint import sha256
from scalectl.trainer.optimizer import settings
from scalectl.trainer.programs import Programs
from scalectl.trainer.spec import DataSpec, ModelSpec, RecipeSpec, RunSpec, TrunkSpec
from scalectl.trainer.step import shape


def test_a_worker_that_trains_on_digits_loads_no_package_that_it_has_no_use_for(study, tmp_path):
    job = tmp_path / "job"
    job.write_bytes(pickle.dumps(plan(read(study.write(steps="[20]"))).jobs[0].job))
    code = (
        "import pickle, sys\n"
        "from scalectl.orchestrator.cluster.ray_actor import Seat\n"
        "from scalectl.orchestrator.cluster.worker import Place, stream\n"
        "import threading\n"
        f"events = [*stream(pickle.load(open({str(job)!r}, 'rb')), threading.Event(), Place(platform='cpu'))]\n"
        "heavy = {'sklearn', 'scipy', 'pandas', 'pyarrow', 'sqlalchemy', 'pydantic', 'matplotlib'}\n"
        "print(type(events[-1][-1]).__name__, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "Done []"


def test_a_process_keeps_the_programs_of_the_two_models_that_it_used_last(monkeypatch):
    monkeypatch.setattr(kept, "_kept", {})
    pico, nano, micro = (ModelSpec(width, 1, 16, 2, 2) for width in (8, 16, 32))
    for model in (pico, nano, pico, micro):
        kept.programs(model).setdefault("train", model)
    assert kept.programs(pico) and kept.programs(micro)
    assert not kept.programs(nano)
    assert kept.programs(micro) and not kept.programs(pico)


def test_where_a_slot_goes_to_another_model_the_program_that_draws_parameters_goes_and_they_stay(monkeypatch):
    monkeypatch.setattr(kept, "_kept", {})
    pico, nano = ((run, shape(run.trunk)) for run in map(run_of, (8, 16)))
    first = sha256(Programs(pico[1]).first(0).params)
    Programs(nano[1]).first(0)
    programs = Programs(pico[1])
    for _ in range(2):  # a step consumes the state that it is given
        state = programs.first(0)
        assert sha256(state.params) == first
        images, labels = np.ones((1, *pico[1].images), np.float32), np.zeros((1, 8), np.int32)
        programs.train(state, images, labels, settings(pico[0].trunk.recipe, pico[0]))
    assert programs.compilations == 1  # the step
    assert sha256(programs.first(1).params) != first
    assert programs.compilations == 2


def run_of(width: int) -> RunSpec:
    data = DataSpec("digits", 100, 360, 0, 0, 8, 1, 10)
    recipe = RecipeSpec(8, "float32", "gap", 0.0, "sigmoid", "adamw", 1e-3, 1.0, 0.0, 0.0, 10, 10)
    return RunSpec(TrunkSpec(ModelSpec(width, 1, 16, 2, 2), data, recipe, 0), 20, 4)


@pytest.mark.slow  # an agent of Ray looks for its parent twice a minute
def test_no_process_of_ray_outlives_a_launcher_that_is_killed():
    code = (
        "import time\n"
        "from scalectl.orchestrator.cluster.backends import opened\n"
        "from scalectl.orchestrator.cluster.base import Request\n"
        "held = opened('ray', Request(slots=1))\n"
        "print(flush=True)\n"
        "time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as launcher:
        launcher.stdout.readline()
        started = psutil.Process(launcher.pid).children(recursive=True)
        launcher.kill()
    _, left = psutil.wait_procs(started, timeout=100)
    for process in left:
        process.kill()
    assert started and not left


RAYLET = {
    "--node_id": "a",
    "--session_dir": "",
    "--static_resource_list": "node:127.0.0.1,1.0,CPU,2",
    "--python_worker_command": "python worker.py",
    "--dashboard_agent_command": "python agent.py",
    "--runtime_env_agent_command": "python environments.py",
}


def commands(tmp_path: Path, **others: str) -> dict[str, str]:
    """The words of a raylet's command as it is started, of one that Ray gives with these words."""
    given, raylet = [], SimpleNamespace(persist_port=lambda *_: None)
    for name in ("METRICS_AGENT", "METRICS_EXPORT", "DASHBOARD_AGENT_LISTEN", "RUNTIME_ENV_AGENT"):
        setattr(raylet, f"{name}_PORT_NAME", name)
    services = SimpleNamespace(start_ray_process=given.extend)
    private = SimpleNamespace(node=SimpleNamespace(Node=type("Node", (), {})), services=services)
    words = RAYLET | {"--session_dir": str(tmp_path)} | {f"--{name}": value for name, value in others.items()}
    with few_processes(SimpleNamespace(_private=private, _raylet=raylet), tmp_path / "pipe"):
        services.start_ray_process(["raylet", *(f"{name}={value}" for name, value in words.items())])
    assert given[0] == "raylet"
    return dict(word.split("=", 1) for word in given[1:])


@pytest.fixture
def plain_user(monkeypatch):
    """Without wishes for the environments of workers."""
    for name in ("RAY_RUNTIME_ENV_HOOK", "RAY_JOB_CONFIG_JSON_ENV_VAR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")


def test_where_all_workers_have_the_heap_of_a_cpu_it_is_part_of_their_command(plain_user, tmp_path):
    started = commands(tmp_path)
    assert started["--runtime_env_agent_command"] == started["--dashboard_agent_command"] != "python agent.py"
    told = subprocess.run(
        [*shlex.split(started["--python_worker_command"].removesuffix("python worker.py")), "env"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert {f"{name}={value}" for name, value in heap.ENVIRONMENT.items()} <= {*told.stdout.splitlines()}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"RAY_RUNTIME_ENV_HOOK": "theirs.hook"}, {}),
        ({"RAY_JOB_CONFIG_JSON_ENV_VAR": "{}"}, {}),
        ({"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "1"}, {}),
        ({}, {"static_resource_list": "node:127.0.0.1,1.0,GPU,1,CPU,2"}),
    ],
)
def test_where_workers_differ_or_a_user_asks_for_it_ray_makes_their_environments(
    plain_user, monkeypatch, tmp_path, variables, words
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    started = commands(tmp_path, **words)
    assert started["--dashboard_agent_command"] != "python agent.py"
    assert started["--runtime_env_agent_command"] == "python environments.py"
    assert started["--python_worker_command"] == "python worker.py"


def test_a_machine_without_the_command_cat_has_rays_own_agents(plain_user, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    assert commands(tmp_path) == RAYLET | {"--session_dir": str(tmp_path)}


def test_another_version_of_ray_has_its_own_agents(plain_user, monkeypatch, tmp_path):
    monkeypatch.delitem(RAYLET, "--node_id")
    assert commands(tmp_path) == RAYLET | {"--session_dir": str(tmp_path)}


def test_a_cluster_of_one_launch_has_few_processes_of_ray():
    before = set(psutil.Process().children())
    with closing(opened("ray", Request(slots=2))):
        (*started,) = set(psutil.Process().children(recursive=True)) - before
        commands = [" ".join(process.cmdline()) for process in started]
    named = ("gcs_server", "raylet/raylet", "cat ")
    assert [command for command in commands if not any(name in command for name in named)] == []
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in started)
