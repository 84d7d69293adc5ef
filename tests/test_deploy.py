"""The files of deploy/ are what their readers read: scripts parse, manifests and the image are whole."""

import math
import re
import shlex
import shutil
import subprocess

import pytest
from pages import DOCS, ROOT
from ruamel.yaml import YAML

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.slot_types import slot_type

DEPLOY = ROOT / "deploy"
MANIFESTS = [DEPLOY / "kuberay" / name for name in ("gpu.yaml", "tpu.yaml")]
SCRIPTS = sorted((DEPLOY / "slurm").glob("*.sh"))


def objects(manifest) -> dict[str, dict]:
    """The objects of a manifest by their kind; of disks by their name."""
    found = {}
    for entry in YAML(typ="safe").load_all(manifest.read_text()):
        name = entry["metadata"]["name"]
        found[name if entry["kind"] == "PersistentVolumeClaim" else entry["kind"]] = entry
    return found


@pytest.fixture(params=MANIFESTS, ids=lambda path: path.name)
def manifest(request) -> dict[str, dict]:
    return objects(request.param)


def pods(manifest) -> list[dict]:
    """The groups of a cluster: its head, then its workers."""
    cluster = manifest["RayJob"]["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_bash_and_its_launch_is_a_command(script):
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text()
    (launch,) = re.findall(r"^(scalectl launch .*) &$", text, re.M)
    accepts(launch.replace('"${@:-experiments.yaml}"', "experiments.yaml").replace('"$HEAD_IP:$HEAD_PORT"', "h:1"))
    options = dict(re.findall(r"^#SBATCH --([\w-]+)=?(\S*)$", text, re.M))
    assert options["signal"] == "B:USR1@90" and "requeue" in options and options["open-mode"] == "append"
    first = next(line for line in text.splitlines() if line and not line.startswith("#"))
    assert text.index("#SBATCH --output") < text.index(first)  # Slurm reads no option after a command


def accepts(command: str) -> None:
    """Parse the words of a command as it does; raises UsageError."""
    _, verb, *words = shlex.split(command)
    scalectl.commands[verb].make_context(verb, words)


def test_a_job_of_kuberay_is_a_command_and_its_store_is_on_a_disk_that_outlives_it(manifest):
    spec = manifest["RayJob"]["spec"]
    accepts(spec["entrypoint"])
    settings = dict(re.findall(r"--set (\w+)=(\S+)", spec["entrypoint"]))
    (container,) = spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    (mount,) = [name for path, name in mounts.items() if settings["store"].startswith(f"{path}/")]
    volumes = spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["volumes"]
    (claim,) = [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if volume["name"] == mount]
    assert manifest[claim]["spec"]["accessModes"] == ["ReadWriteOnce"]  # SQLite's WAL needs one machine
    (version,) = re.findall(r"^ray==(\S+)", (ROOT / "requirements.lock").read_text(), re.M)
    assert spec["rayClusterSpec"]["rayVersion"] == version  # else KubeRay refuses the job, for its tokens
    assert spec["rayClusterSpec"]["authOptions"] == {"mode": "token"} and spec["backoffLimit"] > 0


def test_artifacts_are_where_every_pod_sees_them(manifest):
    (artifacts,) = re.findall(r"--set artifacts=(\S+)", manifest["RayJob"]["spec"]["entrypoint"])
    for group in pods(manifest):
        pod = group["template"]["spec"]
        if artifacts.startswith("gs://"):
            assert pod["serviceAccountName"] == manifest["ServiceAccount"]["metadata"]["name"]
            continue
        (container,) = pod["containers"]
        (name,) = [mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == artifacts]
        (volume,) = [volume for volume in pod["volumes"] if volume["name"] == name]
        claim = volume["persistentVolumeClaim"]["claimName"]
        assert manifest[claim]["spec"]["accessModes"] == ["ReadWriteMany"]


def test_every_group_is_whole(manifest):
    groups = pods(manifest)
    images = {container["image"] for group in groups for container in group["template"]["spec"]["containers"]}
    assert len(images) == 1  # one Ray and one Python
    assert groups[0]["rayStartParams"] == {"num-cpus": "0"}
    for group in groups:
        (container,) = group["template"]["spec"]["containers"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert group["template"]["spec"]["terminationGracePeriodSeconds"] >= 60  # Ray drains for 30 seconds
        assert "rayStartParams" in group  # without which KubeRay before 1.4 refuses it
    for group in groups[1:]:
        assert group["replicas"] == group["minReplicas"] == group["maxReplicas"]


def test_a_pod_to_look_in_afterwards_has_the_disk_and_the_image_of_the_job(manifest):
    pod = objects(DEPLOY / "kuberay" / "look.yaml")["Pod"]["spec"]
    job = pods(manifest)[0]["template"]["spec"]
    (container,), (volume,) = pod["containers"], pod["volumes"]
    assert volume in job["volumes"] and pod["securityContext"] == job["securityContext"]
    (mount,) = container["volumeMounts"]
    assert mount in job["containers"][0]["volumeMounts"]
    assert container["image"].startswith("scalectl-")


def test_a_group_of_tpus_has_the_hosts_of_its_slice():
    *_, group = pods(objects(DEPLOY / "kuberay" / "tpu.yaml"))
    selector = group["template"]["spec"]["nodeSelector"]
    topology = selector["cloud.google.com/gke-tpu-topology"]
    (container,) = group["template"]["spec"]["containers"]
    chips = int(container["resources"]["limits"]["google.com/tpu"])
    assert group["numOfHosts"] * chips == math.prod(map(int, topology.split("x")))
    assert slot_type(f"{selector['cloud.google.com/gke-tpu-accelerator']}:{topology}") == group["groupName"]


def test_the_pages_name_every_file_of_deploy_and_each_file_exists():
    text = "\n".join(page.read_text() for page in [DOCS / "pods.md", *(DOCS / "clusters").glob("*.md")])
    named = set(re.findall(r"\bdeploy/[\w./-]+\w", text))
    files = {str(path.relative_to(ROOT)) for path in DEPLOY.rglob("*") if path.is_file()}
    assert named == files


def test_the_image_has_what_kuberay_runs_in_a_pod_to_see_that_it_is_ready():
    *_, last = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ").partition("FROM python:${PYTHON}\n")
    (installed,) = re.findall(r"apt-get install (?:--\S+ )*([\w ]+?) +&&", last)
    assert "wget" in installed.split()


@pytest.mark.slow
def test_the_image_copies_what_a_wheel_is_built_of(tmp_path):
    if shutil.which("uv") is None:
        pytest.skip("uv builds the wheel, and it is not on the path")
    for names in re.findall(r"^COPY (?!--)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.M):
        for name in names.split():
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, tmp_path / "source" / name, symlinks=True)
            else:
                (tmp_path / "source").mkdir(exist_ok=True)
                shutil.copy(source, tmp_path / "source")
    subprocess.run(["uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path, tmp_path / "source"], check=True)
    assert [*tmp_path.glob("scalectl-*.whl")]


def test_the_image_is_built_with_extras_that_exist():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    used = re.findall(r"EXTRAS=([\w,]+)", (DEPLOY / "Dockerfile").read_text())
    assert used and {name for names in used for name in names.split(",")} <= set(extras)
