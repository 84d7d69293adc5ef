"""Files of several splits: which are read, what is told, and what is refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pictures import STUDY, grey, greys, layout, levels, refusal, study, write
from records import array_record
from records import greys as record_greys

from scalectl.orchestrator.errors import InvalidExperiment
from scalectl.orchestrator.experiment.reading import Experiment, read
from scalectl.trainer.data import copies
from scalectl.trainer.data.split import split
from scalectl.trainer.data.splits import folders, grouped, named_by
from scalectl.trainer.events import Noticed
from scalectl.trainer.spec import EvalSpec, Job
from scalectl.trainer.train import train

pytestmark = pytest.mark.usefixtures("own_cache")


def shown(experiment: Experiment) -> tuple[list[int], list[int]]:
    """The levels of grey that are trained on, and those that are held out."""
    parts = split(experiment.cells[0].run.trunk.data)
    return sorted(levels(parts.pool.pixels[:])), sorted(levels(parts.held_out.pixels[:]))


# the rules of https://huggingface.co/docs/datasets/repository_structure and file names of published data sets
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train-00000-of-00001.parquet", "test-00000-of-00001.parquet"], ["train", "test"]),
        (
            ["train-00000-of-00002-a09b74b3ef9c3b56.parquet", "train_extra-00000-of-00002.parquet"],
            ["train", "train_extra"],
        ),
        (["training_0.parquet", "my-val.parquet", "eval.0.parquet"], ["train", "validation", "test"]),
        (["train/a.parquet", "dev/test.parquet"], ["train", "validation"]),
        (["mnist-train.array_record-00000-of-00001", "mnist-test.array_record-00000-of-00001"], ["train", "test"]),
        (["test_set-train.tfrecord-00000-of-00001", "test_set-test.tfrecord-00000-of-00001"], ["train", "test"]),
        (["pets-train-000000.tar", "pets-validation-000000.tar", "classnames.tar"], ["train", "validation", ""]),
        (["trainer.parquet", "latest.parquet", "contest.parquet"], ["", "", ""]),
        (["part-00000-of-00002.parquet", "part-00001-of-00002.parquet"], ["", ""]),
    ],
)
def test_the_names_of_files_tell_their_splits(names, expected):
    groups = grouped([f"/home/test/data/{name}" for name in names], "/home/test/data")
    of_file = {file: name for name, files in groups.items() for file in files}
    assert [of_file[f"/home/test/data/{name}"] for name in names] == expected


@pytest.mark.parametrize("source", ["parquet:data", "parquet:data/*.parquet"])
def test_a_folder_of_parquet_files_trains_on_train_and_holds_test_out(source, tmp_path):
    greys(tmp_path / "data" / "train-00000-of-00001.parquet", range(40))
    greys(tmp_path / "data" / "test-00000-of-00001.parquet", range(100, 110))
    planned = study(tmp_path, source)
    assert shown(planned) == (list(range(40)), list(range(100, 110)))
    (warning,) = planned.warnings
    assert "has files of train, test: train is trained on, and held-out images are of test" in str(warning)
    shutil.copy(tmp_path / "data" / "train-00000-of-00001.parquet", tmp_path / "alone.parquet")
    shutil.copy(tmp_path / "data" / "test-00000-of-00001.parquet", tmp_path / "apart.parquet")
    explicit = study(tmp_path, "parquet:alone.parquet", ", test: apart.parquet")
    assert explicit.cells[0].run == planned.cells[0].run and not explicit.warnings


def test_a_test_file_is_never_trained_on(tmp_path):
    greys(tmp_path / "data" / "train-0.parquet", range(40))
    greys(tmp_path / "data" / "test-0.parquet", range(100, 110))
    pool, held_out = shown(study(tmp_path, "parquet:data", ", test: data/test-0.parquet"))
    assert (pool, held_out) == (list(range(40)), list(range(100, 110)))
    (tmp_path / "link.parquet").symlink_to(tmp_path / "data" / "train-0.parquet")
    for name in ("data/train-0.parquet", "link.parquet"):
        words = refusal(tmp_path, "parquet:data/train-0.parquet", f", test: {name}")
        assert "data.test: it has 1 file of data.source, such as" in words


def test_splits_without_one_to_train_on_are_refused(tmp_path):
    greys(tmp_path / "data" / "test-0.parquet", range(40))
    greys(tmp_path / "data" / "val-0.parquet", range(50, 60))
    assert "there are validation and test, and none is named train" in refusal(tmp_path, "parquet:data")


def test_record_files_are_read_by_split(tmp_path):
    array_record(tmp_path / "mnist-train.array_record-00000-of-00001", record_greys(range(40)))
    array_record(tmp_path / "mnist-test.array_record-00000-of-00001", record_greys(range(100, 110)))
    planned = study(tmp_path, "array_record:.", ", num_classes: 3")
    assert shown(planned) == (list(range(40)), list(range(100, 110)))


def pictures(folder: Path, shown: range) -> None:
    folder.mkdir(parents=True)
    for level in shown:
        (folder / f"{level}.png").write_bytes(grey(level))


def test_a_folder_above_train_and_val_is_no_classifier_of_splits(tmp_path):
    for number, name in enumerate(("ant", "bee")):
        pictures(tmp_path / "set" / "train" / name, range(20 * number, 20 * number + 20))
        pictures(tmp_path / "set" / "Val" / name, range(100 + 5 * number, 105 + 5 * number))
    planned = study(tmp_path, "folder:set")
    assert shown(planned) == (list(range(40)), list(range(100, 110)))
    assert planned.cells[0].run.trunk.data.num_classes == 2
    explicit = study(tmp_path, "folder:set/train", ", test: set/Val")
    assert explicit.cells[0].run == planned.cells[0].run
    pictures(tmp_path / "set" / "training" / "ant", range(3))
    assert "train and training are both of split train" in refusal(tmp_path, "folder:set")


def test_a_flat_folder_beside_train_is_left_out_with_a_warning(tmp_path):
    for number, name in enumerate(("ant", "bee")):
        pictures(tmp_path / "set" / "train" / name, range(20 * number, 20 * number + 20))
    pictures(tmp_path / "set" / "val", range(100, 110))
    planned = study(tmp_path, "folder:set")
    assert sorted(shown(planned)[0] + shown(planned)[1]) == list(range(40))
    (warning,) = planned.warnings
    assert f"{tmp_path}/set/val left out, without folders of classes" in str(warning)
    assert f"give {tmp_path}/set/val as data.test, and the list of its labels as data.test_labels" in str(warning)


def test_classes_that_are_named_like_splits_stay_classes(tmp_path):
    for name in ("train", "car", "plane"):  # a train is a vehicle
        pictures(tmp_path / name, range(3))
    assert folders(str(tmp_path)) == {}


def beside_pets(folder: Path, tested: range) -> Experiment:
    """A study on 40 pictures with another data set to evaluate on, of which these are tested."""
    greys(folder / "train.parquet", range(40))
    greys(folder / "pets" / "train-0.parquet", range(50, 80))
    greys(folder / "pets" / "test-0.parquet", tested)
    evals = "evals: {datasets: {pets: {source: 'parquet:pets'}}, fewshot: {datasets: [pets], shots: [1]}}\n"
    (folder / "experiments.yaml").write_text(STUDY.format(source="parquet:train.parquet", more="") + evals)
    return read(folder / "experiments.yaml")


def test_datasets_of_evaluations_are_read_by_split_too(tmp_path):
    planned = beside_pets(tmp_path, range(100, 110))
    (fewshot,) = planned.evals.fewshot
    parts = split(fewshot.data)
    assert (len(parts.pool), sorted(levels(parts.held_out.pixels[:]))) == (30, list(range(100, 110)))
    assert "evals.datasets.pets.source: parquet:pets has files of train, test" in str(planned.warnings[0])


def test_copies_of_training_pictures_are_counted(tmp_path):
    greys(tmp_path / "train.parquet", range(40))
    greys(tmp_path / "test.parquet", range(35, 45))
    (warning,) = study(tmp_path, "parquet:train.parquet", ", test: test.parquet").warnings
    assert "5 pictures to evaluate on are among the training pictures" in str(warning)
    write(tmp_path / "train.parquet", layout([grey(level % 38) for level in range(40)], [0, 1] * 20))
    (warning,) = study(tmp_path, "parquet:train.parquet").warnings
    assert "2 pictures of parquet:train.parquet are copies of others there" in str(warning)


def test_test_pictures_of_other_datasets_are_counted_among_the_training_pictures(tmp_path):
    told = [str(warning) for warning in beside_pets(tmp_path, range(38, 48)).warnings]
    assert sum("evals.datasets.pets: 2 pictures to evaluate on are among the training" in words for words in told) == 1


def test_a_job_counts_equal_pictures_where_planning_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "CHEAP", 0)
    greys(tmp_path / "train.parquet", range(40))
    greys(tmp_path / "test.parquet", range(35, 45))
    planned = study(tmp_path, "parquet:train.parquet", ", test: test.parquet")
    assert not planned.warnings
    assert "equal pictures: not counted, the files are large: the first job counts them" in lines(planned)
    trunk = planned.cells[0].run.trunk
    job = Job("a", "stretch", trunk, None, 0, 2, EvalSpec(), str(tmp_path / "job"), None, 100)
    noticed = [event for event in train(job) if isinstance(event, Noticed)]
    assert [event.text for event in noticed] == [
        "5 pictures to evaluate on are among the training pictures of parquet, byte for byte"
    ]
    again = [event for event in train(replace(job, folder=str(tmp_path / "again"))) if isinstance(event, Noticed)]
    assert not again  # told once
    (warning,) = study(tmp_path, "parquet:train.parquet", ", test: test.parquet").warnings
    assert "5 pictures to evaluate on are among the training pictures" in str(warning)


def test_a_plan_says_where_nobody_counts_equal_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "CHEAP", 0)
    pictures(tmp_path / "set" / "ant", range(20))
    pictures(tmp_path / "set" / "bee", range(20, 40))
    assert "equal pictures: not counted, the files are large, and no job reads all of them" in lines(
        study(tmp_path, "folder:set")
    )


def lines(experiment: Experiment) -> str:
    return "\n".join(line for report in experiment.sources for line in report.lines())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("cifar10/train-*.parquet", "cifar10"),
        ("pets/data/train.parquet", "pets"),
        ("imagenet-train-00000-of-00001.parquet", "imagenet"),
        ("train.parquet", ""),
        ("~/flowers102/", "flowers102"),
        ("s3://bucket/birds/train/*.parquet", "birds"),
    ],
)
def test_a_data_set_is_named_by_its_path(path, name):
    assert named_by(path) == name


def test_the_name_is_used_in_metrics_and_is_no_part_of_a_run(tmp_path):
    greys(tmp_path / "pets" / "train.parquet", range(40))

    def evaluated(word: str, more: str = "") -> Experiment:
        text = STUDY.format(source="parquet:pets/train.parquet", more=more)
        (tmp_path / "experiments.yaml").write_text(text + f"evals: {{fewshot: {{datasets: [{word}], shots: [1]}}}}\n")
        return read(tmp_path / "experiments.yaml")

    by_default, former, given = evaluated("pets"), evaluated("parquet"), evaluated("cats", ", name: cats")
    assert [spec.metric for experiment in (by_default, former, given) for spec in experiment.evals.fewshot] == [
        f"fewshot/{name}/1shot/error" for name in ("pets", "parquet", "cats")
    ]
    assert by_default.cells[0].run == former.cells[0].run == given.cells[0].run
    with pytest.raises(InvalidExperiment, match="no dataset 'dogs'"):
        evaluated("dogs")
