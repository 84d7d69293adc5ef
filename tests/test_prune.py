"""A study cut down to its file: what goes, what never goes, and who may not be disturbed."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from told import checkpoint, planning, progress, rows, started, told, write

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch.pruning import prune, surplus
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.known import known
from scalectl.orchestrator.store.lock import Lock, Locked
from scalectl.orchestrator.store.reading import Store


@pytest.fixture
def grown(study):
    """A study with two sizes and three budgets, all done, each job with a spare before its last checkpoint."""
    records, found = planning(study, sizes="[60, 120]", steps="[20, 40, 80]")
    with records:
        for job in found.jobs:
            *events, end = told(job)
            events.insert(1, checkpoint(job, job.job.stop - 1, kept=False))
            records.write(records.start(job, "here"), [*events, end])
            (Path(job.job.folder) / str(job.job.stop) / "weights").write_bytes(bytes(370))
    return study


def on_disk(study) -> set[str]:
    return {
        str(path.relative_to(study.folder)) for path in study.folder.glob("artifacts/*/*/**") if path.name.isdigit()
    }


def kept(study) -> set[str]:
    """The folders of the checkpoints that the store knows."""
    return {str(Path(path).relative_to(study.folder.resolve())) for path in rows(study, "SELECT path FROM checkpoints")}


def said(study, *words: str):
    return CliRunner().invoke(scalectl, ["prune", str(study.file), *words])


def test_a_launch_of_another_file_takes_nothing_away_and_prune_does(grown):
    planning(grown, sizes="[60]", steps="[20, 40]")[0].close()
    assert len(Store(grown.store).study().runs) == 6
    before = rows(grown, "SELECT * FROM measurements"), rows(grown, "SELECT * FROM progress")
    assert said(grown, "--yes").exit_code == 0
    assert len(Store(grown.store).study().runs) == 2
    assert (rows(grown, "SELECT * FROM measurements"), rows(grown, "SELECT * FROM progress")) == before
    assert rows(grown, "SELECT count(*) FROM points WHERE state = 'done'") == [6]


def test_what_was_pruned_comes_back_with_its_file_and_is_not_trained_again(grown):
    grown.write(sizes="[60]", steps="[20]")
    prune(read(grown.file), lambda found: True)
    records, again = planning(grown, sizes="[60, 120]", steps="[20, 40, 80]")
    records.close()
    assert not again.missing and len(Store(grown.store).study().runs) == 6


def test_ends_and_branch_points_of_what_stays_are_kept_and_all_else_goes(grown):
    grown.write(sizes="[60]", steps="[20, 40]")
    prune(read(grown.file), lambda found: True)
    assert kept(grown) == {path for path in kept(grown) if (grown.folder / path).is_dir()}
    stay = {run.id: run.spec for run in plan(read(grown.file)).runs}
    (trunk,) = {run.trunk for run in plan(read(grown.file)).runs}
    ends = {f"artifacts/runs/{run}/{spec.steps}" for run, spec in stay.items()}
    branches = {f"artifacts/trunks/{trunk}/{spec.branch}/{spec.branch}" for spec in stay.values()}
    assert kept(grown) == ends | branches
    longer = plan(read(grown.write(sizes="[60]", steps="[20, 40, 160]")), known(grown.store))
    assert [(job.job.start, job.job.stop) for job in longer.jobs] == [(32, 128), (128, 160)]


def test_what_an_unfinished_run_goes_on_from_stays(study):
    records, found = planning(study, steps="[20, 40, 80]")
    stretches = [job for job in found.jobs if not job.is_cooldown]
    with records:
        write(records, stretches[:1])
        attempt = records.start(stretches[1], "here")
        records.write(attempt, [started(16), progress(20), checkpoint(stretches[1], 20, kept=False)])
    study.write(steps="[80]")
    assert not surplus(read(study.file)).checkpoints and len(surplus(read(study.file)).runs) == 2


def test_a_run_that_another_study_has_keeps_everything(grown):
    text = grown.file.read_text()
    grown.file.write_text(text.replace("name: small", "name: other"))
    experiment = read(grown.file)
    genuine, grown.write = grown.write, lambda **_: grown.file
    planning(grown)[0].close()
    grown.write = genuine
    grown.write(sizes="[60]", steps="[20]")
    found, _ = prune(read(grown.file), lambda found: True)
    assert len(found.runs) == 5 and {surplus.reason for surplus in found.checkpoints} == {"spare of a finished job"}
    assert (
        len(Store(grown.store).study("other").runs) == len(experiment.cells)
        and Store(grown.store).status().unlisted == 0
    )


def test_a_look_shows_runs_and_sizes_and_changes_nothing(grown):
    grown.write(sizes="[60]", steps="[20, 40]")
    before = grown.store.read_bytes(), on_disk(grown)
    shown = said(grown, "--dry-run")
    assert shown.exit_code == 0 and "4 runs to leave the study; measurements stay" in shown.output
    assert "pico-120-80 " in shown.output and "not in the file" in shown.output and "kB" in shown.output
    assert "Nothing was removed. Next: scalectl prune" in shown.output
    assert (grown.store.read_bytes(), on_disk(grown)) == before


def test_a_look_that_finds_nothing_proposes_no_prune(grown):
    assert said(grown, "--yes").exit_code == 0  # the spares
    shown = said(grown, "--dry-run")
    assert shown.exit_code == 0 and "has no run that" in shown.output
    assert "Nothing was removed. Next: scalectl status" in shown.output


def test_nothing_goes_without_a_yes(grown):
    grown.write(sizes="[60]", steps="[20]")
    before = rows(grown, "SELECT * FROM members"), on_disk(grown)
    refused = said(grown)
    assert isinstance(refused.exception, Refusal) and "--yes" in str(refused.exception)
    with pytest.raises(Refusal, match="Nothing was removed"):
        prune(read(grown.file), lambda found: False)
    assert (rows(grown, "SELECT * FROM members"), on_disk(grown)) == before


@pytest.mark.parametrize("where", ["results.db", "artifacts"])
def test_nothing_goes_while_a_launch_works_there(grown, where):
    grown.write(sizes="[60]", steps="[20]")
    before = on_disk(grown)
    lock = Lock(grown.folder / where)
    with pytest.raises(Locked):
        prune(read(grown.file), lambda found: True)
    lock.release()
    assert on_disk(grown) == before and len(Store(grown.store).study().runs) == 6


def test_only_checkpoints_inside_the_artifacts_are_ever_removed(grown, tmp_path):
    """Paths of a store that somebody sent, and links, lead nowhere else."""
    import sqlite3

    others = tmp_path / "others" / "20"
    others.mkdir(parents=True)
    (others / "thesis").write_text("mine")
    linked = rows(grown, "SELECT path FROM checkpoints WHERE step = 79")[0]
    shutil.rmtree(linked)
    Path(linked).symlink_to(others)
    paths = [str(others), str(grown.folder / "artifacts"), f"{grown.folder}/artifacts/../others/20", str(grown.folder)]
    with closing(sqlite3.connect(grown.store)) as store, store:
        for number, path in enumerate(paths):
            store.execute("UPDATE checkpoints SET path = ?, step = 20 WHERE rowid = ?", (path, number + 1))
    grown.write(sizes="[60]", steps="[20]")
    _, left = prune(read(grown.file), lambda found: True)
    assert (others / "thesis").read_text() == "mine" and (grown.folder / "artifacts").is_dir()
    assert len(left) == 1 and linked in left[0]


def test_a_store_that_is_not_there_and_a_study_that_it_lacks_are_said(study, grown):
    grown.file.write_text(grown.file.read_text().replace("name: small", "name: none"))
    missing = said(grown, "--yes")
    assert isinstance(missing.exception, Refusal) and "no study 'none' to prune; it has small" in str(missing.exception)
    grown.store.unlink()
    assert "there is no store here" in str(said(grown, "--yes").exception) and not grown.store.exists()


def test_where_nothing_is_left_to_go_it_says_so(grown):
    said(grown, "--yes")
    again = said(grown, "--yes")
    assert again.exit_code == 0 and "has no run that experiments.yaml lacks" in again.output
