"""The tables of results.db; docs/results.md says what each column means, and in which unit."""

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Computed,
    DateTime,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeEngine

from scalectl.orchestrator.goodput import ENTRIES
from scalectl.orchestrator.store.columns import Words, later_defaults, spec_columns
from scalectl.orchestrator.vocabulary import CPU, AttemptState, JobKind, JobState, RunState
from scalectl.trainer.spec import DataSpec, ModelSpec, RecipeSpec

schema = MetaData()

# what a run is, in the order in which `points` shows it
_DATA = {{"size": "data_size"}.get(name, name): kind for name, kind in spec_columns(DataSpec).items()}
_COUNTS = {"params": Integer, "flops_per_image": Integer}
# FLOPs outgrow 64-bit integers at the size of the paper's runs, so they are floating-point numbers here
COST = {"steps": Integer, "cooldown": Integer, "images_seen": Integer, "flops": Float, "marginal_flops": Float}
SETTINGS: dict[str, type[TypeEngine[Any]]] = {
    "model": Text,
    **spec_columns(ModelSpec),
    "head": Text,
    **_COUNTS,
    "data_name": Text,
    **_DATA,
    **spec_columns(RecipeSpec),
    "seed": Integer,
    **COST,
}
# those that a file says of models, data and recipes, whatever its runs are called
TRAINED = (
    *spec_columns(ModelSpec),
    *(name for name in _DATA if name != "data_size"),
    *spec_columns(RecipeSpec),
    "cooldown",
)
_BEFORE = later_defaults(ModelSpec) | later_defaults(DataSpec) | later_defaults(RecipeSpec) | {"data_name": ""}


def _key(
    name: str, target: str, *, nullable: bool = False, index: bool = False, primary_key: bool = False
) -> Column[Any]:
    return Column(name, ForeignKey(target), nullable=nullable, index=index, primary_key=primary_key)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


studies = Table(
    "studies",
    schema,
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("planned", DateTime, nullable=False),
    Column("document", Text, nullable=False),
    Column("fits", Text, nullable=False, server_default="{}"),
)

trunks = Table(
    "trunks",
    schema,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("spec", Text, nullable=False),
)

runs = Table(
    "runs",
    schema,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    _key("study", "studies.number", index=True),
    _key("trunk", "trunks.number", index=True),
    Column("listed", Boolean, nullable=False),
    Column("state", Words(RunState), nullable=False),
    _text("kind"),
    _text("reason"),
    Column("excluded", Boolean, nullable=False, server_default="0"),
    *(Column(name, kind, nullable=False, server_default=_BEFORE.get(name)) for name, kind in SETTINGS.items()),
    Column("devices", Float, nullable=False, server_default="1"),  # a mean where its slots had different numbers
    Column("device_seconds", Float),
    Column("core_days", Float, Computed("device_seconds * devices / 86400.0", persisted=False)),
    Column("images_per_second", Float, Computed("images_seen / device_seconds", persisted=False)),
    Column("flops_per_second", Float, Computed("flops / device_seconds", persisted=False)),
    Column("mfu", Float),
    _text("digest"),
    Column("spec", Text, nullable=False),
)

# which runs a study has: those of all of its plans, but for what was pruned
members = Table(
    "members",
    schema,
    _key("study", "studies.number", primary_key=True),
    _key("run", "runs.number", primary_key=True, index=True),
    _text("model"),  # its model's name there: studies may name one shape differently
    sqlite_with_rowid=False,
)

# runs of other people: what their file doesn't tell is NULL, and nothing is ever planned or trained for them
imports = Table(
    "imports",
    schema,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("study", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("excluded", Boolean, nullable=False, server_default="0"),
    _text("reason"),
    *(Column(name, kind) for name, kind in SETTINGS.items()),
    Column("device_seconds", Float),
    Column("core_days", Float),
    _text("labels"),  # JSON object: its file's columns of text and truth values that have no other meaning
)

jobs = Table(
    "jobs",
    schema,
    Column("id", Text, primary_key=True, nullable=False),
    Column("name", Text, nullable=False),
    _key("study", "studies.number"),
    _key("trunk", "trunks.number"),
    _key("run", "runs.number", nullable=True),
    Column("kind", Words(JobKind), nullable=False, server_default=JobKind.TRUNK.value),
    _text("run_name"),
    Column("start", Integer, nullable=False),
    Column("stop", Integer, nullable=False),
    Column("folder", Text, nullable=False),
    Column("shape", Text, nullable=False),
    Column("flops", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("state", Words(JobState), nullable=False),
)

attempts = Table(
    "attempts",
    schema,
    Column("id", Integer, primary_key=True),
    _key("job", "jobs.id", index=True),
    Column("job_kind", Words(JobKind), nullable=False, server_default=JobKind.TRUNK.value),
    Column("slot", Text, nullable=False),
    Column("slot_type", Text, nullable=False, server_default=CPU),
    _text("host"),
    Column("pid", Integer),
    _text("device"),
    _text("versions"),
    _text("revision"),
    Column("started", DateTime, nullable=False),
    Column("ended", DateTime),
    Column("state", Words(AttemptState), nullable=False),
    _text("kind"),
    _text("reason"),
    Column("first_step", Integer),
    Column("step", Integer),
    Column("flops", Float),
    Column("device_seconds", Float),
    Column("compile_seconds", Float),
    Column("compilations", Integer),
)

progress = Table(
    "progress",
    schema,
    _key("trunk", "trunks.number", primary_key=True),
    Column("run", Integer, primary_key=True, autoincrement=False),  # 0: the trunk itself
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("loss", Float),
    Column("learning_rate", Float),
    Column("grad_norm", Float),
    Column("images_seen", Integer, nullable=False),
    Column("flops", Float, nullable=False),
    Column("device_seconds", Float),
    Column("images_per_second", Float),
    Column("flops_per_second", Float),
    Column("mfu", Float),
    sqlite_with_rowid=False,
)

metrics = Table(
    "metrics",
    schema,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

measurements = Table(
    "measurements",
    schema,
    _key("run", "runs.number", primary_key=True),
    _key("metric", "metrics.id", primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("value", Float),
    _text("settings"),
    Column("test_images", Integer),  # NULL where an older version measured it
    sqlite_with_rowid=False,
)

imported = Table(
    "imported",
    schema,
    _key("run", "imports.number", primary_key=True),
    _key("metric", "metrics.id", primary_key=True),
    Column("value", Float),
    Column("test_images", Integer),
    sqlite_with_rowid=False,
)

checkpoints = Table(
    "checkpoints",
    schema,
    Column("path", Text, primary_key=True, nullable=False),
    _key("job", "jobs.id", index=True),
    _key("trunk", "trunks.number", index=True),
    _key("run", "runs.number", nullable=True),
    Column("step", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    Column("kept", Boolean, nullable=False),
    Column("device_seconds", Float),
    Column("core_seconds", Float),
)

events = Table(
    "events",
    schema,
    Column("id", Integer, primary_key=True),
    Column("at", DateTime, nullable=False),
    Column("what", Text, nullable=False),
    _key("run", "runs.number", nullable=True),
    _key("job", "jobs.id", nullable=True),
    _text("text"),
)

_UNTIMED = {"input": "0"}  # in older launches, which counted it as steps

ledger = Table(
    "ledger",
    schema,
    Column("launch", Integer, primary_key=True, autoincrement=False),
    Column("slot", Text, primary_key=True),
    Column("started", DateTime, nullable=False),
    Column("seconds", Float, nullable=False),
    *(Column(f"{entry}_seconds", Float, nullable=False, server_default=_UNTIMED.get(entry)) for entry in ENTRIES),
)

launches = Table(
    "launches",
    schema,
    Column("launch", Integer, primary_key=True, autoincrement=False),
    Column("at", DateTime, nullable=False),
    Column("seconds_left", Float),
)

exclusions = Table(
    "exclusions",
    schema,
    _key("run", "runs.number", primary_key=True),
    Column("reason", Text, nullable=False),
    Column("at", DateTime, nullable=False),
)

fits = Table(
    "fits",
    schema,
    Column("name", Text, primary_key=True, nullable=False),
    Column("at", DateTime, nullable=False),
    _text("law"),
    _text("metric"),
    _text("compute"),
    _text("unit"),
    Column("scale", Float),
    Column("offset", Float),
    Column("exponent", Float),
    Column("floor", Float),
    Column("document", Text, nullable=False),
)
