"""Options as an earlier version spelled them: they still do what they did, and say the spelling of today in a line."""

import click
import pytest
from click.testing import CliRunner
from invoking import command
from runs import laptop

from scalectl.orchestrator.cli.options import Former

METRIC = "upstream/error"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("former")
    runs = laptop()[["model", "data_size", "steps", "params", "flops", METRIC]]
    runs.assign(device_seconds=1e-9 * runs["flops"]).to_csv(folder / "runs.csv", index=False)
    done = command("import", str(folder / "runs.csv"), "--store", str(folder / "results.db"))
    assert done.exit_code == 0, done.exception
    return str(folder / "results.db")


@pytest.mark.parametrize(
    ("verb", "former", "today"),
    [
        ("fit", "--compute device_seconds", "--x device_seconds"),
        ("fit", "--by data_size", "--per data_size"),
        ("predict --error 0.3", "--by device_seconds", "--x device_seconds"),
    ],
)
def test_a_former_spelling_answers_the_same_with_a_note(store, verb, former, today):
    words = [*verb.split(), "--store", store, "--law", "power", "-o", "json"]
    old, new = command(*words, *former.split()), command(*words, *today.split())
    assert new.stderr == "" and new.stdout and old.stdout == new.stdout
    spelling, now = former.split()[0], today.split()[0]
    assert old.stderr == f"{spelling} is now {now} here: write {today}.\n"
    assert old.return_value == new.return_value == 0


@pytest.mark.slow
def test_figures_take_the_former_spelling_too(store, tmp_path):
    drawn = command("plot", "frontier", "--store", store, "--compute", "device_seconds", "-o", str(tmp_path / "F.png"))
    assert drawn.return_value == 0 and drawn.stderr == "--compute is now --x here: write --x device_seconds.\n"
    assert "--x device_seconds" in drawn.stdout  # of the next command


def test_an_amount_of_compute_is_no_former_spelling(store):
    done = command("predict", "--store", store, "--compute", "1e12", "--law", "power")
    assert done.return_value == 0 and done.stderr == ""


@pytest.fixture
def toy() -> click.Command:
    @click.command()
    @click.option("--per", type=click.Choice(["model", "data"]))
    @click.option("--by", cls=Former, now="--per")
    def say(per: str | None) -> None:
        click.echo(f"per {per}")

    return say


@pytest.mark.parametrize("words", [["--by", "model", "--per", "data"], ["--per", "data", "--by", "data"]])
def test_both_spellings_at_once_are_a_wrong_word(toy, words):
    done = CliRunner().invoke(toy, words)
    assert done.exit_code == 2 and "--by is now --per here: give --per alone." in done.stderr


def test_a_wrong_value_is_refused_in_the_words_of_today(toy):
    done = CliRunner().invoke(toy, ["--by", "colour"])
    assert done.exit_code == 2 and "Invalid value for '--per'" in done.stderr


def test_help_shows_the_spelling_of_today_alone(toy):
    text = CliRunner().invoke(toy, ["--help"]).stdout
    assert "--per" in text and "--by" not in text


def test_without_either_nothing_is_said(toy):
    done = CliRunner().invoke(toy, [])
    assert (done.stdout, done.stderr) == ("per None\n", "")
