"""Studies that don't measure upstream/error: what they are compared by, which run is best, and which law they have."""

import pytest
from invoking import command
from told import planned_again, rows, told

from scalectl.analysis.vocabulary import is_accuracy
from scalectl.orchestrator.cli.overview import overview
from scalectl.orchestrator.cli.status import text as status_text
from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.metrics import main_metric
from scalectl.orchestrator.page.document import document, summary
from scalectl.orchestrator.report.conclusion import conclude
from scalectl.orchestrator.report.study import ask
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records

IMPORTED = "model,params,flops,test_error\na,1000,1e9,0.5\nb,2000,2e9,0.4\n"


@pytest.fixture
def measuring(study, monkeypatch):
    """Writes a study of two runs that are done, which measures some upstream metrics alone: .25, then .5."""

    def written(metrics):
        text = study.write(steps="[20, 40]").read_text()
        head, _, _ = text.partition("evals:")
        study.file.write_text(f"{head}evals: {{upstream: {{metrics: [{metrics}]}}}}\n")
        with Records(study.store) as records:
            for value, job in zip([0, 0, 0.25, 0.5], planned_again(study, records).jobs, strict=True):
                records.write(records.start(job, "here"), told(job, value=value))
        return study

    monkeypatch.chdir(study.folder)
    return written


@pytest.mark.parametrize(
    ("names", "main"),
    [
        ([], "upstream/error"),
        (["upstream/precision@1", "upstream/loss", "upstream/error"], "upstream/error"),
        (["upstream/precision@1", "fewshot/digits/5shot/error", "upstream/loss"], "upstream/loss"),
        (["upstream/precision@1", "fewshot/digits/5shot/error"], "fewshot/digits/5shot/error"),
        (["top1", "perplexity"], "perplexity"),
        (["upstream/precision@1"], "upstream/precision@1"),
    ],
)
def test_the_main_metric_falls_where_one_does(names, main):
    assert main_metric(names) == main


def test_accuracies_are_told_by_their_names():
    assert all(map(is_accuracy, ["upstream/precision@1", "acc", "ImageNet top-1", "val accuracy"]))
    assert not any(map(is_accuracy, ["upstream/error", "upstream/loss", "top-1 error", "fewshot/accents/5shot/error"]))
    assert not any(map(is_accuracy, ["acc_loss", "val/top1_loss", "accuracy_gap", "1-acc", "1 - accuracy"]))


def test_the_best_run_has_the_highest_accuracy_on_every_screen(measuring):
    store = Store(measuring("precision@1").store)
    status = store.status()
    assert (status.metric, status.best.value) == ("upstream/precision@1", 0.5)
    assert status.to_json()["best"]["value"] == 0.5
    assert f"best: {status.best.name}  upstream/precision@1 0.5 at" in status_text(status)
    model = next(line for line in overview(status, store.training(), 100, 40) if line.lstrip().startswith("pico "))
    assert model.split()[-1] == "0.5" and " with upstream/precision@1 0.5 at " in "".join(summary(status))
    assert "\nNext: scalectl report" in status_text(status)  # no law is of what rises
    assert "Nothing is missing. Next: scalectl report" in command("plan", "experiments.yaml").stdout


@pytest.mark.parametrize("metrics", ["precision@1, error", "precision@1, loss", "precision@1"])
def test_the_page_says_which_metrics_rise(measuring, metrics):
    whole = document(measuring(metrics).store, thorough=False)
    rising = {metric["name"]: metric["rises"] for metric in whole["metrics"]}
    assert rising == {f"upstream/{name}": name == "precision@1" for name in metrics.split(", ")}


def test_the_main_metric_is_one_that_own_runs_have(measuring):
    """Imported runs, which no screen shows, have others."""
    study = measuring("precision@1")
    (study.folder / "others.csv").write_text(IMPORTED)
    assert command("import", study.folder / "others.csv", "--store", study.store).return_value is Exit.DONE
    assert rows(study, "SELECT name FROM metrics ORDER BY id") == ["upstream/precision@1", "test_error"]
    assert Store(study.store).status().best.value == 0.5


@pytest.mark.parametrize(
    ("metrics", "main"),
    [("precision@1, loss", "loss"), ("loss", "loss"), ("precision@1", "precision@1"), ("precision@1, error", "error")],
)
def test_a_study_without_fits_has_the_law_of_a_metric_that_it_has(measuring, metrics, main):
    """Two runs carry none, and the refusal names the metric."""
    study = measuring(metrics)
    found = command("fit", "--store", study.store)
    why = "rises with" if is_accuracy(main) else "vs flops has"
    assert found.return_value is Exit.REFUSED and found.stderr.startswith(f"refused: upstream/{main} {why}")
    assert "unknown metric" not in "\n".join(conclude(read(study.file)))
    assert command("plot", "frontier", "--store", study.store).return_value is Exit.DONE


def test_imported_runs_have_a_law_of_their_own_metric(study):
    (study.folder / "others.csv").write_text(IMPORTED)
    command("import", study.folder / "others.csv", "--store", study.store)
    assert command("fit", "--store", study.store).stderr.startswith("refused: test_error vs flops has")


def test_a_law_that_the_file_asks_for_is_not_swapped(measuring):
    study = measuring("loss")
    study.file.write_text(study.file.read_text().replace("[loss]", "[loss, error]"))
    study.file.write_text(f"{study.file.read_text()}fits: {{upstream: {{metric: upstream/error}}}}\n")
    with Records(study.store) as records:
        planned_again(study, records)
    assert ask(study.store).on(["upstream/loss"]).fits["upstream"].metric == "upstream/error"
