"""What a page shows in a real Chromium of studies that are small, steered, or of numbers that few have."""

import shlex
import threading
from collections.abc import Callable

import pandas as pd
import pytest
from conftest import Study
from runs import METRIC, laptop
from studies_of_pages import several, trained
from told import planned, planned_again, write

from scalectl import analysis
from scalectl.orchestrator.experiment.reading import read as read_study
from scalectl.orchestrator.page import live
from scalectl.orchestrator.page.document import document
from scalectl.orchestrator.page.html import page as html
from scalectl.orchestrator.page.live import Feed
from scalectl.orchestrator.page.server import Server
from scalectl.orchestrator.page.writing import write_page
from scalectl.orchestrator.store.imported import read
from scalectl.orchestrator.store.records import Records

pytestmark = pytest.mark.slow

COLUMNS = ["name", "model", "params", "data_size", "steps", "flops"]
Show = Callable[..., object]


@pytest.fixture
def show(browser, tmp_path):
    """Open the page of some runs, which are imported, with what is done to their store before."""
    contexts = []

    def showing(
        runs: pd.DataFrame,
        *more: str,
        change: Callable[[Records, pd.DataFrame], object] | None = None,
        width: int = 1280,
    ):
        runs[[*COLUMNS, *more]].to_csv(tmp_path / "runs.csv", index=False)
        store = tmp_path / "results.db"
        with Records(store) as records:
            records.take_in(read(tmp_path / "runs.csv").runs, "others", "runs.csv")
            if change:
                change(records, runs)
        write_page(tmp_path / "page.html", store)
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}))
        page = contexts[-1].new_page()
        page.goto(f"file://{tmp_path / 'page.html'}")
        page.wait_for_selector("html[data-ready]")
        return page

    yield showing
    for context in contexts:
        context.close()


def points_of(page) -> list[str]:
    """What the points of the frontier are called."""
    points = page.query_selector_all("#frontier-chart [aria-roledescription='point']")
    return [text for text in (point.get_attribute("aria-label") for point in points) if text]


def ringed(page) -> set[str]:
    """The names of the runs of the frontier that have a ring around them."""
    marks = page.query_selector_all("#frontier-chart path[transform]")
    rings = {mark.get_attribute("transform") for mark in marks if mark.get_attribute("stroke-width") == "1.4"}
    labels = [(mark.get_attribute("transform"), mark.get_attribute("aria-label")) for mark in marks]
    return {label.partition(":")[0] for place, label in labels if label and place in rings}


def test_a_study_of_one_model_and_one_data_size_names_them(show):
    """Its grid, its legend and its costs were empty, and its points of an `undefined` model."""
    runs = laptop()
    runs = runs[(runs["model"] == "nano") & (runs["data_size"] == 350)]
    page = show(runs, METRIC)
    assert len(page.query_selector_all("#cells-table button")) == len(runs) == 4
    assert page.inner_text("#cells-table thead").split() == ["model", "350", "images"]
    assert page.inner_text("#legend li") == "nano" == page.inner_text("#cells-table tbody th")
    assert page.inner_text("#cost-tables tbody tr").split("\t")[:3] == ["nano", "4", "4"]
    assert all(label.endswith(", nano") for label in points_of(page))
    assert page.inner_text("#runs-table tbody tr").split("\t")[2:6] == ["nano", "4.3 k", "350", "200"]


def test_a_link_to_a_section_keeps_what_was_chosen(show):
    """It took the filters and the law away."""
    page = show(laptop(), METRIC)
    page.click("#facets button:text-is('mini')")
    page.select_option("#family", "power")
    before = page.evaluate("location.hash")
    for section in ("law", "cost"):
        page.click(f"nav a[href='#{section}']")
        page.wait_for_timeout(200)
        assert page.inner_text("#shown") == "12 of 36 runs" and page.input_value("#family") == "power"
        assert page.evaluate("location.hash") == before and page.evaluate("scrollY") > 0


def test_a_run_that_is_excluded_is_on_no_frontier(show):
    """It was, where the points carry no law."""
    runs = laptop().head(4)
    best = runs.loc[runs[METRIC].idxmin(), "name"]

    def exclude(records: Records, runs: pd.DataFrame) -> None:
        points = analysis.read(records.path)
        records.exclude(points.set_index("name").loc[best, "run"], "copied wrongly")

    page = show(runs, METRIC, change=exclude)
    assert ringed(page) == set(runs["name"]) - {best}


def test_a_run_that_is_held_out_is_on_no_frontier_and_a_star(browser, tmp_path):
    """Where there was no law, it was on the page's own frontier."""
    study = trained(tmp_path)
    found = planned(study, sizes="[60, 120]", steps="[20, 40, 80]")
    study.file.write_text(study.file.read_text() + "fits:\n  all: {metric: upstream/error, hold_out: {steps: 80}}\n")
    with Records(study.store) as records:
        records.plan(found, read_study(study.file))
    write_page(tmp_path / "page.html", study.store)
    page = browser.new_page()
    page.goto(f"file://{tmp_path / 'page.html'}")
    page.wait_for_selector("html[data-ready]")
    assert ringed(page) and not any(name.endswith("-80") for name in ringed(page))
    assert "Stars: runs that are held out." in page.inner_text("#legend")
    page.close()


def test_costs_say_of_which_runs_they_are_while_some_are_not_done(browser, tmp_path):
    """FLOPs of runs that nobody had trained stood beside the time of those that were."""
    study = trained(tmp_path)
    page = browser.new_page()
    heads = []
    for name in ("part", "whole"):
        write_page(tmp_path / f"{name}.html", study.store)
        page.goto(f"file://{tmp_path / f'{name}.html'}")
        page.wait_for_selector("html[data-ready]")
        heads.append(page.inner_text("#cost-tables thead >> nth=0").strip().split("\t")[3:])
        with Records(study.store) as records:
            write(records, planned_again(study, records).jobs)
    page.close()
    assert heads[0] == ["FLOPs of all", "device time of those done", "core-days of those done"]
    assert heads[1] == ["FLOPs", "device time", "core-days"]


def test_a_line_that_averages_laws_is_not_called_that_of_one(show):
    """It was called the law, whose formula stands below, as in no other figure."""
    page = show(laptop(), METRIC)
    assert "Line: laws averaged, dashed beyond the frontier" in page.inner_text("#legend")
    page.select_option("#family", "power")
    assert "Line: the law, dashed beyond the frontier" in page.inner_text("#legend")


def test_amounts_below_1_have_no_prefixes_on_an_axis(show):
    """Two tenths of a second were `200m`, as minutes or millions are, and a millionth of a core-day `1\u00b5`."""
    runs = laptop().assign(core_days=lambda table: 3e-6 * table["flops"] / table["flops"].min())
    page = show(runs, METRIC, "core_days")
    page.select_option("#x", "core_days")
    page.wait_for_selector("#frontier-chart .role-axis-title text:text-is('Training compute (core-days)')")
    texts = [tick.inner_html() for tick in page.query_selector_all("#frontier-chart .role-axis-label text")]
    amounts = [text for text in texts if text and not text.endswith("%")]
    assert "0.00001" in amounts and all(float(text) > 0 for text in amounts)


def test_values_below_0_are_shown_on_a_linear_axis_and_counted_on_a_logarithmic_one(show):
    """They were outside the axes, without a word."""
    runs = laptop().assign(score=lambda table: 0.5 - 3 * table[METRIC])
    below = int((runs["score"] <= 0).sum())
    page = show(runs, "score")
    assert len(points_of(page)) == 36 - below
    assert f"{below} runs at 0 or below: not on a logarithmic y axis" in page.inner_text("#frontier-note")
    page.select_option("#y-scale", "linear")
    page.wait_for_selector("#frontier-chart text:text-is('\u22122')")
    assert len(points_of(page)) == 36 and "logarithmic" not in page.inner_text("#frontier-note")
    drawn = page.query_selector("#frontier-chart svg").bounding_box()
    for point in page.query_selector_all("#frontier-chart [aria-roledescription='point']"):
        box = point.bounding_box()
        assert drawn["y"] <= box["y"] and box["y"] + box["height"] <= drawn["y"] + drawn["height"]


def test_losses_that_hardly_differ_have_ticks_as_in_plot_and_lines_a_legend(browser, tmp_path):
    """Between 0.37 and 0.43 is no number that ticks of a wider axis stand at: the axis had none."""
    data = document(trained(tmp_path).store)
    for curve in data["curves"]:
        curve["losses"] = [0.43 if place == 0 else 0.373 for place in range(len(curve["losses"]))]
    (tmp_path / "page.html").write_text(html(data))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"file://{tmp_path / 'page.html'}")
    page.wait_for_selector("html[data-ready]")
    ticks = page.eval_on_selector_all("#curves-chart svg text", "texts => texts.map((text) => text.textContent)")
    assert {"0.36", "0.38", "0.4", "0.42", "0.44"} <= set(ticks)
    assert page.inner_text("#curves-legend").split("\n") == ["pico", "60 images", "120 images"]
    dashes = [
        line.evaluate("line => line.style.strokeDasharray") for line in page.query_selector_all("#curves-legend path")
    ]
    assert dashes[1:] == ["6, 2", ""]
    page.close()


def test_what_is_said_of_best_sizes_is_a_line_each(browser, tmp_path):
    """Its lines ran into one another."""
    data = document(trained(tmp_path).store)
    row = {"runs": [data["runs"]["run"][0]], "name": "pico-60-20", "y": 0.3}
    budgets = [{"compute": 1e9, "best": [row], "parabola": None, "why": "fewer than 5 sizes"}]
    said = {"refusal": "", "budgets": budgets, "text": "N*(C) = 2 C^0.5   90 % interval 0.4 to 0.6\n  D*(C) = 3 C^0.5"}
    data["isoflops"] = [known | said for known in data["isoflops"]]
    (tmp_path / "page.html").write_text(html(data))
    page = browser.new_page()
    page.goto(f"file://{tmp_path / 'page.html'}")
    page.wait_for_selector("html[data-ready]")
    lines = [line.inner_text() for line in page.query_selector_all("#isoflop-note p")]
    assert lines == ["N*(C) = 2 C^0.5, 90 % interval 0.4 to 0.6", "D*(C) = 3 C^0.5"]
    page.close()


def test_a_number_that_a_browser_would_round_is_a_number_in_the_command(show, tmp_path):
    """It was a text there, and the command an error."""
    page = show(laptop().assign(seed=[2**53 + 1 + 2 * place for place in range(36)]), METRIC, "seed")
    page.click("#cells-table button >> nth=3")
    words = shlex.split(page.input_value("#where"))
    points = analysis.read(tmp_path / "results.db")
    chosen = points[analysis.select(points, words[words.index("--where") + 1])]
    assert chosen["name"].tolist() == [page.inner_text("#card strong")]


def test_a_law_chosen_by_keyboard_keeps_the_focus(show):
    page = show(laptop(), METRIC)
    page.focus("#law-text button:text-is('power')")
    page.keyboard.press("Enter")
    assert page.input_value("#family") == "power"
    assert page.evaluate("document.activeElement.textContent") == "power"


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server of a study of six runs, and what ends it."""
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.1)
    study: Study = trained(tmp_path)
    feed = Feed(study.store)
    server = Server(feed)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()

    def end() -> None:
        feed.close()
        server.shutdown()
        server.server_close()
        thread.join()

    yield server, end
    if thread.is_alive():
        end()


def test_a_page_whose_server_has_ended_goes_on_saying_so(browser, served):
    """A second later the alarm was gone, and half a minute later it said that the launcher hangs."""
    server, end = served
    page = browser.new_page()
    page.goto(server.address)
    page.wait_for_selector("html[data-ready]")
    page.wait_for_selector("#live:text('No launch is running')")
    end()
    page.wait_for_selector("#alarm:text('hears nothing from scalectl serve')")
    page.wait_for_timeout(2_500)
    assert "hears nothing from scalectl serve" in page.inner_text("#alarm") and page.is_visible("#alarm")
    page.close()


def test_tabs_that_nobody_sees_leave_their_connection_to_others(browser, served):
    """A browser has six to a server: the seventh tab stayed empty, and with six none fetched what had changed."""
    server, _ = served
    context = browser.new_context()
    pages = [context.new_page() for _ in range(8)]
    for page in pages:
        page.goto(server.address, timeout=10_000)
        page.wait_for_selector("#live:text('No launch is running')")
        hide(page, hidden=True)
        page.evaluate("document.getElementById('live').textContent = ''")
    hide(pages[0], hidden=False)
    pages[0].wait_for_selector("#live:text('No launch is running')")
    context.close()


def hide(page, *, hidden: bool) -> None:
    """Tell a page that it is not seen, as a browser does when another tab is chosen."""
    page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_more_rows_and_long_commands_serve_a_narrow_screen_and_the_keyboard(show):
    """The focus was lost with the button, and the last lines of a command were hidden."""
    page = show(several(150), METRIC, "seed", width=360)  # a page made narrow later may get no frame for a click
    page.focus("#more")
    page.keyboard.press("Enter")
    assert page.query_selector("#more") is None and len(page.query_selector_all("#runs-table tbody tr")) == 150
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Table of runs"
    page.click("#runs-table .run >> nth=0")
    hidden = "(() => { const box = document.getElementById('where'); return box.scrollHeight - box.clientHeight })()"
    assert page.evaluate(hidden) <= 1
