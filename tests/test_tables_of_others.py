"""Tables as others publish them: what each column becomes, what is told of it, and which rows are left out."""

import gzip
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from invoking import command

from scalectl import analysis
from scalectl.analysis.selection import select
from scalectl.orchestrator.store.headers import Wishes
from scalectl.orchestrator.store.imported import Import, read
from scalectl.orchestrator.store.meanings import HEADERS
from scalectl.orchestrator.store.sheet import InvalidImport


def table(tmp_path: Path, text: str, name: str = "table.csv", **wishes) -> Import:
    (tmp_path / name).write_text(text)
    return read(tmp_path / name, Wishes(**wishes))


def first(tmp_path: Path, text: str, name: str = "table.csv", **wishes) -> dict[str, object]:
    """Everything that is known of the first run."""
    run = table(tmp_path, text, name, **wishes).runs[0]
    return {**run.columns, **run.metrics, **run.labels}


KYO = "params,tokens,flops,loss\n73824672,3154403320,1.39723673629e+18,3.405928\n"
GEMSTONES = """phase,run_name,width,depth,params,tokens,step,loss
hot_100b+,Gem-1024x28,1024,28,543482880,10003415040,2385,3.1
cool,Gem-1024x28,1024,28,543482880,10003415040,2385,2.9
"""
PORIAN = "N,D,C,loss,seed,dataset\n1000000,100000000,6e14,3.0,1,rw2\n"
OPENCLIP = "arch,pretrained,samples_seen,gmacs,acc1\nViT-B-32,laion400m,12.8B,7.4,62.9%\n"
DATACOMP = ",scale,n_samples_seen,dataset_size,acc,avg\n0,small,12800000,1.28e7,0.25,NA\n"
KAPLAN = "Model,Non-Embedding Params,Tokens,PF-days,Test Loss\n12L,85M,22B,0.2,2.9\n"
TIMM = "model,img_size,top1,top1_err,param_count,crop_pct,interpolation\nvit_tiny,224,75.4,24.6,5.72,0.9,bicubic\n"
WANDB = """"Name","State","Notes","Runtime","n_params","tokens_seen","_step","val/loss","use_moe"
"moon-1","finished","","3600","1000000","100000000","1000","3.21",true
"""
MLFLOW = "run_id,metrics.val_loss,params.n_params,params.tokens,tags.mlflow.runName\nabc,3.2,1000,20000,run-a\n"
TENSORBOARD = "Wall time,Step,Value\n1700000000.12,100,9.1\n"
LLAMA = "model,params_billion,tokens_billion,total_flops,flops,val_loss\nL-7B,7,1000,4.2e22,1.4e10,1.8\n"
UNITS = "Model Size,# Params (M),Tokens (B),Training FLOPs,Validation Loss (nats)\nnet,86,2.5,1e21,2.1\n"
ENGLISH = 'model,params,examples,top1\nnet,"25,557,032","1,281,167","0.76"\n'


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (KYO, {"params": 73824672, "images_seen": 3154403320, "upstream/loss": 3.405928, "model": "73824672"}),
        (GEMSTONES, {"model": "Gem-1024x28", "steps": 2385, "width": 1024, "phase": "hot_100b+"}),
        (PORIAN, {"params": 10**6, "images_seen": 10**8, "flops": 6e14, "seed": 1, "dataset": "rw2"}),
        (OPENCLIP, {"model": "ViT-B-32", "images_seen": 12_800_000_000, "flops_per_image": 14_800_000_000}),
        (OPENCLIP, {"acc1": 0.629, "pretrained": "laion400m"}),
        (DATACOMP, {"images_seen": 12_800_000, "data_size": 12_800_000, "acc": 0.25, "scale": "small"}),
        (KAPLAN, {"model": "12L", "params": 85_000_000, "images_seen": 22 * 10**9, "flops": 1.728e19}),
        (TIMM, {"image_size": 224, "params": 5_720_000, "top1_err": 24.6, "interpolation": "bicubic"}),
        (WANDB, {"model": "moon-1", "steps": 1000, "val/loss": 3.21, "file_State": "finished", "use_moe": True}),
        (MLFLOW, {"model": "run-a", "params": 1000, "images_seen": 20000, "val_loss": 3.2, "run_id": "abc"}),
        (TENSORBOARD, {"model": "table", "steps": 100, "Value": 9.1}),
        (LLAMA, {"params": 7 * 10**9, "images_seen": 10**12, "flops": 4.2e22, "file_flops": 1.4e10}),
        (UNITS, {"model": "net", "params": 86_000_000, "images_seen": 2_500_000_000, "flops": 1e21}),
        (ENGLISH, {"params": 25_557_032, "images_seen": 1_281_167, "top1": 0.76}),
    ],
)
def test_the_headers_of_published_tables_are_understood(tmp_path, text, known):
    run = first(tmp_path, text)
    assert {name: run.get(name) for name in known} == known


def test_a_column_is_what_as_says_it_is_whatever_its_name(tmp_path):
    run = first(tmp_path, "n_weights,flops,err\n37,1e18,0.5\n", columns={"n_weights": "params", "err": "pets/error"})
    assert run["params"] == 37 and run["pets/error"] == 0.5
    with pytest.raises(InvalidImport, match="--as n_weight: the file has no such column") as refused:
        table(tmp_path, "n_weights,flops,err\n37,1e18,0.5\n", columns={"n_weight": "params"})
    assert "'n_weights'" in str(refused.value)


def test_training_compute_follows_from_parameters_and_tokens_where_nothing_else_gives_it(tmp_path):
    found = table(tmp_path, "N,D,loss\n1000,20000,3\n")
    assert found.runs[0].columns["flops"] == 6 * 1000 * 20000
    assert "No column of FLOPs: flops is 6 x params x tokens." in found.notes
    assert "flops" not in table(tmp_path, "params,examples,loss\n1000,20000,3\n").runs[0].columns
    assert first(tmp_path, "Params (M),Tokens (B),Loss\n1,2,3\n")["flops"] == 6 * 1e6 * 2e9
    assert first(tmp_path, "N,seen,loss\n1000,20000,3\n", columns={"seen": "tokens"})["flops"] == 6 * 1000 * 20000


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("size,tokens,loss\n125000000,1e9,3\n", 125_000_000),
        ("size,tokens,loss\n125M,1e9,3\n", 125_000_000),
        ("model_size_b,tokens,loss\n0.125,1e9,3\n", 125_000_000),
        ("model,size,tokens,loss\nnet,1000,1e9,3\n", 1000),
        ("size,tokens,loss\n125,1e9,3\n", None),  # of what, nothing tells
        ("size,tokens,loss\nB/16,1e9,3\n", None),
    ],
)
def test_a_size_in_numbers_is_that_of_parameters(tmp_path, text, params):
    run = first(tmp_path, text)
    assert run.get("params") == params and run["model"]


def test_runs_that_their_table_says_did_not_finish_are_told(tmp_path):
    rows = "".join(f"run-{n},{state},{n}e18,3\n" for n, state in enumerate(["finished", "crashed", "failed"], start=1))
    notes = " ".join(table(tmp_path, f"Name,State,flops,loss\n{rows}").notes)
    assert "2 runs did not finish" in notes
    assert "--where \"file_State != 'crashed' and file_State != 'failed'\"" in notes
    assert "finish" not in " ".join(table(tmp_path, "Name,State,flops,loss\na,finished,1e18,3\n").notes)


def test_what_a_chart_of_wandb_draws_around_a_line_is_no_metric(tmp_path):
    found = table(tmp_path, '"Step","a - val/loss","a - val/loss__MIN","a - val/loss__MAX"\n"100","3","2","4"\n')
    assert found.runs[0].metrics == {"a - val/loss": 3.0}


@pytest.mark.parametrize("cell", ["", "NaN", "nan", "NA", "N/A", "None", "null", "-"])
def test_what_is_not_known_is_missing_however_it_is_spelt(tmp_path, cell):
    run = first(tmp_path, f"model,flops,seed,err,other\na,1e18,{cell},{cell},1\n")
    assert "seed" not in run and "err" not in run and run["other"] == 1


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("model;flops;err\na;1e18;0,25\n", 0.25),
        ("model\tflops\terr\t\t\na\t1e18\t0.25\t\t\n\t\t\t\t\n", 0.25),
        ("model|flops|err\na|1e18|25%\n", 0.25),
        ("sep=;\nmodel;flops;err\na;1e18;0,25\n", 0.25),
        ('"model",flops,"err"\r\n"a",1e18,25.0 %\r\n,,\r\n', 0.25),
        ("\ufeffmodel,flops,err\na,1e18,0.25,,\n", 0.25),
    ],
)
def test_separators_decimal_commas_percent_signs_and_empty_ends_are_read(tmp_path, text, error):
    found = table(tmp_path, text)
    assert [run.metrics for run in found.runs] == [{"err": error}] and found.problems == ()


@pytest.mark.parametrize(
    ("cells", "flops", "loss"),
    [
        (('"1,5E+18"', '"0,250"'), 1.5e18, 0.25),  # Google Sheets where commas are decimal
        (("1.5 \N{MULTIPLICATION SIGN} 10^18", "\N{MINUS SIGN}3.25"), 1.5e18, -3.25),
        (("1.5x10¹⁸", "10⁻²"), 1.5e18, 0.01),
        (("1.5 \\times 10^{18}", "2.5"), 1.5e18, 2.5),
        (('"1,500,000,000,000,000,000"', "0.25"), 1.5e18, 0.25),
        (("10^18", '"1,250"'), 1e18, 1250),
        (("10^18", "0.250 \N{PLUS-MINUS SIGN} 0.012"), 1e18, 0.25),
        (("10^18", "25.0\\pm1.2"), 1e18, 25),
        (("10^18", "25.0 \N{PLUS-MINUS SIGN} 1.2%"), 1e18, 0.25),  # the sign is of both
        (("10^18", "25.0% \N{PLUS-MINUS SIGN} 1.2 %"), 1e18, 0.25),
    ],
)
def test_numbers_are_read_as_papers_print_them(tmp_path, cells, flops, loss):
    (run,) = table(tmp_path, f"model,flops,loss\nB,{','.join(cells)}\n").runs
    assert (run.columns["flops"], run.metrics) == (flops, {"upstream/loss": loss})


@pytest.mark.parametrize(
    ("cells", "flops", "loss"),
    [
        (("1e18", "0,25 \N{PLUS-MINUS SIGN} 0,01"), 1e18, 0.25),
        (("1e18", "\N{MINUS SIGN}0,25"), 1e18, -0.25),
        (("1,5 \N{MULTIPLICATION SIGN} 10^18", "2"), 1.5e18, 2),
    ],
)
def test_a_decimal_comma_is_known_also_in_numbers_as_papers_print_them(tmp_path, cells, flops, loss):
    (run,) = table(tmp_path, f"model;flops;loss\nB;{';'.join(cells)}\n").runs
    assert (run.columns["flops"], run.metrics) == (flops, {"upstream/loss": loss})


def test_a_table_as_pandas_writes_it_as_json_is_one_by_column(tmp_path):
    runs = pd.DataFrame({"model": ["a", "b"], "flops": [1e15, 1e16], "err": [0.3, 0.2]})
    found = table(tmp_path, runs.to_json(), "table.json").runs
    assert [(run.columns["model"], run.metrics) for run in found] == [("a", {"err": 0.3}), ("b", {"err": 0.2})]
    (one,) = table(tmp_path, '{"config": {"model": "a", "flops": 1e15}, "summary": {"err": 0.3}}', "one.json").runs
    assert one.columns["model"] == "a" and one.metrics == {"err": 0.3}


def test_lines_of_objects_that_have_equal_keys_are_runs_and_no_columns(tmp_path):
    lines = ['{"train": {"flops": 1e15, "loss": 0.4}, "val": {"flops": 1e15, "loss": 0.5}}'] * 2
    lines[1] = lines[1].replace("0.5", "0.3")
    found = table(tmp_path, "\n".join(lines), "lines.jsonl", columns={"train/flops": "flops"}).runs
    assert [run.metrics["val/loss"] for run in found] == [0.5, 0.3]


def test_a_column_of_words_truths_and_numbers_is_text_in_every_format(tmp_path):
    cells = zip(["true", "maybe", "false"], ["0.1", "big", "0.2"], strict=True)
    lines = [f"m{place},1e{15 + place},{truth},{size},0.{5 - place}" for place, (truth, size) in enumerate(cells)]
    file = tmp_path / "runs.csv"
    file.write_text("\n".join(["model,flops,converged,ema,err", *lines]))
    store = tmp_path / "results.db"
    assert command("import", file, "--setting", "ema", "--store", store).exception is None
    for name in ("all.csv", "all.json", "all.parquet"):
        assert command("export", "-o", tmp_path / name, "--store", store).exception is None
    points = pd.read_parquet(tmp_path / "all.parquet")
    assert points["converged"].tolist() == ["True", "maybe", "False"] and points["ema"].tolist() == [
        "0.1",
        "big",
        "0.2",
    ]
    file.write_text("model,flops,ema,err\na,1e15,inf,.5\nb,1e16,.1,.4\nc,1e17,.1,.3\n")
    told = command("import", file, "--setting", "ema", "--store", tmp_path / "new.db")
    assert "ema = inf: not finite" in told.output and "1 row left out" in told.output


def test_a_comma_behind_a_zero_is_never_one_of_thousands(tmp_path):
    """A factor of a thousand in silence: beside numbers with a decimal point nothing tells what it is."""
    found = table(tmp_path, 'model,flops,loss,other\nB,1e18,2.5,"0,250"\n')
    assert found.runs[0].metrics == {"upstream/loss": 2.5} and found.runs[0].labels == {"other": "0,250"}


def test_shares_and_percentages_in_one_column_are_told(tmp_path):
    found = table(tmp_path, "model,flops,acc\na,1e18,0.5\nb,1e18,62%\n")
    assert [run.metrics["acc"] for run in found.runs] == [0.5, 0.62]
    assert "acc: cells with % are shares, so that 12.3% is 0.123." in found.notes
    assert "acc: shares also in 1 cell without %, so that 0.5 is 50 %." in found.notes
    told = table(tmp_path, "model,flops,acc\na,1e18,0.713\nb,1e18,72.4\n").notes
    assert any("are some fractions and others percentages?" in note for note in told)


def test_errors_above_1_are_told_and_how_to_say_that_they_are_per_cent(tmp_path):
    """0.4 % was predicted as 40 %, and only the fit warned."""
    rows = "a,1e18,4.1\nb,1e19,0.9\n"
    told = "test_error has numbers above 1: if they are per cent, write its header 'test_error (%)'."
    assert any(note == told for note in table(tmp_path, f"model,flops,test_error\n{rows}").notes)
    found = table(tmp_path, f"model,flops,test_error (%)\n{rows}")
    assert [run.metrics["test_error"] for run in found.runs] == pytest.approx([0.041, 0.009])
    for header in ("val_loss", "mean_squared_error"):
        assert not any("above 1" in note for note in table(tmp_path, f"model,flops,{header}\n{rows}").notes)


@pytest.mark.parametrize("header", ["err (%)", "acc (%)"])
def test_fractions_below_a_header_of_per_cent_are_told(tmp_path, header):
    """An error of 0.9 % was one of 90 %, in silence."""
    found = table(tmp_path, f"model,flops,{header}\na,1e18,0.9\nb,1e19,0.5\n")
    assert [*found.runs[0].metrics.values()] == [0.9]
    assert any("has no number above 1" in note and "write 0.9% for 0.009" in note for note in found.notes)
    signed = table(tmp_path, f"model,flops,{header}\na,1e18,0.9%\nb,1e19,0.5%\n")
    assert [*signed.runs[0].metrics.values()] == [0.009] and not any("no number above" in note for note in signed.notes)


@pytest.mark.parametrize(
    ("header", "flops"),
    [
        ("Training compute (EFLOP)", 2.5e18),
        ("train_compute (GFLOPs)", 2.5e9),
        ("compute (PF-days)", 2.5 * 8.64e19),
        ("Training compute (petaFLOP/s-days)", 2.5 * 8.64e19),
        ("total_flops_zettaflops", 2.5e21),
        ("FLOPs (1e18)", 2.5e18),
        ("compute [1e21 FLOP]", 2.5e21),
    ],
)
def test_compute_in_a_unit_of_its_header_is_compute_and_no_metric(tmp_path, header, flops):
    (run,) = table(tmp_path, f"model,params,images_seen,{header},err\na,1e3,1e2,2.5,0.3\n").runs
    assert run.columns["flops"] == pytest.approx(flops) and run.metrics == {"err": 0.3}


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("PFLOPs", "PFLOPs may be a speed or training compute: --as PFLOPs=compute_pflops takes it for that"),
        ("Tera FLOPs", None),
        ("log10 flops", "log10 flops has logarithms of flops, of which no law is: give flops itself"),
        (
            "log_10(Training compute)",
            "log_10(Training compute) has logarithms of flops, of which no law is: give flops",
        ),
        ("ln(D)", None),
        ("log_params", "log_params has logarithms of params, of which no law is: give params itself"),
        ("log_steps", None),
    ],
)
def test_a_column_that_may_be_compute_is_named_with_how_to_say_so(tmp_path, header, said):
    """It was a metric without a word, or the refusal of a table without compute named every other column."""
    rows = f"model,{header},err\na,18.5,0.3\nb,19.5,0.2\n"
    hint = said or "name a column as one of flops, device_seconds"
    with pytest.raises(InvalidImport, match=f"no column of compute(.|\n)*{re.escape(hint)}"):
        table(tmp_path, rows)
    beside = table(tmp_path, rows.replace("model,", "model,steps,").replace("a,", "a,10,").replace("b,", "b,20,"))
    assert any(note.startswith(said or "-") for note in beside.notes) == bool(said)


def test_compute_that_is_said_to_be_in_petaflops_is_read_in_them(tmp_path):
    found = table(tmp_path, "model,PFLOPs,err\na,18.5,0.3\n", columns={"PFLOPs": "compute_pflops"})
    assert found.runs[0].columns["flops"] == 1.85e16 and not any("speed" in note for note in found.notes)


@pytest.mark.parametrize("accuracies", ["0.712,0.801", "71.2,80.1", "71.2%,80.1%"])
def test_accuracies_become_errors_where_that_is_wished_for(tmp_path, accuracies):
    low, high = accuracies.split(",")
    text = f"model,flops,test_acc,other\na,1e18,{low},1\nb,1e19,{high},1\n"
    runs = table(tmp_path, text, errors=["test_acc"]).runs
    assert [run.metrics["test_error"] for run in runs] == pytest.approx([0.288, 0.199], rel=1e-12)
    assert "test_acc" not in runs[0].metrics
    assert any("--as-error 'test_acc'" in note for note in table(tmp_path, text).notes)


def test_a_slip_of_one_row_is_left_out_shown_and_counted_and_refused_where_that_is_wished_for(tmp_path):
    good = "".join(f"a{n},1e{10 + n},0.{n + 1}\n" for n in range(9))
    file, store = tmp_path / "table.csv", tmp_path / "others.db"
    file.write_text("model,flops,err\n" + good + "bad,x,0.1\nshort,1e9\n")
    said = command("import", file, "--store", store)
    assert said.return_value == 0 and "9 runs imported, 9 of them new" in said.stdout
    assert "table.csv:11:5: error: flops = x: not a number" in said.stderr
    assert "2 errors; 2 rows left out." in said.stderr
    refused = command("import", file, "--store", tmp_path / "none.db", "--strict").exception
    assert isinstance(refused, InvalidImport) and not (tmp_path / "none.db").exists()


def test_runs_of_the_same_settings_are_seeds_and_the_same_row_twice_is_one_run(tmp_path):
    text = "size,data_size,steps,flops,err\nB,10,20,1e18,0.30\nB,10,20,1e18,0.31\nB,10,20,1e18,0.31\nS,10,20,1e17,0.4\n"
    found = table(tmp_path, text)
    assert [run.columns.get("seed") for run in found.runs] == [0, 1, None]
    assert [run.columns["name"] for run in found.runs] == ["B-10-20", "B-10-20-s1", "S-10-20"]
    assert len({run.id for run in found.runs}) == 3
    assert found.runs[0].id == table(tmp_path, text.replace("B,10,20,1e18,0.31\n", "")).runs[0].id
    assert "1 run with the settings of another, as in lines 2 and 3: numbered as seeds of it." in found.notes
    assert "Left out: 1 row, the same as another in every cell." in found.notes


def test_runs_that_differ_in_a_label_are_no_seeds_of_each_other(tmp_path):
    runs = table(tmp_path, GEMSTONES).runs
    assert [run.labels for run in runs] == [{"phase": "hot_100b+"}, {"phase": "cool"}]
    assert runs[0].id != runs[1].id and not any("seed" in run.columns for run in runs)


PER_IMAGE = "model,params,images_seen,flops,err\nB,86000000,1000000000,17.5e9,.2\nL,300000000,1000000000,60e9,.1\n"


def test_the_work_of_one_image_is_not_taken_for_training_compute_in_silence(tmp_path):
    for text in (PER_IMAGE, PER_IMAGE.replace("images_seen", "other")):
        with pytest.raises(InvalidImport, match="flops is too little for training: it looks like the work of one"):
            table(tmp_path, text)
    run = first(tmp_path, PER_IMAGE, columns={"flops": "flops_per_image"})
    assert run["flops_per_image"] == 17_500_000_000 and run["flops"] == 3 * 17.5e9 * 1e9
    assert first(tmp_path, PER_IMAGE, columns={"flops": "flops"})["flops"] == 17.5e9
    assert first(tmp_path, PER_IMAGE.replace("17.5e9", "5e19").replace("60e9", "1e20"))["flops"] == 5e19


@pytest.mark.parametrize("name", ["table.jsonl", "table.json", "table.parquet", "table.csv"])
def test_each_format_gives_the_same_runs(tmp_path, name):
    columns = {"model": ["a", "b"], "flops": [1e18, 1e19], "seed": [2**53 + 1, 5], "err": [0.3, np.nan]}
    frame, path = pd.DataFrame({**columns, "final": [True, False], "tag": ["x", None]}), tmp_path / name
    match path.suffix:
        case ".jsonl":
            frame.to_json(path, orient="records", lines=True)
        case ".json":
            frame.to_json(path, orient="records")
        case ".parquet":
            frame.to_parquet(path)
        case _:
            frame.to_csv(path)
    runs = read(path).runs
    assert [run.columns["seed"] for run in runs] == [2**53 + 1, 5]
    assert [run.metrics for run in runs] == [{"err": 0.3}, {}]
    assert [run.labels for run in runs] == [{"final": True, "tag": "x"}, {"final": False}]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"model": "a", "flops": 1}\n{"model"\n', "a.jsonl:2:1: error: not JSON"),
        ("a.jsonl", b'{"model": "a", "err": 0.3, "": null}\n{"model"\n', "a.jsonl:2:1: error: not JSON"),
        ("a.jsonl", b'{"model": "a", "flops": 1}\n37\n', "a.jsonl:2:1: error: not an object"),
        ("a.jsonl", b"[" * 100_000, "a.jsonl:1:1: error: not JSON"),
        ("a.jsonl", b"{" * 100_000, "more than 2,000 columns, 20,000 runs or 300,000 cells"),
        ("a.parquet", b"PAR1 and nothing else PAR1", "a.parquet: error: not Parquet"),
        ("a.parquet", b"", "a.parquet: error: not Parquet"),
        ("a.csv.gz", gzip.compress(b"model,flops,err\n", mtime=0), "a.csv.gz: error: compressed by gzip, and no CSV"),
        ("a.xlsx", b"PK\x03\x04\x14", "a.xlsx: error: a zip file or a workbook, and no CSV"),
    ],
)
def test_files_that_are_not_what_their_suffix_says_are_refused_with_their_line(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidImport) as refused:
        read(tmp_path / name)
    assert said in str(refused.value)


def test_labels_and_test_images_come_to_points_to_expressions_and_to_exports(tmp_path):
    file, store = tmp_path / "gem.csv", tmp_path / "others.db"
    file.write_text("model,flops,err,final,phase,state\na,1e18,0.3,true,hot,ok\nb,1e19,0.2,false,cool,\n")
    assert command("import", file, "--store", store, "--test-images", 360).return_value == 0
    points = analysis.read(store)
    assert list(points["test_images"]) == [360, 360] and list(points["phase"]) == ["hot", "cool"]
    for words in ("phase == hot", "final == true", "file_state == ok", "phase in ['hot']"):
        assert list(points[select(points, words)]["model"]) == ["a"], words
    for name in ("out.json", "out.csv", "out.parquet"):
        words = ("export", "-o", tmp_path / name, "--where", "phase == hot", "--store", store)
        assert command(*words).return_value == 0
    (run,) = json.loads((tmp_path / "out.json").read_text())
    assert (run["phase"], run["final"], run["test_images"]) == ("hot", True, 360)
    again = read(tmp_path / "out.csv").runs[0]
    assert again.metrics == {"err": 0.3} and again.test_images == {"err": 360} and again.labels["phase"] == "hot"
    assert pd.read_parquet(tmp_path / "out.parquet")["phase"].tolist() == ["hot"]


def test_labels_that_another_program_spoilt_are_a_refusal(tmp_path):
    file, store = tmp_path / "gem.csv", tmp_path / "others.db"
    file.write_text("model,flops,err,phase\na,1e18,0.3,hot\n")
    assert command("import", file, "--store", store).return_value == 0
    for labels in ("hot", "[1]"):
        with closing(sqlite3.connect(store)) as connection, connection:
            connection.execute("UPDATE imports SET labels = ?", (labels,))
        with pytest.raises(analysis.Refused, match="are no JSON object"):
            analysis.read(store)


def test_a_column_of_test_images_is_of_all_metrics_of_its_row(tmp_path):
    runs = table(
        tmp_path, "model,flops,err,other,test_images\na,1e18,.5,.4,50000\nb,1e18,.5,.4,\n", test_images=37
    ).runs
    assert [run.test_images for run in runs] == [{"err": 50000, "other": 50000}, {"err": 37, "other": 37}]


def test_the_page_lists_every_header_that_is_understood():
    page = (Path(__file__).parents[1] / "docs" / "importing.md").read_text()
    rows = {line.split("|")[1].strip(" `"): line for line in page.splitlines() if line.startswith("| `")}
    assert set(rows) == set(HEADERS)
    for column, headers in HEADERS.items():
        assert all(f"`{header}`" in rows[column] for header in headers), column


def test_images_that_follow_from_compute_are_whole_but_for_rounding(tmp_path):
    tables = "model,params,images_seen,loss\na,1000000,143165.58,3.1\nb,2000000,71582.79,3.2\nc,3000000,1.5,9.1\n"
    found = table(tmp_path, tables)
    assert [run.columns["images_seen"] for run in found.runs] == [143166, 71583]
    assert "not a whole number" in str(found.problems[0])
    for cells in ("0,10000.5", "20000.5,10"):
        with pytest.raises(InvalidImport, match="not a whole number"):
            table(tmp_path, f"model,flops,seed,steps,loss\na,1e12,{cells},3.1\n")
