"""The public functions of the analysis: one set of words, values that print themselves, nothing loaded too early."""

import inspect
import subprocess
import sys
from dataclasses import fields, is_dataclass
from functools import cache

import numpy as np
import pandas as pd
import pytest
from runs import METRIC, laptop
from test_plots import budgets

from scalectl import analysis

POINTS = laptop().assign(images_seen=lambda points: 64 * points["steps"])
NEW = pd.DataFrame({"run": ["a"], "name": ["<b>&"], "flops": [1e13], "images_seen": [1e6], "data_size": [1400]})
SIZES = np.meshgrid(np.geomspace(1e6, 1e9, 4), np.geomspace(1e6, 1e9, 4))


def surface():
    size, data = (axis.ravel() for axis in SIZES)
    return analysis.fit_surface(size, data, 1.7 + 400 * size**-0.34 + 410 * data**-0.28)


RESULTS = {
    "fit": lambda: analysis.fit(POINTS, draws=5),
    "fit_each": lambda: analysis.fit_each(POINTS, per="model", law="power", draws=0),
    "isoflop": lambda: analysis.isoflop(budgets(), METRIC),
    "predict": lambda: analysis.predict(POINTS, compute=1e14),
    "suggest": lambda: analysis.suggest(POINTS, NEW, 1e14),
    "extrapolate": lambda: analysis.extrapolate([1, 2, 4, 8], [1.0, 0.7, 0.5, 0.36], [16, 32]),
    "fit_surface": surface,
}


@cache
def result_of(name):
    return RESULTS[name]()


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_a_frozen_value_with_a_report_and_html(name):
    result = result_of(name)
    assert is_dataclass(result) and type(result).__dataclass_params__.frozen
    assert "object at 0x" not in str(result) and f"{type(result).__name__}(" not in str(result)
    html = result._repr_html_()
    assert html.count("<table>") == html.count("</table>") and html.startswith(("<table>", "<pre>"))


def test_names_of_the_users_are_escaped_in_html():
    assert "&lt;b&gt;&amp;" in result_of("suggest")._repr_html_()
    tagged = POINTS.rename(columns={METRIC: "<i>/error"})
    assert "<i>" not in analysis.fit(tagged, "<i>/error", draws=0)._repr_html_()


@pytest.mark.parametrize("name", ["fit", "fit_each", "frontier", "isoflop", "plot", "predict", "suggest"])
def test_the_same_things_have_the_same_words_in_the_same_order(name):
    words = list(inspect.signature(getattr(analysis, name)).parameters)
    assert words[0] == "points" and words.index("metric") + 1 == words.index("x")
    assert not {"by", "family", "column"} & {*words}


def test_an_extrapolation_unpacks_as_y_and_its_interval():
    result = analysis.extrapolate([1, 2, 4], [1.0, 0.7, 0.5], [8])
    y, low, high = result
    assert [field.name for field in fields(result)] == ["x", "y", "low", "high"]
    assert (y, low, high) == (result.y, result.low, result.high) and low < y < high


def test_every_public_name_is_there_and_no_module_hides_one():
    code = (
        "import pkgutil, importlib, sys, types, analysis\n"
        "for module in pkgutil.walk_packages(analysis.__path__, 'analysis.'): importlib.import_module(module.name)\n"
        "hidden = [n for n in analysis.__all__ if isinstance(getattr(analysis, n), types.ModuleType)]\n"
        "print(hidden, sorted(analysis.__all__) == [n for n in dir(analysis)], hasattr(analysis, 'nothing'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "True", "False"]
