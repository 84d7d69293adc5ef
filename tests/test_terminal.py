"""Text on narrow terminals, and commands that wait for a store."""

import threading
import time
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from runs import laptop
from studies_of_pages import imported
from told import planning, write

from scalectl.orchestrator import terminal
from scalectl.orchestrator.cli import waiting
from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.cli.status import text as status_text
from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.format import command, table
from scalectl.orchestrator.launch.bars import Layout
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.known import known
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.store.snapshot import LAUNCHED
from scalectl.orchestrator.terminal import wrapped
from scalectl.orchestrator.vocabulary import RunState

HEADER = ("RUN", "ID", "STATE", "LOSS")
ROWS = [("nano-350-200", "0f2c34f1069b", "done", "0.123"), ("l-20000-600-hd3", "a45a456688ad", "failed", "7")]


def of_columns(monkeypatch, columns: int) -> None:
    """Have commands take stdout for a terminal of so many columns."""
    monkeypatch.setattr(terminal, "shutil", SimpleNamespace(get_terminal_size=lambda: SimpleNamespace(columns=columns)))
    monkeypatch.setattr(terminal, "sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True)))


@pytest.mark.parametrize("options", [[], ["--backtest"], ["--per", "model", "--law", "power"]])
def test_laws_are_broken_between_words_too(monkeypatch, tmp_path, options):
    store = imported(tmp_path, laptop())
    words = ["fit", "--store", str(store), *options]
    whole = CliRunner().invoke(scalectl, words).output
    of_columns(monkeypatch, 60)
    narrow = CliRunner().invoke(scalectl, words).output
    told = [line for line in narrow.splitlines() if not line.startswith("Next: ")]
    assert max(map(len, whole.splitlines())) > 60 >= max(map(len, told))
    assert narrow.split() == whole.split()


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_no_line_is_broken_inside_a_word(width):
    text = "goodput 78 % of 2 slots: step 77 % · acquire 9.5 % · compile 4.4 %\n\n  warning: " + "points " * 30
    lines = wrapped(text, width).splitlines()
    assert max(map(len, lines)) <= width
    assert " ".join(wrapped(text, width).split()) == " ".join(text.split())
    assert width < 40 or not any(line.strip().startswith(("%", "·")) for line in lines)


def test_a_word_without_room_and_a_next_command_stay_whole():
    path = "/" + "folder/" * 20
    assert path in wrapped(f"checkpoint at {path} is kept", 40).splitlines()[1]
    command = f"Next: scalectl launch {path}study.yaml --set train.batch_size=128"
    assert wrapped(command, 40) == command and wrapped(path + " x", None) == path + " x"


def test_a_table_loses_columns_and_never_values():
    whole = table(HEADER, ROWS, left=3)
    widest = max(map(len, whole.splitlines()))
    assert table(HEADER, ROWS, left=3, width=widest, spare=("ID",)) == whole
    narrow = table(HEADER, ROWS, left=3, width=widest - 1, spare=("ID", "STATE"))
    assert [line.split() for line in narrow.splitlines()] == [[row[0], *row[2:]] for row in (HEADER, *ROWS)]
    assert table(HEADER, ROWS, left=3, width=10, spare=("ID", "STATE")).splitlines()[1] == "  nano-350-200      0.123"


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_the_tables_of_plan_simulate_and_models_lose_columns_and_never_wrap(study, monkeypatch, columns):
    of_columns(monkeypatch, columns)
    for words in (["plan", str(study.file)], ["simulate", str(study.file), "--slots", "4"], ["models"]):
        said = CliRunner().invoke(scalectl, words).output
        rows = [line for line in said.splitlines() if line.startswith("  ") and "   " in line.strip()]
        assert len(rows) >= 2 and max(map(len, rows)) <= columns
        assert len({line.split()[0] for line in rows}) == len(rows)  # no second line of a row


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_bars_keep_names_and_whole_parts_of_what_they_say(width):
    room = Layout(width, name=37)
    note = room.note("1,600/1,600", "loss 0.123", "12,345 img/s")
    bars = room.bar + 1 if room.bar else 0
    assert 2 + 37 + 1 + bars + len(note) <= width
    assert note in ("1,600/1,600", "1,600/1,600  loss 0.123", "1,600/1,600  loss 0.123  12,345 img/s")
    assert (width < 100) or "img/s" in note


def test_a_watch_waits_for_a_store_that_is_about_to_be_there(study):
    def launch():
        time.sleep(0.3)
        planning(study, steps="[20]")[0].close()

    launcher = threading.Thread(target=launch)
    launcher.start()
    done = CliRunner().invoke(scalectl, ["status", "-w", "--store", str(study.store)])
    launcher.join()
    assert done.exit_code == 0 and "1 planned" in done.stdout and "Waiting for" in done.stderr


def test_a_store_that_never_comes_is_not_waited_for_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.1)
    with pytest.raises(NotFound, match="no store here"):
        waiting.until_there(tmp_path / "none.db")


def test_following_a_run_ends_with_it_while_the_launch_goes_on(study):
    records, found = planning(study, steps="[20, 40]")
    write(records, [job for job in found.jobs if found.runs[0].id in job.runs or job.id == found.runs[0].id])
    done = CliRunner().invoke(scalectl, ["logs", "-f", "pico-60-20", "--store", str(study.store)])
    assert done.exit_code == 0 and "done at step 20" in done.stdout and "step 20, loss 0.4" in done.stdout
    assert Store(study.store).launcher() is not None and Store(study.store).goes_on("pico-60-40")
    records.close()
    assert not Store(study.store).goes_on("pico-60-40")


def test_the_next_command_is_that_of_the_last_launch_from_wherever_it_is_asked(study, monkeypatch):
    records, _ = planning(study, steps="[20]")
    records.note(LAUNCHED, command("launch", study.file, changes=["budgets.steps=[20]"]))
    records.close()
    monkeypatch.chdir(study.folder.parent)
    below = study.file.relative_to(study.folder.parent)
    screen = status_text(Store(study.store).status())
    assert screen.endswith(f"Next: scalectl launch {below} --set 'budgets.steps=[20]'")
    monkeypatch.chdir(study.folder)
    stopped = CliRunner().invoke(scalectl, ["stop", "--all", "--store", str(study.store)])
    assert stopped.stdout.endswith("Next: scalectl launch experiments.yaml --set 'budgets.steps=[20]'\n")
    (elsewhere := study.folder / "other").mkdir()
    monkeypatch.chdir(elsewhere)
    assert Store(study.store).again() == f"scalectl launch {study.file} --set 'budgets.steps=[20]'"


def test_the_next_command_is_that_of_a_study_with_runs_left(study):
    """And not that of the last launch, where nothing of its study is left."""
    records, _ = planning(study, steps="[20, 40]")
    records.note(LAUNCHED, command("launch", study.file))
    records.close()
    other = study.folder / "other.yaml"
    other.write_text(study.write(steps="[20]").read_text().replace("name: small", "name: other"))
    plan_of = plan(read(other), known(study.store))
    with Records(study.store) as records:
        records.plan(plan_of, read(other))
        records.note(LAUNCHED, command("launch", other))
        write(records, plan_of.jobs)
    status = Store(study.store).status()
    assert status.unfinished == 1 and status.again.endswith("experiments.yaml")


@pytest.mark.parametrize("text", ["rm -rf work", "scalectl 'launch", "scalectl prune --yes", "scalectl launch"])
def test_a_next_command_of_a_strangers_store_is_a_launch_or_nothing(study, text):
    records, _ = planning(study, steps="[20]")
    records.note(LAUNCHED, text)
    records.close()
    assert status_text(Store(study.store).status()).endswith("Next: scalectl launch FILE")


def test_a_retry_leaves_the_warnings_of_the_last_launch(study):
    records, found = planning(study, steps="[20, 40]")
    records.note("warning", "a checkpoint was damaged")
    for number in range(20):  # so that it isn't shown as one of the newest events
        records.note("slots", str(number))
    records.settle([run.id for run in found.runs], RunState.FAILED, "user_error", "a bug")
    records.close()
    done = CliRunner().invoke(scalectl, ["retry", "--failed", "--store", str(study.store)])
    assert done.exit_code == 0
    assert "a checkpoint was damaged" in [event.text for event in Store(study.store).status().events]
    with Records(study.store) as again:  # the next launch is another one, and enough happens in it
        again.plan(found, read(study.file))
        for number in range(20):
            again.note("slots", str(number))
    assert "a checkpoint was damaged" not in [event.text for event in Store(study.store).status().events]


def test_a_run_that_a_dead_launch_left_is_not_called_running(study):
    records, found = planning(study, steps="[20]")
    records.start(found.jobs[-1], "here")
    assert "1 running" in status_text(Store(study.store).status())
    records.close()
    screen = status_text(Store(study.store).status())
    assert "1 cut off" in screen and "running · " not in screen.splitlines()[0]


def test_a_reason_to_exclude_a_run_is_a_reason(study):
    planning(study, steps="[20]")[0].close()
    done = CliRunner().invoke(scalectl, ["exclude", "pico-60-20", "--reason", " ", "--store", str(study.store)])
    assert done.exit_code == 2 and "say why" in done.stderr
