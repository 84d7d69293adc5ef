"""A study goes to other programs and comes back equal, read by those programs' own packages."""

import io
import json
import os
import shlex
import shutil
import sqlite3
from contextlib import closing
from math import isnan
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from click.testing import CliRunner
from conftest import Study
from runs import laptop
from studies_of_pages import CLOSING, imported, named_with_markup, trained
from test_crash import start

from scalectl import analysis
from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.export import content as contents
from scalectl.orchestrator.export import targets
from scalectl.orchestrator.export.companion import Wish, companions
from scalectl.orchestrator.export.content import content
from scalectl.orchestrator.export.folder import MARKER, check_writable
from scalectl.orchestrator.export.targets import TARGETS, export_to
from scalectl.orchestrator.store.database import writing

pytestmark = pytest.mark.filterwarnings("ignore:.*:Warning")  # what those packages say of each other

TRACKERS = ("tensorboard", "wandb", "mlflow")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two trunks of three runs, the last of which is not done, and a loss that was not finite."""
    made = trained(tmp_path_factory.mktemp("exports"))
    engine = writing(made.store)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE progress SET loss = NULL WHERE step = 7")
    engine.dispose()
    return made


@pytest.fixture(scope="module")
def curve(study) -> pd.DataFrame:
    """The curve of one run that is done."""
    whole = content(study.store, None)
    return whole.curves[whole.curves["run"] == _done(study)["run"]]


def _done(study) -> pd.Series:
    points = analysis.read(study.store)
    return points[points["state"] == "done"].sort_values("steps").iloc[-1]


def scale(*words: object):
    return CliRunner().invoke(scalectl, [str(word) for word in words], standalone_mode=False)


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def read_jsonl(path: Path) -> pd.DataFrame:
    return pd.DataFrame(json.loads(line) for line in path.read_text().splitlines())


@pytest.mark.parametrize(
    ("target", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet), ("jsonl", read_jsonl)]
)
def test_tables_have_every_point_step_and_reading(study, tmp_path, target, read):
    folder = tmp_path / "out"
    assert scale("export", "--to", target, folder, "--store", study.store).stdout.startswith("6 runs written")
    whole = content(study.store, None)
    for name, table in whole.tables().items():
        written = read(folder / f"{name}.{target}")
        assert list(written.columns) == list(table.columns) and len(written) == len(table) > 0
        for column in table.select_dtypes("float64"):
            numbers = table[column].tolist()
            assert written[column].astype(float).tolist() == pytest.approx(numbers, 1e-14, 0.0, nan_ok=True)
    assert set(whole.measurements["metric"]) == set(analysis.measurements(study.store)["metric"])
    assert len(whole.measurements) == len(analysis.measurements(study.store))


def test_small_numbers_keep_all_of_their_digits(study, tmp_path):
    """A few core-days of a run of seconds are 1e-6, and pandas writes so many decimal places of JSON."""
    scale("export", "--to", "jsonl", tmp_path / "out", "--store", study.store)
    written = read_jsonl(tmp_path / "out" / "points.jsonl")["core_days"].astype(float)
    known = analysis.read(study.store)["core_days"]
    assert known.min() < 1e-4 and written.dropna().tolist() == known.dropna().tolist()


def test_where_chooses_the_runs_of_all_tables(study, tmp_path):
    assert (
        scale("export", "--to", "csv", tmp_path / "out", "--where", "steps==20", "--store", study.store).return_value
        == 0
    )
    runs = {name: set(pd.read_csv(tmp_path / "out" / f"{name}.csv")["run"]) for name in ("points", "curves")}
    assert runs["points"] == runs["curves"] and len(runs["points"]) == 2


@pytest.mark.parametrize("target", ["csv", "tensorboard", "wandb", "mlflow"])
def test_the_same_export_again_changes_nothing(study, tmp_path, target):
    _needs(target)
    folder = tmp_path / "out"
    assert scale("export", "--to", target, folder, "--store", study.store).return_value == 0
    before = files(folder)
    assert "nothing was changed" in scale("export", "--to", target, folder, "--store", study.store).stdout
    assert files(folder) == before and [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_older_export_is_replaced_and_anything_else_is_kept(study, tmp_path):
    folder = tmp_path / "out"
    export_to("csv", folder, study.store, None, "steps==20")
    assert export_to("csv", folder, study.store, None).new and len(pd.read_csv(folder / "points.csv")) == 6
    (folder / "notes.txt").write_text("mine")
    for words in (("csv", "--where", "steps==20"), ("jsonl",)):
        refused = scale("export", "--to", words[0], folder, *words[1:], "--store", study.store).exception
        assert refused.exit == Exit.REFUSED and (folder / "notes.txt").read_text() == "mine"
    assert len(pd.read_csv(folder / "points.csv")) == 6


def test_a_folder_that_is_not_ours_or_a_link_is_refused(study, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "points.csv").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "mine", target_is_directory=True)
    for name in ("mine", "link"):
        with pytest.raises(Refusal, match="refused"):
            export_to("csv", tmp_path / name, study.store, None)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["points.csv"]


def test_an_export_that_fails_leaves_what_was_there(study, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    export_to("csv", folder, study.store, None, "steps==20")
    before = files(folder)

    def full(whole, folder):
        (folder / "points.csv").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scalectl.orchestrator.export.tables.write_csv", full)
    with pytest.raises(Refusal, match="No space left"):
        export_to("csv", folder, study.store, None)
    assert files(folder) == before and [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("target", TRACKERS)
def test_a_package_that_is_absent_is_named_with_the_line_that_installs_it(study, tmp_path, monkeypatch, target):
    def absent(name):
        raise ModuleNotFoundError(f"No module named {target!r}", name=target)

    monkeypatch.setattr(targets, "import_module", absent)
    refused = scale("export", "--to", target, tmp_path / "out", "--store", study.store).exception
    assert refused.exit == Exit.NOT_FOUND and f"pip install 'scalectl[{target}]'" in str(refused)
    assert "\n" not in str(refused) and not (tmp_path / "out").exists()


def test_times_are_those_of_attempts_and_never_decrease(study):
    for run in content(study.store, None).runs():
        at = [scalars.at for scalars in run.scalars]
        assert at == sorted(at) and at[0] >= run.started > 1e9
        assert [scalars.step for scalars in run.scalars] == sorted({scalars.step for scalars in run.scalars})


def test_tensorboard_reads_scalars_hparams_and_ends(study, curve, tmp_path):
    _needs("tensorboard")
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
    from tensorboard.plugins.hparams import metadata

    export_to("tensorboard", tmp_path / "out", study.store, None)
    loaded = EventMultiplexer(size_guidance={"scalars": 0}).AddRunsFromDirectory(str(tmp_path / "out")).Reload()
    run = _done(study)
    steps = {event.step: event for event in loaded.Scalars(run["name"], "train/loss")}
    assert list(steps) == curve["step"].tolist() and isnan(steps[7].value)
    assert steps[20].value == np.float32(curve.set_index("step")["loss"][20])  # all that its format has
    assert loaded.Scalars(run["name"], "upstream/error")[-1].value == pytest.approx(run["upstream/error"], rel=1e-6)
    told = loaded.PluginRunToTagToContent(metadata.PLUGIN_NAME)
    start = metadata.parse_session_start_info_plugin_data(told[run["name"]][metadata.SESSION_START_INFO_TAG])
    assert start.hparams["steps"].number_value == run["steps"] and start.hparams["optimizer"].string_value
    end = metadata.parse_session_end_info_plugin_data(told[run["name"]][metadata.SESSION_END_INFO_TAG])
    assert end.end_time_secs >= start.start_time_secs > 1e9
    assert len(told) == 1 + len(analysis.read(study.store))


def test_mlflow_finds_runs_by_metric_and_reads_their_history(study, curve, tmp_path, monkeypatch):
    _needs("mlflow")
    export_to("mlflow", tmp_path / "out", study.store, None)
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    client = MlflowClient(f"sqlite:///{tmp_path}/out/mlflow.db")
    experiment = client.get_experiment_by_name("small")
    run = _done(study)
    found = client.search_runs(
        [experiment.experiment_id], f"metrics.`upstream/error` <= 1 and tags.`scalectl.run` = '{run['run']}'"
    )
    assert [one.info.run_name for one in found] == [run["name"]] and found[0].info.status == "FINISHED"
    history = client.get_metric_history(found[0].info.run_id, "train/loss")
    assert sorted(point.step for point in history) == curve["step"].tolist()
    assert [point.step for point in history if isnan(point.value)] == [7]
    assert found[0].data.metrics["upstream/error"] == run["upstream/error"]
    assert found[0].data.params["steps"] == str(run["steps"]) and found[0].info.end_time >= found[0].info.start_time
    assert not (tmp_path / "mlruns").exists()


def test_runs_that_somebody_logged_into_the_store_of_mlflow_are_kept(study, tmp_path):
    _needs("mlflow")
    export_to("mlflow", tmp_path / "out", study.store, None)
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/out/mlflow.db")
    mine = client.create_run(client.get_experiment_by_name("small").experiment_id)
    with pytest.raises(Refusal, match="1 run"):
        export_to("mlflow", tmp_path / "out", study.store, None, "steps==20")
    assert client.get_run(mine.info.run_id)


def test_wandb_lists_every_run_and_reads_its_rows_in_order(study, curve, tmp_path):
    _needs("wandb")
    from wandb.proto.wandb_internal_pb2 import Record

    export_to("wandb", tmp_path / "out", study.store, None)
    run = _done(study)
    (file,) = (tmp_path / "out").glob(f"wandb/offline-run-*-{run['run']}/run-*.wandb")
    records = [Record.FromString(data) for data in _records(file)]
    (head,) = [record.run for record in records if record.HasField("run") and record.run.run_id]
    assert (head.run_id, head.display_name, head.project) == (run["run"], run["name"], "small")
    rows = [_row(record.history) for record in records if record.HasField("history")]
    losses = {row["_step"]: row["train/loss"] for row in rows if "train/loss" in row}
    assert list(losses) == curve["step"].tolist() and isnan(losses[7])
    assert rows[-1]["upstream/error"] == run["upstream/error"] and rows[-1]["_timestamp"] > 1e9
    assert not list((tmp_path / "out").rglob("*.log"))


def _row(history) -> dict[str, float]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in history.item}


def _records(file: Path):
    """Yield the records of a W&B file: seven bytes, then LevelDB's log of blocks of 32 KiB."""
    block, position, whole = 32768, 7, b""
    data = file.read_bytes()
    while position + 7 <= len(data):
        if block - position % block < 7:
            position += block - position % block
            continue
        length, kind = int.from_bytes(data[position + 4 : position + 6], "little"), data[position + 6]
        whole += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""


@pytest.mark.parametrize("target", TRACKERS)
def test_imported_runs_with_hostile_names_stay_in_the_folder(tmp_path, target):
    _needs(target)
    runs = named_with_markup(laptop().head(6))
    runs["name"] = ["../up", CLOSING, "same", "same", "a/b", ".hidden"]
    store = imported(tmp_path, runs)
    assert export_to(target, tmp_path / "out" / "deep", store, None).new
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["deep"]
    assert len(list(contents.content(store, None).runs())) == 6
    if target == "tensorboard":
        assert len([path for path in (tmp_path / "out" / "deep").iterdir() if path.is_dir()]) == 6


@pytest.mark.parametrize("target", TRACKERS)
def test_settings_that_imported_runs_have_of_their_own_come_along(tmp_path, target):
    """A tokenizer in words and a dropout in numbers, which the first run lacks; names are longer than a folder's."""
    _needs(target)
    lines = ["name,model,flops,dropout,tokenizer,note,err"]
    long = "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 120
    for place in range(12):
        dropout = "" if not place else 0.1 * (place % 2)
        lines.append(
            f"{long}{place},m{place},1e{15 + place},{dropout},bpe-{place % 2},note {place},{0.5 - 0.02 * place}"
        )
    (tmp_path / "runs.csv").write_text("\n".join(lines))
    store = tmp_path / "results.db"
    assert scale("import", tmp_path / "runs.csv", "--setting", "dropout", "--store", store).exception is None
    first, second, *_ = content(store, None).runs()
    assert first.settings == {"model": "m0", "flops": 1e15, "tokenizer": "bpe-0"} and first.tags["note"] == "note 0"
    assert second.settings["dropout"] == 0.1
    assert export_to(target, tmp_path / "out", store, None).new
    if target == "tensorboard":
        assert max(len(path.name.encode()) for path in (tmp_path / "out").iterdir()) < 256
        from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
        from tensorboard.plugins.hparams import metadata

        loaded = EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "out")).Reload()
        about = loaded.PluginRunToTagToContent(metadata.PLUGIN_NAME)["."][metadata.EXPERIMENT_TAG]
        columns = metadata.parse_experiment_plugin_data(about).hparam_infos
        assert {"dropout", "tokenizer"} < {column.name for column in columns}


def test_metrics_whose_names_mlflow_cannot_tell_apart_stay_two(tmp_path):
    _needs("mlflow")
    (tmp_path / "runs.csv").write_text("model,flops,acc@1,acc_1,acc%1\na,1e15,0.5,0.25,0.125\n")
    assert scale("import", tmp_path / "runs.csv", "--store", tmp_path / "results.db").exception is None
    export_to("mlflow", tmp_path / "out", tmp_path / "results.db", None)
    with closing(sqlite3.connect(tmp_path / "out" / "mlflow.db")) as store:
        found = dict(store.execute("SELECT key, value FROM metrics").fetchall())
    assert found["acc_1"] == 0.25 and sorted(found.values()) == [0.125, 0.25, 0.5]


def test_all_studies_are_written_at_once_and_one_says_that_there_are_others(tmp_path):
    store = imported(tmp_path, laptop())
    other = scale("import", tmp_path / "runs.csv", "--study", "a/b", "--store", store)
    assert other.exception is None
    one = scale("export", "--store", store, "-o", tmp_path / "one.csv")
    assert one.stdout.splitlines() == [
        f"36 runs written to {tmp_path / 'one.csv'}.",
        "These are of a/b; the store also has others. --all-studies writes all of them.",
    ]
    whole = ("export", "--store", store, "--all-studies")
    assert scale(*whole, "-o", tmp_path / "all.csv").stdout == f"72 runs written to {tmp_path / 'all.csv'}.\n"
    assert pd.read_csv(tmp_path / "all.csv")["study"].value_counts().to_dict() == {"others": 36, "a/b": 36}
    folder = tmp_path / "out"
    assert len(scale(*whole, "--to", "csv", folder).stdout.splitlines()) == 2
    assert sorted(path.name for path in folder.iterdir()) == ["a%2Fb", "others"]
    again = scale(*whole, "--to", "csv", folder, "--where", "study == others")
    assert again.stdout == f"36 runs are already in {folder / 'others'}.\n"
    empty = tmp_path / "empty.db"
    assert scale("import", tmp_path / "runs.csv", "--study", "gone", "--store", empty).exception is None
    assert scale("import", "--undo", "gone", "--store", empty).exception is None
    for way in (("-o", tmp_path / "none.csv"), ("--to", "csv", tmp_path / "none")):
        assert "has no study" in str(scale("export", "--store", empty, "--all-studies", *way).exception)
    for words, said in (
        (("--to", "csv", folder / "others"), "is the export of one study"),
        (("--to", "csv", folder, "--where", "steps < 0"), "chooses none of the runs of a/b, others"),
        (("-o", tmp_path / "no.csv", "--where", "steps < 0"), "chooses none of the 72 runs"),
        (("-o", tmp_path / "no.csv", "--study", "others"), "without --study"),
    ):
        assert said in str(scale(*whole, *words).exception)


def test_the_mark_says_what_an_export_is(study, tmp_path):
    export_to("csv", tmp_path / "out", study.store, None)
    said = json.load(io.StringIO((tmp_path / "out" / MARKER).read_text()))
    assert (
        said["target"] == "csv"
        and said["study"] == "small"
        and set(said["files"])
        == {
            "points.csv",
            "curves.csv",
            "measurements.csv",
        }
    )


def _needs(target: str) -> None:
    extra = TARGETS[target].extra
    if extra:
        pytest.importorskip(extra, reason=f"uv sync --group exports installs {extra}")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["tensorboard", "mlflow"])
def test_what_is_followed_ends_as_a_whole_export(study, tmp_path, target):
    """The store is read twice while it is followed, once more at its end; the folder is then that of export --to."""
    _needs(target)
    from scalectl.orchestrator.export.live import follow

    looks = iter([False, False, True])
    done = follow(target, tmp_path / "live", study.store, "small", lambda seconds: next(looks))
    assert done.new and len(done.content.points) == 6
    assert not export_to(target, tmp_path / "live", study.store, None).new
    if target == "tensorboard":
        export_to(target, tmp_path / "whole", study.store, None)
        for path in (tmp_path / "whole").rglob("events*"):
            assert path.read_bytes() == (tmp_path / "live" / path.relative_to(tmp_path / "whole")).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("target", ["tensorboard", "mlflow"])
def test_what_is_followed_begins_anew_where_an_exporter_was_cut_off(study, tmp_path, target):
    """As after a kill, or where the launch has other runs than before: no value is there twice, and nothing breaks."""
    _needs(target)
    from scalectl.orchestrator.export.live import follow

    def cut_off(seconds):
        if not next(looks):
            raise KeyboardInterrupt
        return False

    amounts = []
    for _ in range(2):
        looks = iter([1, 0])
        with pytest.raises(KeyboardInterrupt):
            follow(target, tmp_path / "live", study.store, "small", cut_off)
        amounts.append(_amount(tmp_path / "live"))
    assert amounts[0] == amounts[1] and any(amounts[0])


def _amount(folder: Path) -> list[int]:
    """How much an export to TensorBoard or MLflow has: the bytes of all events, or the values of MLflow."""
    if not (folder / "mlflow.db").exists():
        return [len(content) for content, _ in files(folder).values()]
    with closing(sqlite3.connect(folder / "mlflow.db")) as store:
        return [store.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("runs", "metrics")]


def test_a_folder_that_is_gone_while_it_is_followed_is_the_reason_in_one_line(study, tmp_path):
    _needs("tensorboard")
    from scalectl.orchestrator.export.live import follow

    folder, looks = tmp_path / "live", iter(range(9))

    def ended(seconds):
        if next(looks) == 1:
            shutil.rmtree(folder)
            folder.write_text("somebody else's")
        return False

    with pytest.raises(Refusal, match="live: Not a directory"):
        follow("tensorboard", folder, study.store, "small", ended)
    assert folder.read_text() == "somebody else's"


def test_an_exporter_that_is_killed_is_a_warning_with_the_command_that_mends_it(study, tmp_path):
    _needs("tensorboard")
    warnings, before = [], set(psutil.Process().children())
    folder = tmp_path / "board"
    with companions([Wish("tensorboard", folder)], study.store, "small", warnings.append):
        (exporter,) = set(psutil.Process().children()) - before
        exporter.kill()
    (line,) = warnings
    again = shlex.split(line.partition("Try again: scalectl ")[2])
    assert "signal 9 ended it" in line and scale(*again).exception is None and (folder / MARKER).exists()


@pytest.mark.parametrize("text", ["csv:out", "tensorboard", "tensorboard:", "wandb:out", "nothing:out"])
def test_a_launch_refuses_what_it_cannot_write_as_it_goes(tmp_path, text):
    refused = scale("launch", tmp_path / "none.yaml", "--export", text).exception
    assert refused.exit == Exit.INVALID and "FORMAT:DIR" in str(refused)


def test_a_launch_refuses_a_folder_that_it_could_not_write_before_it_starts(tmp_path):
    """It was told when hours of training were over."""
    _needs("tensorboard")
    (tmp_path / "study").mkdir()
    made = Study(tmp_path / "study")
    made.write()
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "new" / "board"
    refused = scale("launch", made.file, "--here", "--export", f"tensorboard:{below}").exception
    assert str(below) in str(refused) and "Give another folder" in str(refused)
    assert not made.store.exists()
    check_writable(tmp_path / "new" / "board")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "study"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_in_a_read_only_one_is_refused_with_its_cause(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(Refusal, match="Permission denied"):
        check_writable(tmp_path / "board")


@pytest.mark.slow
def test_a_launch_exports_what_it_trains_and_ends_as_the_whole_export(tmp_path):
    _needs("tensorboard")
    made = Study(tmp_path)
    made.write()
    launched = start(made, "--here", "--export", f"tensorboard:{tmp_path / 'board'}")
    assert launched.wait(timeout=250) == 0, (tmp_path / "log.txt").read_text()
    assert "warning" not in (tmp_path / "log.txt").read_text()
    assert not export_to("tensorboard", tmp_path / "board", made.store, None).new
