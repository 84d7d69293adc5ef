"""Writes the numbers and figures of REPORT.md from the tables in this folder.

python report.py [--check]

Tables are those of `scalectl export --to parquet`, predictions those of `scalectl predict --missing -o csv`, and
attempts.csv is what `scalectl query` says of them (README.md), and other_trainer.csv and same_start.csv are what the
scripts of these names in benchmarks/ wrote. A block of REPORT.md between `<!-- NAME -->` and `<!-- end -->` is what the
function of that name returns. With --check nothing is written, and the exit code is 1 where a block isn't what its
function returns.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby

import numpy as np
import pandas as pd
import recipes  # type: ignore[import-not-found]  # beside this script
from outcomes import again, agreed, cheaper, outcomes, reached  # type: ignore[import-not-found]  # beside this script
from peers import other_trainer, same_start  # type: ignore[import-not-found]  # beside this script
from tables import (  # type: ignore[import-not-found]  # beside this script
    ERROR,
    FEW_SHOT,
    HERE,
    by_size,
    crossing,
    done,
    images,
    marked,
    means,
    of_recipe,
    percent,
    runs,
    scaling,
    shown,
    table,
)

import scalectl

BLOCK = re.compile(r"(<!-- (?!end)(\w+) -->\n)(.*?)(?=<!-- end -->)", re.S)
FIGURES = ("frontier", "bottleneck", "samples", "isoflop", "backtest")
COMPUTES = (2.5e12, 7e12, 2e13, 4e13)  # of isoflop.yaml
REACHED = (0.6, 0.5, 0.45)  # errors whose price in images is told


def state() -> str:
    """How much of the study is done, over which range, and what was spent."""
    every, done = scaling(), runs()
    decades = np.log10(done["flops"].max() / done["flops"].min())
    return (
        f"{len(done)} runs of {every['model'].nunique()} models are done, from {done['flops'].min():.2g} to"
        f" {done['flops'].max():.2g} training FLOPs, {decades:.2f} decades."
    )


def models() -> str:
    """Each model: its size, its runs, and how fast it trained."""
    rows = []
    for name, group in by_size(runs()):
        first = group.iloc[0]
        size = f"{first['params']:,.0f}", f"{first['flops_per_image'] / 1e6:.1f} M"
        speed = f"{group['images_per_second'].median():,.0f}", f"{group['flops_per_second'].median() / 1e9:.0f}"
        rows.append((name, *size, str(len(group)), *speed, percent(group[ERROR].min())))
    header = ("model", "parameters", "FLOPs an image", "runs", "images/s", "GFLOP/s", "best error")
    return table(header, rows)


def law() -> str:
    """The law of the frontier as `scalectl fit` prints it."""
    return f"```text\n{scalectl.fit(scaling(), ERROR)}\n```"


def law_of_all() -> str:
    """The same with the runs of isoflop.yaml."""
    return f"```text\n{scalectl.fit(of_recipe(), ERROR)}\n```"


def backtests() -> str:
    """What the cheap runs said of the frontier."""
    return f"```text\n{scalectl.backtest(scaling(), ERROR)}\n```"


def bottleneck() -> str:
    """The least error of each model on each data size, over all lengths; seeds are averaged."""
    best = means().groupby(["params", "model", "data_size"], observed=True)[ERROR].min().unstack()
    rows = [
        (name, *(percent(value) for value in row)) for (_, name), row in zip(best.index, best.to_numpy(), strict=True)
    ]
    return table(("model", *(f"{size:,} images" for size in best.columns)), rows)


def samples() -> str:
    """The images that each model sees until it reaches an error on all data, between its lengths."""
    rows = []
    for name, group in by_size(means()[means()["data_size"] == 50_000]):
        seen = group.sort_values("images_seen")
        falling = np.minimum.accumulate(seen[ERROR].to_numpy())
        rows.append((name, *(images(falling, seen["images_seen"].to_numpy(), error) for error in REACHED)))
    return table(("model", *(f"error of {100 * error:.0f} %" for error in REACHED)), rows)


def isoflops() -> str:
    """The error of each model at each compute of isoflop.yaml, the least in bold."""
    points = done("isoflop")
    nearest = np.abs(np.log(points["flops"].to_numpy()[:, None] / COMPUTES)).argmin(axis=1)
    cells = points.pivot_table(values=ERROR, index=np.array(COMPUTES)[nearest], columns="params")
    names = points.groupby("params")["model"].first()
    rows = []
    for compute, row in cells.iterrows():
        errors = [marked(percent(error), error == row.min()) for error in row]
        rows.append((f"{compute:.2g}", *errors))
    return table(("FLOPs", *names), rows)


def sizes() -> str:
    """The best model size at each budget, by IsoFLOP minima and by the law of size and images."""
    points, said = of_recipe(), []
    for name, fit in (("IsoFLOP", scalectl.isoflop), ("L(N, D)", surface)):
        try:
            said.append(str(fit(points, ERROR)))
        except scalectl.Refused as why:
            said.append(f"{name}: {why}")
    return "```text\n" + "\n\n".join(said) + "\n```"


def surface(points: pd.DataFrame, metric: str) -> object:
    """The law of size and images."""
    return scalectl.fit_surface(points["params"], points["images_seen"], points[metric])


def sharing() -> str:
    """What the runs cost with shared trunks and would have cost alone."""
    done = runs()
    alone, shared = done["flops"].sum(), done["marginal_flops"].sum()
    return (
        f"Alone the runs that are done would have cost {alone:.3g} FLOPs. With shared trunks it was {shared:.3g},"
        f" {100 * (1 - shared / alone):.0f} % less."
    )


def spent() -> str:
    """The time that all attempts took, and how they ended."""
    attempts = pd.read_csv(HERE / "attempts.csv", keep_default_na=False)
    hours = attempts.groupby("study")["device_seconds"].sum() / 3600
    ends = attempts.groupby(["state", "cause"])["attempts"].sum()
    shares = ", ".join(f"{value:.1f} of {name}" for name, value in hours.items())
    ended = ", ".join(f"{count} {f'{state} ({cause})' if cause else state}" for (state, cause), count in ends.items())
    return (
        f"All of it took {hours.sum():.1f} hours of one CPU core: {shares}. Attempts at jobs ended like this: {ended}."
    )


def transfer() -> str:
    """The 10-shot error beside the upstream error, by rank over all runs."""
    done = runs()
    ranks = done[[ERROR, FEW_SHOT]].rank().corr().iloc[0, 1]
    return (
        f"Over {len(done)} runs the 10-shot error and the upstream error have a rank correlation of {ranks:.2f}."
        f" The least 10-shot error is {percent(done[FEW_SHOT].min())}."
    )


def paper() -> str:
    """What the paper found, beside what these runs say of it."""
    law = scalectl.fit(of_recipe(), ERROR).to_json()
    b, (low, high) = law["params"]["exponent"], law["intervals"]["exponent"]
    gains = {one["law"]: one["aicc_gain"] for one in law["simpler"]}
    on_frontier = of_recipe()[of_recipe()["run"].isin(law["frontier"])].sort_values("flops")
    best = [model for model, _ in groupby(on_frontier["model"])]
    return "\n".join(
        (
            f"- **The exponent** is {b:.2f} ({low:.2g} to {high:.2g}). The curves of the paper's Figure 2"
            " have 0.35 for the fine-tuned and 0.32 for the 10-shot error on ImageNet.",
            f"- **A floor** at high compute {shown(gains['shifted'])} (AICc {gains['shifted']:+.1f} without it), and"
            f" **an offset** at low compute {shown(gains['saturating'])} ({gains['saturating']:+.1f}). The paper has"
            " both.",
            f"- **The best models**, from the least compute to the most, are {', '.join(best)}. In the paper the best"
            " size grows with compute over the whole range.",
            *(f"- **{line}" for line in fewer_images()),
        )
    )


def fewer_images() -> Iterable[str]:
    """For each error the images that the smallest model sees until then, and those of the model that sees fewest."""
    every = means()[means()["data_size"] == means()["data_size"].max()]
    for error in REACHED:
        needed = {}
        for name, group in by_size(every):
            seen = group.sort_values("images_seen")
            falling = np.minimum.accumulate(seen[ERROR].to_numpy())
            if falling.min() <= error <= falling.max():
                needed[name] = crossing(falling, seen["images_seen"].to_numpy(), error)
        if len(needed) > 1:
            least, first = min(needed, key=lambda name: needed[name]), next(iter(needed))
            yield (
                f"An error of {100 * error:.0f} %** takes {first} {needed[first]:,.0f} images, and {least}"
                f" {needed[least]:,.0f}, the fewest of all: {needed[first] / needed[least]:.2g} times fewer."
            )


BLOCKS: dict[str, Callable[[], str]] = {
    block.__name__: block
    for block in (
        state,
        models,
        law,
        backtests,
        outcomes,
        again,
        reached,
        cheaper,
        law_of_all,
        agreed,
        bottleneck,
        samples,
        isoflops,
        sizes,
        sharing,
        spent,
        transfer,
        recipes.decay,
        recipes.pooling,
        other_trainer,
        same_start,
        paper,
    )
}


def filled(text: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """A page with each block as its function returns it."""
    return BLOCK.sub(lambda found: f"{found[1]}{blocks[found[2]]()}\n", text)


def draw() -> None:
    """Draw the figures that the runs carry."""
    curves = pd.read_parquet(HERE / "curves.parquet")
    for kind in FIGURES:
        try:
            points = of_recipe() if kind == "isoflop" else scaling()
            scalectl.plot(points, kind, ERROR, curves=curves).save(HERE / "figures" / f"{kind}.png")
        except scalectl.Refused as why:
            print(f"{kind}: {why}")
    recipes.draw()
    scalectl.plot(of_recipe(), "frontier", ERROR).save(HERE / "figures" / "frontier_of_all.png")


def main() -> None:
    """Write the report, or compare it with what would be written."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    file = HERE / "REPORT.md"
    before = file.read_text()
    after = filled(before, BLOCKS)
    if check:
        old, new = ({block[2]: block[3] for block in BLOCK.finditer(text)} for text in (before, after))
        others = [name for name in new if old[name] != new[name]]
        sys.exit(f"REPORT.md differs from its tables in: {', '.join(others)}" if others else 0)
    (HERE / "figures").mkdir(exist_ok=True)
    draw()
    file.write_text(after)


if __name__ == "__main__":
    main()
