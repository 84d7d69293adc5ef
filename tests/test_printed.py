"""The page on paper, in a real Chromium: what is wider than a sheet would be cut off."""

import pytest
from runs import METRIC, laptop
from studies_of_pages import imported

from scalectl.orchestrator.page.writing import write_page

pytestmark = pytest.mark.slow

PAPER = 718  # CSS pixels of A4 within margins of a centimetre
FURTHEST = "Math.max(...[...document.querySelectorAll('main *')].map((each) => each.getBoundingClientRect().right))"
BROKEN = """() => [...document.querySelectorAll('.runs td.number')].filter((cell) => {
  const text = document.createRange();
  text.selectNodeContents(cell);
  return text.getClientRects().length > 1;
}).length"""


@pytest.mark.parametrize("metrics", [0, 6, 12, 30])
def test_nothing_is_wider_than_paper(browser, tmp_path, metrics):
    """Tables of eight metrics lost their last columns."""
    more = {f"fewshot/imagenet-{place}/10shot/error": laptop()[METRIC] for place in range(metrics)}
    runs = laptop().assign(**more)
    runs["name"] = "a-run-with-a-long-name-" + runs["name"]
    write_page(tmp_path / "page.html", imported(tmp_path, runs, *more))
    page = browser.new_page(viewport={"width": PAPER, "height": 1000})
    try:
        page.emulate_media(media="print")
        page.goto(f"file://{tmp_path / 'page.html'}")
        page.wait_for_selector("html[data-ready]")
        assert page.evaluate("document.documentElement.scrollWidth") == PAPER
        assert page.evaluate(FURTHEST) <= PAPER
        assert page.locator(".runs thead th").count() == 8 + metrics
        assert metrics == 30 or page.evaluate(BROKEN) == 0  # numbers stay on one line as long as that can be
    finally:
        page.close()
