"""A study goes to another machine as one file: the same runs, nothing runs again, and a zip is never trusted."""

import json
import shutil
import sqlite3
import stat
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import Study
from studies_of_pages import imported, several, trained
from told import everything, planned

from scalectl import analysis
from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.export import bundle as bundling
from scalectl.orchestrator.export import unbundle as unbundling
from scalectl.orchestrator.export.bundle import NotInBundle, bundle
from scalectl.orchestrator.export.home import InvalidBundle
from scalectl.orchestrator.export.unbundle import unbundle
from scalectl.orchestrator.format import command
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.known import known
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.store.snapshot import LAUNCHED


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = trained(tmp_path_factory.mktemp("here"))
    for path in Path(made.folder, "artifacts").rglob("*"):
        if path.is_dir() and path.name.isdigit():
            (path / "params").write_text(path.parent.name)
    with Records(made.store) as records:
        records.note(LAUNCHED, command("launch", "/far/away/grid.yaml", changes=["grid.seeds=[0]"]))
    return made


@pytest.fixture(scope="module")
def packed(study):
    file = study.folder / "study.zip"
    bundle(file, study.store, checkpoints=True)
    return file


def test_a_study_is_the_same_elsewhere_and_nothing_runs_again(study, packed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(scalectl, ["import", str(packed)], standalone_mode=False)
    assert done.return_value == Exit.DONE and done.stdout.startswith("small imported")
    here = Study(tmp_path)
    assert here.file.read_text() == study.file.read_text()
    assert Store(here.store).again() == "scalectl launch experiments.yaml --set 'grid.seeds=[0]'"
    assert analysis.read(here.store).equals(analysis.read(study.store))
    changes = {"sizes": "[60, 120]", "steps": "[20, 40, 80]"}
    before, after = planned(study, **changes), planned(here, **changes)
    assert [run.id for run in after.missing] == [run.id for run in before.missing] and len(after.missing) == 1
    assert [(job.id, job.job.start) for job in after.jobs] == [(job.id, job.job.start) for job in before.jobs]
    moved = {path.replace(str(tmp_path), str(study.folder)) for path, *_ in everything(here)["checkpoints"]}
    assert moved == {path for path, *_ in everything(study)["checkpoints"]}
    for path, *_ in everything(here)["checkpoints"]:
        assert path.startswith(str(tmp_path)) and (Path(path) / "params").is_file()
    assert stat.S_IMODE(here.store.stat().st_mode) == 0o600


def test_a_study_that_extends_a_file_goes_without_that_file(tmp_path, monkeypatch):
    there = trained(tmp_path / "there")
    base = there.file.rename(there.folder / "base.yaml")
    there.file.write_text(f"extends: {base.name}\nname: other\n")
    with Records(there.store) as records:
        records.plan(plan(read(there.file), known(there.store)), read(there.file))
    bundle(there.folder / "study.zip", there.store)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(scalectl, ["import", str(there.folder / "study.zip")], standalone_mode=False)
    assert done.exception is None and done.stdout.startswith("other imported")
    here = read(folder / "experiments.yaml")
    assert here.name == "other" and len(here.cells) == len(read(there.file).cells)
    assert [run.name for run in plan(here, known(folder / "results.db")).missing] == ["pico-120-80"]  # as there


def test_a_store_of_an_earlier_version_that_kept_an_extending_yaml_is_made_whole_or_refused(tmp_path):
    """It had no bundle until its study was launched again, and the reason was a file in a temporary folder."""
    there = trained(tmp_path / "there")
    base = there.file.rename(there.folder / "base.yaml")
    there.file.write_text(f"extends: {base.name}\nname: other\n")
    with Records(there.store) as records:
        records.plan(plan(read(there.file), known(there.store)), read(there.file))
        records.note(LAUNCHED, command("launch", there.file))
    whole = Store(there.store).provenance("other", ()).file
    with closing(sqlite3.connect(there.store)) as store, store:
        store.execute("UPDATE studies SET document = ? WHERE name = 'other'", (there.file.read_text(),))
    bundle(there.folder / "study.zip", there.store, "other")
    with zipfile.ZipFile(there.folder / "study.zip") as archive:
        assert archive.read("experiments.yaml").decode() == whole
    as_launched = base.read_text()
    base.write_text(as_launched.replace("60", "61"))  # which the file above doesn't tell
    with pytest.raises(NotInBundle, match=r"the YAML of other extends base\.yaml"):
        bundle(there.folder / "more.zip", there.store, "other")
    base.write_text(as_launched)
    there.file.write_text("extends: base.yaml\nname: another\n")
    with pytest.raises(NotInBundle, match=r"extends base\.yaml, .*scalectl launch \S*experiments\.yaml writes"):
        bundle(there.folder / "more.zip", there.store, "other")
    assert not (there.folder / "more.zip").exists()


def test_a_bundle_has_what_people_look_at(packed):
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        assert {"bundle.json", "experiments.yaml", "results.db", "environment.txt", "report.html"} <= names
        assert "jax==" in archive.read("environment.txt").decode()


def test_the_page_of_a_bundle_names_the_store_beside_it(packed):
    """It named the copy in a temporary folder that it was made of, in all of its commands."""
    with zipfile.ZipFile(packed) as archive:
        page = archive.read("report.html").decode()
    assert '"store":"results.db"' in page.replace('": "', '":"') and ".study.zip-" not in page


def test_without_checkpoints_none_come_along_and_the_same_bundle_has_the_same_bytes(study, tmp_path):
    for name in ("one.zip", "two.zip"):
        bundle(tmp_path / name, study.store)
    with zipfile.ZipFile(tmp_path / "one.zip") as one:
        assert not [name for name in one.namelist() if name.startswith("checkpoints/")]
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_checkpoint_that_a_launch_removes_meanwhile_stays_out_whole(study, tmp_path, monkeypatch):
    """A launch keeps the newest two of a job: others go while a bundle is written."""
    folder = tmp_path / "here"
    shutil.copytree(study.folder, folder, ignore=shutil.ignore_patterns("*.zip"))
    records = Records(folder / "results.db")
    with records, closing(sqlite3.connect(folder / "results.db")) as connection, connection:
        connection.execute("UPDATE checkpoints SET path = replace(path, ?, ?)", (f"{study.folder}/", f"{folder}/"))
        connection.execute("UPDATE jobs SET folder = replace(folder, ?, ?)", (f"{study.folder}/", f"{folder}/"))
    going = sorted(Path(folder, "artifacts").rglob("params"))[0]
    monkeypatch.setattr(bundling, "_environment", lambda: shutil.rmtree(going.parent) or "")
    bundle(folder / "all.zip", folder / "results.db", checkpoints=True)
    monkeypatch.chdir(tmp_path)
    there = tmp_path / "there"
    done = unbundle(folder / "all.zip", there)
    paths = [path for path, *_ in everything(Study(there))["checkpoints"]]
    assert str(there / going.parent.relative_to(folder)) not in paths and done.store.exists()
    assert len(paths) == len(everything(Study(folder))["checkpoints"]) - 1
    assert all(Path(path, "params").exists() for path in paths)


def test_figures_with_names_that_not_every_machine_can_have_stay_behind(study, tmp_path):
    plots = study.folder / "plots" / "small"
    names = ("fit:v2.png", "FRONTIER.png", "frontier.png")
    plots.mkdir(parents=True)
    for name in names:
        (plots / name).write_text("a figure")
    file = tmp_path / "study.zip"
    done = CliRunner().invoke(scalectl, ["export", "--bundle", str(file), "--store", str(study.store)])
    shutil.rmtree(study.folder / "plots")
    assert "Left out, as not every machine can have their names: fit:v2.png, frontier.png." in done.output
    unbundle(file, tmp_path / "there")
    assert [path.name for path in (tmp_path / "there").rglob("plots/*/*")] == ["FRONTIER.png"]


def test_checkpoints_that_did_not_come_along_are_not_said_to_be_there(study, tmp_path, monkeypatch):
    """An imported store counted all checkpoints of the other machine, and `db check` missed each of them."""
    bundle(tmp_path / "study.zip", study.store)
    before = analysis.read(study.store)
    monkeypatch.chdir(tmp_path)
    unbundle(tmp_path / "study.zip", Path())
    assert Store("results.db").status().checkpoints == 0
    checked = CliRunner().invoke(scalectl, ["db", "check"])
    assert checked.exit_code == 0 and "missing" not in checked.output and "is there" not in checked.output
    assert analysis.read("results.db").equals(before)


def test_nothing_is_overwritten(study, packed, tmp_path):
    with pytest.raises(Refusal, match="is there already"):
        bundle(packed, study.store)
    for name in ("experiments.yaml", "results.db"):
        folder = tmp_path / name.replace(".", "")
        folder.mkdir()
        (folder / name).write_text("mine")
        with pytest.raises(Refusal, match="is there already"):
            unbundle(packed, folder)
        assert [(path.name, path.read_text()) for path in folder.iterdir()] == [(name, "mine")]


def test_a_folder_that_has_the_very_yaml_under_another_name_keeps_that_alone(study, packed, tmp_path, monkeypatch):
    """A repository has study.yaml and a bundle: there were two files of one study, and the new one was named."""
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile(packed) as archive:
        Path("study.yaml").write_bytes(archive.read("experiments.yaml"))
    Path("other.yaml").write_text("name: other\n")
    told = CliRunner().invoke(scalectl, ["import", str(packed)], catch_exceptions=False)
    assert told.exit_code == 0 and "scalectl launch study.yaml" in told.output
    assert sorted(path.name for path in tmp_path.glob("*.yaml")) == ["other.yaml", "study.yaml"]
    assert len(analysis.read("results.db")) == len(analysis.read(study.store))


def test_a_bundle_takes_the_place_of_one_that_is_there_where_that_is_asked_for(study, tmp_path):
    """--force was taken, and the bundle refused all the same."""
    file = tmp_path / "study.zip"
    words = ["export", "--store", str(study.store), "--bundle", str(file)]
    file.write_text("an older one")
    assert "--force" in str(CliRunner().invoke(scalectl, words).exception) and file.read_text() == "an older one"
    assert CliRunner().invoke(scalectl, [*words, "--force"]).exit_code == 0
    assert zipfile.is_zipfile(file)
    folder = ["export", "--store", str(study.store), "--to", "csv", str(tmp_path / "tables"), "--force"]
    assert CliRunner().invoke(scalectl, folder).exit_code == 2


def test_an_imported_study_has_nothing_to_go_on_with(tmp_path):
    store = imported(tmp_path, several(9))
    with pytest.raises(Refusal, match="imported from a table"):
        bundle(tmp_path / "study.zip", store)
    assert not (tmp_path / "study.zip").exists()


def changed(packed: Path, file: Path, **texts: str) -> Path:
    """A bundle with other texts for some of its members, and with more members."""
    with zipfile.ZipFile(packed) as whole, zipfile.ZipFile(file, "w") as archive:
        for name in whole.namelist():
            if name not in texts:
                archive.writestr(name, whole.read(name))
        for name, text in texts.items():
            archive.writestr(name, text)
    return file


@pytest.mark.parametrize(
    "name", ["../beside", "/absolute", "plots/../../up", "plots//x", "plots\\x", "C:x", "other", "other/x", "plots/"]
)
def test_a_member_that_no_bundle_has_is_refused(packed, tmp_path, name):
    with pytest.raises(InvalidBundle, match="Nothing was imported"):
        unbundle(changed(packed, tmp_path / "b.zip", **{name: "harmless"}), tmp_path / "here")
    assert [path.name for path in tmp_path.iterdir()] == ["b.zip"]


def test_a_link_is_refused(packed, tmp_path):
    link = zipfile.ZipInfo("plots/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    changed(packed, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "a") as archive:
        archive.writestr(link, "frontier.png")
    with pytest.raises(InvalidBundle, match="no plain file"):
        unbundle(tmp_path / "b.zip", tmp_path / "here")


@pytest.mark.parametrize("key", ["store", "artifacts"])
def test_a_yaml_that_leads_out_of_the_folder_is_refused(study, packed, tmp_path, key):
    text = study.file.read_text().replace(f"{key}: ", f"{key}: ../elsewhere/")
    with pytest.raises(InvalidBundle, match="outside of"):
        unbundle(changed(packed, tmp_path / "b.zip", **{"experiments.yaml": text}), tmp_path / "here")
    assert not (tmp_path / "elsewhere").exists() and not list((tmp_path / "here").iterdir())


def test_a_bundle_that_no_import_takes_says_so_where_it_is_made(study, tmp_path):
    file, said = tmp_path / "study.zip", "no import takes it: its YAML has /scratch/kept"
    copy = tmp_path / "copy.db"
    shutil.copy(study.store, copy)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE studies SET document = replace(document, './artifacts', '/scratch/kept')")
    for words, warned in (((), False), (("--checkpoints",), True)):
        words = ["export", "--bundle", str(file), "--force", "--store", str(copy), *words]
        assert (said in CliRunner().invoke(scalectl, words).output) is warned


def test_what_a_launch_would_call_is_told(study, packed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = study.file.read_text() + "notify: ./tell.sh done\n"
    changed(packed, tmp_path / "b.zip", **{"experiments.yaml": text})
    done = CliRunner().invoke(scalectl, ["import", "b.zip"], standalone_mode=False)
    assert done.return_value == Exit.DONE and "calls ./tell.sh done on this machine: notify" in done.stderr


def test_bounds_are_kept(packed, tmp_path, monkeypatch):
    for name, bound in (("MAX_MEMBERS", 3), ("MAX_BYTES", 1000), ("MAX_TEXT", 10)):
        with monkeypatch.context() as patch:
            patch.setattr(unbundling, name, bound)
            with pytest.raises(InvalidBundle):
                unbundle(packed, tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_what_is_no_bundle_is_named(packed, tmp_path):
    (tmp_path / "b.zip").write_text("no zip")
    with pytest.raises(InvalidBundle, match="no bundle"):
        unbundle(tmp_path / "b.zip", tmp_path / "here")
    later = json.dumps({"layout": 99, "artifacts": "x"})
    with pytest.raises(InvalidBundle, match="layout 99"):
        unbundle(changed(packed, tmp_path / "c.zip", **{"bundle.json": later}), tmp_path / "here")
    with pytest.raises(Refusal, match="not a store"):
        unbundle(changed(packed, tmp_path / "d.zip", **{"results.db": "no store"}), tmp_path / "here")
