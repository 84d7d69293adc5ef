"""docs/results.md lists what results.db and the JSON of status and plan hold, and its examples run."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from test_train import TRUNK
from told import planned, planning, progress, rows, started, write

from scalectl.orchestrator.cli import data as sizes
from scalectl.orchestrator.cli import simulate as simulate_screen
from scalectl.orchestrator.cli.doctor import document as checked
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch.checkup import Finding
from scalectl.orchestrator.launch.ledger import Ledger
from scalectl.orchestrator.launch.pruning import prune
from scalectl.orchestrator.plan import preflight
from scalectl.orchestrator.plan.document import document as document_of
from scalectl.orchestrator.plan.simulator import simulate
from scalectl.orchestrator.plan.typed_slots import parse_slots
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.tables import schema
from scalectl.orchestrator.vocabulary import RunState
from scalectl.trainer.failures import FAILURE_KINDS
from scalectl.trainer.memory import Need, Verdict
from scalectl.trainer.topology import topology

PAGE = (Path(__file__).parents[1] / "docs" / "results.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
TYPES = {"INTEGER": "integer", "TEXT": "text", "FLOAT": "real", "BOOLEAN": "boolean", "DATETIME": "time"}
VERBS = ("status", "show", "validate", "plan", "preflight", "simulate", "models", "doctor")
JSON = tuple(f"{verb} -o json" for verb in VERBS)
UNITS = {
    "batch_size": "images",
    "core_days": "core-days",
    "cooldown": "steps",
    "data_size": "images",
    "device_seconds": "s",
    "flops": "FLOPs",
    "flops_per_second": "FLOP/s",
    "images_per_second": "images/s",
    "images_seen": "images",
    "marginal_flops": "FLOPs",
    "settings": "JSON",
    "spec": "JSON",
    "step": "steps",
    "steps": "steps",
    "test_images": "images",
}


PRICED = "resources: {default: {device: cpu, price_per_device_hour: 0.37}}\n"


def simulation(plan: Any) -> Any:
    slots = parse_slots(["2"])
    return simulate_screen.document(simulate(plan.jobs, slots), slots)


def listed(section: str) -> dict[str, tuple[str, str]]:
    """Return the names that a section lists, in order, with their types and units."""
    table = re.findall(r"^\| `(\S+)` \| (\S+) \| ([^|]*)\|", SECTIONS[section], re.M)
    assert [name for name, *_ in table] == re.findall(r"^\| `(\S+)`", SECTIONS[section], re.M)
    return {name: (kind, unit.strip()) for name, kind, unit in table}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study with a run that is done, one that trains, and one that was pruned."""
    from conftest import Study

    made = Study(tmp_path_factory.mktemp("page"))
    planning(made, steps="[20, 30, 40]")[0].close()
    prune(read(made.write(steps="[20, 40]")), lambda found: True)
    records, found = planning(made, steps="[20, 40]")
    write(records, found.jobs[:3])
    records.write(records.start(found.jobs[3], "here"), [started(32), progress(34)])
    records.keep(Ledger(["here"]).entries(), 37.0)
    yield made
    records.close()


def columns(study: Any, name: str) -> dict[str, str]:
    """Return the columns of a table or view with the page's words for their types; metrics are no fixed columns."""
    known = set(rows(study, "SELECT name FROM metrics"))
    info = rows(study, f"SELECT name, type FROM pragma_table_xinfo('{name}')")
    return {column: TYPES[kind.split()[0]] for column, kind in info if column not in known}


def test_the_page_has_a_section_for_each_table_and_view_and_no_other(study):
    tables = set(rows(study, "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"))
    assert tables == {*schema.tables, "points", "columns", "curves", "observations"}
    assert set(SECTIONS) == {*tables, "States", "What survives", "Speed", "Rows", *JSON}


@pytest.mark.parametrize("name", ["points", "curves", "observations", *schema.tables])
def test_it_lists_every_column_with_its_type_and_no_other(study, name):
    shown = {column: kind for column, (kind, _) in listed(name).items()}
    if name == "runs":  # "the columns of points from model to digest but test_images, and these"
        points = list(listed("points"))
        points.remove("test_images")
        shown |= {column: listed("points")[column][0] for column in points[points.index("model") :]}
    if name == "imports":  # "the columns of points from model to core_days, and these"
        points = list(listed("points"))
        settings = points[points.index("model") : points.index("core_days") + 1]
        shown |= {column: listed("points")[column][0] for column in settings}
    assert shown == columns(study, name)


@pytest.mark.parametrize("name", ["points", "curves", "observations"])
def test_it_lists_the_columns_of_views_in_their_order(study, name):
    assert list(listed(name)) == list(columns(study, name))


def test_columns_have_the_same_unit_wherever_they_stand():
    for section in SECTIONS.keys() - {"States", "What survives", "Speed", "Rows"}:
        for name, (_, unit) in listed(section).items():
            last = re.split(r"[.\]]", name)[-1]
            assert unit == UNITS.get(last, unit), (section, name)


def keys(document: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of a JSON document: flops.done, runs[].id."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from keys(value, f"{path}.{key}" if path else key)
    elif isinstance(document, list):
        for item in document:
            yield from keys(item, f"{path}[]")
    else:
        yield path


def test_it_lists_every_key_of_the_status_and_no_other(study):
    document = Store(study.store).status().to_json()
    assert list(listed("status -o json")) == list(dict.fromkeys(keys(document)))


def test_it_lists_every_key_of_a_run_that_is_shown_and_no_other(study):
    done, _ = rows(study, "SELECT id FROM runs WHERE listed ORDER BY number")
    document = Store(study.store).run(done).to_json()
    points = list(listed("points"))
    settings = points[points.index("model") : points.index("marginal_flops") + 1]
    shown = {key.partition(".")[0] if key.startswith("spec.") else key for key in keys(document)}
    assert set(listed("show -o json")) | set(settings) == shown


def test_it_lists_every_key_of_the_plan_and_no_other(study, tmp_path):
    from conftest import Study

    document = document_of(planned(Study(tmp_path), extra=PRICED), slots=parse_slots(["2"]))
    assert set(listed("plan -o json")) == set(keys(document))


def test_it_lists_every_key_of_a_simulation_and_no_other(tmp_path):
    from conftest import Study

    document = simulation(planned(Study(tmp_path)))
    assert list(listed("simulate -o json")) == list(dict.fromkeys(keys(document)))


def test_it_lists_every_key_of_the_models_and_no_other():
    assert list(listed("models -o json")) == list(dict.fromkeys(keys(sizes.document())))


def preflighted() -> Any:
    need = Need(Verdict.OVER, 407, 370, 37, compiled=True, seconds=3.7)
    program = preflight.Program(("pico",), "8x1", TRUNK, topology("v5e:2x2"))
    return preflight.document([preflight.Answer(program, need, "v5e:2x4", False)])


def test_it_lists_every_key_of_a_preflight_and_no_other():
    assert list(listed("preflight -o json")) == list(dict.fromkeys(keys(preflighted())))


def test_it_lists_every_key_of_a_checkup_and_no_other():
    document = checked([Finding("disk", "ok", "72 GB free")])
    assert list(listed("doctor -o json")) == list(dict.fromkeys(keys(document)))


def test_it_lists_every_key_of_a_validation_and_no_other(study):
    from click.testing import CliRunner

    from scalectl.orchestrator.cli.main import scalectl

    said = [
        CliRunner().invoke(scalectl, ["validate", str(study.file), *words, "-o", "json"]).stdout
        for words in ((), ("--set", "train.x=1"))
    ]
    names = {name for text in said for name in keys(json.loads(text)) if not name.startswith("data[")}
    assert {*listed("validate -o json")} == {*names, "data"}


KINDS = {str: "text", int: "integer", float: "real", bool: "boolean"}


def test_it_gives_the_type_of_each_key(study, tmp_path):
    from conftest import Study

    plan = document_of(planned(Study(tmp_path), extra=PRICED), slots=parse_slots(["2"]))
    simulated = simulation(planned(Study(tmp_path)))
    for section, document in (
        ("status -o json", Store(study.store).status().to_json()),
        ("plan -o json", plan),
        ("simulate -o json", simulated),
        ("preflight -o json", preflighted()),
    ):
        for name, (kind, _) in listed(section).items():
            found = {KINDS[type(value)] for value in values(document, name) if value is not None}
            assert found == {kind}, name


def values(document: Any, path: str) -> Iterator[Any]:
    """Yield all that stands at a path."""
    here, _, rest = path.partition(".")
    key, many, _ = here.partition("[]")
    for value in document[key] if many else [document[key]]:
        yield from values(value, rest) if rest else [value]


def test_it_explains_every_state_and_kind():
    words = re.findall(r"^\| `(\w+)` \|", SECTIONS["States"], re.M)
    assert words[:6] == ["planned", "running", "done", "stopped", "failed", "diverged"]
    assert set(RunState) == set(words[:6]) >= {kind.run for kind in FAILURE_KINDS.values()}
    assert all(f"`{kind}`" in SECTIONS["States"] for kind in FAILURE_KINDS)


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("query", examples("sql")[:3])
def test_its_queries_find_something(study, query):
    assert rows(study, query)


def test_its_pandas_lines_run(study, monkeypatch, capsys):
    monkeypatch.chdir(study.folder)
    (code,) = examples("python")
    exec(code, {})
    assert "pico" in capsys.readouterr().out


def test_its_copy_is_a_whole_store_even_while_somebody_writes(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (_, _, _, copy) = examples("sql")
    with closing(sqlite3.connect(study.store)) as store:
        store.execute(copy)
    (found,) = tmp_path.glob("*.db")
    assert Store(found).status().counts == Store(study.store).status().counts
