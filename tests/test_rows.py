"""What read verbs print for other programs: their rows, in every form, chosen and in order."""

import csv
import io
import json
import math

import click
import pytest
from click.testing import CliRunner
from pyarrow import parquet
from studies_of_pages import trained

from scalectl.orchestrator.cli import forms
from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.cli.rows import Rows, View, flat
from scalectl.orchestrator.errors import Exit, Refusal

RECORDS = [
    {"name": "b", "size": 2, "loss": math.nan},
    {"name": "a", "size": 2**53 + 1, "loss": 0.1 + 0.2},
    {"name": "c", "size": None, "loss": math.inf},
    {"name": "d", "size": 2**53, "loss": 1.0},
]
FORMS = ("csv", "json", "jsonl", "md")


def printed(*words):
    done = CliRunner().invoke(scalectl, [str(word) for word in words], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.stdout


def shown(capsys, records=RECORDS, **options):
    View(**{"form": "jsonl", **options}).print(Rows(records))
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        (["size"], "bdac"),  # 2 ** 53 + 1 is the same float as 2 ** 53
        (["-size"], "adbc"),
        (["loss"], "adcb"),
        (["-loss"], "cdab"),
        (["-name"], "dcba"),
    ],
)
def test_rows_are_in_order_and_those_without_a_value_come_last(capsys, sort, names):
    assert "".join(json.loads(line)["name"] for line in shown(capsys, sort=sort).splitlines()) == names


def test_the_first_column_of_an_order_counts_most(capsys):
    records = [{"model": model, "flops": flops} for model, flops in [("b", 1), ("a", 1), ("b", 2), ("a", 2)]]
    lines = shown(capsys, records, form="csv", sort=["model", "-flops"]).split()
    assert lines == ["model,flops", "a,2", "a,1", "b,2", "b,1"]


def test_numbers_keep_their_digits_and_json_has_no_infinity(capsys):
    rows = json.loads(shown(capsys, form="json"), parse_constant=pytest.fail)
    assert [row["loss"] for row in rows] == [None, 0.1 + 0.2, None, 1.0] and rows[1]["size"] == 2**53 + 1
    lines = list(csv.DictReader(io.StringIO(shown(capsys, form="csv"))))
    assert [line["loss"] for line in lines] == ["", repr(0.1 + 0.2), "inf", "1.0"] and lines[2]["size"] == ""


@pytest.mark.parametrize(
    ("where", "names"),
    [("size >= 2", "bad"), ("name == 'c'", "c"), ("loss < 1 and name != 'b'", "a"), ("size > 9e18", "")],
)
def test_rows_are_chosen_by_an_expression(capsys, where, names):
    assert "".join(json.loads(line)["name"] for line in shown(capsys, where=where).splitlines()) == names


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"columns": ["nmae"]}, "--columns: there is no column 'nmae'. Did you mean 'name'?"),
        ({"sort": ["-sise"]}, "--sort: there is no column 'sise'. Did you mean 'size'?"),
        ({"columns": ["x"]}, "There are name, size, loss."),
        ({"where": "sise > 2"}, "did you mean 'size'?"),
    ],
)
def test_a_column_that_is_not_there_is_refused_with_the_nearest_one(capsys, options, advice):
    with pytest.raises(Refusal) as refused:
        shown(capsys, **options)
    assert advice in str(refused.value) and refused.value.exit == Exit.INVALID


@pytest.mark.parametrize("text", ["two\nlines", "two\r\nlines", 'said "so", twice', "\n"])
def test_a_cell_of_several_lines_is_one_cell(capsys, text):
    """It was written without quotation marks, and became lines of its own."""
    printed = shown(capsys, [{"name": "a", "text": text}, {"name": "b", "text": "c"}], form="csv")
    rows = list(csv.DictReader(io.StringIO(printed, newline="")))
    assert rows == [{"name": "a", "text": text}, {"name": "b", "text": "c"}]
    assert printed.startswith("name,text\na,") and printed.endswith("b,c\n")


def test_a_column_that_has_no_value_may_be_compared_with_anything(capsys):
    """Whether a condition was an error depended on the rows: `kind == 'oom'` where nothing had failed yet."""
    records = [{"name": "a", "kind": None, "size": None}, {"name": "b", "kind": None, "size": None}]
    for where in ("kind == 'oom'", "kind == oom", "size > 3", "kind in ['oom', 'nan']", "not size < 3"):
        assert shown(capsys, records, where=where) == ""
    assert shown(capsys, records, where="kind == 'oom' or name == 'b'").count("\n") == 1


def test_without_a_row_there_is_a_head_or_nothing(capsys, tmp_path):
    """It was an empty line, and a condition an error."""
    study = trained(tmp_path)
    words = ["suggest", study.file, "--budget", "1e3"]  # which no run fits into
    assert printed(*words, "-o", "csv").startswith("run,name,cost,") and printed(*words, "-o", "jsonl") == ""
    assert printed(*words, "-o", "csv", "--columns", "name", "--where", "cost > 1", "--sort", "cost") == "name\n"
    with pytest.raises(Refusal, match="no column 'price'"):
        printed(*words, "-o", "csv", "--columns", "price")
    for form, nothing in {"csv": "", "md": "", "table": "", "jsonl": "", "json": "[]\n"}.items():
        assert shown(capsys, [], form=form, where="cost > 1", sort=["cost"]) == nothing


def test_objects_within_a_document_become_columns():
    assert flat({"a": 1, "b": {"c": {"d": [2]}, "e": None}}) == {"a": 1, "b.c.d": [2], "b.e": None}


CHANGE = {"init", "launch", "stop", "retry", "exclude", "include", "prune", "import"}
WRITE = {"report", "export", "plot", "checkpoint export", "db backup", "db upgrade", "db prune", "example"}
NO_ROWS = {"serve", "schema", "help"}  # a page, a schema and a text


def leaves(group, before=""):
    for name, verb in group.commands.items():
        if isinstance(verb, click.Group) and name != "plot":
            yield from leaves(verb, f"{before}{name} ")
        else:
            yield f"{before}{name}", verb


def test_every_verb_that_reads_takes_the_options():
    reading = {name: verb for name, verb in leaves(scalectl) if name not in CHANGE | WRITE | NO_ROWS}
    assert {"status", "show", "logs", "plan", "validate", "query", "doctor", "db check"} <= {*reading}
    for name, verb in reading.items():
        options = {option.name: option for option in verb.params}
        own = {"rows"}  # some choose by --where what they work on, and show has one row
        if name in ("show", "predict", "fit", "suggest"):
            own = set()
        assert {"form", "columns", "sort", *own} <= {*options}, name
        assert {"table", *FORMS} <= {*options["form"].type.choices}, name


def test_the_rows_of_a_status_have_all_that_the_store_knows(filled):
    words = ("status", "--store", filled.store)
    lines = list(csv.DictReader(io.StringIO(printed(*words, "-o", "csv"))))
    document = json.loads(printed(*words, "-o", "json"))["runs"]
    assert [{name: str(value) for name, value in run.items()} for run in document] == lines
    chosen = ("--columns", "name,upstream/error,flops", "--sort", "-flops", "--where", "steps > 20")
    (run,) = json.loads(printed(*words, *chosen, "-o", "json"))
    assert run == {"name": "pico-60-40", "upstream/error": 1 / 3, "flops": document[1]["flops"]}
    with pytest.raises(Exception, match="--watch goes with"):
        printed(*words, "-w", "-o", "csv")


def test_a_run_is_one_row_and_its_log_a_row_for_each_line(filled):
    (run,) = json.loads(
        printed("show", "pico-60-40", "--store", filled.store, "--columns", "name,upstream/error", "-o", "json")
    )
    assert run == {"name": "pico-60-40", "upstream/error": 1 / 3}
    words = ("logs", "pico-60-40", "--store", filled.store)
    texts = [json.loads(line)["text"] for line in printed(*words, "-o", "jsonl").splitlines()]
    assert len(texts) == len(printed(*words).splitlines()) and texts[0] in printed(*words)


def test_the_rows_of_a_plan_are_its_runs(filled):
    lines = printed("plan", filled.file, "-o", "csv", "--columns", "name,state").splitlines()
    assert lines == ["name,state", "pico-60-20,done", "pico-60-40,done"]


def test_what_is_wrong_with_a_file_is_a_row_each(filled, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(filled.file.read_text().replace("name: adafactor", "name: adam3").replace("seeds:", "seads:"))
    words = ["validate", wrong, "--set", "train.x=3"]
    done = CliRunner().invoke(scalectl, [str(word) for word in [*words, "-o", "json"]], standalone_mode=False)
    document = json.loads(done.stdout)
    assert done.return_value == Exit.INVALID and document["valid"] is False and done.stderr == ""
    places = [(problem["place"], problem["key"], problem["line"]) for problem in document["problems"]]
    text = wrong.read_text().splitlines()
    assert all("adam3" in text[line - 1] for _, key, line in places if key == "train.optimizer.name")
    assert places[-1] == ("--set train.x", "train.x", None) and len(places) > 1
    rows = list(csv.DictReader(io.StringIO(printed(*words, "-o", "csv", "--columns", "key,message"))))
    assert [row["key"] for row in rows] == [key for _, key, _ in places]
    whole = json.loads(printed("validate", filled.file, "-o", "json"))
    assert (whole["valid"], whole["runs"], whole["trunks"], whole["problems"]) == (True, 2, 1, [])


def test_the_rows_of_a_query_are_chosen_as_others_are(filled):
    words = ("query", "SELECT name, steps FROM points", "--store", filled.store)
    assert printed(*words, "--sort", "-steps", "--columns", "steps", "-o", "csv").split() == ["steps", "40", "20"]
    assert json.loads(printed(*words, "--where", "steps > 20", "-o", "jsonl")) == {"name": "pico-60-40", "steps": 40}
    with pytest.raises(Refusal, match="there is no column 'flops'"):
        printed(*words, "--sort", "flops")


def test_a_query_writes_parquet_that_others_read(filled):
    def asked(sql):
        words = ["query", sql, "--store", str(filled.store), "-o", "parquet"]
        return CliRunner().invoke(scalectl, words, standalone_mode=False)

    table = parquet.read_table(
        io.BytesIO(asked("SELECT name, steps, 1.0 / 3 AS x, NULL AS y FROM points").stdout_bytes)
    )
    assert table.to_pylist() == [
        {"name": name, "steps": steps, "x": 1 / 3, "y": None}
        for name, steps in [("pico-60-20", 20), ("pico-60-40", 40)]
    ]
    assert parquet.read_table(io.BytesIO(asked("SELECT name FROM points WHERE 0").stdout_bytes)).column_names == [
        "name"
    ]
    assert "x: Parquet has one type a column" in str(asked("SELECT 1 AS x UNION ALL SELECT 'a'").exception)
    assert "two columns are named 'x'" in str(asked("SELECT 1 AS x, 2 AS x").exception)


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "md"])
def test_of_millions_of_rows_none_is_kept(form):
    """JSON took a gigabyte for a million rows, and CSV read all before it wrote the first."""
    read = []

    def rows():
        for number in range(1000):
            read.append(number)
            yield number, {"a": [number, None]}

    lines = forms.FORMS[form](["n", "part"], rows())
    first = [next(lines), next(lines), next(lines)]
    assert len(first) == 3 and len(read) <= 4


@pytest.mark.parametrize("number", [0, 1, 3])
def test_json_is_a_list_as_the_library_writes_it(capsys, number):
    cells = [{"a": [1, {"b": None}]}, [], "two\nlines", float("nan"), b"\x01", 2**70, True]
    records = [{"name": f"r{place}", **{f"c{at}": cell for at, cell in enumerate(cells)}} for place in range(number)]
    forms.print_rows(
        "json", ["name", *(f"c{at}" for at in range(len(cells)))], (tuple(row.values()) for row in records)
    )
    plain = [row | {"c3": None, "c4": "01"} for row in records]
    assert capsys.readouterr().out == json.dumps(plain, indent=1) + "\n"
