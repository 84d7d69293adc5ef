"""How the scripts of deploy/ make machines one cluster, with a Ray, a Slurm and an environment that are played."""

import shutil
import subprocess
import sys

import pytest
from pages import ROOT

DEPLOY = ROOT / "deploy"
ECHO = '#!/bin/bash\necho "$(basename "$0")" "$@" >> "$HOME/calls"\n'


def program(folder, name: str, text: str = ECHO) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


@pytest.fixture
def bare(tmp_path):
    """The few programs that a machine has for `ssh HOST COMMAND`, with no environment of Python among them."""
    for name in ("bash", "env", "awk", "cat", "head", "mkdir", "sleep", "basename"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("secret")
    return tmp_path


def run(home, script: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(home), "PATH": str(home / "bin")} | variables
    command = ["bash", str(DEPLOY / script), *words]
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("place", [".venv/bin", ".local/bin"])
def test_machines_are_joined_by_the_environment_in_the_home_folder(bare, place):
    program(bare / place, "ray")
    program(bare / place, "python", f'#!/bin/bash\nexec {sys.executable} "$@"\n')
    done = run(bare, "join.sh", "127.0.0.1", "--num-gpus", "8")
    assert done.returncode == 0, done.stderr
    called = (bare / "calls").read_text()
    assert called == "ray start --head --node-ip-address 127.0.0.1 --port 6379 --num-gpus 8\n"


def test_an_environment_that_is_active_goes_before_what_the_home_folder_has(bare):
    """As where `pip install --user` once put another Ray."""
    program(bare / ".local" / "bin", "ray", "#!/bin/bash\nexit 9\n")
    program(bare / "bin", "ray")
    program(bare / "bin", "python", f'#!/bin/bash\nexec {sys.executable} "$@"\n')
    done = run(bare, "join.sh", "127.0.0.1")
    assert done.returncode == 0 and (bare / "calls").read_text().startswith("ray start --head")


@pytest.mark.parametrize("there", [[], ["ray"], ["python"]])
def test_a_machine_without_the_environment_says_so_and_waits_for_no_head(bare, there):
    for name in there:
        program(bare / "bin", name)
    done = run(bare, "join.sh", "127.0.0.1")
    assert done.returncode == 1 and "no ray and python on the path" in done.stderr


@pytest.mark.parametrize(("told", "head"), [("127.0.1.1 STREAM a", "10.0.0.9"), ("10.0.0.7 STREAM a", "10.0.0.7")])
def test_nodes_of_slurm_join_an_address_that_others_reach_with_all_cpus_of_the_job(bare, told, head):
    program(bare / "bin", "scontrol", "#!/bin/bash\necho a\n")
    program(bare / "bin", "getent", f"#!/bin/bash\necho {told}\necho {told}\n")
    program(bare / "bin", "hostname", "#!/bin/bash\necho 10.0.0.9 172.17.0.1\n")
    program(bare / "bin", "python", f'#!/bin/bash\n[ "$1" != -c ] || exec {sys.executable} "$@"\n')
    program(bare / "bin", "srun", f"{ECHO}sleep 2\n")
    program(bare / "bin", "scalectl")
    job = {"SLURM_JOB_ID": "17", "SLURM_JOB_NODELIST": "a", "SLURM_JOB_NUM_NODES": "2", "SLURM_CPUS_PER_TASK": "8"}
    done = run(bare, "slurm/several-nodes.sh", "study.yaml", **job)
    assert done.returncode == 0, done.stderr
    calls = dict(line.split(" ", 1) for line in (bare / "calls").read_text().splitlines())
    assert calls["scalectl"] == f"launch study.yaml --address {head}:20017 --yes"
    assert "--cpus-per-task=8" in calls["srun"].split()
