"""What came of what was said before it was trained: blocks of REPORT.md."""

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd
from tables import ERROR, HERE, done, of_recipe, percent, runs, scaling, shown  # type: ignore[import-not-found]  # beside this script

import scalectl

FEW = 6  # runs outside their intervals that are told one by one


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


def reached() -> str:
    """What PREDICTION.md had said of the dearest compute by the law of the frontier, and the best run there."""
    compute, error, low, high = said()
    best = runs().query("flops > 0.99 * @compute")[ERROR].min()
    place = "inside" if low <= 100 * best <= high else "outside"
    return (
        f"At {compute:.3g} FLOPs, the largest budget, the law of the frontier had said {error} % ({low} to {high} %)."
        f" The best run there has {percent(best)}: {place}."
    )


def said() -> tuple[float, float, float, float]:
    """The compute that PREDICTION.md is about, and the error with its interval, in per cent."""
    found = re.search(
        r"compute ([\d.e+]+)\n\n  ([\d.]+) % \(([\d.]+) to ([\d.]+) %", (HERE / "PREDICTION.md").read_text()
    )
    if found is None:
        raise ValueError("PREDICTION.md has no prediction of a compute")
    compute, error, low, high = map(float, found.groups())
    return compute, error, low, high


def cheaper() -> str:
    """The run of isoflop.yaml that is better than all of the study, and how much less it took than the dearest."""
    best = done("isoflop").sort_values(ERROR).iloc[0]
    dearest = runs()["flops"].max()
    return (
        f"One run of `isoflop.yaml`, {best['model']} for {best['steps']:,} steps, reaches {percent(best[ERROR])} with"
        f" {best['flops']:.2g} FLOPs, {dearest / best['flops']:.1f} times less than the largest budget. With all 22 of"
        " its runs the law is another one:"
    )


def agreed() -> str:
    """Whether the law of all runs shows a floor, and what it says of the largest budget."""
    law, compute = scalectl.fit(of_recipe(), ERROR), runs()["flops"].max()
    low, high = (float(end[0]) for end in law.band([compute]))
    gain = next(one["aicc_gain"] for one in law.to_json()["simpler"] if one["law"] == "shifted")
    return (
        f"A floor {shown(gain)} by it. Of the largest budget it says {100 * float(law(compute)):.1f} %"
        f" ({100 * low:.1f} to {100 * high:.1f} %); {said()[1]} % had been said before."
    )
