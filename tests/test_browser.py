"""The page in a real Chromium, which has to be installed: apt-get install chromium, and the group `browser` of uv."""

import csv
import io
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import Study
from runs import METRIC, laptop
from studies_of_pages import CLOSING, MARKUP, imported, named_with_markup, several
from told import planning

from scalectl import analysis
from scalectl.analysis.drawing.colours import contrast
from scalectl.orchestrator.format import share
from scalectl.orchestrator.page import html as pages
from scalectl.orchestrator.page.document import document
from scalectl.orchestrator.page.html import page as html
from scalectl.orchestrator.page.writing import write_page
from scalectl.orchestrator.store.imported import read
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.store.snapshot import LAUNCHED

pytestmark = pytest.mark.slow

RUNS = 300
PATIENCE = 200_000  # milliseconds, on a machine that does other things
MOST_BYTES = 2_000_000
FEW = "#only.model=%5B%22mini%22%5D&only.data_size=%5B350%5D"  # an address that shows a ninth of them
POINTS = "#frontier-chart [aria-roledescription='point']"
STUDY = """\
version: 1
name: followed
models:
  pico: {width: 8, depth: 1, num_heads: 2, patch_size: 4}
  nano: {width: 16, depth: 1, num_heads: 2, patch_size: 4}
data: {source: digits, sizes: [700]}
train: {batch_size: 32, optimizer: {name: adafactor, lr: 5e-3}, schedule: {warmup: 4, timescale: 10}}
budgets: {steps: [20, 40, 80, 160, 320]}
evals: {upstream: {metrics: [error]}}
fits: {power: {metric: upstream/error, law: power}}
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of 300 runs, two of which have markup as their names; one is excluded for a reason with markup."""
    folder = tmp_path_factory.mktemp("many")
    path = imported(folder, named_with_markup(several(RUNS)))
    points = analysis.read(path)
    with Records(path) as records:
        records.exclude(points["run"].iloc[7], "a spike <i>late</i>")
        records.note(LAUNCHED, "scalectl launch")
    return path


@pytest.fixture(scope="module")
def file(store):
    """The page of the store."""
    path = store.with_name("page.html")
    assert write_page(path, store).size < MOST_BYTES
    return path


@pytest.fixture
def opened(browser, file):
    """Open the page with some settings of the browser; what it asked for and said is in `page.heard`."""
    contexts = []

    def opening(width: int = 1280, address: str = "", **settings: Any):
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        listen(page)
        page.goto(f"file://{file}{address}")
        page.wait_for_selector("html[data-ready]")
        page.heard = [text for text in page.heard if not text.startswith((f"file://{file}", "data:,"))]
        return page

    yield opening
    for context in contexts:
        context.close()


def listen(page) -> None:
    """Keep what a page asks of others, and what its console says, as `page.heard`."""
    page.heard = []
    page.on("request", lambda request: page.heard.append(request.url))
    page.on("console", lambda message: page.heard.append(message.text))
    page.on("pageerror", lambda error: page.heard.append(str(error)))
    page.on("dialog", lambda dialog: page.heard.append(dialog.message))


def names_of(page) -> list[str]:
    """The texts of the points of the frontier for those who hear them."""
    return [text for text in (point.get_attribute("aria-label") for point in page.query_selector_all(POINTS)) if text]


def test_it_opens_from_disk_in_silence_with_a_point_for_each_run(opened, store):
    page = opened()
    points = analysis.read(store)
    labels = names_of(page)
    assert len(labels) == points[METRIC].notna().sum() == RUNS
    assert sum(label.startswith("micro-") or "micro" in label for label in labels) == (points["model"] == "micro").sum()
    assert page.heard == []
    for chart in ("frontier", "model", "data"):
        assert page.get_attribute(f"#{chart}-chart [role='graphics-document']", "aria-label")


def test_shares_are_told_as_on_the_command_line(opened):
    shares = [0.0, 1e-12, 1e-5, 0.0006, 0.042, 0.46, 0.994, 0.9951, 0.99996, 1 - 1e-12, 1.0]
    script = (Path(pages.__file__).parent / "static" / "format.js").read_text()
    assert opened().evaluate(f"() => {{ {script}; return {shares}.map(share) }}") == [share(part) for part in shares]


def test_the_frontier_of_an_accuracy_is_of_the_highest(browser, tmp_path):
    """Its rings, and the best run of each size, were the lowest."""
    runs = laptop()[::3].assign(accuracy=lambda table: 1 - table[METRIC])
    runs["flops"] *= 1 + 0.01 * runs.index  # no two are equal
    page = page_of(runs[["name", "model", "params", "data_size", "flops", "accuracy"]], browser, tmp_path)
    rising = runs.sort_values("flops")
    rising = rising[rising["accuracy"] > rising["accuracy"].cummax().shift(fill_value=0.0)]
    assert ringed(page, "frontier") == set(rising["name"])
    assert ringed(page, "model") == set(runs.loc[runs.groupby("params")["accuracy"].idxmax(), "name"])


def test_the_best_of_each_size_is_one_of_the_means_of_seeds(browser, tmp_path):
    """The luckiest of its seeds had a size seem better than the law has it."""
    runs = laptop()[::3]
    seeds = [runs.assign(seed=seed, name=runs["name"] + f"-s{seed}") for seed in (0, 1)]
    for seed, luck in zip(seeds, (1.8, 0.3), strict=True):
        seed.loc[seed["steps"] == 200, METRIC] *= luck
    both = pd.concat(seeds, ignore_index=True)
    columns = ["name", "model", "params", "data_size", "steps", "flops", "seed", METRIC]
    page = page_of(both[columns], browser, tmp_path)
    means = both.groupby(["params", "flops"])[METRIC].mean().reset_index()
    best = means.loc[means.groupby("params")[METRIC].idxmin()]
    assert ringed(page, "model") == set(both.loc[both["flops"].isin(best["flops"]), "name"])


def page_of(runs: pd.DataFrame, browser, folder: Path):
    """The page of runs that were imported as a table, opened from disk."""
    runs.to_csv(folder / "runs.csv", index=False)
    with Records(folder / "results.db") as records:
        records.take_in(read(folder / "runs.csv").runs, "others", "runs.csv")
    write_page(folder / "page.html", folder / "results.db")
    page = browser.new_page()
    page.goto(f"file://{folder / 'page.html'}")
    page.wait_for_selector("html[data-ready]")
    return page


def ringed(page, chart: str) -> set[str]:
    """The names of the runs of a chart that have a ring around them."""
    marks = page.query_selector_all(f"#{chart}-chart path[transform]")
    rings = {mark.get_attribute("transform") for mark in marks if mark.get_attribute("stroke-width") == "1.4"}
    labels = [(mark.get_attribute("transform"), mark.get_attribute("aria-label")) for mark in marks]
    return {label.partition(":")[0] for place, label in labels if label and place in rings}


def test_before_a_run_has_ended_it_says_so_and_names_no_metric(browser, tmp_path):
    study = Study(tmp_path)
    planning(study)[0].close()
    path = tmp_path / "planned.html"
    path.write_text(html(document(study.store)))
    page = browser.new_page()
    page.goto(f"file://{path}")
    page.wait_for_selector("html[data-ready]")
    assert page.inner_text("#frontier-chart") == page.inner_text("#law-text") == "No run is measured yet."
    assert "has and" not in page.inner_text("body")
    assert "--metric" not in page.input_value("#where")
    page.close()


def test_a_page_of_more_runs_than_svg_is_for_has_them_all_on_a_canvas(browser, tmp_path):
    """Filters, the table and the grid work as ever; cells of more than a hundred runs are folded."""
    many = 1_200
    path = tmp_path / "many.html"
    write_page(path, imported(tmp_path, several(many)))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    listen(page)
    page.goto(f"file://{path}")
    page.wait_for_selector("html[data-ready]")
    assert page.query_selector("#frontier-chart canvas") and not page.query_selector(POINTS)
    assert page.inner_text("#shown") == f"{many:,} runs" and "of 1,100" in page.inner_text("#more")
    cells = page.query_selector_all("#cells-table summary")
    counts = [int(cell.inner_text().split()[0]) for cell in cells]
    assert len(cells) == 9 and min(counts) > 100 and sum(counts) == many
    assert page.query_selector("#cells-table button") is None
    cells[0].click()
    page.wait_for_selector("#cells-table details[open] button")
    assert len(page.query_selector_all("#cells-table button")) == counts[0]
    page.click("#facets [data-facet='model'] >> nth=0")
    shown = int(page.inner_text("#shown").split()[0])
    assert shown == sum(counts[:3]) and len(page.query_selector_all("#cells-table button")) == counts[0]
    lit = "(() => { const c = document.querySelector('#frontier-chart canvas'); const d = c.getContext('2d')"
    assert page.evaluate(f"{lit}.getImageData(0, 0, c.width, c.height).data; return d.some((v) => v > 0) }})()")
    assert [text for text in page.heard if not text.startswith(("file://", "data:,"))] == []
    page.close()


def test_names_with_markup_are_text_and_run_nothing(opened):
    page = opened()
    assert page.title() == "others"
    table = page.inner_text("#runs-table")
    assert MARKUP in table and CLOSING in table and "a spike <i>late</i>" in table
    page.click("#runs-table .run >> nth=0")
    assert page.inner_text("#card strong") == MARKUP
    page.evaluate("document.getElementById('frontier').scrollIntoView()")
    page.wait_for_timeout(300)  # a card is taken away when the page is scrolled
    page.hover(f"{POINTS} >> nth=-1", force=True)
    page.wait_for_selector("#tip:not([hidden])")
    assert page.inner_text("#tip strong").startswith("run-")
    assert page.query_selector_all("img, #facets b, #runs-table i, #card b") == []
    assert page.title() == "others" and page.heard == []


def test_a_filter_acts_on_all_figures_and_is_in_the_address(opened, store):
    page = opened()
    points = analysis.read(store)
    page.click("#facets button:text-is('micro')")
    page.click("#facets button:text-is('350')")
    chosen = points[(points["model"] == "micro") & (points["data_size"] == 350)]
    page.wait_for_timeout(300)
    assert len(names_of(page)) == len(chosen) > 0
    assert page.inner_text("#shown") == f"{len(chosen)} of {RUNS} runs"
    assert len(page.query_selector_all("#runs-table tbody tr")) == len(chosen)
    assert len(page.query_selector_all("#model-chart [aria-roledescription='point'][aria-label]")) == len(chosen)
    assert len(page.query_selector_all("#cells-table .cell:not(.hidden)[data-run]")) == len(chosen)
    again = opened(address=page.url[page.url.index("#") :])
    assert again.inner_text("#shown") == page.inner_text("#shown")
    page.click("#clear")
    assert page.inner_text("#shown") == f"{RUNS} runs"


def test_metric_compute_law_and_axes_can_be_chosen(opened):
    page = opened()
    assert "E = " in page.inner_text("#frontier-note")
    page.select_option("#family", "power")
    assert page.inner_text("#law-text caption >> nth=0").startswith("E = a C^-b, ")
    page.select_option("#x", "data_size")
    page.select_option("#x-scale", "linear")
    page.select_option("#y-scale", "linear")
    page.wait_for_timeout(300)
    assert "--x data_size --law power" in page.inner_text("#frontier-note")
    assert len(names_of(page)) == RUNS
    page.select_option("#family", "")
    page.select_option("#x", "flops")
    before = page.inner_html("#frontier-chart")
    page.click("#zoom-in")
    page.wait_for_timeout(300)
    assert page.inner_html("#frontier-chart") != before
    page.click("#zoom-reset")
    assert page.heard == []


def test_chosen_runs_give_a_condition_that_chooses_them_and_rows_as_csv(opened, store):
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    points = analysis.read(store)

    def where() -> str:
        words = shlex.split(page.input_value("#where"))
        return words[words.index("--where") + 1]

    page.click("#facets button:text-is('mini')")
    page.click("#facets button:text-is('1,600')")
    page.click("#choose-shown")
    page.click("#clear")
    wanted = points[(points["model"] == "mini") & (points["steps"] == 1600)]
    assert "run in" not in where()
    assert points[analysis.select(points, where())]["run"].tolist() == wanted["run"].tolist()
    page.click("#runs-table .run >> nth=0")
    more = {points["run"].iloc[0], *wanted["run"]}
    assert set(points[analysis.select(points, where())]["run"]) == more
    page.click("#copy-rows")
    page.wait_for_selector("#copy-rows:text('Copied')")
    rows = list(csv.DictReader(io.StringIO(page.evaluate("navigator.clipboard.readText()"))))
    assert {row["run"] for row in rows} == more
    values = points.set_index("run")[METRIC]
    assert {row["run"]: float(row[METRIC]) for row in rows} == {run: values[run] for run in more}


def test_the_command_of_a_page_of_some_runs_chooses_among_these(browser, store, tmp_path):
    path = tmp_path / "some.html"
    write_page(path, store, where="model != 'mini' or steps < 800")
    page = browser.new_page()
    page.goto(f"file://{path}")
    page.wait_for_selector("html[data-ready]")
    page.click("#facets button:text-is('mini')")
    page.click("#choose-shown")
    words = shlex.split(page.input_value("#where"))
    points = analysis.read(store)
    chosen = points[analysis.select(points, words[words.index("--where") + 1])]
    assert set(chosen["model"]) == {"mini"} and chosen["steps"].max() < 800
    assert f"{len(chosen)} runs chosen." == page.inner_text("#chosen") and len(chosen) > 3
    page.close()


def test_a_figure_of_very_many_points_leaves_the_rest_of_the_page_whole(browser, store, tmp_path):
    """As arguments of Math.min 125,000 numbers overflow the stack: the grid, the table and all below were missing."""
    data = document(store, where="model == 'micro'", thorough=False)
    steps = list(range(1, 101))
    numbers = {"steps": steps, "losses": [1 / step for step in steps], "seconds": steps}
    curve = {"run": "", "runs": data["runs"]["run"], "images_per_step": 16.0, "flops_per_step": 1e6, **numbers}
    path = tmp_path / "curves.html"
    path.write_text(html(data | {"curves": [curve] * 1_500}))
    page = browser.new_page()
    listen(page)
    page.goto(f"file://{path}")
    page.wait_for_selector("html[data-ready]")
    assert page.query_selector("#curves-chart svg, #curves-chart canvas") and page.query_selector(
        "#runs-table tbody tr"
    )
    assert [text for text in page.heard if not text.startswith(("file://", "data:,"))] == []
    page.close()


def test_the_table_is_sorted_by_keyboard_and_says_so(opened, store):
    page = opened()
    head = f"#runs-table [data-sort='{METRIC}']"
    for direction, best in (("ascending", "min"), ("descending", "max")):
        page.focus(head)
        page.keyboard.press("Enter")
        assert page.get_attribute(f"th:has({head.removeprefix('#runs-table ')})", "aria-sort") == direction
        assert page.evaluate("document.activeElement.dataset.sort") == METRIC
        name = analysis.read(store).set_index("name")[METRIC].agg(f"idx{best}")
        assert page.inner_text("#runs-table tbody th >> nth=0") == name
    page.focus("#cells-table button >> nth=0")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.inner_text("#chosen") == "1 run chosen."
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert page.inner_text("#card strong")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_its_window_and_its_marks_stand_out(opened, width, scheme):
    page = opened(width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    variable = "getComputedStyle(document.documentElement).getPropertyValue"
    paper = page.evaluate(f"{variable}('--paper')").strip()
    for place in range(3):
        assert contrast(page.evaluate(f"{variable}('--model-{place}')").strip(), paper) >= 3
    for name, least in (("--ink", 7), ("--soft", 4.5), ("--accent", 4.5), ("--warn", 4.5)):
        assert contrast(page.evaluate(f"{variable}('{name}')").strip(), paper) >= least
    assert page.heard == []


def test_paper_is_white_also_from_a_dark_screen(opened):
    page = opened(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert (
        page.evaluate("getComputedStyle(document.querySelector('#frontier-chart svg text')).fill") == "rgb(27, 27, 31)"
    )
    assert page.is_hidden("nav")


def test_axe_finds_no_serious_fault(opened, tmp_path):
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm brings axe-core, and is not on the path")
    words = [npm, "install", "--silent", "--no-save", "axe-core@4.11.0"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, timeout=120)
    if done.returncode:
        pytest.skip("npm can't install axe-core here")
    source = (tmp_path / "node_modules" / "axe-core" / "axe.min.js").read_text()
    for settings in ({"color_scheme": "light"}, {"color_scheme": "dark", "width": 360}):
        page = opened(address=FEW, **settings)
        page.click("#runs-table .run >> nth=3")
        page.evaluate(source)
        violations = page.evaluate("axe.run()")["violations"]
        serious = [fault for fault in violations if fault["impact"] in ("serious", "critical")]
        assert [(fault["id"], node["html"]) for fault in serious for node in fault["nodes"]] == []


def test_the_live_page_follows_a_launch_from_the_first_job_to_the_law(browser, tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY)
    command = [sys.executable, "-m", "scalectl"]
    pipes = {"cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    launch = subprocess.Popen([*command, "launch", "study.yaml", "--here"], **pipes)
    served = subprocess.Popen([*command, "serve"], **pipes)
    try:
        page = browser.new_page()
        listen(page)
        address = served.stdout.readline().strip()
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        page.wait_for_selector("#now:not([hidden]) #jobs td", timeout=PATIENCE)
        assert "A launch is running" in page.inner_text("#live")
        page.wait_for_selector("#live:text('No launch is running')", timeout=PATIENCE)
        page.wait_for_selector("#law-text p:text('10 runs')", timeout=PATIENCE)
        status = subprocess.run([*command, "fit"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        for line in page.inner_text("#law-text ul >> nth=0").splitlines():
            assert line in status.stdout
        assert len(names_of(page)) == 10 and "10 done" in page.inner_text("#summary")
        own = address.split("?")[0]
        assert [text for text in page.heard if not text.startswith(own)] == []
    finally:
        served.terminate()
        launch.communicate(timeout=120)
        served.communicate(timeout=20)
    assert launch.returncode == 0
