"""stop, retry, show, logs and launch --detach, between real processes and on records made by hand."""

import json
import os
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from conftest import Study
from test_cli import scalectl
from test_crash import measured, start
from told import checkpoint, planning, progress, rows, started, told, write

from scalectl.orchestrator.cli.show import text as run_text
from scalectl.orchestrator.cli.status import text as status_text
from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.known import known
from scalectl.orchestrator.store.lock import holder
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.store.requests import ask_to_stop, asked_to_stop
from scalectl.trainer.events import Failed, Skipped

TRACE = 'Traceback (most recent call last):\n  File "data.py", line 37\nOSError: disk on fire'


@pytest.fixture
def begun(study):
    """A store with two runs planned on one trunk, in four jobs; the first stretch is done, the second failed once."""
    records, found = planning(study, steps="[20, 40]")
    write(records, found.jobs[:1])
    records.write(records.start(found.jobs[1], "cpu-1"), [started(16), progress(20), Failed("node_lost", 20, TRACE)])
    yield records, found
    records.close()


def until(true, seconds: float = 100.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_requests_are_read_once_and_their_file_is_private(study):
    assert asked_to_stop(study.store) == frozenset()
    ask_to_stop(study.store, ["one", "two"])
    ask_to_stop(study.store, ["two", "three"])
    assert asked_to_stop(study.store) == {"one", "two", "three"}
    assert asked_to_stop(study.store) == frozenset()
    assert Path(f"{study.store}.stop").stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_runs_are_stopped_while_the_others_go_on_and_are_fitted(study):
    grid = "[0], skip: [{data_size: 90, steps: '<60000'}]"
    study.write(sizes="[60, 90]", steps="[20, 25, 30, 35, 40, 45, 60000]", seeds=grid, checkpoint_every=10**6)
    launcher = start(study, "--here")
    until(lambda: measured(study))
    running = "SELECT name FROM jobs WHERE state = 'running' AND stop = 48000"
    for number in (1, 2):  # two long trunks, one after the other: there is one slot
        until(lambda: rows(study, running))
        name = rows(study, running)[0].split(" trunk")[0] + "-60000"
        asked = scalectl("stop", name, "--store", study.store)
        assert asked.returncode == 0 and f"process {launcher.pid}" in asked.stdout
        until(lambda name=name: rows(study, f"SELECT state FROM runs WHERE name = '{name}'") == ["stopped"])
        assert len(rows(study, "SELECT id FROM runs WHERE state = 'stopped'")) == number
    assert launcher.wait(timeout=100) == 0
    assert rows(study, "SELECT DISTINCT state, reason FROM runs WHERE steps = 60000") == [("stopped", "asked to stop")]
    assert rows(study, "SELECT DISTINCT state FROM attempts ORDER BY state") == ["done", "stopped"]
    assert len(rows(study, "SELECT path FROM checkpoints WHERE NOT kept")) == 2
    said = (study.folder / "log.txt").read_text().splitlines()
    assert said[-3].startswith("6 of 8 runs done") and said[-3].endswith(", 2 stopped")
    assert said[-1] == f"Runs were stopped on request; checkpoints are saved. Next: scalectl launch {study.file}"
    assert (study.folder / "plots" / "small" / "frontier.png").exists()


def test_without_a_launcher_runs_are_stopped_at_once_and_said_to_be(study, begun):
    begun[0].close()
    done = scalectl("stop", "--all", "--store", study.store)
    assert done.returncode == 0 and "No launch is running" in done.stdout and "2 runs stopped" in done.stdout
    assert rows(study, "SELECT DISTINCT state FROM runs") == ["stopped"]


def test_what_is_done_is_neither_stopped_nor_tried_again_and_that_is_said(study, begun):
    records, found = begun
    write(records, found.jobs[2:3])
    for command, what in (("stop", "stop"), ("retry", "retry")):
        done = scalectl(command, "pico-60-20", "--store", study.store)  # while this process is its launcher
        assert (done.returncode, done.stderr) == (0, "") and "No launch" not in done.stdout
        assert done.stdout.startswith(f"There is nothing to {what}: 1 done.")


def test_failed_runs_are_planned_again_and_diverged_ones_only_by_name(study, begun):
    records, found = begun
    failed, diverged = (run.id for run in found.runs)
    records.settle([failed], "failed", "user_error", "disk on fire")
    records.settle([diverged], "diverged", "nonfinite", "the loss is not finite")
    records.close()
    assert "1 run planned" in scalectl("retry", "--failed", "--store", study.store).stdout
    assert rows(study, "SELECT state, kind FROM runs ORDER BY number") == [("planned", ""), ("diverged", "nonfinite")]
    assert "1 run planned" in scalectl("retry", "pico-60-40", "--store", study.store).stdout
    assert set(rows(study, "SELECT state FROM runs")) == {"planned"}
    assert scalectl("retry", "--store", study.store).returncode == 2


def test_a_cooldown_stays_one_after_a_new_evaluation_was_planned_and_run(study, capsys):
    records, found = planning(study, steps="[20]")
    write(records, found.jobs)
    before = Store(study.store).logs("pico-60-20")
    records.close()
    records, found = planning(study, steps="[20]", shots="[5]")
    write(records, found.jobs)
    records.close()
    after = Store(study.store).logs("pico-60-20")
    trained = [line for line in after if "cooldown: " in line]
    assert trained == [line for line in before if "cooldown: " in line] and len(trained) == 6
    assert [line.split(": ")[1].split(" on ")[0] for line in after if "evaluation: " in line] == [
        "attempt 2",
        "done at step 20",
    ]
    shown = Store(study.store).run("pico-60-20").to_json()["attempts"]
    assert [attempt["job_kind"] for attempt in shown] == ["trunk", "cooldown", "evaluation"]
    assert [attempt["job"] for attempt in shown][1:] == ["pico-60-20 cooldown", "pico-60-20 evaluation"]


def test_a_run_is_shown_by_its_id_its_beginning_and_its_name(study, begun):
    records, found = begun
    checkpoint(found.jobs[1], 20, kept=False)
    run = found.runs[1].id
    shown = [Store(study.store).run(word).to_json() for word in (run, run[:7], "pico-60-40")]
    assert shown[0] == shown[1] == shown[2]
    one = shown[0]
    assert (one["id"], one["state"], one["branch"]) == (run, "planned", 32)
    assert [attempt["state"] for attempt in one["attempts"]] == ["done", "lost"]
    assert one["waits_for"] == "pico-60 trunk 16 to 32, which waits for a slot"
    assert [kept["step"] for kept in one["checkpoints"]] == [16] and one["measurements"] == []
    assert one["spec"]["steps"] == 40
    records.write(records.start(found.jobs[1], "here"), told(found.jobs[1], 16))
    write(records, found.jobs[2:])
    text = run_text(Store(study.store).run(run), study.store)
    assert "upstream/error" in text and "lost (node_lost)" in text
    assert text.endswith(f"Next: scalectl logs {run} --store {study.store}")
    named = run_text(Store(study.store).run(run), study.store, "pico-60-40")
    assert named.endswith(f"Next: scalectl logs pico-60-40 --store {study.store}")


def test_what_is_not_there_is_refused_with_what_may_have_been_meant(study, begun):
    for command in ("show", "logs", "stop", "retry", "include"):
        done = scalectl(command, "pico-60-41", "--store", study.store)
        assert done.returncode == 5 and "Did you mean 'pico-60-4" in done.stderr, command


def test_a_beginning_that_several_ids_share_is_refused_with_them(study):
    records, found = planning(study, seeds=str([*range(17)]), steps="[20]")  # more than there are digits
    records.close()
    digit, _ = Counter(run.id[0] for run in found.runs).most_common(1)[0]
    with pytest.raises(NotFound, match=rf"names \d+ runs: {digit}\w+ \(pico-60-20"):
        Store(study.store).run(digit)


def test_the_beginning_of_a_name_is_enough_and_a_whole_name_comes_first(study):
    records, found = planning(study, seeds="[0, 3, 30]", steps="[20, 200]")
    records.close()
    run = {planned.name: planned.id for planned in found.runs}
    words = {"pico-60-20": "pico-60-20", "pico-60-20-s3": "pico-60-20-s3", "pico-60-200-s30": "pico-60-200-s30"}
    words |= {"pico-60-20-s30": "pico-60-20-s30"}
    assert Store(study.store).ids(list(words)) == [run[name] for name in words.values()]
    with pytest.raises(NotFound, match=r"'pico' names 6 runs: .* Give more of the name"):
        Store(study.store).ids(["pico"])
    done = scalectl("exclude", "pico-60-20-s30", "--reason", "a test", "--store", study.store)
    assert done.returncode == 0 and "pico-60-20-s30 is left out" in done.stdout


def test_a_run_is_still_called_what_earlier_versions_called_it(study):
    records, found = planning(
        study, seeds="[0, 3], sweep: {lr: [0.003, 0.01], weight_decay_head: [3, 0]}", steps="[20]"
    )
    records.close()
    run = {planned.name: planned.id for planned in found.runs}
    former = {
        "pico-60-20-s0-lr0.003-weight_decay_head3.0": "pico-60-20",
        "pico-60-20-s3-lr0.01-weight_decay_head0.0": "pico-60-20-s3-lr0.01-hd0",
    }
    assert Store(study.store).ids(list(former)) == [run[name] for name in former.values()]
    for vague in ("pico-60-20-s0", "pico-60-20-s0-lr0.01"):
        with pytest.raises(NotFound, match="runs: "):
            Store(study.store).ids([vague])
    with pytest.raises(NotFound, match="no run"):
        Store(study.store).ids(["pico-60-20-s0-lr0.02-weight_decay_head3.0"])


def test_the_log_has_each_attempt_its_traceback_and_warnings_in_order(study, begun):
    records, found = begun
    records.write(records.start(found.jobs[1], "cpu-0"), [Skipped(20, "/a/20", "checkpoint /a/20 can't be used: torn")])
    text = "\n".join(Store(study.store).logs("pico-60-40"))
    first, second = (job.job.name for job in found.jobs[:2])
    parts = (f"{first}: attempt 1 on", f"{first}: done at step 16", f"{second}: attempt 1 on")
    parts += ("lost (node_lost) at step 20", f"{second}: attempt 2 on")
    places = [text.index(part) for part in parts]
    assert places == sorted(places) and "    OSError: disk on fire" in text and "warning: " in text
    assert "process 4242" in text
    other = "\n".join(Store(study.store).logs("pico-60-20"))
    assert "16 to 32" not in other  # that stretch is none of its


def test_a_log_has_equal_lines_as_often_as_they_are_there(study, begun):
    """Two warnings of one second were one line; while a log is followed each line comes once."""
    records, found = begun
    insert = "INSERT INTO events (at, what, run, text) SELECT '2026-01-01', 'warning', number, ? FROM runs"
    with closing(sqlite3.connect(study.store)) as store, store:
        for text in ("row 7 is damaged", "row 7 is damaged", "row 8 is damaged"):
            store.execute(insert, [text])
    records.close()
    for words in ((), ("--follow",)):
        done = scalectl("logs", found.runs[0].id, *words, "--store", study.store)
        assert done.stdout.count("row 7 is damaged") == 2 and done.stdout.count("row 8 is damaged") == 1
        assert done.stdout.splitlines() == "\n".join(Store(study.store).logs(found.runs[0].id)).splitlines()


def test_a_log_ends_with_the_next_command_for_people(study, begun):
    records, found = begun
    lines = len(Store(study.store).logs("pico-60-20"))
    done = scalectl("logs", "pico-60-20", "--store", study.store)
    assert len(done.stdout.splitlines()) == lines and done.stderr.startswith("Next: scalectl show ")
    records.settle([found.runs[0].id], "failed", "user_error", "disk on fire")
    done = scalectl("logs", found.runs[0].id, "--store", study.store)
    assert done.stderr.startswith(f"Next: scalectl retry {found.runs[0].id}")
    assert scalectl("logs", "pico-60-20", "-o", "csv", "--store", study.store).stderr == ""


def test_following_a_log_ends_with_the_launcher(study, begun):
    begun[0].close()
    done = scalectl("logs", "pico-60-20", "-f", "--store", study.store)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == len(Store(study.store).logs("pico-60-20"))


def test_each_waiting_run_says_what_for(study, begun):
    records, found = begun

    def waits() -> list[str]:
        return [run["waits_for"] for run in Store(study.store).status().to_json()["runs"]]

    assert waits() == ["a slot", "pico-60 trunk 16 to 32, which waits for a slot"]
    attempt = records.start(found.jobs[1], "here")
    assert waits()[1] == "pico-60 trunk 16 to 32, which trains"
    assert "waits for pico-60 trunk 16 to 32, which trains" in status_text(
        Store(study.store).status(), runs=True, width=None
    )
    records.write(attempt, told(found.jobs[1], 16))
    records.start(found.jobs[2], "here")
    assert waits() == ["", "a slot"]
    records.settle([found.runs[1].id], "stopped", reason="limits.max_flops is reached: 1e15 FLOPs")
    assert waits()[1] == "a launch: limits.max_flops is reached: 1e15 FLOPs"
    records.close()
    assert Store(study.store).status().only(["stopped"]).to_json()["runs"][0]["name"] == "pico-60-40"


def test_status_shows_states_and_watches_to_the_end(study, begun):
    records, found = begun
    write(records, found.jobs[2:3])
    records.close()
    done = scalectl("status", "--state", "done", "-w", "--store", study.store)
    assert "pico-60-20" in done.stdout and "pico-60-40" not in done.stdout.split("done: ")[0]
    assert scalectl("status", "--state", "dnoe", "--store", study.store).returncode == 2


@pytest.mark.slow
def test_a_detached_launch_is_followed_and_stopped_from_elsewhere(study):
    study.write(steps="[100000]", checkpoint_every=10**6)
    began = scalectl("launch", study.file, "--here", "-dy")
    assert began.returncode == 0, began.stderr
    held = holder(study.store)
    assert held and f"Process {held.pid} launches" in began.stdout and os.getsid(held.pid) == held.pid
    try:
        (log,) = study.folder.glob("artifacts/launches/*.log")
        assert log.stat().st_mode & 0o777 == 0o600
        second = scalectl("launch", study.file, "--here")
        assert second.returncode == 6 and "scalectl status --watch" in second.stderr
        until(lambda: measured(study))
        assert scalectl("stop", "--all", "--store", study.store).returncode == 0
        until(lambda: holder(study.store) is None)
    finally:
        if holder(study.store):
            os.kill(held.pid, signal.SIGKILL)
    assert "checkpoints are saved" in log.read_text()
    assert rows(study, "SELECT state FROM runs") == ["stopped"]


def test_a_detached_launch_that_fails_says_why(study, begun):
    done = scalectl("launch", study.file, "--here", "--detach")
    assert done.returncode == 6 and "exit code 6" in done.stderr and "is held by" in done.stderr


@pytest.mark.slow
def test_a_detached_launch_that_is_refused_once_its_cluster_is_there_says_why(study):
    done = scalectl("launch", study.write("resources: {default: {type: h100-8}}\n"), "-dy")
    assert done.returncode == 4 and "refused: no slots of type h100-8: the cluster has" in done.stderr, done.stderr
    assert not study.store.exists()


def test_show_and_status_json_are_json(study: Study, begun):
    for command in (["show", begun[1].runs[0].id], ["status"]):
        json.loads(scalectl(*command, "-o", "json", "--store", study.store).stdout)


def test_runs_of_one_name_are_told_apart_by_what_differs(study):
    for batch_size, width in ((16, 8), (8, 16)):
        study.write(steps="[20]")
        file = study.file.read_text().replace("batch_size: 16", f"batch_size: {batch_size}")
        study.file.write_text(file.replace("width: 8", f"width: {width}"))
        with Records(study.store) as records:
            records.plan(plan(read(study.file), known(study.store)), read(study.file))
    with pytest.raises(
        NotFound,
        match=r"'pico-60-20' names 2 runs: .*, width 8, .*, batch_size 16\), .*, width 16, .*, batch_size 8\)\. Give",
    ):
        Store(study.store).run("pico-60-20")
