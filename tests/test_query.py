"""The verb query: rows of a store in every form, and nothing but reading."""

import csv
import io
import json
import re

import pytest
from click.testing import CliRunner
from conftest import stored
from told import everything, rows

from scalectl.orchestrator.cli.forms import FORMS
from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Exit, Refusal

POINTS = 'SELECT name, flops, "upstream/error" AS error, origin FROM points ORDER BY name'


def said(study, *words):
    done = CliRunner().invoke(scalectl, ["query", "--store", str(study.store), *words], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.stdout


def test_csv_and_json_hold_what_the_store_holds_digit_by_digit(filled):
    truth = rows(filled, POINTS)
    assert len(truth) == 2 and truth[0][2] == 1 / 3
    header, *lines = csv.reader(io.StringIO(said(filled, POINTS, "-o", "csv")))
    assert header == ["name", "flops", "error", "origin"]
    assert [(name, float(flops), float(error), origin or None) for name, flops, error, origin in lines] == truth
    documents = json.loads(said(filled, POINTS, "-o", "json"))
    assert [tuple(document.values()) for document in documents] == truth
    assert [json.loads(line) for line in said(filled, POINTS, "-o", "jsonl").splitlines()] == documents


def test_tables_for_people_round_numbers_and_leave_unknown_cells_empty(filled):
    lines = said(filled, POINTS).splitlines()
    assert lines[0].split() == ["name", "flops", "error", "origin"]
    assert lines[1].split()[::2] == ["pico-60-20", "0.3333"]
    marked = said(filled, "SELECT 'a|b' AS x, NULL AS y, 2 AS z", "-o", "md").splitlines()
    assert marked == ["| x | y | z |", "| --- | --- | --- |", "| a\\|b |  | 2 |"]


def test_a_name_is_text_in_markdown_whatever_it_holds(filled):
    """Tags, pictures and a backslash before a bar would have been those of the document."""
    names = ["<img src=x onerror=alert(1)>", "![x](http://e/x.png)", "a\\|b", "`c` &amp; *d*", "data_size"]
    sql = " UNION ALL ".join(f"SELECT '{name}' AS x" for name in names)
    lines = said(filled, sql, "-o", "md").splitlines()[2:]
    assert lines[0] == "| \\<img src=x onerror=alert(1)> |" and lines[1] == "| !\\[x](http://e/x.png) |"
    shown = [re.sub(r"\\(.)", r"\1", line)[2:-2] for line in lines]
    assert shown == names
    for line in lines:  # what is left without its backslashes begins nothing
        assert not re.search(r"[<|`*&\[]", re.sub(r"\\.", "", line)[1:-1])


@pytest.mark.parametrize("form", FORMS)
def test_no_rows_are_an_answer(filled, form):
    assert said(filled, "SELECT name FROM points WHERE flops < 0", "-o", form) in (
        "  name\n",
        "name\n",
        "[]\n",
        "",
        "| name |\n| --- |\n",
    )


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM runs",
        "UPDATE runs SET excluded = 1",
        "INSERT INTO studies SELECT * FROM studies",
        "DROP VIEW points",
        "CREATE TEMP TABLE t (x)",
        "PRAGMA user_version = 3",
        "PRAGMA query_only = 0",
        "ATTACH '{folder}/other.db' AS other",
        "VACUUM INTO '{folder}/other.db'",
        "COMMIT",
    ],
)
def test_a_query_changes_nothing_and_opens_no_other_file(filled, sql):
    before = everything(filled), sorted(filled.folder.iterdir())
    with pytest.raises(Refusal, match=r"^query: .*(of this store alone|from within a transaction)\.$") as refused:
        said(filled, sql.format(folder=filled.folder))
    assert refused.value.exit == Exit.INVALID
    assert (everything(filled), sorted(filled.folder.iterdir())) == before


@pytest.mark.parametrize(
    ("sql", "advice"),
    [
        ("SELECT * FROM pionts", "no such table: pionts. Did you mean 'points'?"),
        ("SELECT * FROM xyz", "no such table: xyz. There are attempts, "),
        ("SELECT modle FROM points", "no such column: modle. Did you mean 'model'?"),
        ("SELECT grad_norm FROM points", "no such column: grad_norm. curves has one."),
        ("SELECT upstream/error FROM points", 'A name with a slash stands in double quotes: "upstream/error".'),
        ("SELECT FROM points", 'near "FROM": syntax error.'),
        ("SELECT 1; SELECT 2", "You can only execute one statement at a time."),
        ("-- nothing", "there is no statement in it"),
    ],
)
def test_what_cannot_be_read_is_refused_with_advice(filled, sql, advice):
    with pytest.raises(Refusal) as refused:
        said(filled, "--", sql)
    assert advice in str(refused.value) and not str(refused.value).endswith("..")
    assert refused.value.exit == Exit.INVALID


def test_the_columns_of_a_view_can_be_asked_for(filled):
    names = [line.split(",")[1] for line in said(filled, "PRAGMA table_info(points)", "-o", "csv").splitlines()]
    assert {"flops", "upstream/error"} <= set(names)


def test_a_store_of_an_earlier_version_is_read_as_one_of_today(study):
    stored(study, 5)
    assert "test_images" in said(study, "SELECT * FROM points", "-o", "csv").splitlines()[0].split(",")


def test_a_value_too_large_for_sqlite_is_a_mistake_of_the_query(filled):
    with pytest.raises(Refusal, match="query: string or blob too big"):
        said(filled, "SELECT length(randomblob(2000000000))")
