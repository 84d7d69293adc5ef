"""docs/experiments.md and the JSON Schema say what the code reads."""

import re
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import pytest
from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML

from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.experiment.rules import Section
from scalectl.orchestrator.experiment.schema import Model, keys, schema_json
from scalectl.orchestrator.experiment.values import Share
from scalectl.orchestrator.experiment.yaml_text import load
from scalectl.trainer.presets import PRESETS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "experiments.md").read_text()
ROWS = {
    key: (default, example.strip("`"), meaning)
    for key, default, example, meaning in re.findall(
        r"^\| `(\S+)` \| [^|]* \| ([^|]*) \| ([^|]*) \| (.*) \|$", PAGE, re.M
    )
}


def written(default: Any) -> str:
    """Return a default as the page writes it; sections and absent values have none of their own."""
    if isinstance(default, Section) or default in (None, (), {}):
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, Share):
        return f"`{default.percent}%`"
    return f"`[{', '.join(map(str, default))}]`" if isinstance(default, tuple) else f"`{default}`"


def test_the_page_lists_every_key_and_no_other():
    assert list(ROWS) == re.findall(r"^\| `(\S+)`", PAGE, re.M)
    assert set(ROWS) == set(keys())


@pytest.mark.parametrize("key", keys())
def test_the_page_gives_the_default_and_the_meaning(key):
    info = keys()[key]
    default, _, meaning = ROWS[key]
    assert default.strip() == ("required" if info.is_required() else written(info.default))
    assert meaning == info.description


@pytest.mark.parametrize("key", [key for key in keys() if ROWS[key][1].strip() not in ("", "see below")])
def test_the_example_of_each_key_is_a_value_that_it_takes(key):
    info = keys()[key]
    value = load(ROWS[key][1], "the page").value
    adapter: TypeAdapter[Any] = TypeAdapter(
        Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    )
    adapter.validate_python(value)


def test_the_page_shows_a_whole_study_that_is_valid(tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    (tmp_path / "experiments.yaml").write_text(block)
    assert len(read(tmp_path / "experiments.yaml").cells) == 1


def test_presets_are_those_of_the_paper():
    for preset in PRESETS:
        assert Model.model_validate({"preset": preset, "patch_size": 14}).preset == preset
    with pytest.raises(ValidationError):
        Model.model_validate({"preset": "XXL", "patch_size": 14})


def laptop() -> Any:
    return YAML(typ="safe", pure=True).load(ROOT / "experiments.yaml")


def test_editors_accept_the_laptop_study():
    jsonschema.Draft202012Validator.check_schema(schema_json())
    jsonschema.validate(laptop(), schema_json())


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("train", "bach_size", 64),
        ("train", "batch_size", 0),
        ("train", "batch_size", "10m"),
        ("data", "source", "cifar"),
        ("grid", "extra", [{"seed": 1}]),
        ("budgets", "device_hours", [0]),
    ],
)
def test_editors_underline_what_is_wrong(section, key, value):
    study = laptop()
    study[section][key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(study, schema_json())
