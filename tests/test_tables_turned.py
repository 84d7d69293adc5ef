"""Tables that come in other arrangements than a run a row below one header, and what follows from their columns."""

import json

import pytest
from test_tables_of_others import first, table

from scalectl.orchestrator.store.imported import read
from scalectl.orchestrator.store.sheet import InvalidImport

RUN = {"model": "S", "params": 22_000_000, "images_seen": 3_000_000_000, "upstream/loss": 2.5}


LATEX = r"""\begin{tabular}{lrrr}
\toprule
Model & Params (M) & Tokens (B) & Loss $\downarrow$ \\
\midrule
\multirow{2}{*}{\textbf{S}} & 22 & 3 & $2.5 \pm 0.1$ \\
 & 22 & 30 & \textbf{2.1} \\ \bottomrule
\end{tabular}
"""
MARKDOWN = "| model | params | tokens | loss |\n|:--|--:|---|:-:|\n| S | 22M | 3B | 2.5 |\n| S | 22M | 30B | 2.1 |\n"
TWO_HEADERS = "model,training,,eval\nname,params,tokens,loss\nS,22e6,3e9,2.5\nS,22e6,30e9,2.1\n"
IN_COLUMNS = "model,S,S\nparams,22e6,22e6\ntokens,3e9,30e9\nloss,2.5,2.1\n"
A_METRIC_A_ROW = (
    "model,params,tokens,metric,value\n"
    "S,22e6,3e9,loss,2.5\nS,22e6,3e9,ppl,12.2\nS,22e6,30e9,loss,2.1\nS,22e6,30e9,ppl,8.2\n"
)
TITLES = "Table 3\n# all of our runs\nmodel,params,tokens,loss\nS,22m,3 billion,2.5\nS,22m,30 billion,2.1\n"
SPACES = "# model params tokens loss\nS 2.2e7 3e9 2.5\nS 2.2e7 3e10 2.1\n"
BRACKETS = "model,params,tokens,loss\nS,22M,3B,2.5 (0.1)\nS,22M,30B,2.1(1)\n"
NESTED = "model.name,model/n_params,train/tokens_seen,train/loss,loss\nS,22e6,3e9,2.4,2.5\nS,22e6,30e9,2.0,2.1\n"


@pytest.mark.parametrize(
    "text", [LATEX, MARKDOWN, TWO_HEADERS, IN_COLUMNS, A_METRIC_A_ROW, TITLES, SPACES, BRACKETS, NESTED]
)
def test_a_table_comes_in_however_it_is_laid_out(tmp_path, text):
    found = table(tmp_path, text.replace("loss\nname", "eval\nname"))
    assert len(found.runs) == 2 and not found.problems
    run = {**found.runs[0].columns, **found.runs[0].metrics}
    run["upstream/loss"] = run.get("upstream/loss", run.get("eval/loss"))
    assert {name: run[name] for name in RUN} == RUN


OBJECTS = [{"params": 22_000_000, "tokens": 3 * 10**9, "loss": 2.5}, {"params": 1000, "tokens": 3 * 10**9, "loss": 3}]


@pytest.mark.parametrize(
    "document",
    [
        dict(zip(["S", "T"], OBJECTS, strict=True)),
        {"author": {"name": "x"}, "runs": [{"model": "S", **OBJECTS[0]}, {"model": "T", **OBJECTS[1]}]},
        {"model": ["S", "T"], **{name: [run[name] for run in OBJECTS] for name in OBJECTS[0]}},
        {"columns": ["name", *OBJECTS[0]], "data": [["S", *OBJECTS[0].values()], ["T", *OBJECTS[1].values()]]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_document_comes_in_by_run_by_column_and_as_a_list_within(tmp_path, document, indent):
    found = table(tmp_path, json.dumps(document, indent=indent), "runs.json")
    assert len(found.runs) == 2
    run = {**found.runs[0].columns, **found.runs[0].metrics}
    assert {name: run[name] for name in RUN} == RUN


def test_a_line_that_a_killed_program_left_unfinished_loses_no_other(tmp_path):
    lines = [json.dumps({"model": "S", "params": 22e6, "tokens": n * 10**9, "loss": 2.5}) for n in range(1, 5)]
    found = table(tmp_path, "\n".join([*lines, '{"model": "S", "par']), "runs.jsonl")
    assert len(found.runs) == 4 and found.left_out == 1 and "not JSON" in str(found.problems[0])
    with pytest.raises(InvalidImport, match="jsonl:5:1: error: not JSON"):
        table(tmp_path, "\n".join([*lines, '{"model": "S", "par']), "runs.jsonl", strict=True)


def test_images_seen_follow_from_epochs_and_from_steps(tmp_path):
    epochs = "model,FLOPs (G),Epochs,Train images,err\nS,4.6,300,1281167,.2\nS,4.6,90,1281167,.25\n"
    found = table(tmp_path, epochs)
    run = found.runs[0]
    assert run.columns["images_seen"] == 300 * 1281167 and run.labels == {"Epochs": 300.0}
    assert run.columns["flops"] == pytest.approx(3 * 4.6e9 * 300 * 1281167)
    assert "No column of images seen: images_seen is Epochs x data_size." in found.notes
    assert first(tmp_path, "model,steps,batch_size,err\nS,1000,256,.2\n")["images_seen"] == 256_000
    assert first(tmp_path, "model,steps,batch_size,images_seen,err\nS,1000,256,5,.2\n")["images_seen"] == 5


def test_epochs_of_a_data_set_that_is_not_told_are_a_setting_and_no_metric(tmp_path):
    text = "model,params,Epochs,err\nS,22M,300,.2\nS,22M,90,.25\n"
    found = table(tmp_path, text)
    assert [run.labels for run in found.runs] == [{"Epochs": 300.0}, {"Epochs": 90.0}]
    assert not any("seed" in run.columns for run in found.runs)
    assert "--as Epochs=images_seen takes the epochs of one data set for it" in " ".join(found.notes)
    assert first(tmp_path, text, columns={"Epochs": "images_seen"})["images_seen"] == 300


def test_numbers_below_a_header_in_per_cent_are_shares(tmp_path):
    run = first(tmp_path, "model,flops,val error (%),ImageNet err. [%]\nS,1e18,23.5,30\n")
    assert run["val error"] == pytest.approx(0.235) and run["ImageNet err."] == pytest.approx(0.3)
    assert first(tmp_path, "model,flops,val error (%)\nS,1e18,0.235\n")["val error"] == 0.235  # a share all the same
    assert first(tmp_path, "model,flops,acc (%)\nS,1e18,76.5\n", errors=["acc (%)"])["error"] == pytest.approx(0.235)


def test_ids_are_no_metrics_though_they_have_digits_alone(tmp_path):
    rows = "".join(f"{10**7 + n},S,{n}e18,2.5\n" for n in range(1, 12))
    found = table(tmp_path, f"run_id,model,flops,val_loss\n{rows}0000000a,S,5e19,2\n")
    assert len(found.runs) == 12 and found.runs[0].metrics == {"val_loss": 2.5}


def test_hours_of_devices_are_compute(tmp_path):
    assert first(tmp_path, "model,GPU hours,err\nS,2.5,.3\n")["device_seconds"] == 9000
    assert first(tmp_path, "model,exaFLOPs,err\nS,2.5,.3\n")["flops"] == 2.5e18


def test_unicode_text_of_excel_is_read(tmp_path):
    (tmp_path / "table.csv").write_text("model\tparams\ttokens\tloss\nS\t22M\t3B\t2.5\n", encoding="utf-16")
    run = read(tmp_path / "table.csv").runs[0]
    assert {**run.columns, **run.metrics}["upstream/loss"] == 2.5


def test_a_table_without_any_header_that_is_known_says_what_one_is(tmp_path):
    with pytest.raises(InvalidImport, match="a row is a run, below a header such as params,tokens,flops,loss"):
        table(tmp_path, "params by tokens,1e8,3e8\n1e6,3.2,3.1\n")
