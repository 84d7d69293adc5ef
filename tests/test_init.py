"""The verb init: what it writes can be planned as it is, and an editor finds the schema that its first line names."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from pictures import grey, greys
from ruamel.yaml import YAML

from scalectl.orchestrator.cli.init import PRESETS, init
from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.reading import read

ROOT = Path(__file__).parents[1]


def ran(*words: str) -> str:
    return CliRunner().invoke(scalectl, words, standalone_mode=False, catch_exceptions=False).stdout


def written(preset: str, file: Path) -> Path:
    said = ran("init", str(file), "--preset", preset)
    verb = "validate" if preset in ("folder", "cifar10") else "plan"
    assert said.endswith(f"Next: scalectl {verb} {file}\n")
    return file


def fill(preset: str, folder: Path) -> list[str]:
    """Put small data where a preset expects its own; the changes are for data of that size."""
    if preset == "folder":
        for name in ("cat", "dog"):
            (folder / "pictures" / name).mkdir(parents=True)
            for level in range(10):
                (folder / "pictures" / name / f"{level}.png").write_bytes(grey(level))
    elif preset == "cifar10":
        (folder / "data" / "cifar10").mkdir(parents=True)
        for part in ("train", "test"):
            greys(folder / "data" / "cifar10" / f"{part}.parquet", range(5, 35) if part == "train" else range(40, 46))
    else:
        return []
    return ["--set", "data.sizes=[4, 8]", "--set", "train.batch_size=4"]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_planned_as_it_was_written(preset, tmp_path):
    file = written(preset, tmp_path / "study.yaml")
    plan = json.loads(ran("plan", str(file), *fill(preset, tmp_path), "-o", "json"))
    assert len(plan["runs"]) >= 8
    assert {run["reason"] for run in plan["runs"]} == {"new"}


@pytest.mark.parametrize("preset", PRESETS)
def test_an_editor_finds_the_schema_and_accepts_the_preset(preset, tmp_path):
    file = written(preset, tmp_path / "study.yaml")
    schema = re.match(r"# yaml-language-server: \$schema=(\S+)\n", file.read_text())[1]
    jsonschema.validate(YAML(typ="safe", pure=True).load(file), json.loads((tmp_path / schema).read_text()))


@pytest.mark.parametrize("file", [ROOT / "experiments.yaml", *(ROOT / "studies").glob("*.yaml")], ids=lambda f: f.name)
def test_every_study_of_the_repository_is_a_preset_and_names_its_schema(file, tmp_path):
    (name,) = re.findall(r"# yaml-language-server: \$schema=(\S+)\n", file.read_text())
    assert json.loads((file.parent / name).read_text()) == json.loads(ran("schema"))
    assert file.stem in ("experiments", *PRESETS)


def test_the_default_is_the_study_of_the_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran("init")
    assert Path("experiments.yaml").read_text() == (ROOT / "experiments.yaml").read_text()
    assert len(read("experiments.yaml").cells) == 48


def test_commands_in_the_comments_name_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran("init", "my study.yaml", "--preset", "tpu")
    header = Path("my study.yaml").read_text().partition("\nversion:")[0]
    assert header.count("'my study.yaml'") == 3 and "studies/" not in header


def test_files_that_are_there_stay_unless_they_may_go(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text("mine")
    with pytest.raises(Refusal, match=r"study\.yaml is there already\. Give another file, or --force"):
        init.callback(file, "laptop", force=False)
    assert file.read_text() == "mine" and [path.name for path in tmp_path.iterdir()] == ["study.yaml"]
    ran("init", str(file), "--force")
    assert read(file).name == "digits"
    ran("init", str(file))  # the same again changes nothing
    (tmp_path / "experiments.schema.json").write_text("mine")
    with pytest.raises(Refusal, match=r"experiments\.schema\.json is there already"):
        init.callback(tmp_path / "other.yaml", "laptop", force=False)
    assert not (tmp_path / "other.yaml").exists()


def test_a_file_that_cannot_be_written_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(Refusal, match="Is a directory"):
        init.callback(tmp_path, "laptop", force=True)


def test_who_has_no_file_hears_of_it(tmp_path):
    with pytest.raises(Refusal, match="No such file or directory; scalectl init writes one"):
        read(tmp_path / "experiments.yaml")


@pytest.mark.parametrize("words", [(), ("launch",), ("db", "check"), ("plot", "frontier")])
def test_help_of_a_verb_is_that_of_its_option(words):
    assert ran("help", *words).rstrip("\n") == ran(*words, "--help").rstrip("\n")


@pytest.mark.parametrize("words", [("lanch",), ("db", "chek"), ("launch", "now")])
def test_help_of_an_unknown_verb_is_wrong_usage(words):
    done = CliRunner().invoke(scalectl, ["help", *words])
    assert done.exit_code == 2 and "no verb" in done.output
    assert ("did you mean" in done.output) == (words != ("launch", "now"))
