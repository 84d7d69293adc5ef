"""Two findings of the paper, asked again with the runs of decay.yaml and pooling.yaml: blocks of REPORT.md.

Seeds share weights and batches between cells, so differences are taken seed by seed.
"""

from collections.abc import Iterable

import pandas as pd
from scipy import stats
from tables import ERROR, FEW_SHOT, HERE, done, marked, percent, spread, table  # type: ignore[import-not-found]  # beside this script

import scalectl

METRICS = {ERROR: "Upstream error", FEW_SHOT: "10-shot error"}
HEAD, BODY = "weight_decay_head", "weight_decay_body"
CHANCE = 0.05  # of a test, below which two kinds are said to differ
LEVEL = 0.9  # of intervals


def decay() -> str:
    """Both errors over the weight decays of head and body, with the seed that all cells have, and what a decay does."""
    points = done("decay")
    parts = []
    for metric, words in METRICS.items():
        cells = of_one_seed(points).pivot(values=metric, index=HEAD, columns=BODY)
        least = cells.min(axis=None)
        rows = [
            (f"{head:g}", *(marked(percent(error), error == least) for error in row)) for head, row in cells.iterrows()
        ]
        parts.append(table((f"{words}: head", *(f"body {body:g}" for body in cells.columns)), rows))
    parts.append("\n".join(f"- {line}" for line in effects(points)))
    return "\n\n".join(parts)


def of_one_seed(points: pd.DataFrame) -> pd.DataFrame:
    """The runs of the seed that all cells have, whose weights and batches are the same in all of them."""
    return points[points["seed"] == points["seed"].min()]


def effects(points: pd.DataFrame) -> Iterable[str]:
    """What the most decay of head and of body changes in each error at the corners, seed by seed."""
    for metric, words in METRICS.items():
        changes = [
            f"{name} of {most:g} in place of {least:g}: {change}" for name, least, most, change in ends(points, metric)
        ]
        spread = 100 * points[(points[HEAD] == 0) & (points[BODY] == 0)][metric].std()
        yield (
            f"**{words}**, points of difference at the corners: {'; '.join(changes)}. Between seeds of one cell the"
            f" standard deviation is {spread:.2f} points; seeds are compared with themselves."
        )
    ranks = of_one_seed(points)[list(METRICS)].corr("spearman").iloc[0, 1]
    yield f"Over the 25 cells of one seed the two errors have a rank correlation of {ranks:.2f}."


def ends(points: pd.DataFrame, metric: str) -> Iterable[tuple[str, float, float, str]]:
    """For head and body: their least and most decay, and the change between them with the interval of the seeds."""
    corners = points.groupby([HEAD, BODY]).filter(lambda cell: len(cell) > 1)
    for name, key in (("head", HEAD), ("body", BODY)):
        means = corners.pivot_table(values=metric, index="seed", columns=key)
        least, most = means.columns[[0, -1]]
        yield name, least, most, interval(100 * (means[most] - means[least]))


def interval(changes: pd.Series) -> str:
    """The mean of changes and its interval by Student's t."""
    low, high = stats.t.interval(LEVEL, len(changes) - 1, changes.mean(), changes.sem())
    return f"{changes.mean():+.1f} ({low:+.1f} to {high:+.1f})"


def pooling() -> str:
    """Both errors of each pooling at equal compute, with and without the layer, and what differs by more than seeds."""
    points = done("pooling")
    rows = [
        (head, layer, f"{group['steps'].iloc[0]:,.0f}", *(spread(group[metric]) for metric in METRICS))
        for (head, layer), group in points.groupby(["head", "pre_logits"])
    ]
    lines = "\n".join(f"- {line}" for line in contrasts(points))
    return "\n\n".join((table(("pooling", "layer", "steps", *METRICS.values()), rows), lines))


def contrasts(points: pd.DataFrame) -> Iterable[str]:
    """For each error the poolings beside each other, without the layer and with it, and the layer's own effect."""
    for metric, words in METRICS.items():
        told = []
        for layer, group in points.groupby("pre_logits"):
            chance = chance_of_columns(group.pivot(values=metric, index="seed", columns="head"))
            differ = "differ" if chance < CHANCE else "don't differ"
            told.append(f"with the layer {layer} the poolings {differ} by more than seeds do (p = {chance:.2g})")
        pairs = points.pivot(values=metric, index=["head", "seed"], columns="pre_logits")
        effect = interval(100 * (pairs["tanh"] - pairs["none"]))
        yield f"**{words}**: {'; '.join(told)}. The layer changes it by {effect} points, seed by seed."


def chance_of_columns(seeds: pd.DataFrame) -> float:
    """The chance that columns differ so much when none does: an analysis of variance with a row for each seed."""
    rows, columns = seeds.shape
    of_columns = seeds.mean(axis=0) - seeds.mean(axis=None)
    rest = seeds.sub(seeds.mean(axis=1), axis=0) - of_columns
    degrees = columns - 1, (columns - 1) * (rows - 1)
    ratio = (rows * (of_columns**2).sum() / degrees[0]) / ((rest**2).sum(axis=None) / degrees[1])
    return float(stats.f.sf(ratio, *degrees))


def draw() -> None:
    """Draw both errors over the weight decays."""
    for metric in METRICS:
        figure = scalectl.plot(of_one_seed(done("decay")), "decay-map", metric)
        figure.save(HERE / "figures" / f"decay_{metric.split('/')[0]}.png")
