"""A launch that has nothing to train fits and draws anew all the same."""

from studies_of_pages import trained
from test_cli import scalectl
from told import planned, write

from scalectl.orchestrator.store.records import Records

GRID = {"sizes": "[60, 120]", "steps": "[20, 40, 80]"}


def launched(study, law: str) -> tuple[str, bytes]:
    """What a launch with nothing to train says of the law, and the data of its figure."""
    study.write(f"fits:\n  main: {{metric: upstream/error, law: {law}}}\n", **GRID)
    done = scalectl("launch", study.file, "--here")
    assert done.returncode == 0 and "6 of 6 runs done; nothing was missing" in done.stdout, done.stderr
    return done.stdout, (study.folder / "plots" / "small" / "frontier.json").read_bytes()


def test_laws_that_changed_and_runs_that_were_excluded_are_in_the_next_law_and_figure(tmp_path):
    study = trained(tmp_path)
    with Records(study.store) as records:
        write(records, planned(study, **GRID).jobs, value=0.2)
    said, figure = launched(study, "power")
    assert "a law with 2 parameters needs 4" in said
    assert launched(study, "power")[1] == figure
    assert "a law with 3 parameters needs 5" in launched(study, "saturating")[0]
    assert scalectl("exclude", "pico-120-20", "--reason", "a mistake", "--store", study.store).returncode == 0
    said, without = launched(study, "power")
    assert "among 5 runs" in said and without != figure
