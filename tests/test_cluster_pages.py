"""The pages of docs/clusters: what they have a person type are commands, and their blocks of YAML are read."""

import re
import shlex
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from pages import DOCS
from ruamel.yaml import YAML

from scalectl.orchestrator.cli.fake_cluster import layout_of
from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.experiment.reading import read

PAGES = sorted((DOCS / "clusters").glob("*.md"))
# Ray reads its settings of tokens when it is imported, so that must not be here, before other tests have set them.
PARSED = "import sys; from ray.scripts.scripts import start; start.make_context('start', sys.argv[2:])"
SECTIONS = ("Where things lie", "Token", "From a laptop")


def blocks(page, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.M | re.S)


def parsed(command: click.Command, words: list[str]) -> None:
    """Parse words as a command line does, down to the verb; raises UsageError."""
    context = command.make_context(words[0], words[1:])
    if isinstance(command, click.Group):
        name, verb, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        parsed(verb, [name, *rest])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_scalectl_of_a_page_is_a_command(page, monkeypatch):
    monkeypatch.chdir(DOCS.parent)
    lines = [line for block in blocks(page, "bash") for line in re.findall(r"\bscalectl [a-z][^\"&|\n]*", block)]
    for line in lines:
        parsed(scalectl, shlex.split(line.rstrip(")")))
    assert lines or page.name in ("image.md", "slurm.md", "gke.md")


def test_a_page_that_installs_the_package_builds_it_first_and_runs_it_by_its_path():
    """It is not on PyPI; and `ssh HOST COMMAND` reads no profile, in which an environment would be active."""
    pages = [page for page in PAGES if "pip install" in page.read_text()]
    assert {page.name for page in pages} == {"gpu-node.md", "gpu-nodes.md", "pod-slice.md", "slurm.md", "tpu-vm.md"}
    for page in pages:
        shell = "\n".join(blocks(page, "bash"))
        installs = re.findall(r"pip install ([^\n]*)'scalectl\[(\w+(?:,\w+)*)\]'", shell)
        assert shell.startswith("uv build --wheel\n") and installs
        assert {options for options, _ in installs} == {"--find-links dist "}
        assert not re.search(r"\"[^\"\n]*(?<!bin/)\bscalectl (?!\[)[a-z]+[^\n]*\"", shell)
        for file in re.findall(r"(?<= )deploy/[\w./-]+", shell):
            assert (DOCS.parent / file).is_file()


def test_extras_of_the_pages_exist():
    import tomllib

    extras = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    text = "\n".join(page.read_text() for page in [*PAGES, DOCS / "pods.md"])
    used = {name for names in re.findall(r"scalectl\[([\w,]+)\]", text) for name in names.split(",")}
    assert used >= {"cuda", "tpu", "gcs"} and used <= extras.keys()


@pytest.mark.parametrize("file", [DOCS / "clusters" / "rehearsal.md", DOCS.parent / "deploy" / "fake-cluster.yaml"])
def test_what_a_rehearsal_changes_in_the_study_is_valid(file):
    (line,) = re.findall(r"scalectl launch (experiments.yaml --set .*)", file.read_text().replace("\\\n#", " "))
    name, *options = shlex.split(line.partition("--fake-cluster")[0])
    done = CliRunner().invoke(scalectl, ["validate", str(DOCS.parent / name), *options], standalone_mode=False)
    assert done.exception is None and "is valid" in done.stdout, done.exception


def test_the_page_of_a_rehearsal_shows_the_file_that_its_command_takes(tmp_path):
    (block,) = blocks(DOCS / "clusters" / "rehearsal.md", "yaml")
    (tmp_path / "fake.yaml").write_text(block)
    assert layout_of(tmp_path / "fake.yaml") == layout_of(DOCS.parent / "deploy" / "fake-cluster.yaml")


@pytest.mark.slow
def test_the_script_that_joins_machines_gives_ray_options_that_it_has():
    text = (DOCS.parent / "deploy" / "join.sh").read_text()
    several = (DOCS.parent / "deploy" / "slurm" / "several-nodes.sh").read_text().replace("\\\n", " ")
    lines = re.findall(r"\bray (start --(?:head|address) [^\n]*)", text + several)
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(re.sub(r'"\$@"', "", line))
        plain = [re.sub(r"\$(\{[^}]*\}|\w+)", "1", word) for word in words]
        subprocess.run([sys.executable, "-c", PARSED, *plain], check=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_of_yaml_are_read(page, study, tmp_path, monkeypatch):
    for block in blocks(page, "yaml"):
        if "resources:" in block:
            content = YAML(typ="safe").load(block)
            study.write(f"resources: {content['resources']}\n".replace("'", '"'))
            assert read(study.file).resources.default.type
        else:
            (tmp_path / "fake.yaml").write_text(block)
            assert layout_of(tmp_path / "fake.yaml")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_way_says_where_things_lie_how_tokens_are_set_what_a_loss_costs_and_how_to_look_in(page):
    if page.name in ("image.md", "rehearsal.md"):
        return
    text = page.read_text()
    assert all(f"- **{section}" in text for section in SECTIONS) and "taken away.**" in text
