"""The page of a study: its numbers are those of the commands, and its text is never markup."""

import hashlib
import json
import re
import shlex
import sqlite3
import sys
from base64 import b64decode
from contextlib import closing
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import Study
from runs import METRIC, laptop
from studies_of_pages import CLOSING, MARKUP, imported, named_with_markup, trained
from told import planning, write

from scalectl import analysis
from scalectl.analysis.smoothing import smoothed
from scalectl.analysis.store import metrics
from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.page.curves import carried, curve_documents, spread
from scalectl.orchestrator.page.document import document
from scalectl.orchestrator.page.html import is_page, page
from scalectl.orchestrator.page.library import library
from scalectl.orchestrator.report.fits import training_curves
from scalectl.orchestrator.report.points import all_points
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.segments import Segment

HOLD_OUT = "model == 'mini' and steps == 1600"


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """A store of imported runs with hostile names."""
    return imported(tmp_path_factory.mktemp("others"), named_with_markup(laptop()))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def of_others(others):
    return document(others)


@pytest.fixture(scope="module")
def of_study(study):
    return document(study.store, thorough=False)


def said(*words: object) -> str:
    return CliRunner().invoke(scalectl, [str(word) for word in words], standalone_mode=False).output


def test_every_run_is_there_with_the_numbers_of_the_store(others, of_others):
    points = analysis.read(others).set_index("run")
    runs = of_others["runs"]
    assert sorted(runs["run"]) == sorted(points.index)
    for name in ("model", "steps", "flops", "params", *metrics(points.reset_index())):
        assert runs[name] == points.loc[runs["run"], name].tolist()


def test_the_law_is_that_of_fit_to_the_letter(others, of_others):
    lines = said("fit", "--store", others)
    numbers = json.loads(said("fit", "--store", others, "-o", "json"))
    law = of_others["laws"][0]
    assert (law["metric"], law["x"], law["family"]) == (METRIC, "flops", "")
    assert len(law["parameters"]) == 4
    for letter, name, value, ends, note in law["parameters"]:
        assert f"{letter} {name} {value} {ends} {note}".split() in [line.split() for line in lines.splitlines()]
    for line in law["checks"]:
        assert f"  {line}\n" in lines
    assert law["frontier"] == numbers["frontier"]


def test_the_curve_of_the_law_is_its_prediction(others, of_others):
    fitted = analysis.fit(analysis.read(others), METRIC)
    curve = of_others["laws"][0]["curve"]
    assert curve["y"] == pytest.approx(fitted(np.array(curve["x"])).tolist(), rel=1e-4)
    low, high = fitted.band(np.array(curve["x"]))
    assert curve["low"] == pytest.approx(low.tolist(), rel=1e-4)
    assert curve["high"] == pytest.approx(high.tolist(), rel=1e-4)
    assert curve["x"][-1] == pytest.approx(10 * analysis.read(others)["flops"].max())


def test_the_backtest_is_that_of_fit(others, of_others):
    lines = [line.strip() for line in said("fit", "--backtest", "--store", others).splitlines()]
    (test,) = of_others["backtests"]
    assert test["lines"] and set(test["lines"]) <= set(lines)


def test_a_law_that_the_points_cannot_carry_has_the_reason_of_fit(study, of_study):
    (law,) = of_study["laws"]
    assert law["refusal"] and law["refusal"] in said("fit", "--store", study.store)


def test_families_and_columns_of_compute_are_offered_once_each(of_others):
    keys = [(law["metric"], law["x"], law["family"]) for law in of_others["laws"]]
    assert len(set(keys)) == len(keys)
    assert {(METRIC, "flops", ""), (METRIC, "data_size", ""), (METRIC, "flops", "power")} <= set(keys)


def test_a_family_with_two_names_is_offered_by_its_word(of_others):
    names = [family["name"] for family in of_others["families"]]
    assert {"power", "saturating", "m3", "m4"} <= set(names) and not {"m1", "m2"} & set(names)
    assert {law["family"] for law in of_others["laws"]} <= {"", *names}


def test_states_and_work_are_those_of_status(study, of_study):
    status = json.loads(said("status", "--store", study.store, "-o", "json"))
    states = of_study["runs"]["state"]
    assert {state: states.count(state) for state in set(states)} == {k: n for k, n in status["counts"].items() if n}
    work = re.search(r"\d+ % of \S+ FLOPs", said("status", "--store", study.store))
    assert work[0] in of_study["summary"]
    waiting = [why for why, state in zip(of_study["runs"]["why"], states, strict=True) if state != "done"]
    (run,) = [run for run in status["runs"] if run["state"] != "done"]
    assert waiting == [f"waits for {run['waits_for']}"]


def test_each_trunk_is_drawn_once_and_a_branch_begins_on_it(study, of_study):
    curves, runs = of_study["curves"], of_study["runs"]
    trunks = [curve for curve in curves if not curve["run"]]
    assert [len(curve["runs"]) for curve in trunks] == [3, 3]
    for curve in curves:
        if curve["run"]:
            (trunk,) = [trunk for trunk in trunks if curve["run"] in trunk["runs"]]
            assert trunk["steps"][0] <= curve["steps"][0] <= trunk["steps"][-1]
            assert curve["steps"][-1] == runs["steps"][runs["run"].index(curve["run"])]


def test_curves_are_those_of_plot_curves(study, of_study):
    run = next(curve for curve in of_study["curves"] if curve["run"])
    query = "SELECT step, loss FROM curves WHERE run = ? ORDER BY step"
    with closing(sqlite3.connect(study.store)) as store:
        rows = store.execute(query, [run["run"]]).fetchall()
    steps, losses = np.array(rows, float).T
    means = dict(zip(steps, smoothed(steps, losses), strict=True))
    assert run["losses"] == pytest.approx([means[step] for step in run["steps"]], rel=1e-4)
    assert run["flops_per_step"] > 0 and run["seconds"][-1] > run["seconds"][0]


def test_of_curves_the_columns_are_read_that_are_shown_and_all_for_one_that_they_lack(study):
    points = all_points(study.store)
    assert list(training_curves(study.store, points, "loss", "flops")) == ["run", "step", "loss", "flops"]
    assert {"loss", "mfu"} <= {*training_curves(study.store, points, "nonsense")}


def test_settings_that_differ_are_filters_and_others_are_said_once(of_study, of_others):
    assert [facet["name"] for facet in of_study["facets"]] == ["data_size", "steps", "state"]
    assert of_study["shared"]["optimizer"] == "adafactor" and "cooldown" not in of_study["shared"]
    assert [facet["name"] for facet in of_others["facets"]] == ["model", "data_size", "steps"]
    assert of_others["facets"][0]["values"] == ["<b>nano</b>", "micro", "mini"]


class Elements(HTMLParser):
    """The elements of a page, with the text of scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.addresses = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href", "action", "srcset")]
        self.inside = tag

    def handle_data(self, data):
        if self.tags and self.tags[-1] == "script" and self.inside == "script":
            self.scripts.append(data)
            self.inside = ""


@pytest.fixture(scope="module")
def html(of_others):
    return page({**of_others, "study": MARKUP + CLOSING})


def test_names_with_markup_make_no_element(html):
    elements = Elements(html)
    assert elements.tags.count("script") == 3 and "img" not in elements.tags and "b" not in elements.tags
    data, _, _ = elements.scripts
    assert "<" not in data
    names = json.loads(data)["runs"]["name"]
    assert MARKUP in names and CLOSING in names


def test_only_its_own_scripts_run_and_nothing_is_loaded(html):
    elements = Elements(html)
    (policy,) = [line for line in html.splitlines() if "Content-Security-Policy" in line]
    allowed = {word.strip("'").removeprefix("sha256-") for word in policy.split() if "sha256-" in word}
    hashes = {hashlib.sha256(script.encode()).digest() for script in elements.scripts[1:]}
    assert {b64decode(text.rstrip(";").strip("'")) for text in allowed} == hashes
    assert "default-src 'none'" in policy and "connect-src 'none'" in policy and "unsafe-eval" not in policy
    assert [address for address in elements.addresses if not address.startswith(("#", "data:,"))] == []


def test_a_live_page_may_ask_its_own_server_alone(of_study):
    text = page(of_study, connects=True)
    assert "connect-src 'self'" in text and "connect-src 'none'" not in text


def test_a_secret_of_the_file_is_not_on_the_page(study, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "correct-horse-battery")
    made = trained(tmp_path)
    with closing(sqlite3.connect(made.store)) as store, store:
        store.execute("UPDATE studies SET document = document || '# correct-horse-battery\n# a\u202eb'")
    text = json.dumps(document(made.store, thorough=False))
    assert "correct-horse-battery" not in text and "[HF_TOKEN]" in text
    assert "\\u202e" not in text


def test_the_command_writes_the_page_and_takes_the_place_of_an_earlier_one(study, tmp_path):
    file = tmp_path / "new" / "page.html"
    for _ in range(2):
        done = CliRunner().invoke(scalectl, ["report", "-o", str(file), "--store", str(study.store)])
        assert done.exit_code == 0 and str(file) in done.output and "6 runs" in done.output
    assert file.read_text().startswith("<!doctype html>")
    assert [path.name for path in file.parent.iterdir()] == ["page.html"]


def test_a_page_takes_the_place_of_no_other_file_without_force(study, tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text("name: mine\n")
    words = ["report", "-o", str(file), "--store", str(study.store)]
    with pytest.raises(Refusal, match="is there already and is no page") as refused:
        scalectl.main(words, standalone_mode=False)
    assert refused.value.exit is Exit.REFUSED and file.read_text() == "name: mine\n"
    with pytest.raises(Refusal, match=r"study\.yaml"):
        scalectl.main([*words[:2], str(file / "page.html"), *words[3:]], standalone_mode=False)
    assert scalectl.main([*words, "--force"], standalone_mode=False) is Exit.DONE
    assert is_page(file) and [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


def test_a_store_without_a_measured_run_has_a_page(tmp_path):
    study = Study(tmp_path)
    records, _ = planning(study)
    records.close()
    whole = document(study.store)
    assert whole["runs"]["state"] == ["planned", "planned"] and whole["curves"] == [] and whole["metrics"] == []
    assert page(whole)


def test_points_of_a_long_curve_are_spread_over_its_decades():
    steps = np.arange(1.0, 100_001)
    chosen = steps[spread(steps, 60)]
    assert chosen[0] == 1 and chosen[-1] == 100_000 and 40 < len(chosen) <= 60
    assert all(later > earlier for earlier, later in pairwise(chosen))
    assert (chosen < 1000).sum() > 15  # a third of the decades


def test_without_the_library_it_says_what_to_install_and_writes_nothing(study, tmp_path, monkeypatch):
    library.cache_clear()
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    try:
        words = ["report", "-o", str(tmp_path / "p.html"), "--store", str(study.store)]
        done = CliRunner().invoke(scalectl, words, standalone_mode=False)
    finally:
        library.cache_clear()
    assert done.exception.exit == Exit.NOT_FOUND and "pip install 'scalectl[page]'" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_the_chart_library_is_bundled_once_and_again_where_what_was_kept_is_damaged(tmp_path, monkeypatch):
    whole = library()
    bundled = []

    def bundle(snippet: str) -> str:
        bundled.append(snippet)
        return "made </script> again <!-- here"

    monkeypatch.setattr("vl_convert.javascript_bundle", bundle)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = []
    try:
        for damage in (None, None, "", "// a digest\nanother script", None):
            if damage is not None:
                (kept,) = (tmp_path / "cache" / "scalectl" / "charts").iterdir()
                kept.write_text(damage)
            library.cache_clear()
            made.append(library())
        monkeypatch.setattr("scalectl.orchestrator.page.library._SNIPPET", "another version of scalectl has another")
        library.cache_clear()
        assert library() == made[0] and len(bundled) == 4
        monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")  # where no folder can be
        library.cache_clear()
        assert library() == made[0] and len(bundled) == 5
    finally:
        library.cache_clear()
    assert set(made) == {"made <\\/script> again <\\!-- here"} and whole.count("</script") == whole.count("<!--") == 0


def test_curves_of_more_trunks_than_a_figure_can_carry_are_those_of_some_evenly_apart():
    """With all of 11,000 the figure had 190,000 points, which overflowed the browser's stack."""
    steps, losses, seconds = (1, 10, 100), (2.0, 1.5, 1.0), (0.1, 1.0, 10.0)

    def segment(trunk, run):
        return Segment(trunk, run, (run or f"{trunk}-0",), steps, losses, seconds, 16.0, 1e6, 1)

    many = [segment(trunk, run) for trunk in range(500) for run in ("", *(f"{trunk}-{n}" for n in range(9)))]
    some = carried([curve.trunk for curve in many])
    drawn = list(curve_documents(curve for curve in many if curve.trunk in some))
    trunks = [curve["runs"][0].split("-")[0] for curve in drawn if not curve["run"]]
    assert len(drawn) == 10 * len(trunks) <= 1_250 and len(trunks) > 100
    assert (trunks[0], trunks[-1]) == ("0", "499") and np.ptp(np.diff([int(trunk) for trunk in trunks])) <= 1
    assert len(carried([curve.trunk for curve in many[:1_000]])) == 100


def test_a_cooldown_is_drawn_from_where_it_leaves_its_trunk_though_other_runs_leave_that_soon_after():
    trunk = Segment(1, "", ("a", "b"), (100, 200, 260, 300), (4.0, 3.0, 2.9, 2.8), (1.0, 2.0, 2.6, 3.0), 16.0, 1e6, 260)
    own = Segment(1, "a", ("a",), (300, 400), (2.0, 1.5), (3.0, 4.0), 16.0, 1e6, 200)
    _, drawn = curve_documents([trunk, own])
    assert drawn["steps"] == [200, 300, 400] and drawn["seconds"] == [2.0, 3.0, 4.0]


def test_a_trunk_is_drawn_as_far_as_the_runs_of_the_page_have_it(tmp_path):
    filled = Study(tmp_path)
    records, found = planning(filled, steps="[20, 40]")
    with records:
        write(records, found.jobs)
    short, long = ({run.id} for run in found.runs)
    assert [segment.steps[-1] for segment in Store(filled.store).segments(short)] == [16, 20]
    assert [segment.steps[-1] for segment in Store(filled.store).segments(long)] == [32, 40]


def test_a_page_of_some_runs_has_their_laws_and_curves_alone(study, others, tmp_path):
    chosen = document(study.store, where="data_size == 60", thorough=False)
    points = analysis.read(study.store)
    assert set(chosen["runs"]["run"]) == set(points[points["data_size"] == 60]["run"]) != set(points["run"])
    assert {run for curve in chosen["curves"] for run in curve["runs"]} == set(chosen["runs"]["run"])
    assert chosen["where"] == "data_size == 60" and chosen["summary"][0] == "only runs with data_size == 60"
    words = ["report", "--store", others, "-o", tmp_path / "some.html", "--where"]
    rest = "model != 'mini'"
    told = said(*words, rest)
    assert "some.html written" in told and f"--where {shlex.quote(rest)}" in told
    page = json.loads(re.search(r'id="data">(.*?)</script>', (tmp_path / "some.html").read_text(), re.S)[1])
    chosen = analysis.read(others).query(rest)
    assert page["summary"] == [f"only runs with {rest}", f"{len(chosen)} imported runs"]
    assert page["laws"][0]["frontier"] == analysis.fit(chosen, METRIC).frontier["run"].tolist()
    assert CliRunner().invoke(scalectl, [*map(str, words), "model == 'none'"]).exit_code


def test_a_large_page_says_so_and_what_to_do(others, tmp_path, monkeypatch):
    words = ("report", "--store", others, "-o", tmp_path / "page.html", "--where", "model == 'micro'")
    assert "--where EXPR" not in said(*words)
    monkeypatch.setattr("scalectl.orchestrator.cli.report.LARGE", 1e5)
    assert "--where EXPR writes the page of some of these runs" in said(*words)
