"""Broken files: each row changes one thing in a good study and says where the problem is and in which words."""

import subprocess
import sys
from pathlib import Path

import pytest

from scalectl.orchestrator.errors import InvalidExperiment
from scalectl.orchestrator.experiment.reading import read

GOOD = """\
version: 1
name: digits
store: results.db
artifacts: ./artifacts
models:
  nano: {width: 16, depth: 2, num_heads: 2, patch_size: 2}
  Ti/2: {preset: Ti, patch_size: 2}
data:
  source: digits
  sizes: [100, 350, 1.4k]
train:
  batch_size: 64
  optimizer: {name: adafactor, lr: 1e-3}
  schedule: {name: rsqrt, warmup: 20, timescale: 100, cooldown: 20%}
budgets: {steps: [200, 400]}
grid: {skip: [{model: nano, data_size: ">350"}]}
evals:
  fewshot: {datasets: [digits], shots: [1, 10]}
limits: {retries: 3}
fits:
  main: {metric: upstream/error, hold_out: {model: nano}}
"""

# what is replaced, by what, line:column of the problem, words of the message
BROKEN = [
    ("batch_size: 64", "batch_size: 64\n  head_bias: -1e39", "13:14", "train.head_bias: -1e+39 is below -3.4028"),
    ("lr: 1e-3", "lr: 1e39", "13:36", "train.optimizer.lr: 1e+39 is above 3.403e+38, the largest number"),
    (
        "lr: 1e-3",
        "lr: 1e-46",
        "13:36",
        "train.optimizer.lr: 1e-46 is 0 to training, which knows no number below 1.175e-38",
    ),
    (
        "lr: 1e-3",
        "lr: 1e-3, weight_decay: {head: 1e300}",
        "13:63",
        "train.optimizer.weight_decay.head: 1e+300 is above 3.403e+38",
    ),
    ("timescale: 100", "timescale: 3B", "14:50", "train.schedule.timescale: '3B' is not below 2^31"),
    ("grid: {", "grid: {seeds: [4294967296], ", "16:16", "grid.seeds[0]: 4294967296 is not below 2^32"),
    ("warmup: 20", "wramup: 20", "14:27", "train.schedule.wramup: unknown key 'wramup' ... did you mean 'warmup'?"),
    ("warmup: 20, ", "", "14:3", "train.schedule.warmup: missing"),
    ("version: 1\n", "", "1:1", "version: missing"),
    ("version: 1", "version: 2", "1:10", "version: 2 is not a version that this scalectl reads"),
    ("version: 1", "version: true", "1:10", "version: true is not a version"),
    ("name: digits", "name: 12", "2:7", "name: 12 is not text ... quotes"),
    ("name: digits", "name: digits\nname: again", "3:1", "name: duplicate key 'name' ... first given in line 2"),
    ("name: digits", "name: !!python/object:os.system x", "2:7", "python/object:os.system ... remove the tag"),
    ("name: digits", "name: !mine x", "2:7", "tag !mine"),
    ("name: digits", 'name: "a\\tb"', "2:7", r"name: 'a\tb' is not a plain name"),
    ("name: digits", "name: a: b", "2:8", "a second ': '"),
    ("  nano: {", "  nano:\n    width: 16\n   depth: {", "8:4", "this does not continue what is above it ... check"),
    ("name: digits", "name: 'a", "2:7", "a quoted text that never ends"),
    ("name: digits", "name: *nobody", "2:7", "*nobody"),
    ("store: results.db", "store: postgresql://host/db", "3:8", "'postgresql://host/db': not supported yet"),
    ("store: results.db", "store: .", "3:8", "store: '.' is a folder"),
    ("store: results.db", "store: ~no-such-user/x", "3:8", "store: '~no-such-user/x': "),
    ("store: results.db", "store: " + "x" * 5000, "3:8", "File name too long"),
    ("./artifacts", "experiments.yaml", "4:12", "artifacts: 'experiments.yaml' is a file"),
    ("./artifacts", "results.db", "4:12", "artifacts: 'results.db' is where the store is"),
    ("./artifacts", "results.db/of", "4:12", "artifacts: 'results.db/of' is where the store is"),
    ("./artifacts", "experiments.yaml/a", "4:12", "experiments.yaml is not a folder"),
    ("./artifacts", "/dev/null", "4:12", "artifacts: '/dev/null' is not a folder"),
    ("store: results.db", "store: /dev/null", "3:8", "store: '/dev/null' is not a plain file"),
    ("store: results.db", "store: experiments.yaml/a", "3:8", "experiments.yaml is not a folder"),
    ("./artifacts", "gs://bucket/x", "4:12", "artifacts: gs:// needs the package gcsfs ... 'scalectl[gcs]'"),
    ("./artifacts", "gs://", "4:12", "artifacts: 'gs://' names no bucket ... write gs://bucket/folder"),
    ("./artifacts", "gs:/bucket/x", "4:12", "artifacts: 'gs:/bucket/x' names no bucket"),
    ("./artifacts", "s3://bucket/x", "4:12", "artifacts: 's3://bucket/x': not supported yet"),
    ("  nano:", "\tnano:", "6:1", "a tab ... spaces"),
    ("  nano:", "  16:", "6:3", "models: a key that is no text ... quotes"),
    ("  nano:", '  "a\\eb":', "6:3", "not a plain name"),
    ("  nano:", "  " + "n" * 61 + ":", "6:3", "not a plain name"),
    ("width: 16", "width: true", "6:17", "models.nano.width: true is not a whole number"),
    ("width: 16", "width: 15", "6:42", "models.nano.num_heads: 2 heads do not divide width 15"),
    ("depth: 2", "depth: 2.5", "6:28", "2.5 is not a whole number ... 10k"),
    ("depth: 2, ", "", "6:3", "models.nano.depth: missing ... or give a preset"),
    (
        "depth: 2, num_heads: 2, patch_size: 2}",
        "depth: 2, num_heads: 2",
        "6:9",
        "a comma or the closing bracket is missing",
    ),
    ("preset: Ti", "preset: Tiny", "7:18", "'Tiny' is not one of s, Ti ... did you mean 'Ti'?"),
    ("preset: Ti", "preset: Ti, width: 16", "7:22", "models.Ti/2.width: preset Ti has its own width"),
    ("preset: Ti, patch_size: 2", "preset: Ti, patch_size: 9", "7:34", "9 pixels is larger than the 8 x 8 images"),
    ("{preset: Ti, patch_size: 2}", "{width: 16, depth: 2, num_heads: 2, patch_size: 2}", "7:3", "same shape as nano"),
    ("{preset: Ti, patch_size: 2}", "7", "7:9", "models.Ti/2: 7 is not a mapping"),
    ("source: digits", "source: synthetic", "18:24", "no dataset 'digits' ... own is 'synthetic'"),
    ("sizes:", "stratified: yes\n  sizes:", "10:15", "data.stratified: 'yes' is neither true nor false"),
    ("sizes:", "image_size: 16\n  sizes:", "10:3", "data.image_size: digits have their own image_size"),
    ("source: digits", "source: tfds:a b", "9:11", "data.source: 'tfds:a b' names no dataset"),
    ("source: digits", "source: parquet:gs://b", "9:11", "data.source: 'gs://b' names no bucket and folder"),
    ("source: digits", "source: folder:gs://b/x", "9:11", "data.source: 'gs://b/x' is not on this machine"),
    ("source: digits", "source: parquet:/x\n  image_size: 8", "9:11", "data.source: /x: no parquet files there"),
    ("source: digits", "source: parquet:/x", "8:1", "data.image_size: missing"),
    ("sizes:", "test: x\n  sizes:", "10:3", "data.test: digits have no files"),
    ("source: digits", "source: digit", "9:11", "'digit' is not one of digits, synthetic ... did you mean 'digits'?"),
    (
        "[100, 350, 1.4k]",
        "[100, 1438]",
        "10:16",
        "data.sizes[1]: 1,438 is more than 1,437: digits has 1,797 images, 360",
    ),
    ("[100, 350, 1.4k]", "[100, 350, 1e2]", "10:21", "data.sizes[2]: 100 is in the list twice"),
    ("[100, 350, 1.4k]", "[0, -37]", "10:11", "data.sizes[0]: 0 is below 1"),
    ("[100, 350, 1.4k]", "[0, -37]", "10:14", "data.sizes[1]: -37 is below 1"),
    ("[100, 350, 1.4k]", "[10m]", "10:11", "'10m' is not a whole number ... 30M"),
    ("[100, 350, 1.4k]", "[]", "10:10", "data.sizes: an empty list"),
    ("[100, 350, 1.4k]", "100", "10:10", "100 is not a list ... write [100]"),
    ("[100, 350, 1.4k]", "[100, 1,400]", "10:16", "1,400 is two numbers, 1 and 400 ... write 1400, or 1, 400"),
    ("[200, 400]", "[1,000,2,000]", "15:19", "1,000 is two numbers, 1 and 000 ... write 1000"),
    ("[200, 400]", "[1,050]", "15:19", "1,050 is two numbers, 1 and 050 ... write 1050"),
    ("[200, 400]", "[1,000]", "15:19", "1,000 is two numbers, 1 and 000 ... write 1000"),
    ("lr: 1e-3", "lr: 1e-3  # of:\u00a0Zhai", "13:14", "a comma or the closing bracket is missing"),
    ("{skip:", "{seeds: 2, skip:", "16:15", "2 is not a list ... write [2] for seed 2 alone, [0, 1] for 2 seeds"),
    ("name: digits", "name:\u00a0digits", "2:6", "looks like a space and is none ... write a plain space"),
    ("batch_size: 64", "batch_size:\u00a064", "12:14", "looks like a space and is none ... write a plain space"),
    ("batch_size: 64", "batch_size: 64\u202f", "12:17", "looks like a space and is none ... write a plain space"),
    ("lr: 1e-3", "lr:\u00a01e-3", "13:35", "looks like a space and is none ... write a plain space"),
    ("sizes:", "held_out: 1797\n  sizes:", "10:13", "1,797 leaves nothing to train on"),
    ("sizes:", "augment: {crop: true}\n  sizes:", "10:13", "data.augment.crop: digits are in memory at one size"),
    ("sizes:", "augment: {shift: 8}\n  sizes:", "10:20", "8 pixels can push the whole image"),
    ("lr: 1e-3", "lr: .nan", "13:36", "train.optimizer.lr: nan is not a finite number"),
    ("lr: 1e-3", "lr: .inf", "13:36", "inf is not a finite number"),
    ("lr: 1e-3", "lr: 1e400", "13:36", "not a finite number"),
    ("lr: 1e-3", 'lr: "1e-3"', "13:36", "'1e-3' is not a number ... without quotes"),
    ("lr: 1e-3", "lr: 0", "13:36", "0 is not above 0"),
    ("lr: 1e-3", "lr: 1" + "0" * 5000, "13:36", "too many digits"),
    ("name: rsqrt", "name: cosin", "14:20", "'cosin' is not one of rsqrt ... did you mean 'cosine'?"),
    ("timescale: 100, ", "", "14:3", "train.schedule.timescale: missing ... rsqrt decays over it"),
    ("name: rsqrt", "name: trapezoidal", "14:45", "train.schedule.timescale: never used: trapezoidal has none"),
    ("name: rsqrt", "name: linear", "14:56", "cooldown: never used: linear falls to zero by itself"),
    (
        "{name: rsqrt, warmup: 20, timescale: 100, cooldown: 20%}\nbudgets: {steps: [200, 400]}",
        "{name: cosine, warmup: 20}\nbudgets: {points: [{steps: 400, cooldown: 80}]}",
        "15:11",
        "budgets.points: cosine falls to zero by itself ... give budgets.steps",
    ),
    ("cooldown: 20%", "cooldown: 120%", "14:65", "'120%' is not above 0% and up to 100%"),
    ("timescale: 100", "lr: 100", "14:39", "unknown key 'lr' ... did you mean 'train.optimizer.lr'?"),
    ("batch_size: 64", "batch_size: 64\n  microbatch: 24", "13:15", "24 does not divide a batch of 64"),
    ("batch_size: 64", "batch_size:", "12:3", "train.batch_size: an empty value is not a whole number"),
    ("{steps: [200, 400]}", "{steps: [200], images: [30k]}", "15:25", "a second kind of budget beside steps"),
    ("{steps: [200, 400]}", "{}", "15:1", "budgets: empty ... one of steps, images, flops, device_hours and points"),
    ("{steps: [200, 400]}", "{device_hours: [3]}", "15:1", "budgets.flops_per_second: missing ... write one down"),
    ("{steps: [200, 400]}", "{steps: [200], flops_per_second: 1}", "15:25", "never used: only device_hours need it"),
    (
        "{steps: [200, 400]}",
        "{device_hours: [1e-9], flops_per_second: 2e9}",
        "15:26",
        "1e-09 device-hours buy 0 steps of nano at batch 64; warmup alone is 20",
    ),
    (
        "{steps: [200, 400]}",
        "{steps: [200, 19]}",
        "15:24",
        "budgets.steps[1]: 19 steps are too few: warmup alone is 20",
    ),
    ("{steps: [200, 400]}", "{steps: [24]}", "15:19", "24 steps are too few: warmup and cooldown need 20 + 5"),
    ("{steps: [200, 400]}", "{flops: [1e17, 37]}", "15:25", "37 FLOPs buy 0 steps of"),
    (
        "{steps: [200, 400]}",
        "{images: [100]}",
        "15:20",
        "100 images buy 1 step of nano at batch 64; warmup alone is 20",
    ),
    (
        "{steps: [200, 400]}",
        "{steps: [1e12]}",
        "15:19",
        "1,000,000,000,000 steps are 1e12 steps of nano, more than 1e9",
    ),
    (
        "{steps: [200, 400]}",
        "{points: [{steps: 400, cooldown: 80}]}",
        "14:55",
        "every point of budgets.points has its own",
    ),
    ("{skip:", "{only: [{}], skip:", "16:15", "grid.only[0]: no condition: this keeps everything"),
    ("{skip:", "{only: [{model: nona}], skip:", "16:23", "no model 'nona' ... models has nano, Ti/2"),
    ("{skip:", "{only: [{seed: 37}], skip:", "16:14", "these rules leave no run of the grid"),
    ("{skip:", "{extra: [{seed: 0}], skip:", "16:16", "grid.extra[0].steps: missing"),
    ("{skip:", "{extra: [{model: x, data_size: 9, steps: 99}], skip:", "16:24", "no model 'x'"),
    ("{skip:", "{extra: [{model: nano, data_size: 9k, steps: 99}], skip:", "16:41", "9,000 is more than 1,437"),
    ("{skip:", "{extra: [{model: nano, data_size: 9, steps: 21}], skip:", "16:16", "21 steps are too few"),
    ("{skip:", "{sweep: {lr: [1e-3, 0]}, skip:", "16:27", "grid.sweep.lr[1]: 0 is not above 0"),
    ("{skip:", "{sweep: {lrs: [1e-3]}, skip:", "16:16", "unknown key 'lrs' ... did you mean 'lr'?"),
    ("{skip:", "{sweep: {warmup: [20, 190]}, skip:", "15:19", "200 steps are too few ... 190 + 40"),
    ("{skip: [{model: nano", '{skip: [{lr: ">x"', "16:20", "grid.skip[0].lr: '>x' is not a condition"),
    ("version: 1", "version: 1\nextends: none.yaml", "2:10", "extends: no file"),
    ("version: 1", "version: 1\nextends: experiments.yaml", "2:10", "extend each other: experiments.yaml -> experim"),
    ("version: 1", "version: 1\nextends: 37", "2:10", "extends: 37 is not a path"),
    ("{skip:", "{seeds: [-1], skip:", "16:16", "grid.seeds[0]: -1 is below 0"),
    ('">350"', '"=>350"', "16:40", "'=>350' is not a condition ... [100, 350]"),
    ("{model: nano, data_size", "{data_sise", "16:16", "unknown key 'data_sise' ... did you mean 'data_size'?"),
    (
        "{model: nano, data",
        "{model: nanu, data",
        "16:23",
        "grid.skip[0].model: no model 'nanu' ... did you mean 'nano'?",
    ),
    ('{model: nano, data_size: ">350"}', '{steps: ">0"}', "16:14", "these rules leave no run"),
    ('{model: nano, data_size: ">350"}', "{}", "16:15", "no condition"),
    ("shots: [1, 10]", "shots: [1, 144]", "18:44", "144 images a class are more than digits has ... 143"),
    ("datasets: [digits]", "datasets: [pets]", "18:24", "no dataset 'pets' ... own is 'digits'"),
    ("evals:", "evals:\n  finetune: {dataset: digits}", "18:3", "evals.finetune.steps: missing"),
    ("evals:", "evals:\n  finetune: {dataset: pets, steps: 9}", "18:23", "no dataset 'pets'"),
    ("evals:", "evals:\n  finetune: {dataset: digits, steps: 9, warmup: 9}", "18:49", "9 of 9 steps"),
    ("evals:", "evals:\n  finetune: {dataset: digits, steps: 9, resolution: 1}", "18:53", "1 pixels are less than"),
    ("{retries: 3}", "{max_device_hours: 0}", "19:28", "limits.max_device_hours: 0 is not above 0"),
    ("limits:", "resources: {default: {device: tpv}}\nlimits:", "19:31", "did you mean 'tpu'?"),
    ("limits:", "resources: {default: {mfu: 40}}\nlimits:", "19:28", "resources.default.mfu: 40 is above 1"),
    ("limits:", "resources: {rules: [{when: x}]}\nlimits:", "19:28", "'x' is not a mapping"),
    (
        "limits:",
        "resources: {rules: [{when: {}, use: {}}]}\nlimits:",
        "19:28",
        "no condition: this holds for everything",
    ),
    ("limits:", "resources: {rules: [{when: {steps: 9}, use: {}}]}\nlimits:", "19:29", "runs of other steps share its"),
    (
        "limits:",
        "resources: {rules: [{when: {cooldown: 9}, use: {}}]}\nlimits:",
        "19:29",
        "runs of other cooldown share its",
    ),
    ("limits:", "limit:", "19:1", "unknown key 'limit' ... did you mean 'limits'?"),
    ("upstream/error", "upstream/eror", "21:18", "'upstream/eror' is not measured ... did you mean 'upstream/error'?"),
    (
        "evals:\n  fewshot: {datasets: [digits], shots: [1, 10]}\nlimits: {retries: 3}\nfits:\n"
        "  main: {metric: upstream/error",
        "evals: {upstream: {metrics: [precision@1]}}\nfits:\n  main: {metric: upstream/precision@1",
        "19:18",
        "'upstream/precision@1' rises, and a law falls ... fit upstream/error",
    ),
    ("hold_out: {model: nano}", "hold_out: {modle: nano}", "21:45", "unknown key 'modle' ... did you mean 'model'?"),
    ("hold_out: {model: nano}", "hold_out: {model: [nano, Ti/2]}", "21:44", "holds out every run"),
    ("fits:", "---\nfits:", "20:1", "a second document"),
    # what people type who know other programs
    ("store:", "seed: 3\nstore:", "3:1", "unknown key 'seed' ... did you mean 'grid.seeds'? It takes a list"),
    ("grid: {", "grid: {seed: 3, ", "16:8", "did you mean 'seeds'? It takes a list"),
    ("batch_size: 64", "batch_size: 64\n  epochs: 3", "13:3", "did you mean 'budgets.images'? It counts images seen"),
    ("lr: 1e-3", "learning_rate: 1e-3", "13:32", "unknown key 'learning_rate' ... did you mean 'lr'?"),
    ("batch_size: 64", "batch_size: 64\n  learning_rate: 1", "13:3", "did you mean 'train.optimizer.lr'?"),
    ("lr: 1e-3", "lr: 1e-3, weight_decay: 0.1", "13:56", "0.1 is not a mapping ... write {head: 0.1, body: 0.1}"),
    ("{name: adafactor, lr: 1e-3}", "adamw", "13:14", "'adamw' is not a mapping ... write {name: adamw, lr: 1e-3}"),
    ("{preset: Ti, ", "{preset: Ti/16, ", "7:18", "'Ti/16' is not one of s, Ti ... write preset: Ti, patch_size: 16"),
    ("{preset: Ti, patch_size: 2}", "ViT-B/16", "7:9", "write {preset: B, patch_size: 16}"),
    ("{preset: Ti, ", "{preset: vit_base_patch16_224, ", "7:18", "write preset: B, patch_size: 16"),
    ("preset: Ti", "preset: ViT-B", "7:18", "did you mean 'B'?"),
    ("preset: Ti", "preset: large", "7:18", "did you mean 'L'?"),
    ("limits:", "resources: {default: {device: cuda}}\nlimits:", "19:31", "did you mean 'gpu'?"),
    ("batch_size: 64", "batch_size: 64\n  loss: cross_entropy", "13:9", "did you mean 'softmax'?"),
    ("source: digits", "batch_size: 64\n  source: digits", "9:3", "did you mean 'train.batch_size'?"),
    ("store:", "seeds: 3\nstore:", "3:1", "did you mean 'grid.seeds'? It takes a list"),
    ("cooldown: 20%", "cooldown: 0.2", "14:65", "0.2 is not a whole number ... write 20%, or a number of steps"),
    ("width: 16,", "embed_dim: 16,", "6:10", "unknown key 'embed_dim' ... did you mean 'width'?"),
    ("evals:", "evals:\n  upstream: {metrics: [accuracy]}", "18:24", "accuracy is 1 - error: write error"),
    ("metric: upstream/error", "metric: accuracy", "21:18", "accuracy is 1 - error: write upstream/error"),
    ("source: digits", "source: ./pets", "9:11", "'./pets' is not one of ... write folder:./pets"),
    ("source: digits", "source: x.parquet", "9:11", "write parquet:x.parquet"),
    ("source: digits", "source: parquets:x", "9:11", "did you mean 'parquet'?"),
    ("source: digits", "source: folder", "9:11", "write folder:PATH"),
    ("{skip:", "{sweep: {learning_rate: [1]}, skip:", "16:16", "unknown key 'learning_rate' ... did you mean 'lr'?"),
    ("{retries: 3}", "{budget: 3}", "19:10", "unknown key 'budget' ... it has retries, max_flops"),
]


def write(folder: Path, text: str) -> Path:
    file = folder / "experiments.yaml"
    file.write_text(text)
    return file


def refusal(file: Path, *overrides: tuple[str, str]) -> InvalidExperiment:
    with pytest.raises(InvalidExperiment) as caught:
        read(file, overrides)
    return caught.value


@pytest.mark.parametrize("sizes", ["[400,100]", "[100,350, 1400]", "[1,400]", "[1400,350,100]", "[400,200, 100]"])
def test_a_comma_without_a_blank_parts_two_sizes(tmp_path, sizes):
    cells = read(write(tmp_path, GOOD.replace("[100, 350, 1.4k]", sizes))).cells
    assert {cell.run.trunk.data.size for cell in cells} == {int(size) for size in sizes[1:-1].split(",")}


@pytest.mark.parametrize(("old", "new", "place", "words"), BROKEN, ids=[f"{row[2]} {row[3][:40]}" for row in BROKEN])
def test_a_broken_file_is_refused_at_its_place(old, new, place, words, tmp_path):
    assert GOOD.count(old) == 1
    problems = refusal(write(tmp_path, GOOD.replace(old, new))).problems
    texts = [text for text in map(str, problems) if f"experiments.yaml:{place}: error: " in text]
    assert [text for text in texts if all(part in text for part in words.split(" ... "))], list(map(str, problems))


def test_the_good_file_is_good(tmp_path):
    experiment = read(write(tmp_path, GOOD))
    assert (len(experiment.cells), experiment.skipped, experiment.warnings) == (10, 2, ())
    assert experiment.store == str(tmp_path / "results.db")
    assert experiment.artifacts == str(tmp_path / "artifacts")
    assert experiment.document == GOOD
    assert list(experiment.evals.metrics()) == [
        "upstream/loss",
        "upstream/error",
        "fewshot/digits/1shot/error",
        "fewshot/digits/10shot/error",
    ]


def test_a_problem_shows_the_line_a_caret_and_the_remedy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, GOOD.replace("warmup", "wramup"))
    lines = str(refusal(Path("experiments.yaml"))).splitlines()
    assert lines[3:] == [
        "experiments.yaml:14:27: error: train.schedule.wramup: unknown key 'wramup'",
        "   14 |   schedule: {name: rsqrt, wramup: 20, timescale: 100, cooldown: 20%}",
        "      |                           ^^^^^^ did you mean 'warmup'?",
        "2 errors; nothing was started.",
    ]


def test_all_problems_come_at_once_from_top_to_bottom(tmp_path):
    text = GOOD.replace("depth: 2,", "depth: two,").replace("1.4k", "9k").replace("steps: [200", "steps: [2")
    text = text.replace("1e-3", "fast").replace("/error", "/eror").replace("name: digits", "name: digits\nname: again")
    lines = [problem.spot.line for problem in refusal(write(tmp_path, text)).problems]
    assert lines == [3, 7, 11, 14, 22]


def test_what_the_schema_can_not_see_comes_at_once_with_what_it_can(tmp_path):
    text = GOOD.replace("nano: {", "bad: {wdith: 8, depth: 2, num_heads: 2, patch_size: 99}\n  nano: {")  # line 6
    text = text.replace("width: 16, depth: 2, num_heads: 2", "width: 16, depth: 2, num_heads: 3")  # line 7
    text = text.replace("1.4k]", "9k]\n  augment: {flop: true}")  # lines 11, 12
    text = text.replace("steps: [200", "steps: [2").replace("{model: nano}", "{model: nana}")  # lines 17, 23
    text = text.replace("retries: 3", "retries: many").replace("store: results.db", "store: .")  # lines 21, 3
    problems = refusal(write(tmp_path, text)).problems
    assert [(problem.spot.line, problem.key) for problem in problems] == [
        (3, "store"),
        (6, "models.bad.wdith"),
        (6, "models.bad.patch_size"),
        (7, "models.nano.num_heads"),
        (11, "data.sizes[2]"),
        (12, "data.augment.flop"),
        (21, "limits.retries"),
        (23, "fits.main.hold_out.model"),
    ]
    right = text.replace("flop: true", "flip: true")  # budgets are checked for the models and sizes that are right
    assert "budgets.steps[0]" in [problem.key for problem in refusal(write(tmp_path, right)).problems]


def test_sources_that_are_not_there_are_told_with_all_else(tmp_path):
    text = GOOD.replace("source: digits", "source: folder:none\n  test: nowhere").replace("retries", "retrys")
    text = text.replace("datasets: [digits]", "datasets: [pets]").replace("width: 16", "width: 15")
    text = text.replace("evals:", "evals:\n  datasets: {pets: {source: parquet:no.parquet}}")
    keys = [problem.key for problem in refusal(write(tmp_path, text)).problems]
    assert keys == [
        "models.nano.num_heads",
        "data.image_size",
        "data.source",
        "data.test",
        "evals.datasets.pets.source",
        "limits.retrys",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"# nothing but a comment\n", "empty"),
        (b"- 1\n", "not a mapping"),
        (b"version: 1\nname: \xff\n", "experiments.yaml:2:7: error: byte 0xff is not UTF-8"),
        (b"version: 1\nname: a\x00b\n", "experiments.yaml:2:8: error: control character 0x00"),
        (b"version: 1\nname: \x1b[31mred\n", "2:7: error: control character 0x1b"),
        (b"a: " + b"[" * 5000, "nested more than"),
        (b"a: " + b"{a: " * 5000, "nested more than"),
        (b"a: &a [*a]\n", "1:8: error: *a stands before the end of its &a"),
        (b"%YAML 1.1\n---\na: no\n", "a % directive"),
        (b"a: " + b"x" * 300_000, "larger than"),
    ],
)
def test_what_is_no_experiment_is_refused(content, words, tmp_path):
    file = tmp_path / "experiments.yaml"
    file.write_bytes(content)
    text = str(refusal(file))
    assert words in text
    assert "\x1b" not in text


def test_a_billion_laughs_are_refused(tmp_path):
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert "once aliases are expanded" in str(refusal(write(tmp_path, "\n".join(lines))))


def test_laughs_through_merge_keys_are_refused(tmp_path):
    lines = ["a0: &a0 {ha: 1}"] + [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in range(1, 10)]
    assert "once aliases are expanded" in str(refusal(write(tmp_path, "\n".join(lines))))


def test_aliases_nest_no_deeper_than_brackets(tmp_path):
    lines = ["a0: &a0 [ha]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 40)]
    assert "32 deep" in str(refusal(write(tmp_path, "\n".join(lines))))


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path):
    assert "nowhere.yaml: error: No such file" in str(refusal(tmp_path / "nowhere.yaml"))
    assert f"{tmp_path}: error: Is a directory" in str(refusal(tmp_path))
    assert refusal(tmp_path).exit == 2


def test_anchors_and_merge_keys_are_read(tmp_path):
    text = GOOD.replace("nano: {", "nano: &nano {").replace("{preset: Ti, patch_size: 2}", "{<<: *nano, depth: 3}")
    depths = {cell.model: cell.run.trunk.model.depth for cell in read(write(tmp_path, text)).cells}
    assert depths == {"nano": 2, "Ti/2": 3}


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path):
    file = tmp_path / "experiments.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert len(read(file).cells) == 10
    file.write_bytes(file.read_bytes().replace(b"warmup", b"wramup"))
    assert ":14:27: error" in str(refusal(file))


def test_overrides_replace_values(tmp_path):
    overrides = [("train.optimizer.lr", "3e-4"), ("budgets.steps", "[37]"), ("train.schedule.warmup", "7")]
    cells = read(write(tmp_path, GOOD), overrides).cells
    assert {cell.run.steps for cell in cells} == {37}
    assert {cell.run.trunk.recipe.lr for cell in cells} == {3e-4}
    assert {cell.run.trunk.recipe.warmup for cell in cells} == {7}


def test_an_empty_override_takes_its_key_away_as_extends_does(tmp_path):
    file = write(tmp_path, GOOD)
    assert {cell.model for cell in read(file).cells} == {"nano", "Ti/2"}
    overrides = [("models.Ti/2", ""), ("fits.main.hold_out", "")]  # which would hold out all that is left
    assert {cell.model for cell in read(file, overrides).cells} == {"nano"}


@pytest.mark.parametrize(
    ("key", "typed", "words"),
    [
        ("models.nosuch", "", "models.nosuch: an empty value is not a mapping"),
        ("train.optimizer.lr", "fast", "--set train.optimizer.lr: error: train.optimizer.lr: 'fast' is not a number"),
        ("train.optimiser.lr", "1e-3", "train.optimiser: unknown key 'optimiser'"),
        ("data.sizes.0", "37", "leads through a value that is no mapping"),
        ("data.sizes", "[37", "--set data.sizes: error: a comma or the closing bracket is missing"),
        ("data.sizes", "!!python/name:os 3", "remove the tag"),
    ],
)
def test_a_broken_override_is_refused_with_its_option(key, typed, words, tmp_path):
    text = str(refusal(write(tmp_path, GOOD), (key, typed)))
    assert words in text
    assert f"      | {key}={typed}" in text


def test_reading_writes_nothing_and_loads_no_heavy_library(tmp_path):
    file = write(tmp_path, GOOD)
    heavy = "{'jax', 'flax', 'optax', 'ray', 'pandas', 'scipy', 'numpy', 'sqlalchemy', 'sklearn'}"
    code = f"import sys, scalectl.orchestrator.experiment.reading as e; e.read({str(file)!r});"
    code += f"print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    assert list(tmp_path.iterdir()) == [file]


def test_the_laptop_study_is_valid():
    experiment = read(Path(__file__).parents[1] / "experiments.yaml")
    assert experiment.cells
    assert experiment.warnings == ()
