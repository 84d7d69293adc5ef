"""Writes the numbers and figures of REPORT.md from the tables in this folder.

python report.py [--check]

Tables are those of `scalectl export --to parquet`, predictions those of `scalectl predict --missing -o csv`. A block of
REPORT.md between `<!-- NAME -->` and `<!-- end -->` is what the function of that name returns. With --check nothing is
written, and the exit code is 1 where a block isn't what its function returns.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

import scalectl

HERE = Path(__file__).parent
ERROR, FEW_SHOT = "upstream/error", "fewshot/cifar10/10shot/error"
BLOCK = re.compile(r"(<!-- (?!end)(\w+) -->\n)(.*?)(?=<!-- end -->)", re.S)
FIGURES = ("frontier", "bottleneck", "samples", "isoflop", "curves", "backtest")
REACHED = (0.6, 0.5, 0.45)  # errors whose price in images is told
FEW = 6  # runs outside their intervals that are told one by one
SUPPORT = 2.0  # AICc that a simpler law is worse by, from which on a parameter is shown


def runs() -> pd.DataFrame:
    """The runs of the grid that are done, cheapest first."""
    points = scaling()
    return points[points["state"] == "done"].sort_values("flops", ignore_index=True)


def scaling() -> pd.DataFrame:
    """All runs of the study itself; those of other parts have other recipes."""
    points = pd.read_parquet(HERE / "points.parquet")
    return points[points["study"] == "cifar10"].reset_index(drop=True)


def state() -> str:
    """How much of the study is done, over which range, and what was spent."""
    every, done = scaling(), runs()
    decades = np.log10(done["flops"].max() / done["flops"].min())
    hours = done["device_seconds"].sum() / 3600
    return (
        f"{len(done)} runs of {every['model'].nunique()} models are done, from {done['flops'].min():.2g} to"
        f" {done['flops'].max():.2g} training FLOPs, {decades:.2f} decades. Their training took {hours:.1f} hours of"
        " one CPU core."
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


def backtests() -> str:
    """What the cheap runs said of the frontier."""
    return f"```text\n{scalectl.backtest(scaling(), ERROR)}\n```"


def outcomes() -> str:
    """What came of each file of predictions."""
    lines = []
    for file in sorted(HERE.glob("prediction*.csv")):
        judged = scalectl.judge(pd.read_csv(file, dtype={"run": str}), scaling())
        head = str(judged).split("\n\n")[0].replace("\n", "; ")
        lines.append(f"- `{file.name}`: {head}.")
        lines += [f"  - outside: {line}" for line in outside(judged)]
    return "\n".join(lines)


def outside(judged: "scalectl.analysis.foretold.Judged") -> Iterable[str]:
    """The runs that ended outside their intervals: each one, or how many of each model where they are many."""
    missed = [(run, run.got) for run in judged.runs if run.got is not None and not run.inside]
    if len(missed) <= FEW:
        for run, got in missed:
            ends = f"{100 * run.estimate:.1f} % ({100 * run.low:.1f} to {100 * run.high:.1f} %)"
            yield f"{run.name}, predicted {ends}, got {100 * got:.1f} %"
        return
    above = sum(got > run.high for run, got in missed)
    models = Counter(run.name.split("-")[0] for run, _ in missed)
    yield f"{above} of {len(missed)} above the interval; {', '.join(f'{n} of {name}' for name, n in models.items())}"


def again() -> str:
    """What the law of today says of the same runs, from those that were done when a file was written."""
    lines = []
    for file in sorted(HERE.glob("prediction*.csv")):
        told = pd.read_csv(file, dtype={"run": str})
        every = scaling()
        is_told = every["run"].isin(told["run"])
        done = every[is_told & (every["state"] == "done")]
        if not len(done):
            continue
        found = scalectl.foretell(every[~is_told], done, ERROR)
        judged = scalectl.judge(pd.DataFrame(found.to_json()["runs"]), every)
        rms = np.sqrt(np.mean(np.square(judged.offs)))
        lines.append(f"- `{file.name}`: {judged.inside} of {len(judged.offs)} inside, {rms:.2g} rms (log).")
    return "\n".join(lines)


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


def images(error_N: np.ndarray, seen_N: np.ndarray, error: float) -> str:
    """The images at which a falling curve comes down to an error, in log-log; a dash where it doesn't."""
    if not error_N.min() <= error <= error_N.max():
        return "-"
    return f"{crossing(error_N, seen_N, error):,.0f}"


def crossing(error_N: np.ndarray, seen_N: np.ndarray, error: float) -> float:
    """The images at which a falling curve, which reaches an error, comes down to it, in log-log."""
    return float(np.exp(np.interp(-np.log(error), -np.log(error_N), np.log(seen_N))))


def sizes() -> str:
    """The best model size at each budget, by IsoFLOP minima and by the law of size and images."""
    points = scaling()
    parts = []
    try:
        parts.append(str(scalectl.isoflop(points, ERROR)))
    except scalectl.Refused as why:
        parts.append(f"IsoFLOP: {why}")
    try:
        done = runs()
        law = scalectl.fit_surface(done["params"], done["images_seen"], done[ERROR])
        parts.append(str(law))
    except scalectl.Refused as why:
        parts.append(f"L(N, D): {why}")
    return "```text\n" + "\n\n".join(parts) + "\n```"


def sharing() -> str:
    """What the runs cost with shared trunks and would have cost alone."""
    done = runs()
    alone, shared = done["flops"].sum(), done["marginal_flops"].sum()
    return (
        f"Alone the runs that are done would have cost {alone:.3g} FLOPs. With shared trunks it was {shared:.3g},"
        f" {100 * (1 - shared / alone):.0f} % less."
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
    law = scalectl.fit(scaling(), ERROR).to_json()
    b, (low, high) = law["params"]["exponent"], law["intervals"]["exponent"]
    gains = {one["law"]: one["aicc_gain"] for one in law["simpler"]}
    best = [model for model, _ in groupby(by_compute(law["frontier"])["model"])]
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


def shown(gain: float) -> str:
    """Whether a law without a parameter is so much worse that the runs show it."""
    return "is shown" if gain > SUPPORT else "is not shown"


def by_compute(ids: Collection[str]) -> pd.DataFrame:
    """These runs, the cheapest first."""
    return runs()[runs()["run"].isin(ids)]


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


def means() -> pd.DataFrame:
    """The runs with seeds averaged."""
    cell = ["model", "params", "data_size", "steps", "images_seen"]
    return runs().groupby(cell, observed=True, as_index=False)[[ERROR, FEW_SHOT]].mean()


def by_size(done: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    """The runs of each model, smallest first."""
    for _, group in done.groupby("params"):
        yield str(group["model"].iloc[0]), group


def percent(value: float) -> str:
    """An error in per cent; a dash where there is none."""
    return "-" if np.isnan(value) else f"{100 * value:.1f} %"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))


BLOCKS: dict[str, Callable[[], str]] = {
    block.__name__: block
    for block in (state, models, law, backtests, outcomes, again, bottleneck, samples, sizes, sharing, transfer, paper)
}


def filled(text: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """A page with each block as its function returns it."""
    return BLOCK.sub(lambda found: f"{found[1]}{blocks[found[2]]()}\n", text)


def draw() -> None:
    """Draw the figures that the runs carry."""
    curves = pd.read_parquet(HERE / "curves.parquet")
    for kind in FIGURES:
        try:
            scalectl.plot(scaling(), kind, ERROR, curves=curves).save(HERE / "figures" / f"{kind}.png")
        except scalectl.Refused as why:
            print(f"{kind}: {why}")


def main() -> None:
    """Write the report, or compare it with what would be written."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    file = HERE / "REPORT.md"
    before = file.read_text()
    after = filled(before, BLOCKS)
    if check:
        sys.exit(int(before != after))
    (HERE / "figures").mkdir(exist_ok=True)
    draw()
    file.write_text(after)


if __name__ == "__main__":
    main()
